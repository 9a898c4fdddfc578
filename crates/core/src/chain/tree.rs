//! The executed blocks in memory, on all branches, by id and by number.

use super::{
    fork_choice::{Order, Rank, Score, rank},
    window::cost,
};
use crate::{
    BlockId, Height,
    applied::Applied,
    consensus::schedule::{Schedule, Slot},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// A block of the tree.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) applied: Arc<Applied>,
    pub(super) score: Score,
    /// Whether it came before the end of its slot and max_skew (F1).
    pub(super) timely: bool,
    /// Estimated bytes in memory.
    pub(super) cost: usize,
    children: usize,
}

impl Entry {
    pub(super) fn key(&self) -> (Height, BlockId) {
        (self.applied.block.header().number, self.applied.block.id)
    }

    pub(super) fn rank(&self, order: Order) -> Rank {
        rank(&self.applied, &self.score, order)
    }

    pub(super) fn parent(&self) -> BlockId {
        self.applied.block.header().hash_parent
    }

    pub(super) fn is_leaf(&self) -> bool {
        self.children == 0
    }
}

/// Blocks and their children.
#[derive(Debug)]
pub(super) struct Tree {
    schedule: Schedule,
    entries: BTreeMap<BlockId, Entry>,
    numbers: BTreeSet<(Height, BlockId)>,
    /// Blocks for each (number, slot): an honest miner makes one.
    siblings: BTreeMap<(Height, Slot), u8>,
}

impl Tree {
    pub(super) fn new(root: Arc<Applied>, score: Score, schedule: Schedule) -> Self {
        let entry = Entry {
            applied: root,
            score,
            timely: false,
            cost: 0,
            children: 0,
        };
        Self {
            schedule,
            numbers: BTreeSet::from([entry.key()]),
            siblings: BTreeMap::new(),
            entries: BTreeMap::from([(entry.applied.block.id, entry)]),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn get(&self, id: &BlockId) -> Option<&Entry> {
        self.entries.get(id)
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    pub(super) fn lowest(&self) -> Option<(Height, BlockId)> {
        self.numbers.first().copied()
    }

    /// Number and id of the blocks from this number on.
    pub(super) fn from(&self, number: Height) -> impl Iterator<Item = (Height, BlockId)> {
        self.numbers.range((number, BlockId::ZERO)..).copied()
    }

    /// The blocks that extend `base`, itself included.
    pub(super) fn descendants(&self, base: (Height, BlockId)) -> BTreeSet<BlockId> {
        let mut found = BTreeSet::from([base.1]);
        for (_, id) in self.numbers.range(base..) {
            let parent = self.entries.get(id).map(|entry| entry.parent());
            if parent.is_some_and(|parent| found.contains(&parent)) {
                found.insert(*id);
            }
        }
        found
    }

    /// Adds a child of a block that is here; its bytes. `None` if the parent is not.
    pub(super) fn insert(&mut self, applied: Arc<Applied>, timely: bool) -> Option<usize> {
        let header = applied.block.header();
        let slot_key = (header.number, self.schedule.slot(header.time));
        let parent = self.entries.get_mut(&header.hash_parent)?;
        parent.children = parent.children.saturating_add(1);
        let entry = Entry {
            score: parent.score.clone().child(header, timely, &self.schedule),
            timely,
            cost: cost(&applied),
            applied,
            children: 0,
        };
        let siblings = self.siblings.entry(slot_key).or_default();
        *siblings = siblings.saturating_add(1);
        let cost = entry.cost;
        self.numbers.insert(entry.key());
        self.entries.insert(entry.applied.block.id, entry);
        Some(cost)
    }

    /// Removes a block; its bytes.
    pub(super) fn remove(&mut self, id: &BlockId) -> usize {
        let Some(entry) = self.entries.remove(id) else {
            return 0;
        };
        let header = entry.applied.block.header();
        self.numbers.remove(&entry.key());
        if let Some(parent) = self.entries.get_mut(&header.hash_parent) {
            parent.children = parent.children.saturating_sub(1);
        }
        let slot_key = (header.number, self.schedule.slot(header.time));
        if let Some(siblings) = self.siblings.get_mut(&slot_key) {
            *siblings = siblings.saturating_sub(1);
            if *siblings == 0 {
                self.siblings.remove(&slot_key);
            }
        }
        entry.cost
    }

    /// A block with this number and slot.
    pub(super) fn sibling(&self, number: Height, slot: Slot) -> Option<&Entry> {
        let same = self.from(number).take_while(|(other, _)| *other == number);
        let mut same = same.filter_map(|(_, id)| self.get(&id));
        same.find(|entry| self.schedule.slot(entry.applied.block.header().time) == slot)
    }

    /// How many blocks are here with this number and slot.
    pub(super) fn siblings(&self, number: Height, slot: Slot) -> u8 {
        self.siblings.get(&(number, slot)).copied().unwrap_or(0)
    }
}
