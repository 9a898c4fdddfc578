//! Public keys of the miners. The genesis block lists addresses, so a key may come from any
//! peer and is checked against its address.

use ccoin_crypto::{Address, PublicKey};
use std::{collections::BTreeMap, sync::Arc};

/// The keys that a node has seen.
#[derive(Clone, Debug)]
pub struct MinerKeys {
    miners: Vec<Address>,
    known: BTreeMap<Address, PublicKey>,
    by_index: Arc<[Option<PublicKey>]>,
}

impl MinerKeys {
    /// No keys yet for these miners.
    #[must_use]
    pub fn new(miners: Vec<Address>) -> Self {
        Self {
            by_index: miners.iter().map(|_| None).collect(),
            miners,
            known: BTreeMap::new(),
        }
    }

    /// The key with this address.
    #[must_use]
    pub fn get(&self, miner: &Address) -> Option<&PublicKey> {
        self.known.get(miner)
    }

    /// The keys in the order of the genesis block.
    #[must_use]
    pub fn by_index(&self) -> Arc<[Option<PublicKey>]> {
        Arc::clone(&self.by_index)
    }

    /// All known keys, in the order of their addresses.
    #[must_use]
    pub fn all(&self) -> Vec<PublicKey> {
        self.known.values().cloned().collect()
    }

    /// Takes the keys that belong to miners; returns the new ones.
    pub fn learn(&mut self, keys: &[PublicKey]) -> Vec<PublicKey> {
        let mut new = Vec::new();
        for key in keys {
            let address = key.address();
            if self.miners.contains(&address) && self.known.insert(address, key.clone()).is_none() {
                new.push(key.clone());
            }
        }
        if !new.is_empty() {
            let known = |miner| self.known.get(miner).cloned();
            self.by_index = self.miners.iter().map(known).collect();
        }
        new
    }
}
