//! Who comes first and who goes first: weighted fair queueing, the weight of a sender being
//! the coins that it owns. Many small accounts get no more room than one large one.
//!
//! Self-clocked fair queueing (Golestani, INFOCOM 1994): a transaction is finished after
//! those of its sender before it, its bytes divided by the weight, counted from the one that
//! was in a block last.

use ccoin_crypto::Address;
use std::collections::BTreeSet;

/// Bits that a quotient keeps behind the point: balances have 53 bits.
const FRACTION: u32 = 53;

/// Bytes divided by coins.
pub(super) type Share = u128;

/// The share that bytes are of a weight.
pub(super) fn share(bytes: usize, weight: u64) -> Share {
    let bytes = u128::try_from(bytes).unwrap_or(u128::MAX >> FRACTION);
    let scaled = bytes.checked_shl(FRACTION).unwrap_or(u128::MAX);
    scaled
        .checked_div(u128::from(weight.max(1)))
        .unwrap_or(scaled)
        .max(1)
}

/// The order of the transactions that are ready, and the senders by what they hold.
#[derive(Clone, Debug, Default)]
pub(super) struct Shares {
    /// The finish of what was in a block last.
    served: Share,
    /// Finish and turn.
    order: BTreeSet<(Share, u64)>,
    /// Bytes that wait divided by coins.
    backlogs: BTreeSet<(Share, Address)>,
}

impl Shares {
    /// The place of a transaction behind `before`, the last one of its sender.
    pub(super) fn queue(&mut self, before: Share, size: usize, weight: u64, turn: u64) -> Share {
        let begin = self.served.max(before);
        let finish = begin.saturating_add(share(size, weight));
        self.order.insert((finish, turn));
        finish
    }

    /// A transaction that is ready no more.
    pub(super) fn leave(&mut self, finish: Share, turn: u64) {
        self.order.remove(&(finish, turn));
    }

    /// A transaction that is in a block.
    pub(super) fn serve(&mut self, finish: Share) {
        self.served = self.served.max(finish);
    }

    /// Turns, the next one first.
    pub(super) fn turns(&self) -> impl Iterator<Item = u64> {
        self.order.iter().map(|(_, turn)| *turn)
    }

    /// The backlog of a sender has changed; 0: it has none.
    pub(super) fn set_backlog(&mut self, sender: Address, before: Share, now: Share) {
        if before != now {
            self.backlogs.remove(&(before, sender));
            if now > 0 {
                self.backlogs.insert((now, sender));
            }
        }
    }

    /// The sender with the largest backlog.
    pub(super) fn largest(&self) -> Option<(Share, Address)> {
        self.backlogs.last().copied()
    }
}
