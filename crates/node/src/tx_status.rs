//! What became of each transaction, as far as memory reaches: pending, in a recent block, or
//! dropped with a reason. It follows the machine's `Publish`, so it never says what the disk
//! does not hold.

use crate::{
    clock,
    dropped_txns::{DroppedTxn, DroppedTxns},
    sender_numbers::SenderNumbers,
};
use ccoin_core::{
    AccountNonce, Address, BlockId, Height, MonoTime, Timestamp, TxId,
    applied::Applied,
    gossip::{QueuedTxn, TxFeed, TxQueue},
    machine::Publish,
    pool::PoolError,
    transaction::VerifiedTransaction,
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::watch;

/// What became of a transaction.
#[derive(Clone, Debug)]
pub enum TxStatus {
    /// It waits.
    Pending,
    /// It is in a block of the head's branch.
    Included {
        /// Number of the block.
        height: Height,
        /// Id of the block.
        block: BlockId,
        /// Its place in the block, from 0.
        index: usize,
    },
    /// It waits no longer and is in no block, for this reason.
    Dropped(String),
}

impl TxStatus {
    /// The word for it in the API.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Included { .. } => "included",
            Self::Dropped(_) => "dropped",
        }
    }
}

#[derive(Debug, Default)]
struct Facts {
    queue: TxQueue,
    senders: HashMap<Address, SenderNumbers>,
    included: HashMap<TxId, (Arc<Applied>, usize)>,
    dropped: DroppedTxns,
}

/// Where a reader of the news about transactions stands.
#[derive(Clone, Copy, Debug, Default)]
pub struct NewsPlace {
    arrival: u64,
    drop: u64,
}

/// Statuses of transactions, and the queue that feeds peers.
#[derive(Debug, Default)]
pub struct TxTracker {
    facts: Mutex<Facts>,
    /// The newest place of the feed.
    news: watch::Sender<u64>,
}

impl TxTracker {
    fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A transaction and what became of it, if memory knows.
    #[must_use]
    pub fn status(&self, id: &TxId) -> Option<(VerifiedTransaction, TxStatus)> {
        let facts = self.facts();
        if let Some(queued) = facts.queue.get(id) {
            return Some((queued.txn.clone(), TxStatus::Pending));
        }
        if let Some((block, index)) = facts.included.get(id) {
            let txn = block.block.transactions.get(*index)?;
            let status = TxStatus::Included {
                height: block.block.header().number,
                block: block.block.id,
                index: *index,
            };
            return Some((txn.clone(), status));
        }
        let DroppedTxn { txn, reason, .. } = facts.dropped.get(id)?;
        Some((txn.clone(), TxStatus::Dropped(reason.clone())))
    }

    /// Whether a transaction waits.
    #[must_use]
    pub fn waits(&self, id: &TxId) -> bool {
        self.facts().queue.get(id).is_some()
    }

    /// Those of these transactions that memory holds: their signatures were checked.
    pub(crate) fn verified(&self, ids: &[TxId]) -> Vec<Option<VerifiedTransaction>> {
        let facts = self.facts();
        let find = |id: &TxId| {
            let queued = facts.queue.get(id).map(|queued| queued.txn.clone());
            queued.or_else(|| {
                let (block, index) = facts.included.get(id)?;
                block.block.transactions.get(*index).cloned()
            })
        };
        ids.iter().map(find).collect()
    }

    /// How many transactions of a sender wait above a nonce, and the number behind those that
    /// no gap holds back.
    #[must_use]
    pub fn waiting_of(&self, sender: &Address, nonce: AccountNonce) -> (usize, u64) {
        let facts = self.facts();
        let numbers = facts.senders.get(sender);
        numbers.map_or((0, nonce.get() + 1), |numbers| numbers.above(nonce))
    }

    /// Waiting transactions in the order of their arrival, after a place in it.
    #[must_use]
    pub fn page(&self, after: u64, limit: usize) -> Vec<(u64, QueuedTxn)> {
        let facts = self.facts();
        let rows = facts.queue.after(after).take(limit);
        rows.map(|(order, queued)| (order, queued.clone()))
            .collect()
    }

    /// How long the transactions of a block waited here, those that did.
    pub(crate) fn waited(&self, block: &Applied, now: Timestamp) -> Vec<Duration> {
        let facts = self.facts();
        let queued = block.block.txn_ids();
        let queued = queued.filter_map(|id| facts.queue.get(&id));
        let waited = queued.map(|queued| now.get().saturating_sub(queued.arrived.get()));
        waited.map(Duration::from_millis).collect()
    }

    /// The place behind all news.
    #[must_use]
    pub fn newest(&self) -> NewsPlace {
        let facts = self.facts();
        NewsPlace {
            arrival: facts.queue.newest_arrival(),
            drop: facts.dropped.newest(),
        }
    }

    /// Transactions that wait or were dropped since a place, at most `limit` of each, which
    /// moves the place. One that is in a block by now is not among them.
    #[must_use]
    pub fn news_since(
        &self,
        place: &mut NewsPlace,
        limit: usize,
    ) -> Vec<(VerifiedTransaction, TxStatus)> {
        let facts = self.facts();
        let mut found = Vec::new();
        for (arrival, queued) in facts.queue.after(place.arrival).take(limit) {
            place.arrival = arrival;
            found.push((queued.txn.clone(), TxStatus::Pending));
        }
        for (drop, dropped) in facts.dropped.after(place.drop).take(limit) {
            place.drop = drop;
            let status = TxStatus::Dropped(dropped.reason.clone());
            found.push((dropped.txn.clone(), status));
        }
        found
    }

    /// What the peer of a feed hears next; see [`TxFeed::next`].
    pub(crate) fn feed(
        &self,
        feed: &mut TxFeed,
        now: MonoTime,
        own: Height,
    ) -> Vec<VerifiedTransaction> {
        feed.next(now, own, &self.facts().queue)
    }

    /// Changes when there is something new to gossip.
    pub(crate) fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    /// Follows what is durable now.
    pub(crate) fn follow(&self, now: MonoTime, publish: &Publish) {
        match publish {
            Publish::Queued {
                arrived,
                txns,
                from,
            } => {
                let mut facts = self.facts();
                facts.wait(txns);
                facts.queue.add(now, *arrived, txns, *from);
            }
            Publish::GossipTransactions(ids) => {
                let mut facts = self.facts();
                facts.queue.make_ready(ids);
                self.news.send_replace(facts.queue.newest_place());
            }
            Publish::Head { reorg, dropped } => {
                let mut facts = self.facts();
                for block in &reorg.reverted {
                    facts.forget(block);
                }
                for block in &reorg.applied {
                    facts.include(block);
                }
                facts.drop_all(dropped);
            }
            Publish::Dropped(dropped) => self.facts().drop_all(dropped),
            _ => {}
        }
    }

    /// Takes over a transaction of the pool that a start has restored.
    pub(crate) fn restore(&self, now: MonoTime, arrived: Timestamp, txn: &VerifiedTransaction) {
        let mut facts = self.facts();
        let txns = std::slice::from_ref(txn);
        facts.wait(txns);
        facts.queue.add(now, arrived, txns, None);
    }

    /// Takes over a transaction that was dropped before a start.
    pub(crate) fn restore_dropped(&self, dropped: DroppedTxn) {
        self.facts().dropped.add(dropped);
    }

    /// Those that were dropped, oldest first.
    pub(crate) fn dropped(&self) -> Vec<DroppedTxn> {
        self.facts().dropped.iter().cloned().collect()
    }

    /// Bytes of their encodings.
    pub(crate) fn dropped_bytes(&self) -> usize {
        self.facts().dropped.bytes()
    }

    /// Takes over a block that a start has in memory.
    pub(crate) fn restore_block(&self, block: &Arc<Applied>) {
        self.facts().include(block);
    }

    /// Forgets a block that storage answers for from now on.
    pub(crate) fn forget(&self, block: &Applied) {
        self.facts().forget(block);
    }
}

impl Facts {
    fn wait(&mut self, txns: &[VerifiedTransaction]) {
        for txn in txns {
            let numbers = self.senders.entry(txn.sender()).or_default();
            numbers.insert(txn.number);
            self.dropped.remove(txn.id());
        }
    }

    fn include(&mut self, block: &Arc<Applied>) {
        for (index, txn) in block.block.transactions.iter().enumerate() {
            self.unwait(txn);
            self.dropped.remove(txn.id());
            self.included.insert(*txn.id(), (Arc::clone(block), index));
        }
    }

    fn drop_all(&mut self, dropped: &[(VerifiedTransaction, PoolError)]) {
        for (txn, reason) in dropped {
            self.unwait(txn);
            self.dropped.add(DroppedTxn {
                txn: txn.clone(),
                reason: reason.to_string(),
                at: clock::wall(),
            });
        }
    }

    fn forget(&mut self, block: &Applied) {
        for txn in &block.block.transactions {
            self.included.remove(txn.id());
        }
    }

    fn unwait(&mut self, txn: &VerifiedTransaction) {
        if self.queue.remove(txn.id()).is_none() {
            return;
        }
        let sender = txn.sender();
        if let Some(numbers) = self.senders.get_mut(&sender) {
            numbers.remove(txn.number);
            if numbers.is_empty() {
                self.senders.remove(&sender);
            }
        }
    }
}
