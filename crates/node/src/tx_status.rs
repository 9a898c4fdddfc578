//! What became of each transaction, as far as memory reaches: waiting, in a recent
//! block, or dropped with a reason. Written only when the fact is on disk.

use ccoin_core::{
    AccountNonce, Address, Timestamp, TxId,
    machine::{Effect, PeerId},
    pool::PoolError,
    rules::Applied,
    transaction::VerifiedTransaction,
};
use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::watch;

/// Dropped transactions whose reason is kept, and bytes of their encodings.
const MAX_DROPPED: usize = 100_000;
const MAX_DROPPED_BYTES: usize = 128 << 20;

/// What became of a transaction.
#[derive(Clone, Debug)]
pub enum Fate {
    /// It waits.
    Pending(VerifiedTransaction),
    /// It is in a recent block.
    Included {
        /// The block.
        block: Arc<Applied>,
        /// Its place in the block, from 0.
        index: usize,
    },
    /// It can never be included.
    Dropped(VerifiedTransaction, PoolError),
}

#[derive(Debug, Default)]
struct Facts {
    /// By order of arrival.
    pending: BTreeMap<u64, Pending>,
    orders: HashMap<TxId, u64>,
    senders: HashMap<Address, BTreeMap<AccountNonce, TxId>>,
    included: HashMap<TxId, (Arc<Applied>, usize)>,
    dropped: HashMap<TxId, (VerifiedTransaction, PoolError)>,
    dropped_order: VecDeque<TxId>,
    dropped_bytes: usize,
    arrivals: u64,
}

/// A transaction that waits.
#[derive(Debug)]
struct Pending {
    arrived: Timestamp,
    txn: VerifiedTransaction,
    /// The peer that sent it, as far as it is known yet.
    from: Option<PeerId>,
}

/// The tx_tracker.
#[derive(Debug, Default)]
pub struct TxTracker {
    facts: Mutex<Facts>,
    /// The order of the newest arrival that others should hear of.
    news: watch::Sender<u64>,
}

impl TxTracker {
    fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What became of a transaction, if memory knows.
    #[must_use]
    pub fn fate(&self, id: &TxId) -> Option<Fate> {
        let facts = self.facts();
        let pending = facts
            .orders
            .get(id)
            .and_then(|order| facts.pending.get(order));
        if let Some(Pending { txn, .. }) = pending {
            return Some(Fate::Pending(txn.clone()));
        }
        if let Some((block, index)) = facts.included.get(id) {
            return Some(Fate::Included {
                block: Arc::clone(block),
                index: *index,
            });
        }
        facts
            .dropped
            .get(id)
            .map(|(txn, reason)| Fate::Dropped(txn.clone(), reason.clone()))
    }

    /// Those of these transactions that memory holds: their signatures were checked.
    pub(crate) fn verified(&self, ids: &[TxId]) -> Vec<Option<VerifiedTransaction>> {
        let facts = self.facts();
        let find = |id: &TxId| {
            let waiting = || Some(facts.pending.get(facts.orders.get(id)?)?.txn.clone());
            let included = || {
                let (block, index) = facts.included.get(id)?;
                block.block.transactions.get(*index).cloned()
            };
            waiting().or_else(included)
        };
        ids.iter().map(find).collect()
    }

    /// Numbers of the waiting transactions of a sender, ascending.
    #[must_use]
    pub fn numbers(&self, sender: &Address) -> Vec<AccountNonce> {
        let facts = self.facts();
        facts
            .senders
            .get(sender)
            .map(|queue| queue.keys().copied().collect())
            .unwrap_or_default()
    }

    /// Waiting transactions in the order of their arrival, after a place in it.
    #[must_use]
    pub fn page(&self, after: u64, limit: usize) -> Vec<(u64, Timestamp, VerifiedTransaction)> {
        let facts = self.facts();
        let rows = facts.pending.range(after.saturating_add(1)..).take(limit);
        rows.map(|(order, waits)| (*order, waits.arrived, waits.txn.clone()))
            .collect()
    }

    /// Waiting transactions after a place in the order of arrival that did not come from
    /// this peer, only those from before a time if one is given; and the place up to which
    /// was looked.
    pub(crate) fn for_peer(
        &self,
        peer: PeerId,
        after: u64,
        before: Option<Timestamp>,
        limit: usize,
    ) -> (Vec<VerifiedTransaction>, u64) {
        let facts = self.facts();
        let mut looked = after;
        let mut txns = Vec::new();
        for (order, waits) in facts.pending.range(after.saturating_add(1)..).take(limit) {
            looked = *order;
            let old = before.is_none_or(|before| waits.arrived < before);
            if old && waits.from != Some(peer) {
                txns.push(waits.txn.clone());
            }
        }
        (txns, looked)
    }

    /// Changes when there is something new to tell peers.
    pub(crate) fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    /// Follows an effect that is durable now.
    pub(crate) fn follow(&self, effect: &Effect) {
        match effect {
            Effect::PersistTransactions { arrived, txns } => self.facts().wait(*arrived, txns),
            Effect::Relay { txns, except } => {
                let mut facts = self.facts();
                facts.came_from(txns, *except);
                self.news.send_replace(facts.arrivals);
            }
            Effect::Head { reorg, dropped } => {
                let mut facts = self.facts();
                for block in &reorg.left {
                    facts.leave(block);
                }
                for block in &reorg.applied {
                    facts.include(block);
                }
                for (txn, reason) in dropped {
                    facts.give_up(txn, reason);
                }
            }
            _ => {}
        }
    }

    /// Takes over the pool that a start has restored.
    pub(crate) fn restore(&self, arrived: Timestamp, txn: &VerifiedTransaction) {
        self.facts().wait(arrived, std::slice::from_ref(txn));
    }

    /// Takes over a block that a start has in memory.
    pub(crate) fn restore_block(&self, block: &Arc<Applied>) {
        self.facts().include(block);
    }

    /// Forgets a block that storage answers for from now on.
    pub(crate) fn forget(&self, block: &Applied) {
        let mut facts = self.facts();
        for txn in &block.block.transactions {
            facts.included.remove(txn.id());
        }
    }
}

impl Facts {
    fn wait(&mut self, arrived: Timestamp, txns: &[VerifiedTransaction]) {
        for txn in txns {
            self.arrivals += 1;
            self.senders
                .entry(txn.sender())
                .or_default()
                .insert(txn.number, *txn.id());
            self.orders.insert(*txn.id(), self.arrivals);
            let waits = Pending {
                arrived,
                txn: txn.clone(),
                from: None,
            };
            self.pending.insert(self.arrivals, waits);
            self.undrop(txn.id());
        }
    }

    fn undrop(&mut self, id: &TxId) {
        let gone = self.dropped.remove(id);
        self.dropped_bytes -= gone.map_or(0, |(txn, _)| txn.size());
    }

    fn came_from(&mut self, txns: &[VerifiedTransaction], peer: Option<PeerId>) {
        for txn in txns {
            let order = self.orders.get(txn.id());
            if let Some(waits) = order.and_then(|order| self.pending.get_mut(order)) {
                waits.from = peer;
            }
        }
    }

    fn include(&mut self, block: &Arc<Applied>) {
        for (index, txn) in block.block.transactions.iter().enumerate() {
            self.unwait(txn);
            self.included.insert(*txn.id(), (Arc::clone(block), index));
        }
    }

    fn leave(&mut self, block: &Applied) {
        for txn in &block.block.transactions {
            self.included.remove(txn.id());
        }
    }

    fn give_up(&mut self, txn: &VerifiedTransaction, reason: &PoolError) {
        self.unwait(txn);
        self.undrop(txn.id());
        self.dropped_bytes += txn.size();
        self.dropped
            .insert(*txn.id(), (txn.clone(), reason.clone()));
        self.dropped_order.push_back(*txn.id());
        while self.dropped_order.len() > MAX_DROPPED || self.dropped_bytes > MAX_DROPPED_BYTES {
            let Some(oldest) = self.dropped_order.pop_front() else {
                break;
            };
            self.undrop(&oldest);
        }
    }

    fn unwait(&mut self, txn: &VerifiedTransaction) {
        let Some(order) = self.orders.remove(txn.id()) else {
            return;
        };
        self.pending.remove(&order);
        let sender = txn.sender();
        if let Some(queue) = self.senders.get_mut(&sender) {
            queue.remove(&txn.number);
            if queue.is_empty() {
                self.senders.remove(&sender);
            }
        }
    }
}
