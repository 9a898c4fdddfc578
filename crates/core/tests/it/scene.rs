//! Two miners, a root, and a correct block 2 that a test alters and has judged.

use ccoin_core::{
    Height,
    applied::Applied,
    block::{Header, SealedBlock},
    execution::execute,
    genesis::Genesis,
    rules::{Blame, BlockError, ParentContext, check_against_parent, check_body, check_header},
    transaction::VerifiedTransaction,
};
use ccoin_crypto::Verifier;
use ccoin_sim::{Network, arrived, at, header, key, miner, seal, transfer};
use std::sync::Arc;

/// A network of two miners, its root, and two transactions of which both may go into block 2.
pub(crate) struct Scene {
    pub(crate) genesis: Arc<Genesis>,
    pub(crate) root: Applied,
    pub(crate) txns: Vec<VerifiedTransaction>,
}

pub(crate) fn scene(network: &Network) -> Scene {
    let genesis = network.found();
    let txns = vec![
        transfer(&genesis, key(0).public_key(), 1, miner(1), 5),
        transfer(&genesis, key(1).public_key(), 1, miner(0), 7),
    ];
    Scene {
        root: genesis.applied(),
        genesis,
        txns,
    }
}

pub(crate) fn two_miners() -> Scene {
    scene(&Network {
        miners: 2,
        ..Network::default()
    })
}

impl Scene {
    /// A correct, signed block 2 of miner 0 at [`START`] + 50, then changed, mined and signed.
    pub(crate) fn altered(&self, change: impl FnOnce(&mut Header)) -> SealedBlock {
        let mut header = header(&self.genesis, &self.root, miner(0), at(50), &self.txns);
        change(&mut header);
        seal(&self.genesis, header, Some(key(0)), self.txns.clone())
    }

    /// All rules on a block as it comes from outside; `key` is what the node knows as the signer's.
    pub(crate) fn judge(&self, block: &SealedBlock) -> Result<(), BlockError> {
        let block = arrived(block);
        let known = (0..4)
            .find(|index| miner(*index) == block.signed.header.coinbase)
            .unwrap_or(0);
        check_header(
            &block.signed,
            &self.genesis,
            key(known).public_key(),
            &mut Verifier::new(4),
        )?;
        let ids = block.transactions.iter();
        let ids = ids.map(|txn| txn.id(&self.genesis.id));
        check_body(&block.signed.header, ids)?;
        let context = ParentContext {
            number: Height::GENESIS,
            time: at(0),
            last_by_signer: None,
        };
        check_against_parent(
            &block.signed.header,
            block.transactions.len(),
            &context,
            &self.genesis,
        )?;
        let block = SealedBlock::already_verified(block, &self.genesis.id);
        execute(block, &self.root.state, &self.genesis).map(|_| ())
    }

    /// The rule that an altered block breaks, and its blame.
    pub(crate) fn broken(&self, change: impl FnOnce(&mut Header)) -> (BlockError, Blame) {
        let error = self
            .judge(&self.altered(change))
            .expect_err("the block is wrong");
        let blame = error.blame();
        (error, blame)
    }
}
