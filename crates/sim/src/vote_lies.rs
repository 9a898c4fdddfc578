//! Validators that lie with votes: they use their own keys, and repeat, hold back or strip
//! what others have signed. Nobody forges a signature.

use crate::{delivery::Frame, lies::Lie, random::Random, world::World};
use ccoin_core::{
    consensus::{
        certificate::{Certificate, VerifiedCertificate},
        vote::{Phase, Proposed, SignedVote, Vote, VoterIndex},
    },
    machine::PeerId,
    message::Message,
};

/// Messages of everybody that a liar may repeat.
const MAX_HEARD: usize = 256;

/// How a validator lies with votes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VoteLie {
    /// Its votes reach nobody.
    Silent,
    /// It hands proposals on without what justifies them.
    Strip,
    /// It shows no certificate.
    Hide,
    /// It repeats old messages of everybody.
    Replay,
    /// It votes for two blocks under one ballot, and shows them to different peers.
    Twice,
    /// It keeps its votes and certificates to itself, and shows them to one peer whenever that
    /// is about to vote.
    Aim,
    /// It signs a branch into its own turns of the past, proposes it and votes for it.
    Backdate,
    /// It proposes its head under more ballots of its slot than an honest leader ever uses.
    Flood,
    /// Two machines have its key, and neither knows of the other.
    Copied,
}

impl World {
    /// What a node says about final blocks, after its lie; `None`: nothing.
    pub(crate) fn twist_vote(
        &mut self,
        from: usize,
        conn: PeerId,
        message: Box<Message>,
    ) -> Option<Box<Message>> {
        self.heard.push_back(message.clone());
        if self.heard.len() > MAX_HEARD {
            self.heard.pop_front();
        }
        let Some(Lie::Votes(lie)) = self.nodes[from].lie else {
            return Some(message);
        };
        let genesis = |phase| VerifiedCertificate::genesis(phase, self.genesis.id);
        let genesis = |phase| -> Certificate { (*genesis(phase)).clone() };
        let own = |vote: &SignedVote| vote.vote.voter == from as VoterIndex;
        Some(match (lie, *message) {
            (VoteLie::Silent, Message::Vote(vote)) if own(&vote) => return None,
            (VoteLie::Silent, Message::Proposal(proposal)) if own(&proposal.vote) => return None,
            (VoteLie::Aim, Message::Vote(vote)) if own(&vote) => return None,
            (VoteLie::Aim, Message::Proposal(proposal))
                if own(&proposal.vote) && self.victim(from) != Some(conn) =>
            {
                return None;
            }
            (VoteLie::Strip, Message::Proposal(mut proposal)) => {
                proposal.justify = genesis(Phase::One);
                Box::new(Message::Proposal(proposal))
            }
            (VoteLie::Hide | VoteLie::Aim, Message::Status(mut status)) => {
                status.last_final = genesis(Phase::Two);
                status.high = genesis(Phase::One);
                Box::new(Message::Status(status))
            }
            (VoteLie::Twice, Message::Vote(vote)) if own(&vote) && conn.is_multiple_of(2) => {
                Box::new(Message::Vote(self.second_vote(from, vote)))
            }
            (VoteLie::Twice, Message::Proposal(mut proposal))
                if own(&proposal.vote) && conn.is_multiple_of(2) =>
            {
                proposal.vote = self.second_vote(from, proposal.vote);
                Box::new(Message::Proposal(proposal))
            }
            (_, message) => Box::new(message),
        })
    }

    /// A vote for another block under the same ballot, if the liar knows one.
    fn second_vote(&mut self, index: usize, first: SignedVote) -> SignedVote {
        let chain = self.nodes[index].shell.machine.chain();
        let final_number = chain.last_final().0;
        let others: Vec<_> = self.nodes[index]
            .shell
            .log
            .iter()
            .rev()
            .take(16)
            .filter(|block| block.header().number > final_number)
            .filter(|block| block.id != first.vote.block.id)
            .map(|block| (block.header().number, block.id))
            .collect();
        if others.is_empty() {
            return first;
        }
        let (number, id) = others[self.random.below(others.len() as u64) as usize];
        let vote = Vote {
            block: Proposed {
                number,
                id,
                ..first.vote.block
            },
            ..first.vote
        };
        self.second_votes.push(vote);
        let signature = first.signature;
        SignedVote { vote, signature }
    }

    /// A liar repeats some of what anybody has said, to any of its peers.
    pub(crate) fn repeat_votes(&mut self, index: usize, random: &mut Random) {
        let conns: Vec<_> = self.nodes[index].feeds.keys().copied().collect();
        if conns.is_empty() || self.heard.is_empty() {
            return;
        }
        for _ in 0..random.below(16) {
            let place = random.below(self.heard.len() as u64) as usize;
            let message = self.heard[place].clone();
            let conn = conns[random.below(conns.len() as u64) as usize];
            self.say_plainly(index, conn, Frame::Consensus(message));
        }
    }
}
