//! The head's branch: its newest blocks whole, and the ids of those below them, down to the
//! oldest block at which another branch may leave it.

use super::window::{MILESTONES, cost};
use crate::{BlockId, Height, applied::Applied};
use std::{collections::VecDeque, sync::Arc};

/// Number and id of a block.
pub(super) type Key = (Height, BlockId);

/// The head's branch, without gaps.
#[derive(Debug)]
pub(super) struct Canonical {
    /// Oldest first, never empty.
    pub(super) whole: VecDeque<Arc<Applied>>,
    /// Estimated bytes of the whole blocks.
    pub(super) bytes: usize,
    /// Those right below, oldest first.
    pub(super) older: VecDeque<Key>,
    /// Those of `older` that are whole too. The oldest of all is one.
    pub(super) milestones: VecDeque<Key>,
}

pub(super) fn key(applied: &Applied) -> Key {
    (applied.block.header().number, applied.block.id)
}

impl Canonical {
    pub(super) fn new(root: Arc<Applied>) -> Self {
        Self {
            bytes: cost(&root),
            whole: VecDeque::from([root]),
            older: VecDeque::new(),
            milestones: VecDeque::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.whole.len().saturating_add(self.older.len())
    }

    /// The lowest number that is here.
    pub(super) fn lowest(&self) -> Option<Height> {
        let older = self.older.front().map(|(number, _)| *number);
        older.or_else(|| self.lowest_whole())
    }

    pub(super) fn lowest_whole(&self) -> Option<Height> {
        let oldest = self.whole.front();
        oldest.map(|oldest| oldest.block.header().number)
    }

    pub(super) fn at(&self, number: Height) -> Option<BlockId> {
        let index = |lowest: Height| {
            let index = number.get().checked_sub(lowest.get())?;
            usize::try_from(index).ok()
        };
        match index(self.lowest_whole()?) {
            Some(index) => self.whole.get(index).map(|applied| applied.block.id),
            None => {
                let older = self.older.get(index(self.older.front()?.0)?);
                older.map(|(_, id)| *id)
            }
        }
    }

    pub(super) fn contains(&self, key: &Key) -> bool {
        self.at(key.0) == Some(key.1)
    }

    /// Adds a block on top of the older ones. Whether it stays whole: as the oldest, or as
    /// a milestone.
    pub(super) fn push_older(&mut self, key: Key, is_whole: bool, spacing: u64) -> bool {
        let newest = self.milestones.back();
        let due = newest.is_none_or(|(last, _)| {
            let blocks = key.0.get().saturating_sub(last.get());
            is_whole && blocks >= spacing
        });
        self.older.push_back(key);
        if due {
            self.milestones.push_back(key);
        }
        due
    }

    /// Takes the newest of the older blocks if it lies above `fork`.
    pub(super) fn pop_older_above(&mut self, fork: Height) -> Option<Key> {
        let is_above = self.older.back().is_some_and(|(number, _)| *number > fork);
        if is_above {
            self.pop_newest_older()
        } else {
            None
        }
    }

    /// Takes the newest of the older blocks.
    pub(super) fn pop_newest_older(&mut self) -> Option<Key> {
        let popped = self.older.pop_back()?;
        self.milestones.pop_back_if(|last| *last == popped);
        Some(popped)
    }

    /// Lets go of what lies below the newest milestone that is not above final, and of the
    /// oldest milestones when there are too many.
    pub(super) fn shorten(&mut self, last_final: Height) {
        if self.lowest_whole().is_some_and(|whole| whole <= last_final) {
            self.older.clear();
            self.milestones.clear();
        }
        while self.milestones.len() > MILESTONES
            || self
                .milestones
                .get(1)
                .is_some_and(|next| next.0 <= last_final)
        {
            self.milestones.pop_front();
        }
        if let Some((base, _)) = self.milestones.front().copied() {
            while self
                .older
                .pop_front_if(|(number, _)| *number < base)
                .is_some()
            {}
        }
    }
}
