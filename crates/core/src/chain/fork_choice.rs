//! Which branch wins among those that extend the highest certificate (F1 to F4): the score
//! of a block, and the order of scores.
//!
//! A withheld or back-dated branch has no weight: only slots of blocks that came in time
//! count. When finality has stood still for long, two sides of a partition that heals must
//! agree, so then all slots count (F3).

use crate::{
    BlockId, Height, Timestamp,
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
    /// Distinct slots of the timely blocks up to this one.
    pub(super) timely_slots: u64,
    last_timely_slot: Slot,
    /// Per miner in genesis order: time of its newest block after block 1, or 0.
    pub(super) last_by_miner: Vec<Timestamp>,
}

impl Score {
    /// The score of block 1.
    pub(super) fn genesis(schedule: &Schedule) -> Self {
        Self {
            slots: 0,
            last_slot: 0,
            timely_slots: 0,
            last_timely_slot: 0,
            last_by_miner: vec![Timestamp::ZERO; schedule.miners()],
        }
    }

    /// The score of a child with this header, which came in time or not.
    pub(super) fn child(mut self, header: &Header, timely: bool, schedule: &Schedule) -> Self {
        let slot = schedule.slot(header.time);
        if slot != self.last_slot {
            self.slots = self.slots.saturating_add(1);
            self.last_slot = slot;
        }
        if timely && slot != self.last_timely_slot {
            self.timely_slots = self.timely_slots.saturating_add(1);
            self.last_timely_slot = slot;
        }
        let index = schedule.index(&header.coinbase);
        if let Some(last) = index.and_then(|index| self.last_by_miner.get_mut(index)) {
            *last = header.time;
        }
        self
    }
}

/// What comes first when branches are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Slots of timely blocks (F2).
    ByWeight,
    /// Slots of all blocks (F3).
    BySlots,
}

/// (weight, slots, number, earlier time, smaller id): the greatest is the head.
pub(super) type Rank = (u64, u64, Height, Reverse<Timestamp>, Reverse<BlockId>);

pub(super) fn rank(
    (number, time, id): (Height, Timestamp, BlockId),
    score: &Score,
    order: Order,
) -> Rank {
    let weight = match order {
        Order::ByWeight => score.timely_slots,
        Order::BySlots => 0,
    };
    (weight, score.slots, number, Reverse(time), Reverse(id))
}
