//! Files that load, and every fault of one with its place and the remedy.

use super::*;
use crate::Failure;

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

fn parse(text: &str) -> Result<GenesisDocument, JsoncError> {
    GenesisDocument::parse(text, "genesis.json")
}

fn config(count: usize, rest: &str) -> GenesisConfig {
    parse(&with_miners(count, rest)).unwrap().config
}

#[test]
fn the_example_with_its_comments_lacks_only_the_miners() {
    let error = parse(EXAMPLE).unwrap_err();
    let JsoncError { line, column, .. } = &error;
    let list = EXAMPLE.lines().nth(line - 1).unwrap();
    assert!(list[column - 1..].starts_with("[]"), "{list}");
    let failure = Failure::from(error.clone());
    assert!(failure.hints[0].starts_with("create-account --update-genesis genesis.json"));

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
            "genesis.json:17:53: alloc bb00000000000000000000000000000000000002 \
          has nonce 0 and balance 0: dropped"
        ]
    );
}

/// The golden cases of the independent reading of the rules.
#[test]
fn every_vector_gives_the_data_of_block_1() {
    let cases: Vec<serde_json::Value> =
        serde_json::from_str(include_str!("../../../../tests/oracle/vectors.json")).unwrap();
    let mut seen = 0;
    for case in cases {
        let (text, data) = match case["kind"].as_str() {
            Some("genesis_config") => (
                case["input"]["text"].as_str().unwrap().to_owned(),
                &case["expected"]["data"],
            ),
            Some("chain") => (
                case["input"]["config"].to_string(),
                &case["expected"]["genesis_data"],
            ),
            _ => continue,
        };
        let config = parse(&text).unwrap().config;
        assert_eq!(config.canonical_json(), data.as_str().unwrap());
        seen += 1;
    }
    assert!(seen > 4, "{seen}");
}

#[test]
fn a_supply_that_is_too_large_is_told_at_the_largest_account() {
    let text = with_miners(
        1,
        &format!(
            ",\n\"alloc\": {{\"{}\": {{\"balance\": 5}},\n \"{}\": {{\"balance\": 9007199254740000}}}}",
            miner(8),
            miner(9)
        ),
    );
    let error = parse(&text).unwrap_err();
    let place = format!(
        "genesis.json:3:58: alloc.{}.balance 9007199254740000 is too much",
        miner(9)
    );
    assert!(error.to_string().starts_with(&place), "{error}");
    assert!(error.to_string().contains("exceeds 9007199254740991"));
}

#[test]
fn a_configuration_is_no_genesis_file() {
    let text = include_str!("../../../../ccoin.json");
    let failure = Failure::from(parse(text).unwrap_err());
    assert!(
        failure.message.contains("app stands in the configuration"),
        "{failure}"
    );
    assert!(
        failure.hints[0].contains("genesis.json"),
        "{:?}",
        failure.hints
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
            "max_bound is left out, and its default is out of range",
            "add it: write a whole number from 101",
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
            "fills 1025 bytes",
            "at most 1024",
        ),
        (
            r#""placeholder_data": ["random", 1]"#,
            "a list is not a placeholder",
            "rnd",
        ),
        (
            r#""placeholder_data": ["rnd"]"#,
            "a list is not a placeholder",
            "rnd",
        ),
        (
            r#""placeholder_data": "rnd""#,
            "\"rnd\" is not a placeholder",
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
            "unknown key alloc balanse",
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
        "stands here again",
        "keep one of them",
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
            "fills 4 bytes",
            "at most 3 bytes",
        ),
        (
            1,
            r#", "genesis_block": {"coinbase": "me"}"#,
            "\"me\" is not an address",
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
        "add \"network_id\"",
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
        error.fault.contains("bytes of block 1, at most 65536 fit"),
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
        Failure::from(error.clone()).hints[0].contains(advice),
        "got {}, not {advice}\n  {text}",
        Failure::from(error.clone()).hints[0]
    );
}
