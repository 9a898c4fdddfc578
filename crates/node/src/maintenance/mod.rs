//! What an operator does with the chain of a node that does not run. Nothing here talks to peers
//! or decides what a rule says.

mod check;
mod checker;
mod export;
mod export_head;
mod import;
mod on_all_cores;
mod restore;
mod survey;

pub use check::{BadChain, ChainReport};
pub use export::Exported;
pub use export_head::genesis_of_file;
pub use import::Imported;
pub use restore::abstain;

use crate::{
    chain_paths::ChainPaths,
    peers::{save_keys, stored_keys},
};
use ccoin_core::{
    genesis::Genesis,
    gossip::MinerKeys,
    machine::{PlaceholderText, SealMark, Start},
};
use ccoin_crypto::PublicKey;
use std::sync::Arc;

/// A machine that only follows.
pub(crate) fn start(genesis: &Arc<Genesis>) -> Start {
    Start {
        checkpoint: None,
        miner: None,
        last_sealed: SealMark::default(),
        voter_record: None,
        block_text: PlaceholderText::new(None, None, [0; 32]),
        genesis: Arc::clone(genesis),
    }
}

impl ChainPaths {
    /// The miners' keys of this directory, and those of `keys`.
    fn miner_keys(&self, genesis: &Genesis, keys: &[PublicKey]) -> MinerKeys {
        let mut known = stored_keys(&self.root, genesis);
        known.learn(keys);
        known
    }
}
