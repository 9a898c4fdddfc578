//! Transactions from users and peers, into the pool.

use super::{Machine, PeerId, Publish, Step, Ticket, Write};
use crate::{
    Now,
    pool::{Accepted, PoolError},
    transaction::VerifiedTransaction,
};

impl Machine {
    pub(super) fn on_submit(
        &mut self,
        now: Now,
        ticket: Ticket,
        txns: Vec<VerifiedTransaction>,
        from: Option<PeerId>,
        step: &mut Step,
    ) {
        let arrived = now.wall;
        let mut results = Vec::with_capacity(txns.len());
        let mut new = Vec::new();
        for txn in txns {
            let account = self.account(&txn.sender());
            let result = if self.returning > 0 {
                Err(PoolError::Returning)
            } else if self.disk_is_low {
                Err(PoolError::DiskReserve)
            } else if from.is_some() && self.pool.is_expired(txn.id()) {
                Err(PoolError::Expired)
            } else if from.is_some() {
                self.pool.submit_told(arrived, account, txn.clone())
            } else {
                self.pool.submit(arrived, account, txn.clone())
            };
            if result == Ok(Accepted::New) {
                new.push(txn);
            }
            results.push(result);
        }
        if !new.is_empty() {
            let txns = new.clone();
            step.write.push(Write::Transactions { arrived, txns });
            step.publish.push(Publish::Queued {
                arrived,
                txns: new,
                from,
            });
        }
        self.drop_surplus(now, step);
        step.publish.push(Publish::Reply { ticket, results });
    }
}
