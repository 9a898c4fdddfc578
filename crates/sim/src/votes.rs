//! Votes on their way into a machine of a [`World`]: signatures hold, but for those that a check
//! would refuse.

use crate::{
    node::{Node, Process},
    time::at,
    timeline::What,
    world::World,
};
use ccoin_core::{
    consensus::{
        certificate::VerifiedCertificate,
        status::VerifiedStatus,
        vote::VerifiedVote,
        voter_record::{Standing, VoterRecord},
    },
    machine::{Input, PeerId},
    message::Message,
};

impl World {
    /// Whether a status shows objects of another key as the receiver's: the check of its
    /// signatures refuses it.
    pub(crate) fn is_for_another(&self, to: usize, message: &Message) -> bool {
        let Message::Status(status) = message else {
            return false;
        };
        let yours = &status.yours;
        let mut votes = yours.vote1.iter().chain(&yours.vote2);
        let miner = self.nodes[to].shell.miner();
        let index = self.nodes[to].shell.index();
        votes.any(|vote| Some(usize::from(vote.vote.voter)) != index)
            || (yours.header.iter()).any(|header| Some(header.header.coinbase) != miner)
    }
}

impl World {
    /// A validator that is down loses its vote file, if finality can go on without it or all
    /// others are intact (A3, A4). A floor covers no votes that were given while most clocks
    /// were ahead (C5).
    pub fn lose_votes(&mut self, index: usize) {
        let consensus = &self.genesis.config.consensus;
        let quorum = consensus.quorum as usize;
        let validators = self.genesis.config.miners.len();
        let intact = |node: &&Node| {
            let intact = node.shell.record.standing == Standing::Intact;
            node.lie.is_none() && node.shell.is_validator() && intact
        };
        let others = self.nodes.iter().enumerate();
        let others = others.filter(|(other, _)| *other != index);
        let others = others.filter(|(_, node)| intact(node)).count();
        let needed = quorum.min(validators - 1).max(1);
        let slot = self.genesis.schedule.slot(at(self.now));
        let node = &mut self.nodes[index];
        if node.shell.is_validator()
            && node.process == Process::Down
            && others >= needed
            && node.shell.record.max_vote1 <= VoterRecord::floor_after(slot)
        {
            let mut record = VoterRecord::never_voted(self.genesis.id);
            record.standing = Standing::Abstains(None);
            node.shell.record = record;
            self.coverage.met("vote file lost");
            self.note(Some(index), What::VotesLost);
        }
    }
}

/// What the machine hears of a message of consensus: signatures hold in the simulation.
pub(crate) fn consensus_input(peer: PeerId, message: Message) -> Option<Input> {
    let certificate = VerifiedCertificate::already_verified;
    Some(match message {
        Message::Vote(vote) => Input::Vote {
            peer,
            vote: VerifiedVote::already_verified(vote),
        },
        Message::Proposal(proposal) => Input::Proposal {
            peer,
            vote: VerifiedVote::already_verified(proposal.vote),
            justify: certificate(proposal.justify),
        },
        Message::Status(status) => Input::Status {
            peer,
            status: Box::new(VerifiedStatus {
                last_final: certificate(status.last_final),
                high: certificate(status.high),
                head: status.head,
                state: status.state,
                links: status.links,
                yours: status.yours,
            }),
        },
        Message::Evidence(evidence) => Input::Evidence { peer, evidence },
        _ => return None,
    })
}
