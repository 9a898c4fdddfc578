//! The configuration that the genesis block fixes for ever, and its one
//! canonical JSON text, which block 1 carries as its data.
//!
//! The fields of every struct stand in the byte order of their keys, because
//! the canonical text is written in that order.

mod document;

use ccoin_crypto::Address;
use serde::{Serialize, Serializer};

use crate::Amount;
use crate::jsonc::JsoncError;

pub use document::{Allocation, GenesisDocument};

/// Longest canonical text, in bytes: the limit of the data of block 1.
pub const MAX_CANONICAL_BYTES: usize = 64 << 10;

/// Bytes that a transaction takes at most beside its data.
const TXN_OVERHEAD: u64 = 1_200;

/// Bytes of a block that `min_bound` transactions may fill; the block limit less its header.
const MAX_BATCH_BYTES: u64 = 2_800_000;

/// Longest data of a block after genesis, in bytes.
const MAX_BLOCK_DATA_BYTES: u32 = 1_024;

/// Rewards that the supply must have room for.
const REWARDS: u64 = 1_000_000_000;

/// Everything that the nodes of a network must agree on, but the first accounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GenesisConfig {
    /// When a block is due and what it pays.
    pub block_mining: BlockMining,
    /// Turns, tolerances and the quorum.
    pub consensus: ConsensusParams,
    /// What block 1 pays.
    pub genesis_block: GenesisReward,
    /// A hint for a node's own limit of peers; 0 = none.
    pub max_peers: u32,
    /// The 1 to 100 miners in the order of their turns.
    pub miners: Vec<Address>,
    /// Shown to people; the genesis id is what separates networks.
    pub network_id: u32,
    /// Rules of transactions.
    pub transaction: TransactionRules,
}

/// When a block is due and what it pays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BlockMining {
    /// May a block without transactions be made when `interval_ms` has passed.
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

/// Turns, tolerances and the quorum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConsensusParams {
    /// Last part of its slot in which a leader does not seal, in milliseconds.
    pub guard_ms: u64,
    /// Tolerated difference of clocks, in milliseconds.
    pub max_skew_ms: u64,
    /// Least time between a block and its child, in milliseconds.
    pub min_gap_ms: u64,
    /// Votes of a certificate: more than half of the miners, at most all.
    pub quorum: u32,
    /// Length of a leader's turn, in milliseconds.
    pub slot_ms: u64,
}

/// What block 1 pays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GenesisReward {
    /// Who is paid, if anybody.
    #[serde(serialize_with = "empty_if_none")]
    pub coinbase: Option<Address>,
    /// Coins paid in block 1 if there is a coinbase.
    pub coinbase_reward: Amount,
    /// Leading zero hex digits of the genesis id, 0 to 8.
    pub difficulty: u8,
}

/// Rules of transactions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TransactionRules {
    /// Longest data of a transaction, in bytes of UTF-8.
    pub max_data_bytes: u32,
    /// Data of a wallet transaction without any; at most `max_data_bytes`.
    pub placeholder_data: Option<Placeholder>,
}

/// Data that is filled in where none was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placeholder {
    /// This many random letters or digits; `["rnd", 15]`.
    Random(u32),
    /// This text; `["predef", "text"]`.
    Fixed(String),
}

impl Serialize for Placeholder {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Random(count) => ("rnd", count).serialize(serializer),
            Self::Fixed(text) => ("predef", text).serialize(serializer),
        }
    }
}

/// Why a text is not a genesis configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GenesisConfigError {
    /// A fault at a place of the document.
    #[error(transparent)]
    Document(#[from] JsoncError),
    /// Everything is readable, but nobody may mine.
    #[error("{name}:{line}:{column}: miners is empty: nobody could make a block")]
    NoMiners {
        /// The document.
        name: String,
        /// Line of `miners`, from 1.
        line: usize,
        /// Column of `miners`, from 1.
        column: usize,
    },
    /// The canonical text would not fit into block 1.
    #[error("the configuration takes {got} bytes of block 1, at most {MAX_CANONICAL_BYTES} fit")]
    TooLong {
        /// Bytes of the canonical text.
        got: usize,
    },
    /// The text means a configuration, but is not its canonical text.
    #[error("not the canonical text of a configuration: differs from byte {position} on")]
    NotCanonical {
        /// First byte that differs, from 0.
        position: usize,
    },
}

impl GenesisConfigError {
    /// What to do about it, for a line of its own.
    #[must_use]
    pub fn advice(&self) -> String {
        match self {
            Self::Document(error) => error.advice.clone(),
            Self::NoMiners { name, .. } => {
                format!("create-account --update-genesis {name}   makes a key and lists it")
            }
            Self::TooLong { .. } => "shorten the placeholder_data texts".to_owned(),
            Self::NotCanonical { .. } => {
                "take block 1 from a node of this network; it is not written by hand".to_owned()
            }
        }
    }
}

impl GenesisConfig {
    /// The one text of this configuration: no spaces, keys sorted by bytes, nothing left out.
    #[must_use]
    pub fn canonical_json(&self) -> String {
        serde_json::to_string(self).expect("structs of numbers and texts have a JSON form")
    }

    /// Reads what [`GenesisConfig::canonical_json`] wrote, and nothing else; every rule of a
    /// configuration is checked again.
    ///
    /// # Errors
    /// [`GenesisConfigError`] for another text, even if it means the same.
    pub fn from_canonical_json(text: &str) -> Result<Self, GenesisConfigError> {
        if text.len() > MAX_CANONICAL_BYTES {
            return Err(GenesisConfigError::TooLong { got: text.len() });
        }
        let config = document::read_canonical(text)?;
        let canonical = config.canonical_json();
        if canonical != text {
            let position = canonical
                .bytes()
                .zip(text.bytes())
                .take_while(|(a, b)| a == b)
                .count();
            return Err(GenesisConfigError::NotCanonical { position });
        }
        Ok(config)
    }

    /// What this network survives, in words.
    #[must_use]
    pub fn fault_model(&self) -> String {
        let miners = u32::try_from(self.miners.len()).unwrap_or(u32::MAX);
        let quorum = self.consensus.quorum;
        let noun = if miners == 1 { "miner" } else { "miners" };
        let mut words = format!(
            "{miners} {noun}: blocks go on with {} dead, finality with {} dead; \
             survives {} malicious",
            miners.saturating_sub(1),
            miners.saturating_sub(quorum),
            equivocators(miners, quorum),
        );
        let better = quorum.saturating_add(1);
        if equivocators(miners, quorum) == 0 && better <= miners {
            let survived = equivocators(miners, better);
            let dead = miners.saturating_sub(better);
            words.push_str(&format!(
                " (set quorum {better} for {survived}, then {dead} dead)"
            ));
        }
        words
    }
}

/// Miners that may sign two ways at once without breaking finality: 2q - n - 1.
fn equivocators(miners: u32, quorum: u32) -> u32 {
    quorum
        .saturating_mul(2)
        .saturating_sub(miners)
        .saturating_sub(1)
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

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = include_str!("../../../../genesis.json");

    /// As users of the earlier program have it: comments, no `transaction`, no `consensus`.
    const OLD: &str = r#"{
        "network_id": 1, // any number
        "miners": ["AA00000000000000000000000000000000000001"],
        "block_mining": {
            "interval": 600, /* seconds */
            "min_bound": 10,
            "max_bound": 100,
            "reward": 100,
            "difficulty": 5,
            "allow_empty": true,
            "placeholder_data": ["rnd", 15]
        },
        "max_peers": 25,
        "genesis_block": { "coinbase": "", "coinbase_reward": 100, "difficulty": 4 },
        "alloc": {
            "AA00000000000000000000000000000000000001": { "balance": 10000000, "nonce": 0 },
            "bb00000000000000000000000000000000000002": { "balance": 0 }
        }
    }"#;

    fn miner(n: usize) -> String {
        format!("{n:040x}")
    }

    fn with_miners(count: usize, rest: &str) -> String {
        let miners: Vec<_> = (1..=count).map(|n| format!("\"{}\"", miner(n))).collect();
        format!(
            "{{\"network_id\": 1, \"miners\": [{}] {rest}}}",
            miners.join(",")
        )
    }

    fn parse(text: &str) -> Result<GenesisDocument, GenesisConfigError> {
        GenesisDocument::parse(text, "genesis.json")
    }

    fn config(count: usize, rest: &str) -> GenesisConfig {
        parse(&with_miners(count, rest)).unwrap().config
    }

    #[test]
    fn the_example_with_its_comments_lacks_only_the_miners() {
        let error = parse(EXAMPLE).unwrap_err();
        let GenesisConfigError::NoMiners { line, column, .. } = &error else {
            panic!("{error}")
        };
        let list = EXAMPLE.lines().nth(line - 1).unwrap();
        assert!(list[column - 1..].starts_with("[]"), "{list}");
        assert!(
            error
                .advice()
                .contains("create-account --update-genesis genesis.json")
        );

        let listed = EXAMPLE.replace("\"miners\": []", &format!("\"miners\": [\"{}\"]", miner(7)));
        let document = parse(&listed).unwrap();
        assert_eq!(document.config.block_mining.interval_ms, 10_000);
        assert_eq!(document.config.block_mining.min_bound, 1);
        assert_eq!(document.config.block_mining.difficulty, 4);
        assert_eq!(document.warnings, Vec::<String>::new());
        // Every key of the canonical text stands in the example, set or explained.
        let canonical: serde_json::Value =
            serde_json::from_str(&document.config.canonical_json()).unwrap();
        for (section, value) in canonical.as_object().unwrap() {
            assert!(EXAMPLE.contains(&format!("\"{section}\":")), "{section}");
            for key in value.as_object().into_iter().flat_map(|keys| keys.keys()) {
                let key = key.replace("interval_ms", "interval");
                assert!(EXAMPLE.contains(&format!("\"{key}\":")), "{section}.{key}");
            }
        }
    }

    #[test]
    fn files_of_the_earlier_program_load_unchanged() {
        let document = parse(OLD).unwrap();
        assert_eq!(
            document.config.miners[0].to_string(),
            format!("aa{:038}", 1)
        );
        assert_eq!(document.config.consensus, config(1, "").consensus);
        assert_eq!(document.alloc.len(), 1);
        assert_eq!(
            document.warnings,
            [
                "genesis.json:17:57: alloc bb00000000000000000000000000000000000002 \
              has nonce 0 and balance 0: dropped"
            ]
        );
    }

    #[test]
    fn what_is_left_out_has_the_documented_value() {
        let expected = concat!(
            r#"{"block_mining":{"allow_empty":true,"difficulty":5,"interval_ms":600000,"#,
            r#""max_bound":100,"min_bound":10,"placeholder_data":null,"reward":100},"#,
            r#""consensus":{"guard_ms":400,"max_skew_ms":500,"min_gap_ms":50,"#,
            r#""quorum":1,"slot_ms":2000},"genesis_block":{"coinbase":"","#,
            r#""coinbase_reward":100,"difficulty":4},"max_peers":0,"#,
            r#""miners":["0000000000000000000000000000000000000001"],"network_id":1,"#,
            r#""transaction":{"max_data_bytes":4096,"placeholder_data":null}}"#,
        );
        assert_eq!(config(1, "").canonical_json(), expected);
        let quorums = [1, 2, 3, 4, 5, 6, 7, 21, 100].map(|n| config(n, "").consensus.quorum);
        assert_eq!(quorums, [1, 2, 2, 3, 4, 4, 5, 14, 67]);
        let slow = config(1, r#", "consensus": {"slot_ms": 10000}"#).consensus;
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
        let text = config(2, "").canonical_json();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_sorted(&value, &text);
        for (name, inner) in value.as_object().unwrap() {
            let start = text.find(&format!("\"{name}\":")).unwrap();
            assert_sorted(inner, &text[start..]);
        }
    }

    #[test]
    fn only_the_canonical_text_is_read_back() {
        let rest = r#", "genesis_block": {"coinbase": "00000000000000000000000000000000000000FF"},
            "block_mining": {"interval": 0.75, "placeholder_data": ["rnd", 15]},
            "transaction": {"placeholder_data": ["predef", "a \"b\" ü\u0001"]}"#;
        let config = config(4, rest);
        let text = config.canonical_json();
        assert_eq!(GenesisConfig::from_canonical_json(&text), Ok(config));
        let read = GenesisConfig::from_canonical_json;
        let differs =
            |text: &str| matches!(read(text), Err(GenesisConfigError::NotCanonical { .. }));
        assert!(differs(&format!("{text} ")));
        assert!(differs(&text.replace("00ff\"", "00FF\"")));
        assert!(differs(&text.replace("\"max_peers\":0,", "")));
        assert!(differs(
            &text.replace("\"max_peers\":0,", "\"max_peers\":0,/**/")
        ));
        assert!(differs(&text.replace('ü', "\\u00fc")));
        for (from, to) in [
            ("\"quorum\":3", "\"quorum\":2"),
            ("\"interval_ms\":750", "\"interval\":0.75"),
            ("\"interval_ms\":750", "\"interval_ms\":0"),
            ("\"network_id\":1", "\"network_id\":1,\"alloc\":{}"),
            ("\"network_id\":1", "\"network_id\":4294967296"),
        ] {
            let other = text.replace(from, to);
            assert_ne!(other, text, "{from}");
            assert!(
                matches!(read(&other), Err(GenesisConfigError::Document(_))),
                "{other}"
            );
        }
        let long = " ".repeat(MAX_CANONICAL_BYTES + 1);
        assert_eq!(
            read(&long),
            Err(GenesisConfigError::TooLong { got: 65_537 })
        );
    }

    #[test]
    fn every_fault_of_block_mining_says_where_and_what_to_write() {
        for (keys, fault, advice) in [
            (
                r#""interval": 0"#,
                "block_mining.interval 0 is out of range",
                "seconds",
            ),
            (
                r#""interval": "10""#,
                "interval \"10\" is not a number",
                "seconds",
            ),
            (
                r#""min_bound": 0"#,
                "block_mining.min_bound 0 is out of range",
                "from 1",
            ),
            (
                r#""min_bound": 529"#,
                "529 transactions of 4096 bytes do not fit",
                "at most 528",
            ),
            (
                r#""min_bound": 101"#,
                "greater than max_bound",
                "add \"max_bound\": 101",
            ),
            (
                r#""max_bound": 9"#,
                "max_bound 9 is out of range",
                "from 10",
            ),
            (
                r#""difficulty": 9"#,
                "difficulty 9 is out of range",
                "from 0 to 8",
            ),
            (
                r#""allow_empty": 0"#,
                "allow_empty 0 is neither",
                "true or false",
            ),
            (
                r#""placeholder_data": ["rnd", 1025]"#,
                "1025 is out of range",
                "to 1024",
            ),
            (
                r#""placeholder_data": ["random", 1]"#,
                "is not a kind of placeholder",
                "rnd",
            ),
            (
                r#""placeholder_data": ["rnd"]"#,
                "with 1 elements is not a placeholder",
                "rnd",
            ),
            (
                r#""placeholder_data": "rnd""#,
                "is not a placeholder",
                "[\"rnd\", 15]",
            ),
            (
                r#""reward": 9007200"#,
                "exceeds 9007199254740991",
                "reward at most 9007199",
            ),
        ] {
            assert_fault(
                &with_miners(1, &format!(", \"block_mining\": {{{keys}}}")),
                fault,
                advice,
            );
        }
    }

    #[test]
    fn every_fault_of_an_account_says_where_and_what_to_write() {
        for (entry, fault, advice) in [
            (
                r#""balance": 1e7"#,
                "alloc balance 1e7 is not a whole number",
                "write 10000000",
            ),
            (
                r#""balance": -1"#,
                "alloc balance -1 is not a whole",
                "0 to 9007199254740991",
            ),
            (
                r#""balance": "5""#,
                "alloc balance \"5\" is not a number",
                "write 5",
            ),
            (
                r#""balance": 9007199254740992"#,
                "is out of range",
                "9007199254740991",
            ),
            (
                r#""nonce": 0.5"#,
                "alloc nonce 0.5 is not a whole number",
                "write",
            ),
            (
                r#""balanse": 5"#,
                "unknown key alloc.balanse",
                "did you mean \"balance\"?",
            ),
        ] {
            let alloc = format!(", \"alloc\": {{\"{}\": {{{entry}}}}}", miner(1));
            assert_fault(&with_miners(1, &alloc), fault, advice);
        }
        let (lower, upper) = ("ab".repeat(20), "AB".repeat(20));
        let twice = format!(", \"alloc\": {{\"{lower}\": {{}}, \"{upper}\": {{}}}}");
        assert_fault(
            &with_miners(1, &twice),
            "stands there twice",
            "same address",
        );
        let short = with_miners(1, ", \"alloc\": {\"12\": {}}");
        assert_fault(&short, "alloc: 12 is not an address", "40 hex digits");
        let twice = format!("{{\"network_id\":1,\"miners\":[\"{lower}\",\"{upper}\"]}}");
        assert_fault(&twice, "1:70: miners \"ABAB", "list each miner once");
    }

    #[test]
    fn every_other_fault_says_where_and_what_to_write() {
        for (miners, rest, fault, advice) in [
            (101, "", "is one too many", "at most 100"),
            (
                1,
                r#", "transaction": {"max_data_bytes": 65537}"#,
                "out of range",
                "0 to 65536",
            ),
            (
                1,
                r#", "transaction": {"max_data_bytes": 3, "placeholder_data": ["predef", "four"]}"#,
                "has 4 bytes",
                "at most 3 bytes",
            ),
            (
                1,
                r#", "genesis_block": {"coinbase": "me"}"#,
                "me is not an address",
                "40 hex",
            ),
            (
                1,
                r#", "consensus": {"slot_ms": 199}"#,
                "199 is out of range",
                "200 to 600000",
            ),
            (
                1,
                r#", "consensus": {"guard_ms": 1000}"#,
                "guard_ms 1000 is out",
                "to 999",
            ),
            (
                1,
                r#", "consensus": {"max_skew_ms": 1000}"#,
                "max_skew_ms 1000 is out",
                "to 999",
            ),
            (
                1,
                r#", "consensus": {"min_gap_ms": 501}"#,
                "min_gap_ms 501",
                "from 1 to 500",
            ),
            (
                4,
                r#", "consensus": {"quorum": 2}"#,
                "quorum 2 is out of range",
                "from 3 to 4",
            ),
            (
                4,
                r#", "consensus": {"quorum": 5}"#,
                "quorum 5 is out of range",
                "from 3 to 4",
            ),
            (
                1,
                r#", "blockmining": {}"#,
                "unknown key blockmining",
                "mean \"block_mining\"?",
            ),
        ] {
            assert_fault(&with_miners(miners, rest), fault, advice);
        }
        assert_fault(
            "{}",
            "1:1: the key \"network_id\" is missing",
            "add \"network_id\": 1",
        );
        assert_fault(
            "{\"network_id\": 1}",
            "the key \"miners\" is missing",
            "add",
        );
        let text = "\\u0001".repeat(20_000);
        let rest = format!(
            ", \"transaction\": {{\"max_data_bytes\": 65536, \"placeholder_data\": [\"predef\", \"{text}\"]}}"
        );
        let error = parse(&with_miners(1, &rest)).unwrap_err();
        assert!(
            matches!(error, GenesisConfigError::TooLong { .. }),
            "{error}"
        );
    }

    fn assert_fault(text: &str, fault: &str, advice: &str) {
        let error = parse(text).expect_err(text);
        assert!(error.to_string().starts_with("genesis.json:1:"), "{error}");
        assert!(
            error.to_string().contains(fault),
            "got {error}, not {fault}\n  {text}"
        );
        assert!(
            error.advice().contains(advice),
            "got {}, not {advice}\n  {text}",
            error.advice()
        );
    }

    #[test]
    fn limits_themselves_are_allowed() {
        config(100, "");
        let limits = r#", "block_mining": {"reward": 9007199, "min_bound": 528, "max_bound": 528},
            "genesis_block": {"coinbase_reward": 254740991},
            "consensus": {"slot_ms": 600000, "guard_ms": 299999, "max_skew_ms": 0,
                "min_gap_ms": 150000, "quorum": 2}"#;
        config(3, limits);
        let alloc = format!(", \"alloc\": {{\"{}\": {{\"balance\": 1}}}}", miner(1));
        assert!(parse(&with_miners(3, &format!("{limits}{alloc}"))).is_err());
    }

    #[test]
    fn the_fault_model_is_said_in_words() {
        let words = |miners, rest: &str| config(miners, rest).fault_model();
        assert_eq!(
            words(3, ""),
            "3 miners: blocks go on with 2 dead, finality with 1 dead; \
             survives 0 malicious (set quorum 3 for 2, then 0 dead)"
        );
        assert_eq!(
            words(1, ""),
            "1 miner: blocks go on with 0 dead, finality with 0 dead; survives 0 malicious"
        );
        assert_eq!(
            words(4, ""),
            "4 miners: blocks go on with 3 dead, finality with 1 dead; survives 1 malicious"
        );
        assert_eq!(
            words(5, r#", "consensus": {"quorum": 3}"#),
            "5 miners: blocks go on with 4 dead, finality with 2 dead; \
             survives 0 malicious (set quorum 4 for 2, then 1 dead)"
        );
    }
}
