//! A machine brought up to date from this node's own logs.

use super::Machine;
use crate::{
    Now, Timestamp,
    block::SealedBlock,
    chain::Origin,
    consensus::{
        certificate::{Certificate, VerifiedCertificate},
        evidence::Evidence,
    },
    pool::PoolError,
    rules::BlockError,
    transaction::VerifiedTransaction,
};

impl Machine {
    /// Takes a block from this node's own log. It is executed and its roots are compared
    /// again; its signatures are not. One whose parent is not whole fails until the caller
    /// has replayed [`Chain::bare_path`](crate::chain::Chain::bare_path) again.
    ///
    /// # Errors
    /// [`BlockError`] if it does not fit: the log is not this chain's.
    pub fn replay(&mut self, block: SealedBlock, timely: bool) -> Result<(), BlockError> {
        let number = block.header().number;
        if self.chain.contains(&block.id) {
            if self.chain.get(&block.id).is_none() {
                let applied = self.execute(block)?;
                self.chain.restore(applied);
            }
            return Ok(());
        }
        let (last_final, _) = self.chain.last_final();
        if number <= last_final {
            let id = block.id;
            return Err(BlockError::Settled {
                id,
                number,
                last_final,
            });
        }
        let applied = self.execute(block)?;
        self.chain.insert(applied, timely, Origin::Log);
        Ok(())
    }

    /// Takes a certificate from this node's own log, or one that its checkpoint holds because
    /// it lies before: then its block is below the window.
    pub fn replay_certificate(&mut self, certificate: Certificate) {
        let certificate = VerifiedCertificate::already_verified(certificate);
        self.restore_certificate(certificate);
    }

    /// Takes the conflicting certificate that a checkpoint holds ([`Machine::alarm`]).
    pub fn replay_alarm(&mut self, conflicting: Certificate) {
        self.restore_alarm(VerifiedCertificate::already_verified(conflicting));
    }

    /// Takes evidence from this node's own log: its offender is not told of again.
    pub fn replay_evidence(&mut self, evidence: Evidence) {
        self.note_offender(&evidence);
    }

    /// Restores pending transactions after replay. Included or superseded ones are skipped;
    /// blocks dated after `now` by a wrong clock do not count as included. Transactions whose
    /// sender cannot pay *on this head* are kept: the head may differ from the one before
    /// the crash, and the next reorg judges them again.
    pub fn requeue(&mut self, now: Now, waiting: Vec<(Timestamp, VerifiedTransaction)>) {
        self.restore_awaited();
        self.check_record();
        let early = match self.is_alone() {
            true => None,
            false => self.chain.on_moment(now.wall, self.latest(now)),
        };
        let reverted = early.map(|reorg| reorg.reverted).unwrap_or_default();
        let reverted = reverted.iter().rev().flat_map(|block| {
            let arrived = block.block.header().time;
            let txns = block.block.transactions.iter();
            txns.map(move |txn| (arrived, txn.clone()))
        });
        // The pool log holds what was accepted after those blocks were reverted.
        for (arrived, txn) in waiting.into_iter().chain(reverted) {
            let account = self.account(&txn.sender());
            let restored = self.pool.restore(arrived, account, txn.clone(), false);
            if matches!(restored, Err(PoolError::Funds { .. } | PoolError::NoCoins)) {
                let _ = self.pool.restore(arrived, account, txn, true);
            }
        }
    }
}
