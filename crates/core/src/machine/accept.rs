//! What comes from outside: transactions into the pool, blocks into the chain.

use super::{Effect, Machine, PeerId, Ticket};
use crate::{
    Timestamp, TxId,
    block::SealedBlock,
    chain::Switch,
    ledger::Draft,
    pool::{Accepted, PoolError},
    rules::{Applied, BlockError, check_body, check_place, execute},
    transaction::VerifiedTransaction,
};
use std::{collections::BTreeSet, sync::Arc};

/// How often what cannot be applied is tried again after what came behind it.
const MAX_ROUNDS: usize = 16;

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

    /// Rules 9 to 14: the body against the header, the block against its parent.
    pub(super) fn execute(&self, block: SealedBlock) -> Result<Arc<Applied>, BlockError> {
        let header = block.header();
        check_body(header, block.txn_ids())?;
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
        if let Some(switch) = self.chain.insert(applied) {
            self.adopt(switch, effects);
        }
    }

    /// Brings the pool along with the head.
    pub(super) fn adopt(&mut self, switch: Switch, effects: &mut Vec<Effect>) {
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

    /// After a change of branch everything is judged anew: first what the old branch
    /// held, then what waited, each in its order.
    fn readmit(
        &mut self,
        switch: &Switch,
        effects: &mut Vec<Effect>,
    ) -> Vec<(VerifiedTransaction, PoolError)> {
        let included: BTreeSet<_> = switch
            .entered
            .iter()
            .flat_map(|block| block.block.txn_ids())
            .collect();
        let mut waiting = Vec::new();
        for block in switch.left.iter().rev() {
            let (arrived, txns) = (block.block.header().time, &block.block.transactions);
            let returned: Vec<_> = txns
                .iter()
                .filter(|txn| !included.contains(txn.id()))
                .cloned()
                .collect();
            waiting.extend(returned.iter().map(|txn| (arrived, txn.clone())));
            if !returned.is_empty() {
                effects.push(Effect::PersistTransactions {
                    arrived,
                    txns: returned.clone(),
                });
                effects.push(Effect::Relay {
                    txns: returned,
                    except: None,
                });
            }
        }
        let queued = core::mem::take(&mut self.pool);
        let queued = queued.by_arrival().map(|(at, txn)| (at, txn.clone()));
        waiting.extend(queued.filter(|(_, txn)| !included.contains(txn.id())));
        self.take_back(waiting)
    }

    /// Takes back what has been accepted before; the refused and why.
    fn take_back(
        &mut self,
        waiting: Vec<(Timestamp, VerifiedTransaction)>,
    ) -> Vec<(VerifiedTransaction, PoolError)> {
        let covered = self.covered(&waiting);
        let mut refused = Vec::new();
        for (arrived, txn) in waiting {
            let account = self.account(&txn.sender());
            let covered = covered.contains(txn.id());
            if let Err(reason) = self.pool.restore(arrived, account, txn.clone(), covered) {
                refused.push((txn, reason));
            }
        }
        refused
    }

    /// Those of these transactions that could be in blocks together: some spend what
    /// others bring, in an order that may have been lost.
    fn covered(&self, waiting: &[(Timestamp, VerifiedTransaction)]) -> BTreeSet<TxId> {
        let mut draft = Draft::new(self.accounts());
        let mut covered = BTreeSet::new();
        let mut rest: Vec<_> = waiting.iter().map(|(_, txn)| txn).collect();
        for _ in 0..MAX_ROUNDS {
            let before = rest.len();
            rest.retain(|txn| {
                let applied = draft.apply(txn).is_ok();
                if applied {
                    covered.insert(*txn.id());
                }
                !applied
            });
            if rest.is_empty() || rest.len() == before {
                break;
            }
        }
        covered
    }
}
