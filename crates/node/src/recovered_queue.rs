//! What the pool log holds, brought into a machine: what still waits, and what was dropped.
//! Says so if the log may have lost something; never repairs it.

use crate::{chain_paths::ChainPaths, clock, dropped_txns::DroppedTxn};
use ccoin_core::{
    Height, Timestamp, TxId,
    genesis::Genesis,
    machine::Machine,
    transaction::{Transaction, VerifiedTransaction},
};
use ccoin_storage::{PoolContents, PoolMark};
use std::collections::HashSet;

/// Acknowledged transactions that are in no block.
pub(crate) struct RecoveredQueue {
    /// In the order of their arrival.
    pub(crate) waiting: Vec<(Timestamp, VerifiedTransaction)>,
    /// Oldest first.
    pub(crate) dropped: Vec<DroppedTxn>,
    /// Those that cannot wait on this head and that the log does not know as dropped.
    pub(crate) superseded: Vec<DroppedTxn>,
}

/// A transaction of the pool log: its signature was checked before it was written.
pub(crate) fn decode(genesis: &Genesis, bytes: &[u8]) -> Option<VerifiedTransaction> {
    let max_data = genesis.config.transaction.max_data_bytes as usize;
    let txn = Transaction::decode(bytes, max_data).ok()?;
    Some(VerifiedTransaction::already_verified(txn, &genesis.id))
}

/// For [`PoolLog`](ccoin_storage::PoolLog).
pub(crate) fn id_of(genesis: &Genesis) -> impl Fn(&[u8]) -> Option<TxId> + '_ {
    |bytes| Some(*decode(genesis, bytes)?.id())
}

impl RecoveredQueue {
    /// Fills the pool of a machine that has replayed its blocks.
    pub(crate) fn restore(
        machine: &mut Machine,
        genesis: &Genesis,
        contents: &PoolContents,
    ) -> Self {
        let waiting = contents.waiting.iter();
        let mut waiting: Vec<_> = waiting
            .filter_map(|entry| Some((entry.arrived, decode(genesis, &entry.bytes)?)))
            .collect();
        let dropped = contents.dropped.iter();
        let dropped = dropped.filter_map(|entry| {
            Some(DroppedTxn {
                txn: decode(genesis, &entry.bytes)?,
                reason: entry.reason.clone(),
                at: entry.at,
            })
        });
        let dropped = dropped.collect();
        machine.requeue(clock::now(), waiting.clone());
        let superseded = superseded(machine, &waiting);
        let pool = machine.pool();
        waiting.retain(|(_, txn)| pool.contains(&txn.sender(), txn.number, txn.id()));
        Self {
            waiting,
            dropped,
            superseded,
        }
    }
}

/// Transactions that no longer wait although no block took them. One that arrived before
/// the window is in a block that has left it.
fn superseded(machine: &Machine, waiting: &[(Timestamp, VerifiedTransaction)]) -> Vec<DroppedTxn> {
    let blocks = machine.chain().canonical();
    let Some(first) = blocks.front().map(|first| first.block.header().time) else {
        return Vec::new();
    };
    let included: HashSet<_> = blocks.iter().flat_map(|b| b.block.txn_ids()).collect();
    let at = clock::wall();
    let gone = waiting.iter().filter_map(|(arrived, txn)| {
        let pool = machine.pool();
        let waits = pool.contains(&txn.sender(), txn.number, txn.id());
        if waits || *arrived <= first || included.contains(txn.id()) {
            return None;
        }
        let account = machine.accounts().account(&txn.sender());
        let reason = pool.judge_again(account, txn).err()?.to_string();
        let txn = txn.clone();
        Some(DroppedTxn { txn, reason, at })
    });
    gone.collect()
}

/// Warns if transactions that waited may be gone: a new chain has no pool log, any other has
/// one that goes at least as far as the newest checkpoint has `noted`.
pub(crate) fn warn_of_loss(
    paths: &ChainPaths,
    contents: &PoolContents,
    height: Height,
    noted: PoolMark,
) {
    let what = if let Some(file) = &contents.lost {
        format!("{} is missing or old", file.display())
    } else if contents.mark == PoolMark::default() && height > Height::GENESIS {
        format!("{} is empty", paths.pool.display())
    } else if contents.mark < noted {
        format!("{} is older than the blocks", paths.pool.display())
    } else {
        return;
    };
    tracing::warn!(
        "{what}: transactions that waited here and were not sent to others may be lost; blocks \
         are not"
    );
}
