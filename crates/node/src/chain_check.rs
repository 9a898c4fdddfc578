//! Reads a chain directory as a start would, and the blocks before its checkpoint too.
//! Changes nothing, and does not open the index, which is derived.

use crate::{
    chain_paths::ChainPaths,
    commit_batch::kind,
    error::NodeError,
    maintenance,
    recovered_queue::{RecoveredQueue, id_of},
    replay::read_blocks,
};
use ccoin_core::{Height, block::Block, genesis::Genesis};
use ccoin_storage::{BlockLog, ChainLock, PoolLog, Position};
use std::sync::Arc;

/// What a chain directory holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainSummary {
    /// Number of the head.
    pub height: Height,
    /// Transactions that wait.
    pub waiting: usize,
}

impl ChainPaths {
    /// Reads all records of block log and pool log.
    ///
    /// # Errors
    /// [`NodeError`] with which a start would end, or if an older block is damaged.
    pub fn check(&self, genesis: &Genesis) -> Result<ChainSummary, NodeError> {
        let _lock = ChainLock::hold(&self.root)?;
        BlockLog::read(
            &self.blocks,
            Position::START,
            &mut |position, record, bytes| {
                let is_block = matches!(record, kind::TIMELY_BLOCK | kind::LATE_BLOCK);
                match is_block.then(|| Block::decode(bytes)) {
                    Some(Err(error)) => {
                        Err(NodeError::record(&self.blocks, position, error.to_string()))
                    }
                    _ => Ok(()),
                }
            },
        )?;
        let genesis = Arc::new(genesis.clone());
        let start = maintenance::start(&genesis);
        let mut machine = read_blocks(self, &start)?.machine;
        let contents = PoolLog::read(&self.pool, &id_of(&genesis)).map_err(NodeError::Pool)?;
        RecoveredQueue::restore(&mut machine, &genesis, &contents);
        Ok(ChainSummary {
            height: machine.chain().head().block.header().number,
            waiting: machine.pool().len(),
        })
    }
}
