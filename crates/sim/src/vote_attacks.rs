//! Liars that aim at one voter, or at the past: they know the rules and use the moments that
//! hurt. Both act in every slot, also when all else is well.

use crate::{
    adversaries::Forged, delivery::Frame, lies::Lie, node::Process, vote_lies::VoteLie,
    world::World,
};
use ccoin_core::{
    BlockId, Height,
    consensus::{
        ballot::Ballot,
        certificate::VerifiedCertificate,
        schedule::Schedule,
        vote::{Phase, Proposed, SignedVote, Vote, VoterIndex},
    },
    machine::PeerId,
    message::{Message, SignedProposal, Status, VoterState, Yours},
};
use ccoin_crypto::Signature;

/// Its forged proposals count from here on in each slot: those of its machine lie below.
const FIRST_COUNT: u64 = 1 << 15;

/// Proposals of one slot: an honest validator votes for fewer.
const FLOOD: u64 = 150;

impl World {
    pub(crate) fn votes_by(&self, index: usize, lie: VoteLie) -> bool {
        let node = &self.nodes[index];
        node.process == Process::Up && node.lie == Some(Lie::Votes(lie))
    }

    /// The one voter that a liar shows its hidden certificates: its first connected validator.
    pub(crate) fn victim(&self, index: usize) -> Option<PeerId> {
        let mut conns = self.nodes[index].feeds.keys().copied();
        conns.find(|conn| self.nodes[self.other(*conn, index)].shell.is_validator())
    }

    /// A proposal of another leader has come: the victim shall know, before it votes, of what the
    /// liar has kept from everybody.
    pub(crate) fn show_hidden(&mut self, index: usize) {
        let Some(victim) = self.victim(index) else {
            return;
        };
        let machine = &self.nodes[index].shell.machine;
        let head = &machine.chain().head().block;
        let status = Status {
            last_final: (**machine.last_final()).clone(),
            high: (**machine.high()).clone(),
            head: (head.header().number, head.id),
            state: VoterState::Intact,
            links: Vec::new(),
            yours: Yours::default(),
        };
        let message = Box::new(Message::Status(Box::new(status)));
        self.say_plainly(index, victim, Frame::Consensus(message));
    }

    /// In its slots a liar proposes the branch that it has signed into its past, votes for it in
    /// both phases, and shows that to all.
    pub(crate) fn propose_forged(&mut self, index: usize) {
        let Some((Forged { number, id }, count)) = self.forged.get_mut(&index) else {
            return;
        };
        *count += 1;
        let (mut number, mut id, count) = (*number, *id, *count % FIRST_COUNT);
        if count.is_multiple_of(4) {
            // Now and then a block that no node has.
            let mut bytes = *id.as_bytes();
            bytes[0] = bytes[0].wrapping_add(1);
            (number, id) = (Height::MAX, BlockId::new(bytes));
        }
        let schedule = Schedule::new(&self.genesis.config);
        let slot = schedule.slot(crate::at(self.clock(index)));
        if schedule.leader(slot) != self.nodes[index].shell.miner() {
            return;
        }
        let ballot = Ballot(Ballot::first(slot).0 + FIRST_COUNT + count);
        let block = Proposed { ballot, number, id };
        let machine = &self.nodes[index].shell.machine;
        let high = machine.high();
        let justify = if machine.chain().extends(&id, &high.block()) {
            (**high).clone()
        } else {
            (*VerifiedCertificate::genesis(Phase::One, self.genesis.id)).clone()
        };
        let votes = [Phase::One, Phase::Two].map(|phase| self.false_vote(index, phase, block));
        let [vote, second] = votes;
        let proposal = Message::Proposal(SignedProposal { vote, justify });
        for message in [proposal, Message::Vote(second)] {
            let conns: Vec<_> = self.nodes[index].feeds.keys().copied().collect();
            for conn in conns {
                let frame = Frame::Consensus(Box::new(message.clone()));
                self.say_plainly(index, conn, frame);
            }
        }
    }

    /// Once in each of its slots a liar proposes its head under more ballots than it may (V8).
    pub(crate) fn propose_many(&mut self, index: usize) {
        let schedule = Schedule::new(&self.genesis.config);
        let slot = schedule.slot(crate::at(self.clock(index)));
        let node = &self.nodes[index];
        let flooded = self.flooded.get(&index) == Some(&slot);
        if flooded || schedule.leader(slot) != node.shell.miner() {
            return;
        }
        let machine = &node.shell.machine;
        let (head, justify) = (&machine.chain().head().block, (**machine.high()).clone());
        let (number, id) = (head.header().number, head.id);
        if id == machine.last_final().id {
            return;
        }
        self.flooded.insert(index, slot);
        for count in 0..FLOOD {
            let ballot = Ballot(Ballot::first(slot).0 + FIRST_COUNT + count);
            let block = Proposed { ballot, number, id };
            let vote = self.false_vote(index, Phase::One, block);
            let justify = justify.clone();
            let message = Message::Proposal(SignedProposal { vote, justify });
            let conns: Vec<_> = self.nodes[index].feeds.keys().copied().collect();
            for conn in conns {
                let frame = Frame::Consensus(Box::new(message.clone()));
                self.say_plainly(index, conn, frame);
            }
        }
    }

    fn false_vote(&mut self, index: usize, phase: Phase, block: Proposed) -> SignedVote {
        let vote = Vote {
            phase,
            block,
            voter: index as VoterIndex,
        };
        self.second_votes.push(vote);
        let signature = Signature::new(&[0xef; 256]).expect("not too long");
        SignedVote { vote, signature }
    }
}
