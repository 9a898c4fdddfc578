//! Transactions of a left branch that memory does not hold: read from the block log and given
//! back to the machine, on a thread of its own.

use crate::{
    NodeError,
    chain_thread::{ChainHandle, Event},
    threads::Threads,
};
use ccoin_core::{
    BlockId,
    block::{Block, SealedBlock},
    machine::Input,
    transaction::VerifiedTransaction,
};
use ccoin_storage::{LogReader, Position};
use std::{error::Error, sync::mpsc};

/// What the thread owns.
pub(crate) struct ReturnedTxns {
    pub(crate) log: LogReader,
    pub(crate) genesis: BlockId,
    pub(crate) chain: ChainHandle,
}

impl ReturnedTxns {
    /// Starts the thread. It is sent the blocks of each left branch, oldest first, and ends
    /// with the sender.
    pub(crate) fn spawn(
        self,
        threads: &mut Threads,
    ) -> Result<mpsc::Sender<Vec<Position>>, NodeError> {
        let (left, branches) = mpsc::channel::<Vec<Position>>();
        threads.spawn("left-branch", move || {
            branches.iter().for_each(|blocks| self.give_back(&blocks));
            Ok(())
        })?;
        Ok(left)
    }

    fn give_back(&self, blocks: &[Position]) {
        let mut count = 0usize;
        for (place, position) in blocks.iter().enumerate() {
            let txns = self.read(*position).unwrap_or_else(|error| {
                tracing::warn!(
                    "a block of the left branch cannot be read, its transactions do not come \
                     back: {error}"
                );
                Vec::new()
            });
            count += txns.len();
            let last = place + 1 == blocks.len();
            let input = Box::new(Input::Returned { txns, last });
            // Else the node is ending.
            if self
                .chain
                .events
                .blocking_send(Event::Input(input))
                .is_err()
            {
                return;
            }
        }
        tracing::info!(
            "Read {} blocks of the left branch again: those of their {count} transactions wait \
             that the new branch does not include",
            blocks.len()
        );
    }

    fn read(&self, position: Position) -> Result<Vec<VerifiedTransaction>, Box<dyn Error>> {
        let (_, bytes) = self.log.read(position)?;
        let block = SealedBlock::already_verified(Block::decode(&bytes)?, &self.genesis);
        Ok(block.transactions)
    }
}
