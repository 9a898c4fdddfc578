//! The newest blocks as a tree, and which of its leaves is the head.
//!
//! Only executed blocks enter. The window is bounded: what lies further back is
//! settled and only storage knows it. The head's branch and all others have budgets of
//! their own, so nobody's side blocks make the head's branch any shorter.

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
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

/// Most blocks of the head's branch that are kept, and most of all others.
pub const WINDOW_BLOCKS: usize = 16_384;

/// Most bytes that the kept blocks of the head's branch and what they changed may hold,
/// estimated; the same for all others together.
pub const WINDOW_BYTES: usize = 128 << 20;

/// How far behind the head a restart begins, if the window reaches so far: it executes
/// these blocks again.
const ANCHOR_BLOCKS: usize = 4_096;
const ANCHOR_BYTES: usize = 64 << 20;

/// Blocks that are kept however large they are.
const WINDOW_LEAST: usize = 4;

/// Bytes of a kept block besides transactions and changes.
const BLOCK_BYTES: usize = 1_024;

/// Bytes of a node of the state tree: a change keeps one alive for each level.
const NODE_BYTES: usize = 72;

/// Bytes of a whole state for each of its accounts: no block keeps more than that alive.
const ACCOUNT_BYTES: usize = 143;

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
    children: usize,
}

impl Entry {
    fn place(&self) -> (Height, BlockId) {
        (self.applied.block.header().number, self.applied.block.id)
    }
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
    numbers: BTreeSet<(Height, BlockId)>,
    /// The head's branch, oldest first, without gaps; never empty.
    main: VecDeque<Arc<Applied>>,
    head: Arc<Applied>,
    /// Estimated bytes of the head's branch, and of all other blocks.
    main_bytes: usize,
    side_bytes: usize,
    /// A better block waits for its time.
    shelved: bool,
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
            children: 0,
        };
        Self {
            schedule,
            genesis: genesis.id,
            turns: BTreeMap::new(),
            numbers: BTreeSet::from([entry.place()]),
            entries: BTreeMap::from([(root.block.id, entry)]),
            main: VecDeque::from([Arc::clone(&root)]),
            head: root,
            main_bytes: 0,
            side_bytes: 0,
            shelved: false,
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
        let mut bytes = 0usize;
        let newest = self.main.iter().rev().take(ANCHOR_BLOCKS.saturating_add(1));
        let anchor = newest
            .take_while(|block| {
                let before = bytes;
                bytes = bytes.saturating_add(self.cost(&block.block.id));
                before <= ANCHOR_BYTES
            })
            .last()?;
        Some((anchor, self.standing(&anchor.block.id)?))
    }

    fn cost(&self, id: &BlockId) -> usize {
        self.entries.get(id).map_or(0, |entry| entry.cost)
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
        let (id, parent) = (applied.block.id, header.hash_parent);
        let turn = (header.number, self.schedule.slot(header.time));
        let entry = self.entries.get_mut(&parent)?;
        entry.children = entry.children.saturating_add(1);
        let before = entry.standing.clone();
        let entry = Entry {
            standing: self.next_standing(before, header),
            cost: estimate(&applied),
            applied: Arc::clone(&applied),
            children: 0,
        };
        let rivals = self.turns.entry(turn).or_default();
        *rivals = rivals.saturating_add(1);
        let better = Some(rank(&entry)) > self.head_rank();
        self.side_bytes = self.side_bytes.saturating_add(entry.cost);
        self.numbers.insert(entry.place());
        self.entries.insert(id, entry);
        let switch = if better {
            self.switch_to(applied)
        } else {
            None
        };
        self.prune();
        switch
    }

    /// Lets no block be head that is dated after `latest`: a clock that was set back leaves
    /// such ones behind. Returns the change of head, if there is one; must be called again
    /// as time goes by.
    pub fn keep_to(&mut self, latest: Timestamp) -> Option<Switch> {
        let early = |entry: &&Entry| entry.applied.block.header().time <= latest;
        if !self.shelved && self.head.block.header().time <= latest {
            return None;
        }
        let best = self
            .entries
            .values()
            .filter(early)
            .max_by_key(|e| rank(e))?;
        let best_of_all = self.entries.values().max_by_key(|e| rank(e))?;
        self.shelved = best.applied.block.id != best_of_all.applied.block.id;
        if best.applied.block.id == self.head.block.id {
            return None;
        }
        self.switch_to(Arc::clone(&best.applied))
    }

    fn next_standing(&self, mut next: Standing, header: &crate::block::Header) -> Standing {
        let slot = self.schedule.slot(header.time);
        if slot != next.last_slot {
            next.slots = next.slots.saturating_add(1);
            next.last_slot = slot;
        }
        let index = self.schedule.index(&header.coinbase);
        if let Some(last) = index.and_then(|index| next.last_by_miner.get_mut(index)) {
            *last = header.time;
        }
        next
    }

    fn head_rank(&self) -> Option<Rank> {
        self.entries.get(&self.head.block.id).map(rank)
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
        let bytes = |blocks: &[Arc<Applied>]| {
            let costs = blocks.iter().map(|block| self.cost(&block.block.id));
            costs.fold(0, usize::saturating_add)
        };
        let (left, entered) = (bytes(&switch.left), bytes(&switch.entered));
        let change =
            |all: usize, more: usize, less: usize| all.saturating_add(more).saturating_sub(less);
        self.main_bytes = change(self.main_bytes, entered, left);
        self.side_bytes = change(self.side_bytes, left, entered);
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

    /// Forgets the oldest blocks beyond the bounds and what forks off below them, then the
    /// worst ends of other branches.
    fn prune(&mut self) {
        while self.main.len() > WINDOW_LEAST
            && (self.main.len() > WINDOW_BLOCKS || self.main_bytes > WINDOW_BYTES)
        {
            let Some(oldest) = self.main.pop_front() else {
                break;
            };
            let cost = self.cost(&oldest.block.id);
            self.main_bytes = self.main_bytes.saturating_sub(cost);
            self.side_bytes = self.side_bytes.saturating_add(cost);
        }
        let first = self.main.front().map(|first| first.block.header().number);
        while let (Some(first), Some((number, id))) = (first, self.numbers.first().copied()) {
            if number >= first {
                break;
            }
            self.forget(&id);
        }
        while self.side_bytes > WINDOW_BYTES || self.side_blocks() > WINDOW_BLOCKS {
            let ends = self.entries.values().filter(|entry| {
                let (number, id) = entry.place();
                entry.children == 0 && self.main_at(number) != Some(id)
            });
            let Some(worst) = ends.min_by_key(|entry| rank(entry)) else {
                break;
            };
            let id = worst.applied.block.id;
            self.forget(&id);
        }
    }

    fn side_blocks(&self) -> usize {
        self.entries.len().saturating_sub(self.main.len())
    }

    fn forget(&mut self, id: &BlockId) {
        let Some(entry) = self.entries.remove(id) else {
            return;
        };
        let header = entry.applied.block.header();
        self.side_bytes = self.side_bytes.saturating_sub(entry.cost);
        self.numbers.remove(&entry.place());
        if let Some(parent) = self.entries.get_mut(&header.hash_parent) {
            parent.children = parent.children.saturating_sub(1);
        }
        let turn = (header.number, self.schedule.slot(header.time));
        if let Some(rivals) = self.turns.get_mut(&turn) {
            *rivals = rivals.saturating_sub(1);
            if *rivals == 0 {
                self.turns.remove(&turn);
            }
        }
    }
}

/// Fork choice.
fn rank(entry: &Entry) -> Rank {
    let header = entry.applied.block.header();
    (
        entry.standing.slots,
        header.number,
        Reverse(header.time),
        Reverse(entry.applied.block.id),
    )
}

/// Bytes that a block keeps in memory: its transactions, and the nodes of the state before
/// it that the state after it does not share.
fn estimate(applied: &Applied) -> usize {
    let txns = applied.block.transactions.iter().map(|txn| txn.size());
    let accounts = applied.state.len();
    let levels = accounts.checked_ilog2().unwrap_or(0).saturating_add(2);
    let nodes = applied.changes.len().saturating_mul(levels as usize);
    let state = nodes
        .saturating_mul(NODE_BYTES)
        .min(accounts.saturating_mul(ACCOUNT_BYTES));
    txns.fold(BLOCK_BYTES.saturating_add(state), usize::saturating_add)
}
