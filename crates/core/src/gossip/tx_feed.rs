//! Which waiting transactions one peer hears of next, at the peer's own pace: included ones
//! are skipped, nothing piles up for a slow peer.
//!
//! A peer that is behind refuses transactions whose numbers it does not know yet. So it
//! hears of nothing before it has caught up, and of all that waits then. A peer may still
//! refuse one in a bad moment; what waits for long is told again.

use super::tx_queue::TxQueue;
use crate::{
    Height, MonoTime, message::MAX_MESSAGE_TXNS, sync::PeerId, transaction::VerifiedTransaction,
};

/// Blocks that a connected peer may fall behind without counting as behind: it takes blocks
/// and transactions in the order in which they were sent.
const FAR_BLOCKS: u64 = 64;

/// A transaction that has waited so long, in ms, is told again.
const AGAIN_MS: u64 = 30_000;

/// Least time between two messages that tell again, in ms.
const AGAIN_PACE_MS: u64 = 2_000;

/// Bytes of a message: half of what is allowed, because it waits in memory for its reader.
const MAX_PART_BYTES: usize = 256 << 10;

/// Bytes of the longest array header.
const ARRAY_HEADER: usize = 5;

/// The cursor of one peer.
#[derive(Debug)]
pub struct TxFeed {
    peer: PeerId,
    /// The height that the peer claims.
    claimed: Height,
    /// Nothing is sent before the peer claims this height, or that of a lower head.
    waits_for: Option<Height>,
    /// The last place of the feed that was looked at.
    place: u64,
    /// The same for what is told again.
    again: u64,
    again_at: MonoTime,
}

impl TxFeed {
    /// The feed of a new peer, which begins with all that waits.
    #[must_use]
    pub fn new(now: MonoTime, peer: PeerId, claimed: Height, own: Height) -> Self {
        Self {
            peer,
            claimed,
            waits_for: (claimed < own).then_some(own),
            place: 0,
            again: 0,
            again_at: now.after(AGAIN_MS),
        }
    }

    /// The peer tells its height, or shows it by a block.
    pub fn on_height(&mut self, height: Height) {
        self.claimed = height;
    }

    /// What the peer hears now; empty: nothing before something changes or
    /// [`TxFeed::wake_in`] has passed. `own` is the height of the head.
    pub fn next(
        &mut self,
        now: MonoTime,
        own: Height,
        queue: &TxQueue,
    ) -> Vec<VerifiedTransaction> {
        if self.waits_for.is_none() && self.claimed.get().saturating_add(FAR_BLOCKS) < own.get() {
            self.waits_for = Some(own);
        }
        if let Some(target) = self.waits_for {
            if self.claimed < target.min(own) {
                return Vec::new();
            }
            (self.waits_for, self.place) = (None, 0);
        }
        let mut txns = Vec::new();
        for (place, queued) in queue.feed_after(self.place).take(MAX_MESSAGE_TXNS) {
            self.place = place;
            if queued.from != Some(self.peer) {
                txns.push(queued.txn.clone());
            }
        }
        if txns.is_empty() && now >= self.again_at {
            txns = self.tell_again(now, queue);
        }
        txns
    }

    fn tell_again(&mut self, now: MonoTime, queue: &TxQueue) -> Vec<VerifiedTransaction> {
        let mut looked = None;
        let mut txns = Vec::new();
        for (place, queued) in queue.feed_after(self.again).take(MAX_MESSAGE_TXNS) {
            looked = Some(place);
            // Also to the peer that sent it, which may have lost it since.
            if now.since(queued.since) >= AGAIN_MS {
                txns.push(queued.txn.clone());
            }
        }
        let pause = if looked.is_some() {
            AGAIN_PACE_MS
        } else {
            AGAIN_MS
        };
        // From the beginning behind the last.
        self.again = looked.unwrap_or(0);
        self.again_at = now.after(pause);
        txns
    }

    /// In how many ms something may be told again.
    #[must_use]
    pub fn wake_in(&self, now: MonoTime) -> u64 {
        self.again_at.since(now)
    }
}

/// The parts of a list of transactions that fit one message each.
#[must_use]
pub fn messages(txns: &[VerifiedTransaction]) -> Vec<&[VerifiedTransaction]> {
    let mut parts = Vec::new();
    let mut rest = txns;
    while !rest.is_empty() {
        let mut bytes = ARRAY_HEADER;
        let fits = |txn: &&VerifiedTransaction| {
            bytes = bytes.saturating_add(txn.size());
            bytes <= MAX_PART_BYTES
        };
        let count = rest.iter().take(MAX_MESSAGE_TXNS).take_while(fits).count();
        let (now, later) = rest.split_at(count.max(1));
        parts.push(now);
        rest = later;
    }
    parts
}
