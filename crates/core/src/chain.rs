//! The newest blocks as a tree, and which of its leaves is the head.
//!
//! Only executed blocks enter. The window is bounded: what lies further back is
//! settled and only storage knows it.

use crate::{
    BlockId, Height, Timestamp,
    genesis::Genesis,
    rules::{Applied, Place},
    slots::{Schedule, Slot},
};
use ccoin_crypto::Address;
use core::cmp::Reverse;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

/// Most blocks of the head's branch that are kept.
pub const WINDOW_BLOCKS: usize = 4_096;

/// How far behind the head a restart begins, if the window reaches so far.
const ANCHOR_BLOCKS: usize = 1_024;

/// Most bytes that the kept blocks and what they changed may hold, estimated.
const WINDOW_BYTES: usize = 64 << 20;

/// Blocks that are kept however large they are.
const WINDOW_LEAST: usize = 4;

/// Tree nodes that one changed account keeps alive in an older state, in bytes.
const BYTES_PER_CHANGE: usize = 1_200;

/// Position of a block among all leaves, as far as the past decides it: kept in
/// checkpoints, because a restart must not forget it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Distinct slots of the blocks up to this one.
    slots: u64,
    last_slot: Slot,
    /// Per miner in genesis order: time of its newest block after block 1, or 0.
    last_by_miner: Vec<Timestamp>,
}

/// (slots, number, earlier time, smaller id): the greatest one is the head. It follows
/// from the blocks alone, so two sides of a partition agree when they meet.
type Rank = (u64, Height, Reverse<Timestamp>, Reverse<BlockId>);

/// A block of the window.
#[derive(Debug)]
struct Entry {
    applied: Arc<Applied>,
    standing: Standing,
    cost: usize,
}

/// A change of head.
#[derive(Clone, Debug, Default)]
pub struct Switch {
    /// Blocks of the old branch, newest first; their transactions return to the pool.
    pub left: Vec<Arc<Applied>>,
    /// Blocks of the new branch, oldest first.
    pub entered: Vec<Arc<Applied>>,
}

/// The window of blocks.
#[derive(Debug)]
pub struct Chain {
    schedule: Schedule,
    genesis: BlockId,
    /// Blocks for each (number, slot).
    turns: BTreeMap<(Height, Slot), u8>,
    entries: BTreeMap<BlockId, Entry>,
    /// The head's branch, oldest first, without gaps; never empty.
    main: VecDeque<Arc<Applied>>,
    head: Arc<Applied>,
    cost: usize,
}

impl Chain {
    /// A chain of one block: genesis, or the block of a checkpoint with its standing.
    #[must_use]
    pub fn new(root: Arc<Applied>, standing: Option<Standing>, genesis: &Genesis) -> Self {
        let schedule = Schedule::new(&genesis.config);
        let standing = standing.unwrap_or_else(|| Standing {
            slots: 0,
            last_slot: 0,
            last_by_miner: vec![Timestamp::ZERO; schedule.miners()],
        });
        let entry = Entry {
            applied: Arc::clone(&root),
            standing,
            cost: 0,
        };
        Self {
            schedule,
            genesis: genesis.id,
            turns: BTreeMap::new(),
            entries: BTreeMap::from([(root.block.id, entry)]),
            main: VecDeque::from([Arc::clone(&root)]),
            head: root,
            cost: 0,
        }
    }

    /// The best block.
    #[must_use]
    pub fn head(&self) -> &Arc<Applied> {
        &self.head
    }

    /// The kept part of the head's branch, oldest first.
    #[must_use]
    pub fn main(&self) -> &VecDeque<Arc<Applied>> {
        &self.main
    }

    /// A block of the window, on any branch.
    #[must_use]
    pub fn get(&self, id: &BlockId) -> Option<&Arc<Applied>> {
        self.entries.get(id).map(|entry| &entry.applied)
    }

    /// The block from which a restart should replay, and its standing: far enough back
    /// that branches which leave the head's a while ago can still be followed.
    #[must_use]
    pub fn anchor(&self) -> Option<(&Arc<Applied>, &Standing)> {
        let back = self
            .main
            .len()
            .saturating_sub(ANCHOR_BLOCKS.saturating_add(1));
        let anchor = self.main.get(back)?;
        Some((anchor, self.standing(&anchor.block.id)?))
    }

    /// What fork choice must not forget about a block.
    #[must_use]
    pub fn standing(&self, id: &BlockId) -> Option<&Standing> {
        self.entries.get(id).map(|entry| &entry.standing)
    }

    /// What the rules need to know about the parent of a block that `signer` makes.
    #[must_use]
    pub fn place(&self, parent: &BlockId, signer: &Address) -> Option<Place> {
        let entry = self.entries.get(parent)?;
        let last_by_signer = self
            .schedule
            .index(signer)
            .and_then(|index| entry.standing.last_by_miner.get(index))
            .copied()
            .filter(|time| *time > Timestamp::ZERO);
        let header = entry.applied.block.header();
        Some(Place {
            parent_number: header.number,
            parent_time: header.time,
            last_by_signer,
        })
    }

    /// Adds an executed block whose parent is here. Returns the change of head, if it is
    /// the best block now.
    pub fn insert(&mut self, applied: Arc<Applied>) -> Option<Switch> {
        let header = applied.block.header();
        let parent = self.entries.get(&header.hash_parent)?;
        let standing = self.next_standing(&parent.standing, header);
        let turn = (header.number, self.schedule.slot(header.time));
        let rivals = self.turns.entry(turn).or_default();
        *rivals = rivals.saturating_add(1);
        let bytes: usize = applied
            .block
            .transactions
            .iter()
            .map(|txn| txn.size())
            .sum();
        let cost = bytes.saturating_add(applied.changes.len().saturating_mul(BYTES_PER_CHANGE));
        let better = Some(self.rank(&applied, &standing)) > self.head_rank();
        self.cost = self.cost.saturating_add(cost);
        self.entries.insert(
            applied.block.id,
            Entry {
                applied: Arc::clone(&applied),
                standing,
                cost,
            },
        );
        if !better {
            return None;
        }
        let switch = self.switch_to(applied)?;
        self.prune();
        Some(switch)
    }

    fn next_standing(&self, parent: &Standing, header: &crate::block::Header) -> Standing {
        let slot = self.schedule.slot(header.time);
        let mut next = parent.clone();
        if slot != parent.last_slot {
            next.slots = next.slots.saturating_add(1);
            next.last_slot = slot;
        }
        let index = self.schedule.index(&header.coinbase);
        if let Some(last) = index.and_then(|index| next.last_by_miner.get_mut(index)) {
            *last = header.time;
        }
        next
    }

    /// Fork choice.
    fn rank(&self, applied: &Applied, standing: &Standing) -> Rank {
        let header = applied.block.header();
        (
            standing.slots,
            header.number,
            Reverse(header.time),
            Reverse(applied.block.id),
        )
    }

    fn head_rank(&self) -> Option<Rank> {
        let standing = self.standing(&self.head.block.id)?;
        Some(self.rank(&self.head, standing))
    }

    /// Distinct slots of the blocks up to one: what a rival must exceed.
    #[must_use]
    pub fn slots(&self, id: &BlockId) -> u64 {
        self.standing(id).map_or(0, |standing| standing.slots)
    }

    /// How many blocks the miner of this turn has made with this number: an honest one
    /// makes one.
    #[must_use]
    pub fn rivals(&self, number: Height, time: Timestamp) -> u8 {
        let turn = (number, self.schedule.slot(time));
        self.turns.get(&turn).copied().unwrap_or(0)
    }

    /// Id of block 1.
    #[must_use]
    pub fn genesis(&self) -> BlockId {
        self.genesis
    }

    /// `None` if the branch leaves the head's below the window: that is settled.
    fn switch_to(&mut self, head: Arc<Applied>) -> Option<Switch> {
        let mut switch = Switch::default();
        let mut cursor = Arc::clone(&head);
        while self.main_at(cursor.block.header().number) != Some(cursor.block.id) {
            let parent = self.get(&cursor.block.header().hash_parent).cloned();
            switch.entered.push(cursor);
            cursor = parent?;
        }
        switch.entered.reverse();
        let fork = cursor.block.header().number;
        while let Some(newest) = self
            .main
            .pop_back_if(|block| block.block.header().number > fork)
        {
            switch.left.push(newest);
        }
        self.main.extend(switch.entered.iter().cloned());
        self.head = head;
        Some(switch)
    }

    /// Id of the block with this number on the head's branch, if it is in the window.
    #[must_use]
    pub fn main_at(&self, number: Height) -> Option<BlockId> {
        let first = self.main.front()?.block.header().number;
        let index = usize::try_from(number.get().checked_sub(first.get())?).ok()?;
        self.main.get(index).map(|applied| applied.block.id)
    }

    /// Forgets the oldest blocks beyond the bounds, and branches that end below.
    fn prune(&mut self) {
        while self.main.len() > WINDOW_LEAST
            && (self.main.len() > WINDOW_BLOCKS || self.cost > WINDOW_BYTES)
        {
            self.main.pop_front();
            let Some(oldest) = self.main.front().map(|block| block.block.header().number) else {
                return;
            };
            let mut freed = 0usize;
            self.entries.retain(|_, entry| {
                let keep = entry.applied.block.header().number >= oldest;
                freed = freed.saturating_add(if keep { 0 } else { entry.cost });
                keep
            });
            self.cost = self.cost.saturating_sub(freed);
            self.turns = self.turns.split_off(&(oldest, 0));
        }
    }
}
