//! The head moves to another block: which blocks leave its branch, and which join it.

use super::{
    Chain,
    canonical::{Key, key},
};
use crate::applied::Applied;
use std::sync::Arc;

/// A change of head.
#[derive(Clone, Debug, Default)]
pub struct Reorg {
    /// Blocks of the old branch, newest first; their transactions return to the pool.
    pub reverted: Vec<Arc<Applied>>,
    /// Blocks of the old branch below those, newest first, whose bodies only storage knows.
    pub older_reverted: Vec<Key>,
    /// Blocks of the new branch below the ones of `applied`, oldest first, whose bodies only
    /// storage knows.
    pub older_applied: Vec<Key>,
    /// Blocks of the new branch, oldest first.
    pub applied: Vec<Arc<Applied>>,
}

impl Chain {
    /// Moves the head to a whole block. `None` if its branch leaves the canonical one below
    /// what is known.
    pub(super) fn set_head(&mut self, head: Arc<Applied>) -> Option<Reorg> {
        let mut path = Vec::new();
        let mut cursor = key(&head);
        while !self.canonical.contains(&cursor) {
            path.push(cursor);
            let entry = self.tree.get(&cursor.1)?;
            cursor = (entry.number.checked_sub(1)?, entry.parent);
        }
        path.reverse();
        let mut reorg = self.revert_above(&cursor);
        if path.is_empty() && self.canonical.whole.is_empty() {
            self.canonical.pop_newest_older();
            self.push_whole(Arc::clone(&head));
        }
        let bare = |key: &Key| self.get(&key.1).is_none();
        let joint = path
            .iter()
            .rposition(bare)
            .map_or(0, |last| last.saturating_add(1));
        let whole = path.split_off(joint);
        if !path.is_empty() {
            while !self.canonical.whole.is_empty() {
                self.sink_oldest();
            }
            path.iter().for_each(|key| self.sink(*key));
            reorg.older_applied = path;
        }
        for (_, id) in whole {
            let applied = self.get(&id).cloned()?;
            self.push_whole(Arc::clone(&applied));
            reorg.applied.push(applied);
        }
        self.head = head;
        Some(reorg)
    }

    fn push_whole(&mut self, applied: Arc<Applied>) {
        self.side.remove(&applied.block.id);
        self.canonical.bytes = self
            .canonical
            .bytes
            .saturating_add(self.cost(&applied.block.id));
        self.canonical.whole.push_back(applied);
    }

    /// Takes the canonical blocks above `fork` off the head's branch.
    fn revert_above(&mut self, (fork, _): &Key) -> Reorg {
        let mut reorg = Reorg::default();
        let is_above = |block: &mut Arc<Applied>| block.block.header().number > *fork;
        while let Some(newest) = self.canonical.whole.pop_back_if(is_above) {
            self.canonical.bytes = self
                .canonical
                .bytes
                .saturating_sub(self.cost(&newest.block.id));
            reorg.reverted.push(newest);
        }
        while let Some(older) = self.canonical.pop_older_above(*fork) {
            reorg.older_reverted.push(older);
        }
        // The oldest lose body and state first.
        let older = reorg.older_reverted.iter().rev();
        let whole = older.filter_map(|(_, id)| self.tree.get(id)?.whole.clone());
        for applied in whole
            .chain(reorg.reverted.iter().rev().cloned())
            .collect::<Vec<_>>()
        {
            self.side
                .add(applied.block.id, self.cost(&applied.block.id));
        }
        reorg
    }
}
