//! The executed blocks on all branches, by id and by number. Old ones are not whole: their
//! bodies and states were dropped.

use super::{
    fork_choice::{Order, Rank, Score, rank},
    unlogged::{Origin, Unlogged},
    window::cost,
};
use crate::{
    BlockId, Height, Timestamp,
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
    pub(super) number: Height,
    pub(super) id: BlockId,
    pub(super) parent: BlockId,
    pub(super) time: Timestamp,
    /// Body and state of a whole block. A leaf is always whole.
    pub(super) whole: Option<Arc<Applied>>,
    /// Estimated bytes of the whole block.
    pub(super) cost: usize,
    pub(super) score: Score,
    /// Whether it came before the end of its slot and max_skew (F1).
    pub(super) timely: bool,
    pub(super) origin: Origin,
    children: usize,
}

impl Entry {
    fn new(applied: Arc<Applied>, score: Score, timely: bool, origin: Origin) -> Self {
        let header = applied.block.header();
        Self {
            number: header.number,
            id: applied.block.id,
            parent: header.hash_parent,
            time: header.time,
            cost: cost(&applied),
            whole: Some(applied),
            score,
            timely,
            origin,
            children: 0,
        }
    }

    pub(super) fn key(&self) -> (Height, BlockId) {
        (self.number, self.id)
    }

    pub(super) fn rank(&self, order: Order) -> Rank {
        rank((self.number, self.time, self.id), &self.score, order)
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
        let entry = Entry::new(root, score, false, Origin::Log);
        Self {
            schedule,
            numbers: BTreeSet::from([entry.key()]),
            siblings: BTreeMap::new(),
            entries: BTreeMap::from([(entry.id, entry)]),
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
            let parent = self.entries.get(id).map(|entry| entry.parent);
            if parent.is_some_and(|parent| found.contains(&parent)) {
                found.insert(*id);
            }
        }
        found
    }

    /// Adds a child of a block that is here; false if the parent is not.
    pub(super) fn insert(&mut self, applied: Arc<Applied>, timely: bool, origin: Origin) -> bool {
        let header = applied.block.header();
        let slot_key = (header.number, self.schedule.slot(header.time));
        let Some(parent) = self.entries.get_mut(&header.hash_parent) else {
            return false;
        };
        parent.children = parent.children.saturating_add(1);
        let score = parent.score.clone().child(header, timely, &self.schedule);
        let entry = Entry::new(applied, score, timely, origin);
        let siblings = self.siblings.entry(slot_key).or_default();
        *siblings = siblings.saturating_add(1);
        self.numbers.insert(entry.key());
        self.entries.insert(entry.id, entry);
        true
    }

    /// A peer was asked for a block that an announcement brought.
    pub(super) fn note_fetched(&mut self, id: &BlockId) {
        if let Some(entry) = self.entries.get_mut(id)
            && entry.origin == Origin::Announced
        {
            entry.origin = Origin::Fetched;
        }
    }

    /// A block and those of its ancestors that the log lacks, oldest first. The log holds the
    /// ancestors of all that it holds.
    pub(super) fn take_unlogged(&mut self, id: &BlockId) -> Vec<Unlogged> {
        let mut taken = Vec::new();
        let mut cursor = *id;
        while let Some(entry) = self.entries.get_mut(&cursor)
            && entry.origin != Origin::Log
        {
            entry.origin = Origin::Log;
            let timely = entry.timely;
            let whole = entry.whole.clone();
            taken.extend(whole.map(|applied| Unlogged { applied, timely }));
            cursor = entry.parent;
        }
        taken.reverse();
        taken
    }

    /// Drops body and state of a block.
    pub(super) fn strip(&mut self, id: &BlockId) {
        if let Some(entry) = self.entries.get_mut(id) {
            entry.whole = None;
        }
    }

    /// Makes a block of the tree whole again.
    pub(super) fn restore(&mut self, applied: Arc<Applied>) {
        if let Some(entry) = self.entries.get_mut(&applied.block.id) {
            entry.whole = Some(applied);
        }
    }

    /// Removes a block; its parent.
    pub(super) fn remove(&mut self, id: &BlockId) -> Option<BlockId> {
        let entry = self.entries.remove(id)?;
        self.numbers.remove(&entry.key());
        if let Some(parent) = self.entries.get_mut(&entry.parent) {
            parent.children = parent.children.saturating_sub(1);
        }
        let slot_key = (entry.number, self.schedule.slot(entry.time));
        if let Some(siblings) = self.siblings.get_mut(&slot_key) {
            *siblings = siblings.saturating_sub(1);
            if *siblings == 0 {
                self.siblings.remove(&slot_key);
            }
        }
        Some(entry.parent)
    }

    /// A whole block with this number and slot.
    pub(super) fn sibling(&self, number: Height, slot: Slot) -> Option<&Entry> {
        let same = self.from(number).take_while(|(other, _)| *other == number);
        let mut same = same.filter_map(|(_, id)| self.get(&id));
        same.find(|entry| entry.whole.is_some() && self.schedule.slot(entry.time) == slot)
    }

    /// How many blocks are here with this number and slot.
    pub(super) fn siblings(&self, number: Height, slot: Slot) -> u8 {
        self.siblings.get(&(number, slot)).copied().unwrap_or(0)
    }
}
