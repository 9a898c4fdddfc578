//! The configuration that the genesis block fixes for ever, and its one
//! canonical JSON text, which block 1 carries as its data.
//!
//! The fields of every struct stand in the byte order of their keys, because
//! the canonical text is written in that order. Files that people write are
//! read elsewhere.

mod check;
mod fault_model;
mod placeholder;

use ccoin_crypto::Address;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{AccountNonce, Amount};

pub use placeholder::Placeholder;

/// Longest canonical text, in bytes: the limit of the data of block 1.
pub const MAX_CANONICAL_BYTES: usize = 64 << 10;

/// Longest interval between blocks: a year of 365 days, in milliseconds.
pub const MAX_INTERVAL_MS: u64 = 31_536_000_000;

/// Everything that the nodes of a network must agree on, but the first accounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenesisConfig {
    /// When a block is due and what it pays.
    pub block_mining: BlockMining,
    /// Slots, tolerances and the quorum.
    pub consensus: ConsensusParams,
    /// What block 1 pays.
    pub genesis_block: GenesisReward,
    /// A hint for a node's own limit of peers; 0 = none.
    pub max_peers: u32,
    /// The 1 to 100 miners in the order of their slots.
    pub miners: Vec<Address>,
    /// Shown to people; the genesis id is what separates networks.
    pub network_id: u32,
    /// Rules of transactions.
    pub transaction: TransactionRules,
}

/// When a block is due and what it pays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BlockMining {
    /// Whether a block without transactions is made when `interval_ms` has passed.
    pub allow_empty: bool,
    /// Leading zero hex digits of a block id, 0 to 8.
    pub difficulty: u8,
    /// Longest time between a waiting transaction and a block, in milliseconds.
    pub interval_ms: u64,
    /// Most transactions in one block.
    pub max_bound: u32,
    /// A block is due at once when this many transactions wait.
    pub min_bound: u32,
    /// Data of a block whose miner configured none; at most 1,024 bytes.
    pub placeholder_data: Option<Placeholder>,
    /// Coins for the miner of each block.
    pub reward: Amount,
}

/// Slots, tolerances and the quorum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsensusParams {
    /// Last part of its slot in which a leader does not seal, in milliseconds.
    pub guard_ms: u64,
    /// Tolerated difference of clocks, in milliseconds.
    pub max_skew_ms: u64,
    /// Least time between a block and its child, in milliseconds.
    pub min_gap_ms: u64,
    /// Votes of a certificate: more than half of the miners, at most all.
    pub quorum: u32,
    /// Length of a slot, in milliseconds.
    pub slot_ms: u64,
}

/// What block 1 pays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GenesisReward {
    /// The account that is paid; `None` pays no one.
    #[serde(serialize_with = "empty_if_none", deserialize_with = "none_if_empty")]
    pub coinbase: Option<Address>,
    /// Coins paid in block 1 if there is a coinbase.
    pub coinbase_reward: Amount,
    /// Leading zero hex digits of the genesis id, 0 to 8.
    pub difficulty: u8,
}

/// Rules of transactions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TransactionRules {
    /// Longest data of a transaction, in bytes of UTF-8.
    pub max_data_bytes: u32,
    /// Data of a wallet transaction without any; at most `max_data_bytes`.
    pub placeholder_data: Option<Placeholder>,
}

/// An account that exists from the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allocation {
    /// Transactions it counts as having sent.
    pub nonce: AccountNonce,
    /// Its coins.
    pub balance: Amount,
}

/// Why a text is not the canonical text of a configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GenesisConfigError {
    /// It would not fit into block 1.
    #[error("the configuration takes {got} bytes of block 1, at most {MAX_CANONICAL_BYTES} fit")]
    TooLong {
        /// Bytes of the text.
        got: usize,
    },
    /// It means no configuration, or the one that it means is written in another way.
    #[error("not the canonical text of a configuration: wrong from byte {position} on")]
    NotCanonical {
        /// First byte that is wrong, from 0.
        position: usize,
    },
    /// A value breaks a rule.
    #[error("{key} {fault}: {advice}")]
    Rule {
        /// Where it stands: keys from the outermost to the innermost, positions in a list
        /// from 0, with dots between them.
        key: String,
        /// Why it is wrong; fits after the key and the value.
        fault: String,
        /// What to write instead.
        advice: String,
    },
    /// Without a miner there is no block 2.
    #[error("miners is empty")]
    NoMiners,
}

impl GenesisConfig {
    /// A configuration in which every setting has its default.
    #[must_use]
    pub fn new(network_id: u32, miners: Vec<Address>) -> Self {
        Self {
            block_mining: BlockMining::default(),
            consensus: ConsensusParams::new(2_000, miners.len()),
            genesis_block: GenesisReward::default(),
            max_peers: 0,
            miners,
            network_id,
            transaction: TransactionRules::default(),
        }
    }

    /// The one text of this configuration: no spaces, keys sorted by bytes, nothing left out.
    #[must_use]
    pub fn canonical_json(&self) -> String {
        serde_json::to_string(self).expect("structs of numbers and texts have a JSON form")
    }

    /// Reads what [`GenesisConfig::canonical_json`] wrote, and nothing else, and checks it.
    ///
    /// # Errors
    /// [`GenesisConfigError`] for another text, even if it means the same.
    pub fn from_canonical_json(text: &str) -> Result<Self, GenesisConfigError> {
        if text.len() > MAX_CANONICAL_BYTES {
            return Err(GenesisConfigError::TooLong { got: text.len() });
        }
        let config: Self = serde_json::from_str(text).map_err(|error| {
            // One line, so that the column counts the bytes.
            let position = error.column().saturating_sub(1);
            GenesisConfigError::NotCanonical { position }
        })?;
        let canonical = config.canonical_json();
        if canonical != text {
            let pairs = canonical.bytes().zip(text.bytes());
            let position = pairs.take_while(|(a, b)| a == b).count();
            return Err(GenesisConfigError::NotCanonical { position });
        }
        config.check()?;
        if config.miners.is_empty() {
            return Err(GenesisConfigError::NoMiners);
        }
        Ok(config)
    }
}

impl Default for BlockMining {
    fn default() -> Self {
        Self {
            allow_empty: true,
            difficulty: 5,
            interval_ms: 600_000,
            max_bound: 100,
            min_bound: 10,
            placeholder_data: None,
            reward: hundred(),
        }
    }
}

impl Default for GenesisReward {
    fn default() -> Self {
        Self {
            coinbase: None,
            coinbase_reward: hundred(),
            difficulty: 4,
        }
    }
}

impl Default for TransactionRules {
    fn default() -> Self {
        Self {
            max_data_bytes: 4_096,
            placeholder_data: None,
        }
    }
}

fn hundred() -> Amount {
    Amount::new(100).expect("less than the limit")
}

impl ConsensusParams {
    /// The values that follow from the length of a slot and the number of miners.
    #[must_use]
    pub fn new(slot_ms: u64, miners: usize) -> Self {
        let miners = u32::try_from(miners).unwrap_or(u32::MAX);
        Self {
            guard_ms: slot_ms / 5,
            max_skew_ms: slot_ms / 4,
            min_gap_ms: 50,
            quorum: miners.saturating_mul(2).div_ceil(3),
            slot_ms,
        }
    }
}

fn empty_if_none<S: Serializer>(
    address: &Option<Address>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match address {
        Some(address) => address.serialize(serializer),
        None => "".serialize(serializer),
    }
}

fn none_if_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Address>, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        "" => Ok(None),
        text => match text.to_ascii_lowercase().parse() {
            Ok(address) => Ok(Some(address)),
            Err(_) => Err(de::Error::custom("is not an address: write 40 hex digits")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(miners: usize) -> GenesisConfig {
        let address = |n: usize| format!("{n:040x}").parse().unwrap();
        GenesisConfig::new(1, (1..=miners).map(address).collect())
    }

    #[test]
    fn every_setting_has_the_documented_default() {
        let expected = concat!(
            r#"{"block_mining":{"allow_empty":true,"difficulty":5,"interval_ms":600000,"#,
            r#""max_bound":100,"min_bound":10,"placeholder_data":null,"reward":100},"#,
            r#""consensus":{"guard_ms":400,"max_skew_ms":500,"min_gap_ms":50,"#,
            r#""quorum":1,"slot_ms":2000},"genesis_block":{"coinbase":"","#,
            r#""coinbase_reward":100,"difficulty":4},"max_peers":0,"#,
            r#""miners":["0000000000000000000000000000000000000001"],"network_id":1,"#,
            r#""transaction":{"max_data_bytes":4096,"placeholder_data":null}}"#,
        );
        assert_eq!(config(1).canonical_json(), expected);
        let quorums = [1, 2, 3, 4, 5, 6, 7, 21, 100].map(|n| config(n).consensus.quorum);
        assert_eq!(quorums, [1, 2, 2, 3, 4, 4, 5, 14, 67]);
        let slow = ConsensusParams::new(10_000, 1);
        assert_eq!(
            (slow.guard_ms, slow.max_skew_ms, slow.min_gap_ms),
            (2_000, 2_500, 50)
        );
    }

    #[test]
    fn keys_of_the_canonical_text_are_sorted_by_bytes() {
        fn assert_sorted(value: &serde_json::Value, text: &str) {
            let keys: Vec<_> = value
                .as_object()
                .into_iter()
                .flat_map(|map| map.keys())
                .collect();
            let places: Vec<_> = keys
                .iter()
                .map(|key| text.find(&format!("\"{key}\":")))
                .collect();
            let mut sorted = keys.clone();
            sorted.sort_unstable();
            assert!(keys == sorted && places.is_sorted(), "{keys:?} {places:?}");
        }
        let text = config(2).canonical_json();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_sorted(&value, &text);
        for (name, inner) in value.as_object().unwrap() {
            let start = text.find(&format!("\"{name}\":")).unwrap();
            assert_sorted(inner, &text[start..]);
        }
    }

    #[test]
    fn only_the_canonical_text_is_read_back() {
        let mut config = config(4);
        config.genesis_block.coinbase = Some(Address::new([0xff; 20]));
        config.block_mining.placeholder_data = Some(Placeholder::Random(15));
        config.transaction.placeholder_data = Some(Placeholder::Fixed("a \"b\" ü\u{1}".into()));
        let text = config.canonical_json();
        assert_eq!(GenesisConfig::from_canonical_json(&text), Ok(config));

        let read = GenesisConfig::from_canonical_json;
        let (lower, upper) = ("ff".repeat(20), "FF".repeat(20));
        for (from, to) in [
            ("{\"block", "{ \"block"),
            (lower.as_str(), upper.as_str()),
            ("\"max_peers\":0,", ""),
            ("\"max_peers\":0,", "\"max_peers\":0,\"max_peers\":0,"),
            ("\"max_peers\":0,", "\"max_peers\":0,/**/"),
            ("\"max_peers\":0,", "\"max_peers\":0.0,"),
            ("\"max_peers\":0,", "\"max_peers\":-0,"),
            ("ü", "\\u00fc"),
            ("\"interval_ms\":600000", "\"interval\":600"),
            ("\"network_id\":1", "\"network_id\":1,\"alloc\":{}"),
            ("\"network_id\":1", "\"network_id\":4294967296"),
            ("[\"rnd\",15]", "[\"rnd\",\"15\"]"),
            ("[\"rnd\",15]", "[\"rnd\",15,0]"),
            ("[\"rnd\",15]", "[\"predef\",15]"),
        ] {
            let other = text.replacen(from, to, 1);
            assert_ne!(other, text, "{from}");
            let Err(GenesisConfigError::NotCanonical { position }) = read(&other) else {
                panic!("{other}: {:?}", read(&other))
            };
            // A parser may see it only at the end of the word or of the object.
            let changed = text.bytes().zip(other.bytes());
            let changed = changed.take_while(|(a, b)| a == b).count();
            assert!(
                (changed..=other.len()).contains(&position),
                "{other} {position}"
            );
        }
        assert!(read(&format!("{text} ")).is_err());
        for end in 0..text.len() {
            if let Some(cut) = text.get(..end) {
                assert!(read(cut).is_err(), "{cut}");
            }
        }
        let broken = text.replace("\"quorum\":3", "\"quorum\":2");
        assert!(matches!(
            read(&broken),
            Err(GenesisConfigError::Rule { .. })
        ));
        let long = " ".repeat(MAX_CANONICAL_BYTES + 1);
        assert_eq!(
            read(&long),
            Err(GenesisConfigError::TooLong { got: 65_537 })
        );
    }
}
