//! Which peers owe an answer to a request for blocks.

use crate::sync::PeerId;
use std::collections::BTreeSet;

/// The peers that were asked.
#[derive(Debug, Default)]
pub(super) struct Asked(BTreeSet<PeerId>);

impl Asked {
    pub(super) fn add(&mut self, peer: PeerId) {
        self.0.insert(peer);
    }

    /// Whether the peer owed an answer; it does not any more.
    pub(super) fn take(&mut self, peer: PeerId) -> bool {
        self.0.remove(&peer)
    }
}
