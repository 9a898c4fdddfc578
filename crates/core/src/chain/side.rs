//! Whole blocks that are not on the head's branch, in the order in which they came to be
//! there: the oldest lose body and state first.

use crate::BlockId;
use std::collections::BTreeMap;

/// Ids and estimated bytes; the blocks themselves are in the tree.
#[derive(Debug, Default)]
pub(super) struct Side {
    by_age: BTreeMap<u64, BlockId>,
    ages: BTreeMap<BlockId, (u64, usize)>,
    next: u64,
    bytes: usize,
}

impl Side {
    pub(super) fn len(&self) -> usize {
        self.ages.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn add(&mut self, id: BlockId, cost: usize) {
        self.remove(&id);
        self.by_age.insert(self.next, id);
        self.ages.insert(id, (self.next, cost));
        self.next = self.next.saturating_add(1);
        self.bytes = self.bytes.saturating_add(cost);
    }

    pub(super) fn remove(&mut self, id: &BlockId) {
        if let Some((age, cost)) = self.ages.remove(id) {
            self.by_age.remove(&age);
            self.bytes = self.bytes.saturating_sub(cost);
        }
    }

    pub(super) fn oldest_first(&self) -> impl Iterator<Item = &BlockId> {
        self.by_age.values()
    }

    pub(super) fn newest(&self) -> Option<BlockId> {
        self.by_age.last_key_value().map(|(_, id)| *id)
    }
}
