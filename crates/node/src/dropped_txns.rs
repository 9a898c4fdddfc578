//! Transactions that were dropped, with the reason: the last 100,000 and those of a day, as
//! far as their bytes have room. In memory; the pool log holds the same.

use ccoin_core::{Timestamp, TxId, transaction::VerifiedTransaction};
use std::collections::{BTreeMap, HashMap};

/// Kept however old they are.
const KEPT: usize = 100_000;
/// Kept however many they are, in milliseconds.
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
/// Bytes of encodings that are kept; then the oldest goes.
const MAX_BYTES: usize = 128 << 20;

/// A dropped transaction.
#[derive(Clone, Debug)]
pub(crate) struct DroppedTxn {
    pub(crate) txn: VerifiedTransaction,
    pub(crate) reason: String,
    pub(crate) at: Timestamp,
}

#[derive(Debug, Default)]
pub(crate) struct DroppedTxns {
    by_id: HashMap<TxId, (u64, DroppedTxn)>,
    /// In the order in which they were dropped.
    order: BTreeMap<u64, TxId>,
    places: u64,
    bytes: usize,
}

impl DroppedTxns {
    pub(crate) fn get(&self, id: &TxId) -> Option<&DroppedTxn> {
        self.by_id.get(id).map(|(_, dropped)| dropped)
    }

    /// Bytes of their encodings.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// All, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &DroppedTxn> {
        self.order.values().filter_map(|id| self.get(id))
    }

    /// Those after a place in that order, with their places.
    pub(crate) fn after(&self, place: u64) -> impl Iterator<Item = (u64, &DroppedTxn)> {
        let rows = self.order.range(place.saturating_add(1)..);
        rows.filter_map(|(place, id)| Some((*place, self.get(id)?)))
    }

    /// The newest place.
    pub(crate) fn newest(&self) -> u64 {
        self.places
    }

    pub(crate) fn add(&mut self, dropped: DroppedTxn) {
        let (id, now) = (*dropped.txn.id(), dropped.at);
        self.remove(&id);
        self.bytes += dropped.txn.size();
        self.places += 1;
        self.order.insert(self.places, id);
        self.by_id.insert(id, (self.places, dropped));
        while let Some((_, oldest)) = self.order.first_key_value() {
            let oldest = *oldest;
            let day_old = self
                .get(&oldest)
                .is_none_or(|dropped| now.get().saturating_sub(dropped.at.get()) > DAY_MS);
            if self.bytes <= MAX_BYTES && (self.order.len() <= KEPT || !day_old) {
                break;
            }
            self.remove(&oldest);
        }
    }

    /// Forgets one that waits again or is in a block.
    pub(crate) fn remove(&mut self, id: &TxId) {
        if let Some((place, gone)) = self.by_id.remove(id) {
            self.order.remove(&place);
            self.bytes -= gone.txn.size();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ccoin_core::{
        AccountNonce, Address, Amount, BlockId,
        transaction::{Payment, Transaction},
    };
    use ccoin_crypto::SecretKey;

    fn time(at: u64) -> Timestamp {
        Timestamp::new(at).unwrap()
    }

    /// As many as wanted, all different.
    fn txns() -> impl Iterator<Item = VerifiedTransaction> {
        let key = SecretKey::generate(2048).unwrap();
        let payment = Payment {
            number: AccountNonce::new(1).unwrap(),
            to: Address::ZERO,
            amount: Amount::new(1).unwrap(),
            data: String::new(),
            time: time(1),
        };
        let signed = Transaction::sign(payment, &key, &BlockId::ZERO).unwrap();
        (1..).map(move |number| {
            let number = AccountNonce::new(number).unwrap();
            let txn = Transaction {
                number,
                ..signed.clone()
            };
            VerifiedTransaction::already_verified(txn, &BlockId::ZERO)
        })
    }

    #[test]
    fn the_last_hundred_thousand_and_those_of_a_day_are_kept() {
        let mut dropped = DroppedTxns::default();
        let mut add = |txn: &VerifiedTransaction, at| {
            dropped.add(DroppedTxn {
                txn: txn.clone(),
                reason: "late".to_owned(),
                at: time(at),
            });
            dropped.order.len()
        };
        let mut txns = txns();
        let old = txns.next().unwrap();
        add(&old, 0);
        for txn in txns.by_ref().take(KEPT - 1) {
            add(&txn, DAY_MS);
        }
        let more: Vec<_> = txns.by_ref().take(3).collect();
        assert_eq!(add(&more[0], DAY_MS), KEPT + 1, "all are of one day");
        assert_eq!(add(&more[1], DAY_MS + 1), KEPT + 1, "the old one goes");
        assert_eq!(add(&more[2], 2 * DAY_MS + 1), KEPT, "of two days");
        assert_eq!(add(&more[2], 2 * DAY_MS + 1), KEPT, "it is known");
        assert!(dropped.get(old.id()).is_none());
        let newest = dropped.iter().last().map(|dropped| *dropped.txn.id());
        assert_eq!(newest, Some(*more[2].id()));
        assert_eq!(dropped.iter().count(), dropped.by_id.len());
        let sizes = dropped.iter().map(|dropped| dropped.txn.size());
        assert_eq!(sizes.sum::<usize>(), dropped.bytes());
    }
}
