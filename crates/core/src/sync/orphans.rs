//! Blocks whose parents are not here yet, or whose time has not come: bounded, and
//! forgotten when the peer that sent them leaves.

use super::PeerId;
use crate::{BlockId, Timestamp, block::VerifiedBlock};
use std::collections::BTreeMap;

/// Announced blocks without a parent that one peer may have here.
const MAX_PER_PEER: usize = 64;

/// Blocks from the future that may wait.
const MAX_HELD: usize = 64;

/// Bytes that all announced and held blocks may have together; asked-for blocks have a
/// bound of their own, in what is asked for.
const MAX_UNASKED_BYTES: usize = 32 << 20;

/// A block that waits, and its sender.
#[derive(Clone, Debug)]
pub struct Orphan {
    /// The block.
    pub block: VerifiedBlock,
    /// Its sender.
    pub peer: PeerId,
    /// Whether this node has asked for it: it belongs to a chain, or may do so.
    pub asked: bool,
}

/// The waiting blocks.
#[derive(Debug, Default)]
pub struct Orphans {
    by_parent: BTreeMap<(BlockId, BlockId), Orphan>,
    held: BTreeMap<(Timestamp, BlockId), Orphan>,
    bytes: usize,
}

impl Orphans {
    /// Bytes of the blocks without parents.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Keeps an announced block until its parent comes, if there is room and no other peer
    /// has sent it.
    pub fn announce(&mut self, orphan: Orphan) {
        let key = (orphan.block.header().hash_parent, orphan.block.id);
        if self.by_parent.contains_key(&key) {
            return;
        }
        let from_peer = self.by_parent.values();
        let from_peer = from_peer.filter(|other| other.peer == orphan.peer).count();
        if from_peer < MAX_PER_PEER && self.has_room() {
            self.keep(orphan);
        }
    }

    fn has_room(&self) -> bool {
        let held: usize = self.held.values().map(|orphan| orphan.block.size()).sum();
        self.bytes.saturating_add(held) < MAX_UNASKED_BYTES
    }

    /// Keeps a block that this node has asked for.
    pub fn keep(&mut self, orphan: Orphan) {
        let key = (orphan.block.header().hash_parent, orphan.block.id);
        self.bytes = self.bytes.saturating_add(orphan.block.size());
        if let Some(same) = self.by_parent.insert(key, orphan) {
            self.bytes = self.bytes.saturating_sub(same.block.size());
        }
    }

    /// Takes the children of a block that is here now.
    pub fn children(&mut self, parent: &BlockId) -> Vec<Orphan> {
        let range = (*parent, BlockId::ZERO)..=(*parent, BlockId::new([0xff; 32]));
        let keys: Vec<_> = self.by_parent.range(range).map(|(key, _)| *key).collect();
        let taken: Vec<_> = keys
            .iter()
            .filter_map(|key| self.by_parent.remove(key))
            .collect();
        for orphan in &taken {
            self.bytes = self.bytes.saturating_sub(orphan.block.size());
        }
        taken
    }

    /// Whether a block of a peer waits for its parent.
    #[must_use]
    pub fn has(&self, peer: PeerId) -> bool {
        self.by_parent.values().any(|orphan| orphan.peer == peer)
    }

    /// Forgets what a peer has sent.
    pub fn forget(&mut self, peer: PeerId) {
        self.forget_if(|orphan| orphan.peer == peer);
        self.held.retain(|_, orphan| orphan.peer != peer);
    }

    /// Forgets the blocks without parents for which `gone` is true.
    pub fn forget_if(&mut self, gone: impl Fn(&Orphan) -> bool) {
        let bytes = &mut self.bytes;
        self.by_parent.retain(|_, orphan| {
            let keep = !gone(orphan);
            *bytes = bytes.saturating_sub(if keep { 0 } else { orphan.block.size() });
            keep
        });
    }

    /// Keeps a block until `due`, if there is room.
    pub fn hold(&mut self, due: Timestamp, orphan: Orphan) {
        if self.held.len() < MAX_HELD && self.has_room() {
            self.held.insert((due, orphan.block.id), orphan);
        }
    }

    /// Takes the held blocks whose time has come.
    pub fn due(&mut self, now: Timestamp) -> Vec<Orphan> {
        let mut due = Vec::new();
        while let Some(first) = self.held.first_entry() {
            if first.key().0 > now {
                break;
            }
            due.push(first.remove());
        }
        due
    }

    /// When the next held block is due.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        self.held.first_key_value().map(|((due, _), _)| *due)
    }
}

impl Orphan {
    /// A block that may have to wait.
    #[must_use]
    pub fn new(block: VerifiedBlock, peer: PeerId, asked: bool) -> Self {
        Self { block, peer, asked }
    }
}
