//! Transactions of a left branch that memory does not hold: read from the block log and
//! submitted again, as if their users had sent them. The pool refuses those that the new
//! branch includes.

use crate::chain_thread::{Batch, ChainHandle};
use ccoin_core::{
    BlockId,
    block::{Block, SealedBlock},
};
use ccoin_storage::{LogReader, Position};
use std::{error::Error, thread};
use tokio::sync::oneshot;

/// Reads left blocks on threads of their own.
pub(crate) struct ReturnedTxns {
    pub(crate) log: LogReader,
    pub(crate) genesis: BlockId,
    pub(crate) chain: ChainHandle,
}

impl ReturnedTxns {
    /// Submits the transactions of these blocks, oldest first.
    pub(crate) fn submit(&self, blocks: Vec<Position>) {
        let (log, genesis, chain) = (self.log.clone(), self.genesis, self.chain.clone());
        let run = move || {
            let (mut returned, mut refused) = (0usize, 0usize);
            for position in blocks {
                match submit_block(&log, &genesis, &chain, position) {
                    Ok(Some((new, old))) => (returned, refused) = (returned + new, refused + old),
                    Ok(None) => return,
                    Err(error) => tracing::warn!("a left block cannot be read again: {error}"),
                }
            }
            tracing::info!(
                "{returned} transactions of the left branch wait again; {refused} are in the new \
                 branch or do not fit it"
            );
        };
        let spawned = thread::Builder::new().name("left-branch".into()).spawn(run);
        if let Err(error) = spawned {
            tracing::warn!("transactions of the left branch do not come back: {error}");
        }
    }
}

/// How many transactions of a block the pool takes and refuses; `None`: the node is ending.
fn submit_block(
    log: &LogReader,
    genesis: &BlockId,
    chain: &ChainHandle,
    position: Position,
) -> Result<Option<(usize, usize)>, Box<dyn Error>> {
    let (_, bytes) = log.read(position)?;
    let block = SealedBlock::already_verified(Block::decode(&bytes)?, genesis);
    if block.transactions.is_empty() {
        return Ok(Some((0, 0)));
    }
    let (results, judged) = oneshot::channel();
    let batch = Batch {
        txns: block.transactions,
        from: None,
        results,
    };
    if chain.batches.blocking_send(batch).is_err() {
        return Ok(None);
    }
    let Ok(results) = judged.blocking_recv() else {
        return Ok(None);
    };
    let taken = results.iter().filter(|result| result.is_ok()).count();
    Ok(Some((taken, results.len() - taken)))
}
