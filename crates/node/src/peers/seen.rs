//! What a node remembers of its talks with peers, so that nobody makes it check for
//! nothing: which blocks it has seen, and who owes it an answer.

use ccoin_core::{BlockId, machine::PeerId};
use lru::LruCache;
use std::{
    collections::BTreeSet,
    num::NonZeroUsize,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Ids of announced blocks that are remembered.
const SEEN: NonZeroUsize = NonZeroUsize::new(4_096).expect("it is not zero");

/// Shared by all conversations of a node.
pub(crate) struct Memory(Mutex<Facts>);

struct Facts {
    seen: LruCache<BlockId, ()>,
    asked: BTreeSet<PeerId>,
}

impl Default for Memory {
    fn default() -> Self {
        Self(Mutex::new(Facts {
            seen: LruCache::new(SEEN),
            asked: BTreeSet::new(),
        }))
    }
}

impl Memory {
    fn facts(&self) -> MutexGuard<'_, Facts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A whole block, checked: another copy of it is no news.
    pub(crate) fn see(&self, id: BlockId) {
        self.facts().seen.put(id, ());
    }

    /// Whether a block was checked lately.
    pub(crate) fn has_seen(&self, id: &BlockId) -> bool {
        self.facts().seen.contains(id)
    }

    /// A peer is asked for blocks.
    pub(crate) fn ask(&self, peer: PeerId) {
        self.facts().asked.insert(peer);
    }

    /// A peer sends blocks; whether it was asked for some.
    pub(crate) fn take_asked(&self, peer: PeerId) -> bool {
        self.facts().asked.remove(&peer)
    }
}
