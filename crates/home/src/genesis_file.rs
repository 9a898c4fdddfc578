//! `genesis.json`: every key over its default. The rules are those of block 1, so a broken
//! one is found by its key and told with its place in the file.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use ccoin_core::genesis_config::{
    Allocation, BlockMining, ConsensusParams, GenesisConfig, GenesisConfigError, GenesisReward,
    TransactionRules,
};
use ccoin_core::{AccountNonce, Address, Amount};
use serde::Deserialize;

use crate::jsonc::{AnyCase, Document, JsoncError, UnknownKeys};

/// A whole genesis.json: the configuration and the first accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GenesisDocument {
    /// The data of block 1.
    pub config: GenesisConfig,
    /// The body of block 1.
    pub alloc: BTreeMap<Address, Allocation>,
    /// Remarks on odd but readable places.
    pub warnings: Vec<String>,
}

/// The keys of the file.
#[derive(Deserialize)]
struct File {
    network_id: u32,
    miners: Vec<AnyCase<Address>>,
    #[serde(default)]
    max_peers: u32,
    #[serde(default)]
    transaction: TransactionRules,
    #[serde(default)]
    block_mining: BlockMining,
    #[serde(default)]
    genesis_block: GenesisReward,
    #[serde(default)]
    consensus: Consensus,
    #[serde(default)]
    alloc: BTreeMap<AnyCase<Address>, Account>,
}

/// [`ConsensusParams`]: what is left out follows from the rest.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Consensus {
    slot_ms: Option<u64>,
    guard_ms: Option<u64>,
    max_skew_ms: Option<u64>,
    min_gap_ms: Option<u64>,
    quorum: Option<u32>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Account {
    balance: Amount,
    nonce: AccountNonce,
}

impl Consensus {
    fn over_defaults(self, miners: usize) -> ConsensusParams {
        let derived = ConsensusParams::new(self.slot_ms.unwrap_or(2_000), miners);
        ConsensusParams {
            guard_ms: self.guard_ms.unwrap_or(derived.guard_ms),
            max_skew_ms: self.max_skew_ms.unwrap_or(derived.max_skew_ms),
            min_gap_ms: self.min_gap_ms.unwrap_or(derived.min_gap_ms),
            quorum: self.quorum.unwrap_or(derived.quorum),
            ..derived
        }
    }
}

impl GenesisDocument {
    /// Reads a genesis.json; `name` stands in messages.
    ///
    /// # Errors
    /// [`JsoncError`] with the place, the value and what to write instead.
    pub fn parse(text: &str, name: &str) -> Result<Self, JsoncError> {
        Self::read(text, name, true)
    }

    /// The same for a file to which miners are still to be added.
    ///
    /// # Errors
    /// As [`GenesisDocument::parse`].
    pub fn parse_draft(text: &str, name: &str) -> Result<Self, JsoncError> {
        Self::read(text, name, false)
    }

    fn read(text: &str, name: &str, needs_miners: bool) -> Result<Self, JsoncError> {
        let document = Document::parse(text, name, UnknownKeys::Refuse, None)?;
        document.refuse(
            &["app", "client", "discovery_service"],
            "the configuration of a node: this is no genesis file",
            "name the genesis file, by default genesis.json",
        )?;
        let file: File = document.read()?;
        let miners: Vec<_> = file.miners.iter().map(|miner| miner.0).collect();
        let config = GenesisConfig {
            block_mining: file.block_mining,
            consensus: file.consensus.over_defaults(miners.len()),
            genesis_block: file.genesis_block,
            max_peers: file.max_peers,
            transaction: file.transaction,
            ..GenesisConfig::new(file.network_id, miners)
        };
        config
            .check()
            .map_err(|error| broken(&document, name, error))?;
        check_supply(&document, &config, &file.alloc)?;
        if needs_miners && config.miners.is_empty() {
            return Err(broken(&document, name, GenesisConfigError::NoMiners));
        }
        let mut alloc = BTreeMap::new();
        for (AnyCase(address), Account { balance, nonce }) in file.alloc {
            let entry = Allocation { nonce, balance };
            if entry == Allocation::default() {
                let remark = format!("alloc {address} has nonce 0 and balance 0: dropped");
                document.warn_at(&format!("alloc.{address}"), remark);
            } else {
                alloc.insert(address, entry);
            }
        }
        Ok(Self {
            config,
            alloc,
            warnings: document.into_warnings(),
        })
    }
}

/// The broken rule with its place in the file.
fn broken(document: &Document<'_>, name: &str, error: GenesisConfigError) -> JsoncError {
    match error {
        GenesisConfigError::Rule { key, fault, advice } => document.error_at(&key, fault, advice),
        GenesisConfigError::NoMiners => {
            let advice =
                format!("create-account --update-genesis {name}   makes a key and lists it");
            let mut error = document.error_at("miners", "", advice);
            error.fault = "miners is empty: no one can make a block".to_owned();
            error
        }
        error => document.error_at("", error, "shorten the placeholder_data texts"),
    }
}

/// The rewards alone leave room for the supply: what exceeds it is the largest account.
fn check_supply(
    document: &Document<'_>,
    config: &GenesisConfig,
    alloc: &BTreeMap<AnyCase<Address>, Account>,
) -> Result<(), JsoncError> {
    let balances = alloc.values().map(|account| account.balance.get());
    let largest = alloc.iter().max_by_key(|(_, account)| account.balance);
    match (
        config.check_supply(balances.fold(0, u64::saturating_add)),
        largest,
    ) {
        (Err(GenesisConfigError::Rule { fault, advice, .. }), Some((AnyCase(address), _))) => {
            let key = format!("alloc.{address}.balance");
            Err(document.error_at(&key, fault, advice))
        }
        _ => Ok(()),
    }
}
