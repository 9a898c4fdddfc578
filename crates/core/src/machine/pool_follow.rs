//! The pool follows the head: included transactions leave it, reverted ones come back.

use super::{Machine, Publish, Step, Write};
use crate::{
    Now, Timestamp, TxId,
    chain::Reorg,
    ledger::Draft,
    pool::{Accepted, PoolError},
    transaction::VerifiedTransaction,
};
use std::collections::BTreeSet;

/// Rounds over the transactions that do not apply yet: some spend what later ones bring.
const MAX_ROUNDS: usize = 16;

/// How long the clock of a lone validator must have gone evenly before it counts as right.
const STEADY_MS: u64 = 300_000;

/// A transaction that left the pool without being included, and why.
type Dropped = (VerifiedTransaction, PoolError);

impl Machine {
    /// Takes the senders of new blocks out of the pool as far as they got, and lets those that
    /// received coins count for more.
    pub(super) fn settle(&mut self, reorg: &Reorg) -> Vec<Dropped> {
        if self.pool.is_empty() {
            return Vec::new();
        }
        let included = || {
            reorg
                .applied
                .iter()
                .flat_map(|block| &block.block.transactions)
        };
        let senders = included().map(VerifiedTransaction::sender);
        let receivers = included().map(|txn| txn.to);
        let touched = senders.chain(receivers);
        let waiting: BTreeSet<_> = touched.filter(|of| self.pool.has_waiting(of)).collect();
        let mut settled = Vec::new();
        for sender in waiting {
            let account = self.account(&sender);
            settled.extend(self.pool.settle(&sender, account));
        }
        let ids: BTreeSet<_> = included().map(VerifiedTransaction::id).collect();
        settled.retain(|txn| !ids.contains(txn.id()));
        let reason = |txn: &VerifiedTransaction| {
            let account = self.account(&txn.sender());
            self.pool.judge_again(account, txn).err()
        };
        settled
            .into_iter()
            .filter_map(|txn| reason(&txn).map(|reason| (txn, reason)))
            .collect()
    }

    /// After a reorg judges all transactions again: first those of the reverted blocks, then
    /// those that waited, each in its order.
    pub(super) fn readmit(&mut self, reorg: &Reorg, step: &mut Step) -> Vec<Dropped> {
        let included: BTreeSet<_> = reorg
            .applied
            .iter()
            .flat_map(|block| block.block.txn_ids())
            .collect();
        let mut waiting = Vec::new();
        for block in reorg.reverted.iter().rev() {
            // a block had taken them: they wait anew
            let made = block.block.header().time;
            let arrived = self.clocks.last_step.map_or(made, |now| now.wall);
            let txns = &block.block.transactions;
            let returned: Vec<_> = txns
                .iter()
                .filter(|txn| !included.contains(txn.id()))
                .cloned()
                .collect();
            waiting.extend(returned.iter().map(|txn| (arrived, txn.clone())));
            if !returned.is_empty() {
                self.queue_returned(arrived, returned, step);
            }
        }
        let queued = self.pool.take_all().into_iter();
        waiting.extend(queued.filter(|(_, txn)| !included.contains(txn.id())));
        // The shell submits the transactions of older blocks again: what they bring is not
        // known here.
        let covered_later = !reorg.older_reverted.is_empty();
        self.take_back(waiting, covered_later)
    }

    /// Takes transactions of left blocks back as far as there is room. A number that the new
    /// branch uses may be used by the same transaction: readers of a dropped one look for it
    /// in storage first. After the last ones all are judged together, and new transactions
    /// are taken again.
    pub(super) fn on_returned(
        &mut self,
        now: Now,
        txns: Vec<VerifiedTransaction>,
        last: bool,
        step: &mut Step,
    ) {
        self.returning = self.returning.saturating_sub(last.into());
        let arrived = now.wall;
        let (mut returned, mut dropped) = (Vec::new(), Vec::new());
        for txn in txns {
            let account = self.account(&txn.sender());
            let pool = &mut self.pool;
            match pool.restore_within_bounds(arrived, account, txn.clone()) {
                Ok(Accepted::New) => returned.push(txn),
                Ok(Accepted::Known) => {}
                Err(reason) => dropped.push((txn, reason)),
            }
        }
        if !returned.is_empty() {
            self.queue_returned(arrived, returned, step);
        }
        if last && self.returning == 0 {
            let waiting = self.pool.take_all();
            dropped.extend(self.take_back(waiting, false));
        }
        if !dropped.is_empty() {
            step.write.push(Write::Dropped(dropped.clone()));
            step.publish.push(Publish::Dropped(dropped));
        }
    }

    /// Drops what has waited too long, unless this node's clock may be wrong or a left branch
    /// is on its way back, and what made room for others.
    pub(super) fn drop_surplus(&mut self, now: Now, step: &mut Step) {
        let mut dropped: Vec<Dropped> = match self.returning == 0 && self.trusts_its_clock(now) {
            true => self.pool.expire(now.wall),
            false => Vec::new(),
        };
        let displaced = self.pool.take_displaced().into_iter();
        dropped.extend(displaced.map(|txn| (txn, PoolError::Displaced)));
        if !dropped.is_empty() {
            step.write.push(Write::Dropped(dropped.clone()));
            step.publish.push(Publish::Dropped(dropped));
        }
    }

    /// Peers confirm the clock; where there are none to ask, it has gone evenly for a while.
    fn trusts_its_clock(&self, now: Now) -> bool {
        match self.is_alone() {
            true => now.mono.since(self.clocks.steady) >= STEADY_MS,
            false => self.clock_is_confirmed(),
        }
    }

    fn queue_returned(&self, arrived: Timestamp, txns: Vec<VerifiedTransaction>, step: &mut Step) {
        step.write.push(Write::Transactions {
            arrived,
            txns: txns.clone(),
        });
        step.publish.push(Publish::Queued {
            arrived,
            txns,
            from: None,
        });
    }

    /// Restores transactions that were accepted before; the refused ones and why. All that
    /// could be in blocks together stay, and with `covered_later` also those whose senders
    /// cannot pay on this head.
    fn take_back(
        &mut self,
        waiting: Vec<(Timestamp, VerifiedTransaction)>,
        covered_later: bool,
    ) -> Vec<Dropped> {
        let jointly_applicable = self.jointly_applicable(&waiting);
        let mut refused = Vec::new();
        for (arrived, txn) in waiting {
            let account = self.account(&txn.sender());
            let covered = covered_later || jointly_applicable.contains(txn.id());
            if let Err(reason) = self.pool.restore(arrived, account, txn.clone(), covered) {
                refused.push((txn, reason));
            }
        }
        refused
    }

    /// Those of these transactions that could be in blocks together: some spend what
    /// others bring, in an order that may have been lost. A block of a liar may have held
    /// transactions of senders without coins, which no queue takes.
    fn jointly_applicable(&self, waiting: &[(Timestamp, VerifiedTransaction)]) -> BTreeSet<TxId> {
        let mut draft = Draft::new(self.accounts());
        let mut applicable = BTreeSet::new();
        let mut rest: Vec<_> = waiting.iter().map(|(_, txn)| txn).collect();
        for _ in 0..MAX_ROUNDS {
            let before = rest.len();
            rest.retain(|txn| {
                let (sender, pool) = (txn.sender(), &self.pool);
                let may_send = pool.judge_coins(&sender, draft.account(&sender)).is_ok();
                let applied = may_send && draft.apply(txn).is_ok();
                if applied {
                    applicable.insert(*txn.id());
                }
                !applied
            });
            if rest.is_empty() || rest.len() == before {
                break;
            }
        }
        applicable
    }
}
