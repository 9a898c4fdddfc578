//! Transactions that wait for a block: per sender in the order of their numbers,
//! over all senders in the order of their arrival. Numbers may have gaps, which
//! are held for a while and visible. Everything is bounded; nothing is evicted silently.
//!
//! There are no fees, so coins decide who gets how much: a sender owns one at least, may send
//! bytes an hour by its coins, and under pressure room goes by coins.

mod ages;
mod budgets;
mod shares;
mod verdict;

pub use ages::{LONGEST_GAP_MS, LONGEST_WAIT_MS};
pub use budgets::{HOURLY_BYTES, HOURLY_BYTES_A_COIN};
pub use verdict::{Accepted, PoolError};

use crate::{AccountNonce, Timestamp, TxId, ledger::Account, transaction::VerifiedTransaction};
use ages::Ages;
use budgets::Budgets;
use ccoin_crypto::Address;
use shares::{Share, Shares, share};
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
        let verdict = self.judge(now, account, &txn)?;
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
        if !self.has_room(txn.size()) {
            return Err(self.full());
        }
        self.restore(arrived, account, txn, true)
    }

    /// What [`Pool::submit`] would say.
    ///
    /// # Errors
    /// The first rule that fails.
    pub fn judge(
        &self,
        now: Timestamp,
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
        let coins = self.coins(&sender, account);
        if coins == 0 {
            return Err(PoolError::NoCoins);
        }
        self.judge_funds(account, txn)?;
        let size = txn.size();
        let queue = self.queues.get(&sender);
        let full = |queue: &Queue| {
            queue.waiting.len() >= MAX_PER_ACCOUNT
                || queue.bytes.saturating_add(size) > MAX_PER_ACCOUNT_BYTES
        };
        if queue.is_some_and(full) {
            return Err(PoolError::AccountFull);
        }
        let behind_gap = got.get() > next;
        if behind_gap && self.gap_bytes.saturating_add(size) > MAX_GAP_BYTES {
            return Err(PoolError::GapsFull);
        }
        let in_time = self.budgets.check(&sender, coins, size, now);
        in_time.map_err(|wait_ms| PoolError::Budget {
            allowance: budgets::allowance(coins),
            wait_s: wait_ms.div_ceil(1_000),
        })?;
        if !self.has_room(size) && !self.may_displace(&sender, size, coins) {
            return Err(self.full());
        }
        Ok(Accepted::New)
    }

    /// Why a transaction that has waited cannot be in a block any more.
    ///
    /// # Errors
    /// [`PoolError::NumberUsed`] or [`PoolError::Funds`].
    pub fn judge_again(
        &self,
        account: Account,
        txn: &VerifiedTransaction,
    ) -> Result<(), PoolError> {
        self.judge_number(account, txn)?;
        self.judge_funds(account, txn)
    }

    /// What counts as the coins of a sender.
    fn coins(&self, sender: &Address, account: Account) -> u64 {
        let coins = account.balance.get();
        match self.miners.contains(sender) {
            true => coins.max(MINER_COINS),
            false => coins,
        }
    }

    fn has_room(&self, size: usize) -> bool {
        self.txns < MAX_TRANSACTIONS && self.bytes.saturating_add(size) <= MAX_BYTES
    }

    fn full(&self) -> PoolError {
        PoolError::Full {
            txns: self.txns,
            bytes: self.bytes,
        }
    }

    /// Whether the largest backlog is that of a sender which would still hold more for its
    /// coins than this one.
    fn may_displace(&self, sender: &Address, size: usize, coins: u64) -> bool {
        let queue = self.queues.get(sender);
        let bytes = queue.map_or(0, |queue| queue.bytes);
        let after = share(bytes.saturating_add(size), coins);
        let largest = self.shares.largest();
        largest.is_some_and(|(backlog, of)| of != *sender && backlog > after)
    }

    /// Drops the last transaction of the sender with the largest backlog; false: that is this
    /// one.
    fn displace(&mut self, sender: &Address) -> bool {
        let largest = self.shares.largest().map(|(_, of)| of);
        let dropped = largest.filter(|of| of != sender).and_then(|of| {
            let queue = self.queues.get(&of)?;
            let (number, _) = queue.waiting.last_key_value()?;
            self.remove(&of, *number)
        });
        let displaced = dropped.is_some();
        self.displaced.extend(dropped.map(|waiting| waiting.txn));
        displaced
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
        let (sender, number, size) = (txn.sender(), txn.number, txn.size());
        self.txns = self.txns.saturating_add(1);
        self.bytes = self.bytes.saturating_add(size);
        self.gap_bytes = self.gap_bytes.saturating_add(size);
        self.ages.add((arrived, sender, number));
        let coins = self.coins(&sender, account);
        let queue = self.queues.entry(sender).or_default();
        queue.amount = queue.amount.saturating_add(txn.amount.get());
        queue.bytes = queue.bytes.saturating_add(size);
        queue.reach = queue.reach.max(account.nonce);
        queue.weight = coins;
        let waiting = Waiting {
            txn,
            arrived,
            turn: None,
            finish: 0,
            covered,
        };
        queue.waiting.insert(number, waiting);
        self.extend(&sender);
        self.weigh(&sender, coins);
    }

    /// Makes the numbers ready that follow without a gap.
    fn extend(&mut self, sender: &Address) {
        let Some(queue) = self.queues.get_mut(sender) else {
            return;
        };
        while let Some(number) = queue.reach.checked_add(1) {
            let Some(waiting) = queue.waiting.get_mut(&number) else {
                return;
            };
            queue.reach = number;
            if waiting.turn.is_none() {
                let (turn, size) = (self.next_turn, waiting.txn.size());
                waiting.turn = Some(turn);
                waiting.finish = self.shares.queue(queue.finish, size, queue.weight, turn);
                queue.finish = waiting.finish;
                self.newly_ready.push(*waiting.txn.id());
                self.ready
                    .insert(turn, (waiting.txn.clone(), waiting.arrived));
                self.ages.make_ready(&(waiting.arrived, *sender, number));
                self.gap_bytes = self.gap_bytes.saturating_sub(size);
                self.next_turn = turn.saturating_add(1);
            }
        }
    }

    /// Notes the coins of a sender, and how much it holds for them.
    fn weigh(&mut self, sender: &Address, coins: u64) {
        if let Some(queue) = self.queues.get_mut(sender) {
            queue.weight = coins;
            let backlog = share(queue.bytes, coins);
            self.shares.set_backlog(*sender, queue.backlog, backlog);
            queue.backlog = backlog;
        }
    }

    /// Takes a transaction out; numbers behind it keep their places.
    fn remove(&mut self, sender: &Address, number: AccountNonce) -> Option<Waiting> {
        let queue = self.queues.get_mut(sender)?;
        let waiting = queue.waiting.remove(&number)?;
        let (amount, size) = (waiting.txn.amount.get(), waiting.txn.size());
        queue.amount = queue.amount.saturating_sub(amount);
        queue.bytes = queue.bytes.saturating_sub(size);
        if number <= queue.reach {
            queue.reach = number.checked_sub(1).unwrap_or_default();
        }
        self.txns = self.txns.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(size);
        self.ages.remove(&(waiting.arrived, *sender, number));
        match waiting.turn {
            Some(turn) => {
                self.ready.remove(&turn);
                self.shares.leave(waiting.finish, turn);
            }
            None => self.gap_bytes = self.gap_bytes.saturating_sub(size),
        }
        let (weight, backlog) = (queue.weight, queue.backlog);
        if queue.waiting.is_empty() {
            self.queues.remove(sender);
            self.shares.set_backlog(*sender, backlog, 0);
        } else {
            self.weigh(sender, weight);
        }
        Some(waiting)
    }

    /// Takes out all that waits, by arrival; what was sent within the hour stays counted.
    pub fn take_all(&mut self) -> Vec<(Timestamp, VerifiedTransaction)> {
        let all: Vec<_> = self
            .by_arrival()
            .map(|(at, txn)| (at, txn.clone()))
            .collect();
        for (_, txn) in &all {
            self.remove(&txn.sender(), txn.number);
        }
        self.newly_ready.clear();
        all
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

    fn first_number(&self, sender: &Address) -> Option<AccountNonce> {
        let queue = self.queues.get(sender)?;
        queue.waiting.first_key_value().map(|(number, _)| *number)
    }

    /// Judges the funds of all of a sender's transactions again, by number, and returns
    /// the refused.
    fn restore_all(&mut self, sender: &Address, account: Account) -> Vec<VerifiedTransaction> {
        let mut all = Vec::new();
        while let Some(number) = self.first_number(sender) {
            all.extend(self.remove(sender, number));
        }
        let mut refused = Vec::new();
        for w in all {
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
