//! Blocks beyond the two of one signer, slot and number that are kept (E2): a node takes them only
//! where it asked for them, and no more bytes of one peer than its share.
//!
//! A chain may go on behind any of them, so none is refused for good. Below a certificate that
//! waits for its block they are all taken: the chain goes that way.

use super::{Machine, PeerId};
use crate::{MonoTime, Now, block::VerifiedBlock, sync::orphans::Orphan};
use std::collections::BTreeMap;

/// Bytes of such blocks that one peer may bring in the time of a slot; one block always.
const SHARE_BYTES: usize = 4 << 20;

/// Where a block comes from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sender {
    pub(super) peer: PeerId,
    /// Whether the peer was asked.
    pub(super) asked: bool,
}

impl Sender {
    pub(super) fn of(orphan: &Orphan) -> Self {
        Self {
            peer: orphan.peer,
            asked: orphan.asked,
        }
    }
}

/// What each peer has brought: since when, bytes.
#[derive(Debug, Default)]
pub(super) struct Surplus {
    shares: BTreeMap<PeerId, (MonoTime, usize)>,
}

impl Surplus {
    pub(super) fn forget(&mut self, peer: PeerId) {
        self.shares.remove(&peer);
    }

    /// Counts a block; whether it is within the share of its peer.
    fn takes(&mut self, now: MonoTime, slot_ms: u64, peer: PeerId, bytes: usize) -> bool {
        let (since, used) = self.shares.entry(peer).or_insert((now, 0));
        if now.since(*since) >= slot_ms {
            (*since, *used) = (now, 0);
        }
        let sum = used.saturating_add(bytes);
        let takes = *used == 0 || sum <= SHARE_BYTES;
        if takes {
            *used = sum;
        }
        takes
    }
}

impl Machine {
    /// Whether one more block of a (signer, slot, number) is taken that a peer was asked for.
    pub(super) fn takes_surplus(&mut self, now: Now, peer: PeerId, block: &VerifiedBlock) -> bool {
        let slot_ms = self.genesis.config.consensus.slot_ms;
        self.awaits_from(block.header().number)
            || self.surplus.takes(now.mono, slot_ms, peer, block.size())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_has_its_share_in_each_slot_and_takes_none_of_others() {
        let mut surplus = Surplus::default();
        let mut takes = |ms, peer, bytes| surplus.takes(MonoTime(ms), 2_000, peer, bytes);
        assert!(takes(0, 1, SHARE_BYTES + 1), "one block always");
        assert!(!takes(1_999, 1, 1));
        assert!(takes(1_999, 2, SHARE_BYTES));
        assert!(!takes(1_999, 2, 1));
        assert!(takes(2_000, 1, 1));
        assert!(takes(2_000, 1, SHARE_BYTES - 1));
        assert!(!takes(2_000, 1, 1));
    }
}
