//! Transactions that wait for a block: per sender in the order of their numbers,
//! over all senders in the order of their arrival. Numbers may have gaps, which
//! are held for a while and visible. Everything is bounded; nothing is evicted silently.
//!
//! There are no fees, so coins decide who gets how much: a sender owns one at least, may send
//! bytes an hour by its coins, and under pressure room goes by coins.

mod ages;
mod budgets;
mod judge;
mod lines;
mod shares;
mod verdict;

pub use ages::{LONGEST_GAP_MS, LONGEST_WAIT_MS};
pub use budgets::{HOURLY_BYTES, HOURLY_BYTES_A_COIN, TOLD_BY_PEERS};
pub use verdict::{Accepted, PoolError};

use crate::{AccountNonce, Timestamp, TxId, ledger::Account, transaction::VerifiedTransaction};
use ages::Ages;
use budgets::Budgets;
use ccoin_crypto::Address;
use shares::{Share, Shares};
use std::collections::{BTreeMap, BTreeSet};

/// Most waiting transactions of one account.
pub const MAX_PER_ACCOUNT: usize = 10_000;
/// Most bytes of them.
pub const MAX_PER_ACCOUNT_BYTES: usize = 32 << 20;
/// Most waiting transactions.
pub const MAX_TRANSACTIONS: usize = 100_000;
/// Most bytes of encoded waiting transactions.
pub const MAX_BYTES: usize = 128 << 20;
/// How far a number may lie beyond the sender's next one.
pub const MAX_GAP: u64 = 64;
/// Most bytes of all transactions behind missing numbers.
pub const MAX_GAP_BYTES: usize = 16 << 20;
/// A miner counts as one with so many coins at least: its reward may not have come yet.
pub const MINER_COINS: u64 = 10_000;

#[derive(Clone, Debug)]
struct Waiting {
    txn: VerifiedTransaction,
    arrived: Timestamp,
    /// Place in the order of arrival, once no number before it is missing.
    turn: Option<u64>,
    /// Its place among all senders, by their coins.
    finish: Share,
    /// It was taken back, and others may bring the coins that it spends.
    covered: bool,
}

/// The waiting transactions of one sender.
#[derive(Clone, Debug, Default)]
struct Queue {
    waiting: BTreeMap<AccountNonce, Waiting>,
    /// Coins that they spend.
    amount: u64,
    /// Last number of the run without gaps that starts at the account's nonce.
    reach: AccountNonce,
    bytes: usize,
    /// Coins that the sender owned when it was heard of last.
    weight: u64,
    /// Of the last one that became ready.
    finish: Share,
    /// Its bytes divided by its weight.
    backlog: Share,
}

/// The pool.
#[derive(Clone, Debug, Default)]
pub struct Pool {
    queues: BTreeMap<Address, Queue>,
    /// Transactions that a block could take now, by turn.
    ready: BTreeMap<u64, (VerifiedTransaction, Timestamp)>,
    next_turn: u64,
    /// Became ready since [`Pool::take_newly_ready`].
    newly_ready: Vec<TxId>,
    /// Made room for others since [`Pool::take_displaced`].
    displaced: Vec<VerifiedTransaction>,
    txns: usize,
    bytes: usize,
    /// Of those behind missing numbers.
    gap_bytes: usize,
    shares: Shares,
    ages: Ages,
    budgets: Budgets,
    miners: BTreeSet<Address>,
}

impl Pool {
    /// An empty pool of a network with these miners.
    #[must_use]
    pub fn new(miners: impl IntoIterator<Item = Address>) -> Self {
        Self {
            miners: miners.into_iter().collect(),
            ..Self::default()
        }
    }

    /// Adds a transaction; `account` is its sender's as of the head. If there is no room, that
    /// of the sender with the most bytes for its coins becomes free.
    ///
    /// # Errors
    /// [`PoolError`]; nothing has changed then, and no number is used up.
    pub fn submit(
        &mut self,
        now: Timestamp,
        account: Account,
        txn: VerifiedTransaction,
    ) -> Result<Accepted, PoolError> {
        self.take((now, 1), account, txn)
    }

    /// The same for a transaction that a peer tells.
    ///
    /// # Errors
    /// As [`Pool::submit`].
    pub fn submit_told(
        &mut self,
        now: Timestamp,
        account: Account,
        txn: VerifiedTransaction,
    ) -> Result<Accepted, PoolError> {
        self.take((now, TOLD_BY_PEERS), account, txn)
    }

    fn take(
        &mut self,
        budget: (Timestamp, u64),
        account: Account,
        txn: VerifiedTransaction,
    ) -> Result<Accepted, PoolError> {
        let verdict = self.judge_new(budget, account, &txn)?;
        let (now, _) = budget;
        if verdict == Accepted::New {
            let (sender, size) = (txn.sender(), txn.size());
            let coins = self.coins(&sender, account);
            while !self.has_room(size) && self.displace(&sender) {}
            self.budgets.charge(sender, coins, size, now);
            self.add(now, account, txn, false);
        }
        Ok(verdict)
    }

    /// Adds a transaction that was accepted before and comes back, from a left branch or
    /// from a log: it has its place, so the bounds for new ones do not count, and its
    /// number may lie any way beyond the next one. `covered`: it needs coins that others may
    /// bring, waiting ones or blocks of another branch.
    ///
    /// # Errors
    /// [`PoolError::NumberUsed`], [`PoolError::NoCoins`] or [`PoolError::Funds`]; nothing has
    /// changed then.
    pub fn restore(
        &mut self,
        arrived: Timestamp,
        account: Account,
        txn: VerifiedTransaction,
        covered: bool,
    ) -> Result<Accepted, PoolError> {
        let verdict = self.judge_number(account, &txn)?;
        if verdict == Accepted::New {
            if !covered {
                self.judge_coins(&txn.sender(), account)?;
                self.judge_funds(account, &txn)?;
            }
            self.add(arrived, account, txn, covered);
        }
        Ok(verdict)
    }

    /// [`Pool::restore`] of a transaction that needs coins which others may bring, as long as
    /// there is room: a long branch may have held more than fits.
    ///
    /// # Errors
    /// [`PoolError::NumberUsed`] or [`PoolError::Full`]; nothing has changed then.
    pub fn restore_within_bounds(
        &mut self,
        arrived: Timestamp,
        account: Account,
        txn: VerifiedTransaction,
    ) -> Result<Accepted, PoolError> {
        self.judge_number(account, &txn)?;
        if !self.has_room(txn.size()) {
            return Err(self.full());
        }
        self.restore(arrived, account, txn, true)
    }

    /// Transactions that made room for others since the last call.
    pub fn take_displaced(&mut self) -> Vec<VerifiedTransaction> {
        core::mem::take(&mut self.displaced)
    }

    /// Transactions that have waited too long, which wait no more, and why. What follows one of
    /// them goes with it.
    pub fn expire(&mut self, now: Timestamp) -> Vec<(VerifiedTransaction, PoolError)> {
        let mut expired = Vec::new();
        while let Some(((_, sender, number), behind_gap)) = self.ages.too_old(now) {
            let (reason, numbers) = match behind_gap {
                true => (PoolError::GapExpired, vec![number]),
                false => {
                    let queue = self.queues.get(&sender);
                    let numbers = queue
                        .into_iter()
                        .flat_map(|queue| queue.waiting.range(number..));
                    (
                        PoolError::Expired,
                        numbers.map(|(number, _)| *number).collect(),
                    )
                }
            };
            for number in numbers {
                if let Some(waiting) = self.remove(&sender, number) {
                    self.ages.on_expired(*waiting.txn.id());
                    expired.push((waiting.txn, reason.clone()));
                }
            }
        }
        expired
    }

    /// Whether a transaction has expired lately: peers may tell it once more.
    #[must_use]
    pub fn is_expired(&self, id: &TxId) -> bool {
        self.ages.is_expired(id)
    }

    /// The number that the sender's next transaction must carry: its nonce, the
    /// waiting ones without a gap, plus one.
    #[must_use]
    pub fn next_number(&self, sender: &Address, account: Account) -> u64 {
        let reach = self
            .queues
            .get(sender)
            .map_or(account.nonce, |queue| queue.reach.max(account.nonce));
        reach.get().saturating_add(1)
    }

    /// Follows the head: `account` is the sender's account now. Removes what is in a
    /// block, was overtaken by another with its number, or has lost its coins to one,
    /// and returns it; the caller, which knows the block, tells the included ones from the others.
    pub fn settle(&mut self, sender: &Address, account: Account) -> Vec<VerifiedTransaction> {
        let mut settled = Vec::new();
        while let Some(number) = self.first_number(sender).filter(|n| *n <= account.nonce) {
            let Some(waiting) = self.remove(sender, number) else {
                break;
            };
            self.shares.serve(waiting.finish);
            settled.push(waiting.txn);
        }
        let coins = self.coins(sender, account);
        let Some(queue) = self.queues.get_mut(sender) else {
            return settled;
        };
        if queue.amount > account.balance.get() {
            settled.extend(self.restore_all(sender, account));
        } else {
            queue.reach = queue.reach.max(account.nonce);
            self.extend(sender);
            self.weigh(sender, coins);
        }
        settled
    }

    /// Whether anything of this sender waits.
    #[must_use]
    pub fn has_waiting(&self, sender: &Address) -> bool {
        self.queues.contains_key(sender)
    }

    /// Transactions that have become ready since the last call: no gap holds them back.
    pub fn take_newly_ready(&mut self) -> Vec<TxId> {
        core::mem::take(&mut self.newly_ready)
    }

    /// Transactions that a block could take, oldest first.
    pub fn ready(&self) -> impl Iterator<Item = &VerifiedTransaction> {
        self.ready.values().map(|(txn, _)| txn)
    }

    /// The same in the order in which a leader takes them: room goes by coins, and within one
    /// account by number.
    pub fn by_share(&self) -> impl Iterator<Item = &VerifiedTransaction> {
        let turns = self.shares.turns();
        turns.filter_map(|turn| self.ready.get(&turn).map(|(txn, _)| txn))
    }

    /// How many are ready.
    #[must_use]
    pub fn ready_len(&self) -> usize {
        self.ready.len()
    }

    /// When the first of the ready ones arrived.
    #[must_use]
    pub fn oldest_ready(&self) -> Option<Timestamp> {
        self.ready
            .first_key_value()
            .map(|(_, (_, arrived))| *arrived)
    }

    /// Waiting transactions, gaps included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.txns
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.txns == 0
    }

    /// Bytes of the encodings of all waiting transactions.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether exactly this transaction waits.
    #[must_use]
    pub fn contains(&self, sender: &Address, number: AccountNonce, id: &TxId) -> bool {
        self.queues
            .get(sender)
            .and_then(|queue| queue.waiting.get(&number))
            .is_some_and(|waiting| waiting.txn.id() == id)
    }

    /// Every waiting transaction with its arrival: the ready ones by turn, then
    /// those behind a gap.
    pub fn by_arrival(&self) -> impl Iterator<Item = (Timestamp, &VerifiedTransaction)> {
        let ready = self.ready.values().map(|(txn, arrived)| (*arrived, txn));
        let held = self
            .queues
            .values()
            .flat_map(|queue| queue.waiting.values());
        ready.chain(
            held.filter(|w| w.turn.is_none())
                .map(|w| (w.arrived, &w.txn)),
        )
    }
}
