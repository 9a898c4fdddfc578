//! The chain as far as it was checked: blocks come in order and are executed on the accounts
//! before them. Only what the next block needs is kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use ccoin_core::{
    Address, BlockId, Height, Timestamp,
    block::{Header, SealedBlock},
    execution::execute,
    genesis::Genesis,
    ledger::State,
    rules::{ParentContext, check_against_parent},
};

use super::fault::Fault;

/// The last block that was checked, and the accounts after it.
#[derive(Clone)]
pub(super) struct Replay {
    genesis: Arc<Genesis>,
    pub(super) number: Height,
    pub(super) id: BlockId,
    time: Timestamp,
    state: State,
    /// Time of the newest block after block 1 of each miner; older than `interval`, it need not
    /// be here.
    made: BTreeMap<Address, Timestamp>,
    /// Blocks that were executed, and transactions in them.
    pub(super) blocks: u64,
    pub(super) transactions: u64,
}

impl Replay {
    /// At block 1.
    pub(super) fn at_genesis(genesis: Arc<Genesis>) -> Self {
        Self {
            number: Height::GENESIS,
            id: genesis.id,
            time: genesis.signed().header.time,
            state: genesis.state.clone(),
            made: BTreeMap::new(),
            blocks: 0,
            transactions: 0,
            genesis,
        }
    }

    /// At a block that is trusted, with its accounts and what its ancestors say of the miners.
    pub(super) fn at_block(
        genesis: Arc<Genesis>,
        id: BlockId,
        header: &Header,
        state: State,
        made: BTreeMap<Address, Timestamp>,
    ) -> Self {
        Self {
            number: header.number,
            id,
            time: header.time,
            state,
            made,
            blocks: 0,
            transactions: 0,
            genesis,
        }
    }

    /// Where it is.
    pub(super) fn place(&self) -> (Height, BlockId) {
        (self.number, self.id)
    }

    /// The rules.
    pub(super) fn genesis(&self) -> &Arc<Genesis> {
        &self.genesis
    }

    /// The next block, whose header, body and signatures have been checked.
    ///
    /// # Errors
    /// [`Fault`]; nothing has changed then.
    pub(super) fn take(&mut self, block: SealedBlock) -> Result<(), Fault> {
        let header = block.header();
        if header.hash_parent != self.id {
            return Err(Fault::Parent {
                got: header.hash_parent,
                expected: self.id,
            });
        }
        let context = ParentContext {
            number: self.number,
            time: self.time,
            last_by_signer: self.made.get(&header.coinbase).copied(),
        };
        let txns = block.transactions.len();
        check_against_parent(header, txns, &context, &self.genesis)?;
        let applied = execute(block, &self.state, &self.genesis)?;
        let header = applied.block.header();
        self.made.insert(header.coinbase, header.time);
        (self.number, self.time) = (header.number, header.time);
        self.id = applied.block.id;
        self.state = applied.state;
        self.blocks += 1;
        self.transactions += txns as u64;
        Ok(())
    }
}
