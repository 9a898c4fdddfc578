//! Which branch wins: the score of a block, and the order of scores.
//!
//! A score follows from the blocks alone, so every node that holds two branches prefers
//! the same one. It never looks at what a node saw in time.

use crate::{
    BlockId, Height, Timestamp,
    applied::Applied,
    block::Header,
    consensus::schedule::{Schedule, Slot},
};
use core::cmp::Reverse;
use serde::{Deserialize, Serialize};

/// What fork choice needs of a block's past. Checkpoints store it, because a restart does
/// not read the blocks before them again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Score {
    /// Distinct slots of the blocks up to this one.
    pub(super) slots: u64,
    last_slot: Slot,
    /// Per miner in genesis order: time of its newest block after block 1, or 0.
    pub(super) last_by_miner: Vec<Timestamp>,
}

impl Score {
    /// The score of block 1.
    pub(super) fn genesis(schedule: &Schedule) -> Self {
        Self {
            slots: 0,
            last_slot: 0,
            last_by_miner: vec![Timestamp::ZERO; schedule.miners()],
        }
    }

    /// The score of a child with this header.
    pub(super) fn child(mut self, header: &Header, schedule: &Schedule) -> Self {
        let slot = schedule.slot(header.time);
        if slot != self.last_slot {
            self.slots = self.slots.saturating_add(1);
            self.last_slot = slot;
        }
        let index = schedule.index(&header.coinbase);
        if let Some(last) = index.and_then(|index| self.last_by_miner.get_mut(index)) {
            *last = header.time;
        }
        self
    }
}

/// (slots, number, earlier time, smaller id): the greatest is the head.
pub(super) type Rank = (u64, Height, Reverse<Timestamp>, Reverse<BlockId>);

pub(super) fn rank(applied: &Applied, score: &Score) -> Rank {
    let header = applied.block.header();
    (
        score.slots,
        header.number,
        Reverse(header.time),
        Reverse(applied.block.id),
    )
}
