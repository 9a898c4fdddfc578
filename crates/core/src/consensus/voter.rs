//! The rules by which one key votes (V1-V8, R1-R4, A2, A3). It knows no machine: what it needs
//! of the chain comes in through [`Branches`], so the exhaustive check runs these functions.
//!
//! The caller writes [`Voter::record`] to disk before it signs what a function returns.

use super::{
    ballot::Ballot,
    schedule::{Schedule, Slot},
    vote::{Phase, Proposed, Vote, VoterIndex},
    voter_record::{Standing, VoterRecord},
};
use crate::{BlockId, Height, Timestamp};
use std::collections::{BTreeMap, VecDeque};

/// Votes 1 that the run remembers.
const MAX_RUN: usize = 64;

/// Votes 1 of one slot beyond one for each rho (V8).
const EXTRA_VOTES: u64 = 64;

/// What the rules ask of the blocks that are here.
pub trait Branches {
    /// The number of a block that is stored and executed with all its ancestors.
    fn number(&self, id: &BlockId) -> Option<Height>;
    /// Whether a block is stored and executed with all its ancestors.
    fn is_here(&self, id: &BlockId) -> bool {
        self.number(id).is_some()
    }
    /// Whether `block` is `base` or a descendant of it.
    fn extends(&self, block: &BlockId, base: &Proposed) -> bool;
    /// Whether the head is `block` or a descendant of it.
    fn head_extends(&self, block: &Proposed) -> bool;
    /// Distinct slots of the blocks above final up to `block`.
    fn slots(&self, block: &BlockId) -> u64;
    /// Distinct slots of the timely blocks above final up to the head.
    fn head_weight(&self) -> u64;
}

/// Times of the rules that follow from the genesis block.
#[derive(Clone, Debug)]
pub struct VotingRules {
    schedule: Schedule,
    max_skew_ms: u64,
    slot_ms: u64,
}

impl VotingRules {
    /// The rules of a network.
    #[must_use]
    pub fn new(schedule: Schedule, slot_ms: u64, max_skew_ms: u64) -> Self {
        Self {
            schedule,
            max_skew_ms,
            slot_ms,
        }
    }

    /// Tau in ms: the slot, at most four seconds.
    #[must_use]
    pub fn tau_ms(&self) -> u64 {
        self.slot_ms.min(4_000)
    }

    /// Rho in ms: a fortieth of tau, at most 50.
    #[must_use]
    pub fn rho_ms(&self) -> u64 {
        (self.tau_ms() / 40).clamp(1, 50)
    }

    /// Votes 1 of one slot, at most (V8).
    #[must_use]
    pub fn most_votes(&self) -> u64 {
        let regular = self.slot_ms.checked_div(self.rho_ms()).unwrap_or(0);
        regular.saturating_add(EXTRA_VOTES)
    }

    /// V1: the proposer's turn, and the clock within max_skew of the slot.
    fn is_current(&self, now: Timestamp, slot: Slot) -> bool {
        let start = self.schedule.end(slot).saturating_sub(self.slot_ms);
        let end = self.schedule.end(slot);
        now.get().saturating_add(self.max_skew_ms) >= start
            && now.get() < end.saturating_add(self.max_skew_ms)
    }
}

/// A leader's vote 1, and the certificate that justifies it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// The block under the ballot.
    pub block: Proposed,
    /// Who signed it.
    pub proposer: VoterIndex,
    /// The block of its justifying certificate, of either phase.
    pub justify: Proposed,
}

/// Why a proposal gets no vote 1, by the label of the rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Refusal {
    /// V1: another miner's turn, or not now.
    #[error("V1: not the proposer's turn now")]
    Turn,
    /// V2: this key has voted for that ballot or a later one.
    #[error("V2: a vote for this or a later ballot was given")]
    Ballot,
    /// V3: the block has another number, does not extend its justification, or that is not
    /// older.
    #[error("V3: the justification does not fit")]
    Justification,
    /// V4: the key is locked on another branch.
    #[error("V4: locked on another branch")]
    Lock,
    /// V5: the block is not above final.
    #[error("V5: not above the final block")]
    Final,
    /// V6: the head has more weight.
    #[error("V6: the head has more weight")]
    Robbery,
    /// V7: the block is not here yet; the proposal waits.
    #[error("V7: the block is not here")]
    Missing,
    /// V8: too many votes in this slot.
    #[error("V8: too many votes in one slot")]
    Flood,
    /// A1: the record was lost.
    #[error("A1: the record of this key was lost")]
    Abstains,
}

/// One key's votes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Voter {
    index: VoterIndex,
    /// To be on disk before any signature that it allows.
    pub record: VoterRecord,
    /// The newest votes 1, each for a block that extends the one before (R1).
    run: VecDeque<Proposed>,
    /// Certificates of the run for which vote 2 is due or given.
    certified: BTreeMap<Ballot, bool>,
    /// When the newest vote 1 was given; a repeated proposal changes nothing (R3).
    vote1_at: Option<Timestamp>,
    /// The slot of the newest vote 1 and how many were given in it.
    given: (Slot, u64),
}

impl Voter {
    /// A voter after a start: its run is empty (D4).
    #[must_use]
    pub fn new(index: VoterIndex, record: VoterRecord) -> Self {
        Self {
            index,
            record,
            run: VecDeque::new(),
            certified: BTreeMap::new(),
            vote1_at: None,
            given: (0, 0),
        }
    }

    /// Judges a proposal by V1 to V8. `last_final` is the block of the final certificate.
    ///
    /// # Errors
    /// The first [`Refusal`] in the order of the rules; [`Refusal::Missing`] is for now only.
    pub fn judge(
        &self,
        now: Timestamp,
        rules: &VotingRules,
        proposal: &Proposal,
        last_final: &Proposed,
        branches: &impl Branches,
    ) -> Result<(), Refusal> {
        let block = &proposal.block;
        let slot = block.ballot.slot();
        let refuse = |wrong: bool, refusal| if wrong { Err(refusal) } else { Ok(()) };
        refuse(!self.may_vote(), Refusal::Abstains)?;
        let leads = rules.schedule.leader(slot) == rules.schedule.miner(proposal.proposer);
        refuse(!leads || !rules.is_current(now, slot), Refusal::Turn)?;
        refuse(block.ballot <= self.record.max_vote1, Refusal::Ballot)?;
        let number = branches.number(&block.id).ok_or(Refusal::Missing)?;
        // A justification from below final proves less than final does.
        let justify = if proposal.justify.ballot < last_final.ballot {
            last_final
        } else {
            &proposal.justify
        };
        let fits = number == block.number
            && justify.ballot < block.ballot
            && branches.extends(&block.id, justify);
        refuse(!fits, Refusal::Justification)?;
        let lock = &self.record.lock;
        let free = branches.extends(&block.id, lock) || justify.ballot >= lock.ballot;
        refuse(!free, Refusal::Lock)?;
        let above = block.id != last_final.id && branches.extends(&block.id, last_final);
        refuse(!above, Refusal::Final)?;
        let robs = branches.head_extends(justify)
            && !branches.head_extends(block)
            && branches.slots(&block.id) < branches.head_weight();
        refuse(robs, Refusal::Robbery)?;
        let (last, count) = self.given;
        refuse(last == slot && count >= rules.most_votes(), Refusal::Flood)
    }

    /// Gives vote 1 for a proposal that [`Voter::judge`] accepts.
    pub fn vote1(&mut self, now: Timestamp, block: Proposed, branches: &impl Branches) -> Vote {
        let continues = |last: &Proposed| branches.extends(&block.id, last);
        if !self.run.back().is_some_and(continues) {
            self.run.clear();
            self.certified.clear();
        }
        self.run.push_back(block);
        if self.run.len() > MAX_RUN
            && let Some(oldest) = self.run.pop_front()
        {
            self.certified.remove(&oldest.ballot);
        }
        self.record.max_vote1 = block.ballot;
        self.vote1_at = Some(now);
        let slot = block.ballot.slot();
        let before = if self.given.0 == slot {
            self.given.1
        } else {
            0
        };
        self.given = (slot, before.saturating_add(1));
        self.vote(Phase::One, block)
    }

    /// Takes note of a certificate of phase 1. Vote 2 is due for it if it is in the run (R2).
    pub fn on_certified(&mut self, block: &Proposed) {
        if self.run.contains(block) {
            self.certified.entry(block.ballot).or_insert(false);
        }
    }

    /// A certificate is not kept any more: its vote 2, if it was not given, is not due, because
    /// the certificate could not be logged before it (D2).
    pub fn forget_certified(&mut self, ballot: Ballot) {
        self.certified
            .retain(|certified, given| *certified != ballot || *given);
    }

    /// The votes 2 that are due now (R2, R3), in the order of ballots. Each raises the lock:
    /// its certificate is on disk before the record, and the record before the signature.
    pub fn votes2(
        &mut self,
        now: Timestamp,
        rules: &VotingRules,
        last_final: &Proposed,
    ) -> Vec<Vote> {
        let longest = rules.tau_ms() / 4;
        let age = self.vote1_at.and_then(|at| now.checked_sub(at.get()));
        let fresh = age.is_some_and(|age| age.get() <= longest);
        if !fresh || !self.may_vote() {
            return Vec::new();
        }
        let mut votes = Vec::new();
        for block in &self.run {
            let Some(given) = self.certified.get_mut(&block.ballot) else {
                continue;
            };
            let is_new = !core::mem::replace(given, true);
            if is_new && block.number > last_final.number {
                votes.push(self.vote(Phase::Two, *block));
            }
        }
        for vote in &votes {
            self.raise_lock(vote.block);
        }
        votes
    }

    /// A certificate of phase 2 has moved final: the lock is not below it (R4), and an
    /// abstention whose floor it passes ends (A3). Whether the record has changed.
    pub fn on_final(&mut self, block: Proposed) -> bool {
        let before = self.record;
        self.raise_lock(block);
        if let Standing::Abstains(Some(floor)) | Standing::Recovering(floor) = self.record.standing
            && block.ballot > floor
        {
            self.record.standing = Standing::Intact;
        }
        before != self.record
    }

    /// Whether the key gives votes.
    #[must_use]
    pub fn may_vote(&self) -> bool {
        !matches!(self.record.standing, Standing::Abstains(_))
    }

    /// Position of the key among the miners.
    #[must_use]
    pub fn index(&self) -> VoterIndex {
        self.index
    }

    /// The record proved older than what the key has signed (A1), up to the ballot `shown` at
    /// least (A2). Whether the record has changed.
    pub fn lose_record(&mut self, shown: Ballot) -> bool {
        let news = self.may_vote() || shown > self.record.max_vote1;
        if news {
            self.record.standing = Standing::Abstains(None);
            self.record.max_vote1 = shown.max(self.record.max_vote1);
        }
        news
    }

    /// Whether a vote 2 of this key is newer than its record (A1). What lies below the floor of
    /// a loss was reckoned with.
    #[must_use]
    pub fn forgot_vote2(&self, ballot: Ballot) -> bool {
        let known = match self.record.standing {
            Standing::Abstains(Some(floor)) | Standing::Recovering(floor) => floor,
            Standing::Intact | Standing::Abstains(None) => Ballot::GENESIS,
        };
        ballot > self.record.lock.ballot.max(known)
    }

    /// All others have shown that their records are whole: the key votes again, locked on the
    /// highest certificate, which may be lower than what was lost (A4). Whether it did not vote
    /// before.
    pub fn recover(&mut self, high: Proposed) -> bool {
        let Standing::Abstains(Some(floor)) = self.record.standing else {
            return false;
        };
        self.record.standing = Standing::Recovering(floor);
        self.record.lock = high;
        true
    }

    /// Sets the floor of an abstention by a trusted clock and by the ballot that certificates
    /// show (A2): those of ballots that this key may have voted for before its record was lost
    /// do not end it. Whether it was missing.
    pub fn set_floor(&mut self, slot: Slot, shown: Ballot) -> bool {
        let missing = self.record.standing == Standing::Abstains(None);
        if missing {
            let floor = VoterRecord::floor_after(slot).max(shown);
            let floor = floor.max(self.record.max_vote1);
            self.record.standing = Standing::Abstains(Some(floor));
            self.record.max_vote1 = floor;
        }
        missing
    }

    /// The next ballot that this key proposes in a slot (L2); `None` if none is left.
    #[must_use]
    pub fn next_ballot(&self, slot: Slot) -> Option<Ballot> {
        let ballot = Ballot::first(slot).max(self.record.max_vote1.next());
        (ballot.slot() == slot).then_some(ballot)
    }

    fn raise_lock(&mut self, block: Proposed) {
        if block.ballot > self.record.lock.ballot {
            self.record.lock = block;
        }
    }

    fn vote(&self, phase: Phase, block: Proposed) -> Vote {
        Vote {
            phase,
            block,
            voter: self.index,
        }
    }
}
