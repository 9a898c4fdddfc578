//! The lines in which transactions wait, one for each sender, kept together with every order
//! and sum over all of them.

use super::{Pool, Waiting, shares::share};
use crate::{AccountNonce, Timestamp, ledger::Account, transaction::VerifiedTransaction};
use ccoin_crypto::Address;

impl Pool {
    pub(super) fn add(
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
    pub(super) fn extend(&mut self, sender: &Address) {
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
    pub(super) fn weigh(&mut self, sender: &Address, coins: u64) {
        if let Some(queue) = self.queues.get_mut(sender) {
            queue.weight = coins;
            let backlog = share(queue.bytes, coins);
            self.shares.set_backlog(*sender, queue.backlog, backlog);
            queue.backlog = backlog;
        }
    }

    /// Drops the last transaction of the sender with the largest backlog; false: that is this
    /// one.
    pub(super) fn displace(&mut self, sender: &Address) -> bool {
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

    /// Takes a transaction out; numbers behind it keep their places.
    pub(super) fn remove(&mut self, sender: &Address, number: AccountNonce) -> Option<Waiting> {
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

    pub(super) fn first_number(&self, sender: &Address) -> Option<AccountNonce> {
        let queue = self.queues.get(sender)?;
        queue.waiting.first_key_value().map(|(number, _)| *number)
    }

    /// Judges the funds of all of a sender's transactions again, by number, and returns
    /// the refused.
    pub(super) fn restore_all(
        &mut self,
        sender: &Address,
        account: Account,
    ) -> Vec<VerifiedTransaction> {
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
}
