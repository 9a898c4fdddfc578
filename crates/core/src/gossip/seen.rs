//! Ids of announced blocks that were checked lately.

use crate::BlockId;
use std::collections::{BTreeSet, VecDeque};

/// Ids that are remembered; the oldest goes first.
const MAX_SEEN: usize = 4_096;

/// The seen cache. Only blocks that a listed miner signed enter it.
#[derive(Debug, Default)]
pub(super) struct SeenCache {
    ids: BTreeSet<BlockId>,
    order: VecDeque<BlockId>,
}

impl SeenCache {
    pub(super) fn insert(&mut self, id: BlockId) {
        if !self.ids.insert(id) {
            return;
        }
        self.order.push_back(id);
        if self.order.len() > MAX_SEEN
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
    }

    pub(super) fn contains(&self, id: &BlockId) -> bool {
        self.ids.contains(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_ids_are_remembered_and_the_memory_is_bounded() {
        let id = |number: usize| {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&number.to_be_bytes());
            BlockId::new(bytes)
        };
        let mut seen = SeenCache::default();
        for number in 0..2 * MAX_SEEN {
            seen.insert(id(number));
            seen.insert(id(number));
        }
        assert!(!seen.contains(&id(MAX_SEEN - 1)));
        assert!((MAX_SEEN..2 * MAX_SEEN).all(|number| seen.contains(&id(number))));
        assert_eq!((seen.ids.len(), seen.order.len()), (MAX_SEEN, MAX_SEEN));
    }
}
