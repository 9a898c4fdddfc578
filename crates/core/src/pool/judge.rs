//! Which transactions may wait: the rules of the queue, the cheapest first. Changes nothing.

use super::{
    Accepted, MAX_BYTES, MAX_GAP, MAX_GAP_BYTES, MAX_PER_ACCOUNT, MAX_PER_ACCOUNT_BYTES,
    MAX_TRANSACTIONS, MINER_COINS, Pool, PoolError, Queue, budgets, shares::share,
};
use crate::{AccountNonce, Timestamp, ledger::Account, transaction::VerifiedTransaction};
use ccoin_crypto::Address;

impl Pool {
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
        self.judge_new((now, 1), account, txn)
    }

    /// The same where the sender may have used so many times its bytes.
    pub(super) fn judge_new(
        &self,
        budget: (Timestamp, u64),
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
        self.judge_coins(&sender, account)?;
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
        let in_time = self.budgets.check(&sender, coins, size, budget);
        in_time.map_err(|wait_ms| PoolError::Budget {
            allowance: budgets::allowance(coins),
            wait_s: wait_ms.div_ceil(1_000),
        })?;
        // what came back from a left branch may hold more than fits: it makes no room
        let over = self.txns > MAX_TRANSACTIONS || self.bytes > MAX_BYTES;
        if !self.has_room(size) && (over || !self.may_displace(&sender, size, coins)) {
            return Err(self.full());
        }
        Ok(Accepted::New)
    }

    /// Why a transaction that has waited cannot be in a block any more.
    ///
    /// # Errors
    /// [`PoolError::NumberUsed`], [`PoolError::NoCoins`] or [`PoolError::Funds`].
    pub fn judge_again(
        &self,
        account: Account,
        txn: &VerifiedTransaction,
    ) -> Result<(), PoolError> {
        self.judge_number(account, txn)?;
        self.judge_coins(&txn.sender(), account)?;
        self.judge_funds(account, txn)
    }

    /// Whether a sender may have transactions here at all.
    pub(crate) fn judge_coins(&self, sender: &Address, account: Account) -> Result<(), PoolError> {
        // one that has spent its coins may finish what it has begun
        match self.coins(sender, account) == 0 && account.nonce == AccountNonce::ZERO {
            true => Err(PoolError::NoCoins),
            false => Ok(()),
        }
    }

    /// What counts as the coins of a sender.
    pub(super) fn coins(&self, sender: &Address, account: Account) -> u64 {
        let coins = account.balance.get();
        match self.miners.contains(sender) {
            true => coins.max(MINER_COINS),
            false => coins,
        }
    }

    pub(super) fn has_room(&self, size: usize) -> bool {
        self.txns < MAX_TRANSACTIONS && self.bytes.saturating_add(size) <= MAX_BYTES
    }

    pub(super) fn full(&self) -> PoolError {
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

    /// Whether the sender's number is free, or this very transaction has it.
    pub(super) fn judge_number(
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
    pub(super) fn judge_funds(
        &self,
        account: Account,
        txn: &VerifiedTransaction,
    ) -> Result<(), PoolError> {
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
}
