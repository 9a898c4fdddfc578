//! Transactions that wait for a block: per sender in the order of their numbers,
//! over all senders in the order of their arrival. Numbers may have gaps, which
//! are held and visible. Everything is bounded; nothing is evicted silently.

mod verdict;

pub use verdict::{Accepted, PoolError};

use crate::{AccountNonce, Timestamp, TxId, ledger::Account, transaction::VerifiedTransaction};
use ccoin_crypto::Address;
use std::collections::BTreeMap;

/// Most waiting transactions of one account.
pub const MAX_PER_ACCOUNT: usize = 10_000;
/// Most waiting transactions.
pub const MAX_TRANSACTIONS: usize = 100_000;
/// Most bytes of encoded waiting transactions.
pub const MAX_BYTES: usize = 128 << 20;
/// How far a number may lie beyond the sender's next one.
pub const MAX_GAP: u64 = 64;

#[derive(Clone, Debug)]
struct Waiting {
    txn: VerifiedTransaction,
    arrived: Timestamp,
    /// Place in the order of arrival, once no number before it is missing.
    turn: Option<u64>,
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
    txns: usize,
    bytes: usize,
}

impl Pool {
    /// Adds a transaction; `account` is its sender's as of the head.
    ///
    /// # Errors
    /// [`PoolError`]; nothing has changed then, and no number is used up.
    pub fn submit(
        &mut self,
        now: Timestamp,
        account: Account,
        txn: VerifiedTransaction,
    ) -> Result<Accepted, PoolError> {
        let verdict = self.judge(account, &txn)?;
        if verdict == Accepted::New {
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
    /// [`PoolError::NumberUsed`] or [`PoolError::Funds`]; nothing has changed then.
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
        self.judge_room(&txn)?;
        self.restore(arrived, account, txn, true)
    }

    /// What [`Pool::submit`] would say.
    ///
    /// # Errors
    /// The first rule that fails.
    pub fn judge(
        &self,
        account: Account,
        txn: &VerifiedTransaction,
    ) -> Result<Accepted, PoolError> {
        if self.judge_number(account, txn)? == Accepted::Known {
            return Ok(Accepted::Known);
        }
        let sender = txn.sender();
        let (got, next) = (txn.number, self.next_number(&sender, account));
        if got.get().saturating_sub(next) > MAX_GAP {
            return Err(PoolError::NumberGap { got, next });
        }
        self.judge_funds(account, txn)?;
        let queue = self.queues.get(&sender);
        if queue.is_some_and(|queue| queue.waiting.len() >= MAX_PER_ACCOUNT) {
            return Err(PoolError::AccountFull);
        }
        self.judge_room(txn)?;
        Ok(Accepted::New)
    }

    fn judge_room(&self, txn: &VerifiedTransaction) -> Result<(), PoolError> {
        if self.txns >= MAX_TRANSACTIONS || self.bytes.saturating_add(txn.size()) > MAX_BYTES {
            return Err(PoolError::Full {
                txns: self.txns,
                bytes: self.bytes,
            });
        }
        Ok(())
    }

    /// Whether the sender's number is free, or this very transaction has it.
    fn judge_number(
        &self,
        account: Account,
        txn: &VerifiedTransaction,
    ) -> Result<Accepted, PoolError> {
        let (sender, got) = (txn.sender(), txn.number);
        let queue = self.queues.get(&sender);
        match queue.and_then(|queue| queue.waiting.get(&got)) {
            Some(waiting) if waiting.txn.id() == txn.id() => Ok(Accepted::Known),
            None if got > account.nonce => Ok(Accepted::New),
            _ => {
                let next = self.next_number(&sender, account);
                Err(PoolError::NumberUsed { got, next })
            }
        }
    }

    /// Whether the sender's coins cover all that it has waiting and this.
    fn judge_funds(&self, account: Account, txn: &VerifiedTransaction) -> Result<(), PoolError> {
        let queue = self.queues.get(&txn.sender());
        let pending = queue.map_or(0, |queue| queue.amount);
        let spent = pending.checked_add(txn.amount.get());
        if spent.is_some_and(|spent| spent <= account.balance.get()) {
            return Ok(());
        }
        Err(PoolError::Funds {
            balance: account.balance,
            pending,
            amount: txn.amount,
        })
    }

    fn add(
        &mut self,
        arrived: Timestamp,
        account: Account,
        txn: VerifiedTransaction,
        covered: bool,
    ) {
        self.txns = self.txns.saturating_add(1);
        self.bytes = self.bytes.saturating_add(txn.size());
        let queue = self.queues.entry(txn.sender()).or_default();
        queue.amount = queue.amount.saturating_add(txn.amount.get());
        queue.reach = queue.reach.max(account.nonce);
        queue.waiting.insert(
            txn.number,
            Waiting {
                txn,
                arrived,
                turn: None,
                covered,
            },
        );
        Self::extend(
            queue,
            &mut self.ready,
            &mut self.next_turn,
            &mut self.newly_ready,
        );
    }

    /// Makes the numbers ready that follow without a gap.
    fn extend(
        queue: &mut Queue,
        ready: &mut BTreeMap<u64, (VerifiedTransaction, Timestamp)>,
        next_turn: &mut u64,
        newly_ready: &mut Vec<TxId>,
    ) {
        while let Some(number) = queue.reach.checked_add(1) {
            let Some(waiting) = queue.waiting.get_mut(&number) else {
                return;
            };
            queue.reach = number;
            if waiting.turn.is_none() {
                waiting.turn = Some(*next_turn);
                newly_ready.push(*waiting.txn.id());
                ready.insert(*next_turn, (waiting.txn.clone(), waiting.arrived));
                *next_turn = next_turn.saturating_add(1);
            }
        }
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
        let Some(queue) = self.queues.get_mut(sender) else {
            return Vec::new();
        };
        let mut settled = Vec::new();
        while let Some(first) = queue.waiting.first_entry() {
            if *first.key() > account.nonce {
                break;
            }
            let Waiting { txn, turn, .. } = first.remove();
            queue.amount = queue.amount.saturating_sub(txn.amount.get());
            self.txns = self.txns.saturating_sub(1);
            self.bytes = self.bytes.saturating_sub(txn.size());
            turn.and_then(|turn| self.ready.remove(&turn));
            settled.push(txn);
        }
        if queue.waiting.is_empty() {
            self.queues.remove(sender);
        } else if queue.amount > account.balance.get() {
            settled.extend(self.judge_again(sender, account));
        } else {
            queue.reach = queue.reach.max(account.nonce);
            Self::extend(
                queue,
                &mut self.ready,
                &mut self.next_turn,
                &mut self.newly_ready,
            );
        }
        settled
    }

    /// Judges the funds of all of a sender's transactions again, by number, and returns
    /// the refused.
    fn judge_again(&mut self, sender: &Address, account: Account) -> Vec<VerifiedTransaction> {
        let queue = self.queues.remove(sender).unwrap_or_default();
        for Waiting { txn, turn, .. } in queue.waiting.values() {
            self.txns = self.txns.saturating_sub(1);
            self.bytes = self.bytes.saturating_sub(txn.size());
            turn.and_then(|turn| self.ready.remove(&turn));
        }
        let mut refused = Vec::new();
        for w in queue.waiting.into_values() {
            let again = self.restore(w.arrived, account, w.txn.clone(), w.covered);
            if again.is_err() {
                refused.push(w.txn);
            }
        }
        refused
    }

    /// Transactions that have become ready since the last call: no gap holds them back.
    pub fn take_newly_ready(&mut self) -> Vec<TxId> {
        core::mem::take(&mut self.newly_ready)
    }

    /// Transactions that a block could take, oldest first.
    pub fn ready(&self) -> impl Iterator<Item = &VerifiedTransaction> {
        self.ready.values().map(|(txn, _)| txn)
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
