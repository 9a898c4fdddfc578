//! The waiting transactions as peers and readers see them: in the order of arrival, and in
//! the order in which they became ready to be gossiped. It follows the machine's `Publish`.

use crate::{MonoTime, Timestamp, TxId, sync::PeerId, transaction::VerifiedTransaction};
use std::collections::{BTreeMap, HashMap};

/// A transaction that waits.
#[derive(Clone, Debug)]
pub struct QueuedTxn {
    /// When it arrived, by the wall clock.
    pub arrived: Timestamp,
    /// The transaction.
    pub txn: VerifiedTransaction,
    /// The peer that sent it.
    pub(super) from: Option<PeerId>,
    /// Since when it waits here.
    pub(super) since: MonoTime,
    /// Its place in the feed, once no gap holds it back.
    place: Option<u64>,
}

impl QueuedTxn {
    /// Whether it waits for a smaller number of its sender.
    #[must_use]
    pub fn is_behind_gap(&self) -> bool {
        self.place.is_none()
    }
}

/// The queue.
#[derive(Debug, Default)]
pub struct TxQueue {
    by_arrival: BTreeMap<u64, QueuedTxn>,
    orders: HashMap<TxId, u64>,
    /// Order of arrival by place in the feed.
    feed: BTreeMap<u64, u64>,
    arrivals: u64,
    places: u64,
}

impl TxQueue {
    /// Transactions that wait now.
    pub fn add(
        &mut self,
        now: MonoTime,
        arrived: Timestamp,
        txns: &[VerifiedTransaction],
        from: Option<PeerId>,
    ) {
        for txn in txns {
            self.remove(txn.id());
            self.arrivals = self.arrivals.saturating_add(1);
            self.orders.insert(*txn.id(), self.arrivals);
            let queued = QueuedTxn {
                arrived,
                txn: txn.clone(),
                from,
                since: now,
                place: None,
            };
            self.by_arrival.insert(self.arrivals, queued);
        }
    }

    /// Transactions that no gap holds back. One that is in the feed keeps its place.
    pub fn make_ready(&mut self, ids: &[TxId]) {
        for id in ids {
            let Some(order) = self.orders.get(id) else {
                continue;
            };
            let Some(queued) = self.by_arrival.get_mut(order) else {
                continue;
            };
            if queued.place.is_none() {
                self.places = self.places.saturating_add(1);
                queued.place = Some(self.places);
                self.feed.insert(self.places, *order);
            }
        }
    }

    /// A transaction that does not wait any more.
    pub fn remove(&mut self, id: &TxId) -> Option<QueuedTxn> {
        let order = self.orders.remove(id)?;
        let queued = self.by_arrival.remove(&order)?;
        queued.place.and_then(|place| self.feed.remove(&place));
        Some(queued)
    }

    /// A waiting transaction.
    #[must_use]
    pub fn get(&self, id: &TxId) -> Option<&QueuedTxn> {
        self.by_arrival.get(self.orders.get(id)?)
    }

    /// Waiting transactions with their order of arrival, after an order.
    pub fn after(&self, order: u64) -> impl Iterator<Item = (u64, &QueuedTxn)> {
        let rows = self.by_arrival.range(order.saturating_add(1)..);
        rows.map(|(order, queued)| (*order, queued))
    }

    /// The newest order of arrival.
    #[must_use]
    pub fn newest_arrival(&self) -> u64 {
        self.arrivals
    }

    /// The feed behind a place.
    pub(super) fn feed_after(&self, place: u64) -> impl Iterator<Item = (u64, &QueuedTxn)> {
        let rows = self.feed.range(place.saturating_add(1)..);
        rows.filter_map(|(place, order)| Some((*place, self.by_arrival.get(order)?)))
    }

    /// The newest place of the feed: changes when there is something to gossip.
    #[must_use]
    pub fn newest_place(&self) -> u64 {
        self.places
    }
}
