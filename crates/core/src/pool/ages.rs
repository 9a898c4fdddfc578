//! How long transactions wait at most: those that a block could take for a day, those behind
//! a missing number for minutes.

use crate::{AccountNonce, Timestamp, TxId};
use ccoin_crypto::Address;
use std::collections::{BTreeSet, VecDeque};

/// A transaction that no block has taken for so long does not wait any more, in ms.
pub const LONGEST_WAIT_MS: u64 = 24 * 60 * 60 * 1_000;

/// The same for one behind a missing number.
pub const LONGEST_GAP_MS: u64 = 5 * 60 * 1_000;

/// Ids of expired transactions that peers may not bring back.
const MAX_EXPIRED: usize = 4_096;

/// Arrival, sender and number.
type Row = (Timestamp, Address, AccountNonce);

/// All waiting transactions by age.
#[derive(Clone, Debug, Default)]
pub(super) struct Ages {
    all: BTreeSet<Row>,
    held: BTreeSet<Row>,
    expired: VecDeque<TxId>,
}

impl Ages {
    pub(super) fn add(&mut self, row: Row) {
        self.all.insert(row);
        self.held.insert(row);
    }

    /// No number before it is missing any more.
    pub(super) fn make_ready(&mut self, row: &Row) {
        self.held.remove(row);
    }

    pub(super) fn remove(&mut self, row: &Row) {
        self.all.remove(row);
        self.held.remove(row);
    }

    /// One that has waited too long, and whether behind a gap.
    pub(super) fn too_old(&self, now: Timestamp) -> Option<(Row, bool)> {
        let old = |row: &Row, longest: u64| now.get().saturating_sub(row.0.get()) >= longest;
        let held = self.held.first().filter(|row| old(row, LONGEST_GAP_MS));
        let first = self.all.first().filter(|row| old(row, LONGEST_WAIT_MS));
        let held = held.map(|row| (*row, true));
        held.or_else(|| first.map(|row| (*row, false)))
    }

    /// Remembers an id that peers may still tell.
    pub(super) fn on_expired(&mut self, id: TxId) {
        if self.expired.len() >= MAX_EXPIRED {
            self.expired.pop_front();
        }
        self.expired.push_back(id);
    }

    pub(super) fn is_expired(&self, id: &TxId) -> bool {
        self.expired.contains(id)
    }
}
