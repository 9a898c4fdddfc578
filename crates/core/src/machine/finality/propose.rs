//! The leader's side: when to propose which block (L2 to L4).

use super::Machine;
use crate::{
    BlockId, MonoTime, Now,
    applied::Applied,
    consensus::{
        schedule::Slot,
        vote::Proposed,
        voter::{Branches as _, Proposal},
    },
    machine::{NodeState, Step},
};

/// What the leader has proposed in its slot.
#[derive(Debug, Default)]
pub(super) struct Proposer {
    slot: Slot,
    last: Option<(Proposed, MonoTime)>,
    /// The block that it stays with until it is certified (L4).
    fixed: Option<BlockId>,
    /// Proposals whose signature is not here yet.
    signing: u32,
}

impl Proposer {
    /// A proposal has its signature, or will get none.
    pub(super) fn on_signed(&mut self) {
        self.signing = self.signing.saturating_sub(1);
    }
}

impl Machine {
    /// Proposes the head, or the block that L4 demands, if this node leads and it is time.
    pub(super) fn propose(&mut self, now: Now, step: &mut Step) {
        let slot = self.schedule().slot(now.wall);
        let proposer = &mut self.finality.proposer;
        if proposer.slot != slot {
            let signing = proposer.signing;
            *proposer = Proposer {
                slot,
                signing,
                ..Proposer::default()
            };
        }
        let leads = self.miner.is_some() && self.schedule().leader(slot) == self.miner;
        let head_is_final = self.chain.head().block.id == self.finality.last_final.id;
        if self.state != NodeState::Ready
            || !leads
            || head_is_final
            || self.finality.proposer.signing > 0
            || !self.may_sign_votes()
        {
            return;
        }
        let Some((number, id)) = self.choose_proposal(now.mono) else {
            return;
        };
        let Some(voter) = &self.finality.voter else {
            return;
        };
        let Some(ballot) = voter.next_ballot(slot) else {
            return;
        };
        let block = Proposed { ballot, number, id };
        let justify = self.finality.high.clone();
        let proposal = Proposal {
            block,
            proposer: voter.index(),
            justify: justify.block(),
        };
        if self.give_vote1(now, &proposal, Some(justify), step).is_ok() {
            let proposer = &mut self.finality.proposer;
            proposer.signing = proposer.signing.saturating_add(1);
            proposer.last = Some((block, now.mono));
        }
    }

    /// The block to propose now, if it is time.
    fn choose_proposal(&mut self, now: MonoTime) -> Option<(crate::Height, BlockId)> {
        let key = |applied: &Applied| (applied.block.header().number, applied.block.id);
        let head = key(self.chain.head());
        let Some((last, at)) = self.finality.proposer.last else {
            return Some(head);
        };
        if now < at.after(self.pause_after(&last)) {
            return None;
        }
        let branches = &self.chain;
        if branches.is_here(&last.id) && self.is_certified(&last) {
            self.finality.proposer.fixed = None;
        }
        if let Some(fixed) = self.fixed() {
            return Some(key(fixed));
        }
        if branches.head_extends(&last) || self.is_certified(&last) {
            return Some(head);
        }
        let best = key(self.chain.longest_candidate()?);
        self.finality.proposer.fixed = Some(best.1);
        Some(best)
    }

    /// How long the leader waits after its last proposal: for its votes if the head does not
    /// extend it (L3), a little if the head grew on it, longer to repeat it (L2).
    fn pause_after(&self, last: &Proposed) -> u64 {
        let rules = &self.finality.rules;
        let (tau, rho) = (rules.tau_ms(), rules.rho_ms());
        let head = self.chain.head().block.id;
        if head == last.id {
            tau / 5
        } else if self.chain.head_extends(last) {
            rho
        } else {
            tau.saturating_mul(3) >> 3
        }
    }

    fn is_certified(&self, block: &Proposed) -> bool {
        let high = self.finality.high.block();
        self.chain.extends(&high.id, block)
    }

    /// The block that the leader stays with, unless a higher certificate contradicts it: then it
    /// may not be proposed any more (V3).
    fn fixed(&self) -> Option<&Applied> {
        let applied = self.chain.get(&self.finality.proposer.fixed?)?;
        let high = self.finality.high.block();
        let extends = self.chain.extends(&applied.block.id, &high);
        extends.then_some(applied)
    }

    /// Whether a new block must extend another one than the head (L4).
    pub(in crate::machine) fn must_not_seal(&self) -> bool {
        self.fixed().is_some_and(|applied| {
            let block = Proposed {
                ballot: self.finality.high.ballot,
                number: applied.block.header().number,
                id: applied.block.id,
            };
            !self.is_certified(&block) && !self.chain.head_extends(&block)
        })
    }

    /// When the leader proposes again.
    pub(super) fn propose_at(&self) -> Option<MonoTime> {
        let head_is_final = self.chain.head().block.id == self.finality.last_final.id;
        let (last, at) = self.finality.proposer.last?;
        (!head_is_final).then(|| at.after(self.pause_after(&last)))
    }
}
