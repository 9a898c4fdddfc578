//! The chain and its certificates: the head extends the block of the highest certificate,
//! and nothing that conflicts with the final block stays.

use super::{Chain, Reorg, Score, fork_choice::Order};
use crate::{
    BlockId, Height, Timestamp,
    applied::Applied,
    consensus::{
        schedule::{Schedule, Slot},
        vote::Proposed,
        voter::Branches,
    },
};
use std::collections::BTreeSet;

/// Turns of all miners after which blocks that are not final are compared by slots (F3).
const PATIENT_TURNS: u64 = 2;

/// What certificates say about the window.
#[derive(Debug)]
pub(super) struct Certified {
    pub(super) last_final: (Height, BlockId),
    pub(super) high: (Height, BlockId),
    /// Below this number only blocks of the final branch are here.
    settled: Height,
    /// Blocks that extend the one of the highest certificate.
    pub(super) candidates: BTreeSet<BlockId>,
    /// Slots and timely slots up to the final block.
    slots_of_final: (u64, u64),
    /// The earliest slot of a timely block above final.
    oldest_timely: Option<Slot>,
}

impl Certified {
    pub(super) fn new(genesis: BlockId, root: BlockId, score: &Score) -> Self {
        let last_final = (Height::GENESIS, genesis);
        Self {
            last_final,
            high: last_final,
            settled: Height::ZERO,
            candidates: BTreeSet::from([root]),
            slots_of_final: (score.slots, score.timely_slots),
            oldest_timely: None,
        }
    }

    /// Whether the new block is a candidate.
    pub(super) fn on_inserted(&mut self, applied: &Applied, timely: Option<Slot>) -> bool {
        let oldest = [self.oldest_timely, timely].into_iter().flatten().min();
        self.oldest_timely = oldest;
        let header = applied.block.header();
        let candidate = self.candidates.contains(&header.hash_parent);
        if candidate {
            self.candidates.insert(applied.block.id);
        }
        candidate
    }

    /// How branches are compared at a moment.
    pub(super) fn order(&self, schedule: &Schedule, now: Timestamp) -> Order {
        let patience = PATIENT_TURNS.saturating_mul(schedule.miners() as u64);
        let waits = |oldest: Slot| schedule.slot(now).saturating_sub(oldest) > patience;
        if self.oldest_timely.is_some_and(waits) {
            Order::BySlots
        } else {
            Order::ByWeight
        }
    }
}

impl Chain {
    /// Number and id of the final block.
    #[must_use]
    pub fn last_final(&self) -> (Height, BlockId) {
        self.certified.last_final
    }

    /// Number and id of the block of the highest certificate.
    #[must_use]
    pub fn high(&self) -> (Height, BlockId) {
        self.certified.high
    }

    /// Whether a block is executed with all its ancestors.
    #[must_use]
    pub fn is_here(&self, id: &BlockId) -> bool {
        self.number(id).is_some()
    }

    /// The number of a block that is executed with all its ancestors. Below the oldest one
    /// in memory only certified blocks are known.
    #[must_use]
    pub fn number(&self, id: &BlockId) -> Option<Height> {
        if let Some(entry) = self.tree.get(id) {
            return Some(entry.number);
        }
        let Certified {
            last_final, high, ..
        } = self.certified;
        let certified = [last_final, high, (Height::GENESIS, self.genesis)];
        let found = certified.into_iter().find(|(_, certified)| certified == id);
        found.map(|(number, _)| number)
    }

    /// Whether `block` is `base` or a descendant of it. A base below the oldest block in memory
    /// is an ancestor only if it is certified: the head extends the certified blocks.
    #[must_use]
    pub fn extends(&self, block: &BlockId, base: &Proposed) -> bool {
        let mut cursor = *block;
        loop {
            if cursor == base.id {
                return true;
            }
            let Some(entry) = self.tree.get(&cursor) else {
                break;
            };
            if entry.number <= base.number {
                return false;
            }
            if self.canonical.contains(&entry.key())
                && let Some(own) = self.canonical_at(base.number)
            {
                return own == base.id;
            }
            cursor = entry.parent;
        }
        let (last_final, high) = (self.certified.last_final.1, self.certified.high.1);
        let is_here = self.contains(block);
        (is_here && base.id == high)
            || ((is_here || *block == high) && base.id == last_final)
            || ((is_here || *block == high || *block == last_final) && base.id == self.genesis)
    }

    /// A block is the one of the highest certificate now: the head moves to the best block
    /// that extends it.
    pub fn set_high(&mut self, high: &Proposed) -> Option<Reorg> {
        self.certified.high = (high.number, high.id);
        if self.contains(&high.id) {
            self.certified.candidates = self.tree.descendants((high.number, high.id));
        }
        let stays = self.certified.candidates.contains(&self.head.block.id);
        if stays {
            return None;
        }
        self.choose_head(None)
    }

    /// A block that the head extends is final: what conflicts with it is forgotten.
    pub fn set_final(&mut self, last_final: &Proposed) {
        self.certified.last_final = (last_final.number, last_final.id);
        let Some(score) = self.score(&last_final.id) else {
            return;
        };
        self.certified.slots_of_final = (score.slots, score.timely_slots);
        let before = core::mem::replace(&mut self.certified.settled, last_final.number);
        let kept = self.tree.descendants((last_final.number, last_final.id));
        let conflicting = self.tree.from(before);
        let conflicting = conflicting
            .filter(|(number, id)| !kept.contains(id) && self.canonical_at(*number) != Some(*id));
        for (_, id) in conflicting.collect::<Vec<_>>() {
            self.forget(&id);
        }
        let timely = kept.iter().filter_map(|id| self.tree.get(id));
        let timely = timely.filter(|entry| entry.timely && entry.id != last_final.id);
        let slots = timely.map(|entry| self.schedule.slot(entry.time));
        self.certified.oldest_timely = slots.min();
        self.forget_unreachable();
    }

    /// Distinct slots of the blocks above final up to one.
    #[must_use]
    pub fn slots(&self, id: &BlockId) -> u64 {
        let slots = self.score(id).map_or(0, |score| score.slots);
        slots.saturating_sub(self.certified.slots_of_final.0)
    }

    /// Distinct slots of the timely blocks above final up to one.
    #[must_use]
    pub fn weight(&self, id: &BlockId) -> u64 {
        let weight = self.score(id).map_or(0, |score| score.timely_slots);
        weight.saturating_sub(self.certified.slots_of_final.1)
    }

    /// What a job is dropped for when another branch has more of it: weight, or slots while
    /// finality stands still (L1).
    #[must_use]
    pub fn merit(&self, id: &BlockId) -> u64 {
        match self.order {
            Order::ByWeight => self.weight(id),
            Order::BySlots => self.slots(id),
        }
    }

    /// The best candidate by (slots, number, earlier time, smaller id) (L4).
    #[must_use]
    pub fn longest_candidate(&self) -> Option<&std::sync::Arc<Applied>> {
        let candidates = self.candidates();
        let best = candidates.max_by_key(|entry| entry.rank(Order::BySlots));
        best?.whole.as_ref()
    }
}

/// The chain as the rules of voting see it.
impl Branches for Chain {
    fn number(&self, id: &BlockId) -> Option<Height> {
        Self::number(self, id)
    }

    fn extends(&self, block: &BlockId, base: &Proposed) -> bool {
        Self::extends(self, block, base)
    }

    fn head_extends(&self, block: &Proposed) -> bool {
        Self::extends(self, &self.head().block.id, block)
    }

    fn slots(&self, block: &BlockId) -> u64 {
        Self::slots(self, block)
    }

    fn head_weight(&self) -> u64 {
        self.weight(&self.head().block.id)
    }
}
