//! What comes from outside: transactions into the pool, blocks into the chain.

use super::{Effect, Machine, PeerId, Ticket};
use crate::{
    Timestamp,
    block::SealedBlock,
    chain::Switch,
    pool::{Accepted, Pool, PoolError},
    rules::{Applied, BlockError, check_place, execute},
    transaction::VerifiedTransaction,
};
use std::{collections::BTreeSet, sync::Arc};

/// Blocks of one miner for one number and turn that are kept unasked: two prove its
/// fault. Others may have kept others, and a chain may go on behind any of them.
const MAX_RIVALS: u8 = 2;

impl Machine {
    pub(super) fn submit(
        &mut self,
        now: Timestamp,
        ticket: Ticket,
        txns: Vec<VerifiedTransaction>,
        from: Option<PeerId>,
        effects: &mut Vec<Effect>,
    ) {
        let mut results = Vec::with_capacity(txns.len());
        let mut new = Vec::new();
        for txn in txns {
            let account = self.account(&txn.sender());
            let result = self.pool.submit(now, account, txn.clone());
            if result == Ok(Accepted::New) {
                new.push(txn);
            }
            results.push(result);
        }
        if !new.is_empty() {
            effects.push(Effect::PersistTransactions {
                arrived: now,
                txns: new.clone(),
            });
        }
        effects.push(Effect::Reply { ticket, results });
        if !new.is_empty() {
            effects.push(Effect::Relay {
                txns: new,
                except: from,
            });
        }
    }

    /// The rules from 8 on, in order. What is refused has changed nothing.
    pub(super) fn accept(
        &mut self,
        now: Timestamp,
        block: SealedBlock,
        asked: bool,
        effects: &mut Vec<Effect>,
    ) -> Result<(), BlockError> {
        let header = block.header();
        if self.chain.get(&block.id).is_some() {
            return Err(BlockError::Known(block.id));
        }
        let skew = self.genesis.config.consensus.max_skew_ms;
        let ahead_ms = header.time.get().saturating_sub(now.get());
        if ahead_ms > skew {
            return Err(BlockError::Future {
                time: header.time,
                ahead_ms,
                tolerated_ms: skew,
            });
        }
        if !asked && self.chain.rivals(header.number, header.time) >= MAX_RIVALS {
            return Err(BlockError::Rivals {
                signer: header.coinbase,
                number: header.number,
            });
        }
        let slot_end = self.schedule.end(self.schedule.slot(header.time));
        let applied = self.execute(block)?;
        self.insert(applied, now.get() <= slot_end.saturating_add(skew), effects);
        Ok(())
    }

    /// Rules 9 to 14 against the parent.
    pub(super) fn execute(&self, block: SealedBlock) -> Result<Arc<Applied>, BlockError> {
        let header = block.header();
        let parent = header.hash_parent;
        let place = self.chain.place(&parent, &header.coinbase);
        let (Some(parent), Some(place)) = (self.chain.get(&parent), place) else {
            return Err(BlockError::Parent(parent));
        };
        check_place(header, block.transactions.len(), &place, &self.genesis)?;
        execute(block, &parent.state, &self.genesis).map(Arc::new)
    }

    /// Adds an executed block, follows the head, and brings the pool along.
    pub(super) fn insert(
        &mut self,
        applied: Arc<Applied>,
        timely: bool,
        effects: &mut Vec<Effect>,
    ) {
        effects.push(Effect::PersistBlock {
            applied: Arc::clone(&applied),
            timely,
        });
        let Some(switch) = self.chain.insert(applied) else {
            return;
        };
        let dropped = if switch.left.is_empty() {
            self.settle(&switch)
        } else {
            self.readmit(&switch, effects)
        };
        effects.push(Effect::Head { switch, dropped });
    }

    /// Takes the senders of new blocks out of the pool as far as they got.
    fn settle(&mut self, switch: &Switch) -> Vec<(VerifiedTransaction, PoolError)> {
        if self.pool.is_empty() {
            return Vec::new();
        }
        let included = || {
            switch
                .entered
                .iter()
                .flat_map(|block| &block.block.transactions)
        };
        let senders: BTreeSet<_> = included().map(VerifiedTransaction::sender).collect();
        let mut settled = Vec::new();
        for sender in senders {
            let account = self.account(&sender);
            settled.extend(self.pool.settle(&sender, account));
        }
        let ids: BTreeSet<_> = included().map(VerifiedTransaction::id).collect();
        settled.retain(|txn| !ids.contains(txn.id()));
        let reason = |txn: &VerifiedTransaction| {
            let account = self.account(&txn.sender());
            self.pool.judge(account, txn).err()
        };
        settled
            .into_iter()
            .filter_map(|txn| reason(&txn).map(|reason| (txn, reason)))
            .collect()
    }

    /// After a change of branch everything is judged anew: first what the old
    /// branch held, then what waited, each in its order.
    fn readmit(
        &mut self,
        switch: &Switch,
        effects: &mut Vec<Effect>,
    ) -> Vec<(VerifiedTransaction, PoolError)> {
        let waiting = core::mem::take(&mut self.pool);
        let included: BTreeSet<_> = switch
            .entered
            .iter()
            .flat_map(|block| &block.block.transactions)
            .map(|txn| *txn.id())
            .collect();
        let mut pool = Pool::default();
        let mut dropped = Vec::new();
        let mut returned: Vec<(Timestamp, Vec<VerifiedTransaction>)> = Vec::new();
        for block in switch.left.iter().rev() {
            returned.push((block.block.header().time, block.block.transactions.clone()));
        }
        for (arrived, txns) in &returned {
            effects.push(Effect::PersistTransactions {
                arrived: *arrived,
                txns: txns.clone(),
            });
        }
        let old = returned
            .into_iter()
            .flat_map(|(at, txns)| txns.into_iter().map(move |txn| (at, txn)));
        let queued = waiting.by_arrival().map(|(at, txn)| (at, txn.clone()));
        for (arrived, txn) in old
            .chain(queued)
            .filter(|(_, txn)| !included.contains(txn.id()))
        {
            let account = self.account(&txn.sender());
            if let Err(reason) = pool.submit(arrived, account, txn.clone()) {
                dropped.push((txn, reason));
            }
        }
        self.pool = pool;
        dropped
    }
}
