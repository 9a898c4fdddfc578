//! Every golden case of the independent reading of the rules, judged by this one.
//!
//! A kind or a field that no check here looks at fails the test; where the two
//! readings differ, the specification decides.

mod chain;
mod trees;

use base64::{Engine, engine::general_purpose::STANDARD};
use ccoin_core::{
    Address, BlockId, Height, PowNonce, Timestamp, TxId,
    block::{Header, SignedHeader, block_id},
    chain::Chain,
    encoding::encode,
    genesis::Genesis,
    genesis_config::{BlockMining, GenesisConfig, GenesisDocument},
    pow::Midstate,
    rules::{ParentContext, is_due},
    transaction::Transaction,
};
use ccoin_crypto::{PublicKey, Signature, Verifier, sha256};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};

#[derive(Deserialize)]
struct Case {
    kind: String,
    name: String,
    input: Value,
    expected: Value,
}

fn get<T: DeserializeOwned>(object: &Value, field: &str) -> T {
    serde_json::from_value(object[field].clone()).unwrap_or_else(|error| panic!("{field}: {error}"))
}

fn raw(object: &Value, field: &str) -> Vec<u8> {
    STANDARD.decode(get::<String>(object, field)).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A case may refer to these: the keys by name, and the chain that block 6 continues.
struct World {
    keys: BTreeMap<String, PublicKey>,
    chain: Option<(Arc<Genesis>, Chain, Vec<PublicKey>)>,
    verifier: Verifier,
}

#[test]
fn every_vector_agrees() {
    let cases: Vec<Case> =
        serde_json::from_str(include_str!("../../../../../tests/oracle/vectors.json")).unwrap();
    let valid = cases
        .iter()
        .filter(|case| case.kind == "key" && case.expected["valid"] == true);
    let parse = |case: &Case| {
        (
            case.name.clone(),
            PublicKey::from_der(&raw(&case.input, "der")).unwrap(),
        )
    };
    let mut world = World {
        keys: valid.map(parse).collect(),
        chain: None,
        verifier: Verifier::new(16),
    };
    world.chain = cases
        .iter()
        .find(|case| case.kind == "chain")
        .map(|case| chain::chain(case, &mut world.verifier));
    let mut counts = BTreeMap::<&str, usize>::new();
    for case in &cases {
        let (input, expected) = (&case.input, &case.expected);
        match case.kind.as_str() {
            "encoding" => encoding(input, expected),
            "key" => public_key(input, expected),
            "transaction" => transaction(input, expected, &world),
            "transaction_bytes" => {
                let decoded = Transaction::decode(&raw(input, "bytes"), 4_096).is_ok();
                assert_eq!(decoded, expected["valid"], "{}", case.name);
            }
            "header" => header(input, expected),
            "merkle" => trees::merkle_tree(input, expected),
            "state" => trees::state(input, expected),
            "state_proof" => trees::state_proof(input, expected),
            "signature" => signature(input, expected, &mut world, &case.name),
            "batch" => batch(input, expected),
            "genesis_config" => {
                let document =
                    GenesisDocument::parse(&get::<String>(input, "text"), "vector").unwrap();
                let data: String = get(expected, "data");
                assert_eq!(document.config.canonical_json(), data);
                assert_eq!(
                    GenesisConfig::from_canonical_json(&data).as_ref(),
                    Ok(&document.config)
                );
            }
            "chain" => {}
            "block_6" => assert_eq!(
                chain::block_6(input, &mut world),
                expected["verdict"],
                "{}",
                case.name
            ),
            other => panic!("no check for kind {other}"),
        }
        *counts.entry(&case.kind).or_default() += 1;
    }
    println!("{counts:?}");
    assert_eq!(counts.len(), 13, "a kind is missing: {counts:?}");
}

fn encoding(input: &Value, expected: &Value) {
    let times = input["times"].as_u64().unwrap_or(0) as usize;
    let bytes = if let Some(text) = input["int"].as_str() {
        encode(&text.parse::<u64>().unwrap())
    } else if let Some(text) = input["str"].as_str() {
        encode(&text.repeat(times))
    } else if input["bin"] == "ff" {
        encode(serde_bytes::Bytes::new(&vec![0xff; times]))
    } else {
        encode(&vec![get::<u64>(input, "array_of"); times])
    };
    assert_eq!(bytes.len(), get::<usize>(expected, "length"), "{input}");
    assert_eq!(hex(&bytes[..bytes.len().min(12)]), expected["head"]);
    assert_eq!(sha256(&[&bytes]), get(expected, "sha256"));
}

fn public_key(input: &Value, expected: &Value) {
    let parsed = PublicKey::from_der(&raw(input, "der"));
    assert_eq!(parsed.is_ok(), get::<bool>(expected, "valid"));
    if let Ok(key) = parsed {
        assert_eq!(key.bits(), get::<usize>(expected, "bits"));
        assert_eq!(key.address(), get(expected, "address"));
    }
}

fn transaction(input: &Value, expected: &Value, world: &World) {
    let txn = Transaction {
        number: get(input, "number"),
        from: world.keys[&get::<String>(input, "from")].clone(),
        to: get(input, "to"),
        amount: get(input, "amount"),
        data: get(input, "data"),
        time: get(input, "time"),
        signature: Signature::new(&raw(input, "signature")).unwrap(),
    };
    let bytes = encode(&txn);
    assert_eq!(sha256(&[&bytes]), get(expected, "encoding_sha256"));
    assert_eq!(
        txn.id(&get(input, "genesis_id")),
        get::<TxId>(expected, "id")
    );
    if let Some(whole) = expected["encoding"].as_str() {
        assert_eq!(hex(&bytes), whole);
    }
    assert_eq!(Transaction::decode(&bytes, txn.data.len()), Ok(txn));
}

fn header(input: &Value, expected: &Value) {
    let header = Header {
        version: get(input, "version"),
        number: get(input, "number"),
        hash_parent: get(input, "hash_parent"),
        hash_state: get(input, "hash_state"),
        hash_txns: get(input, "hash_txns"),
        coinbase: get(input, "coinbase"),
        time: get(input, "time"),
        reward: get(input, "reward"),
        difficulty: get(input, "difficulty"),
        data: get(input, "data"),
    };
    assert_eq!(hex(&encode(&header)), expected["encoding"]);
    let genesis: Option<BlockId> = get(input, "genesis_id");
    let hash = genesis.map_or_else(
        || header.genesis_mining_hash(),
        |id| header.mining_hash(&id),
    );
    assert_eq!(hash, get(expected, "mining_hash"));
    for (nonce, id) in get::<Vec<(PowNonce, BlockId)>>(expected, "ids") {
        assert_eq!(block_id(&hash, nonce), id);
        let signed = SignedHeader {
            header: header.clone(),
            nonce,
            signature: Signature::empty(),
        };
        assert!(genesis.is_none_or(|genesis| signed.id(&genesis) == id));
    }
    let first = Midstate::new(&hash).search(3, PowNonce::ZERO, 1 << 20);
    assert_eq!(first, Some(get(expected, "first_nonce_with_3_zeros")));
}

fn signature(input: &Value, expected: &Value, world: &mut World, name: &str) {
    let key = &world.keys[&get::<String>(input, "key")];
    let valid = Signature::new(&raw(input, "signature"))
        .and_then(|signature| {
            world
                .verifier
                .verify(key, &get(input, "message"), &signature)
        })
        .is_ok();
    assert_eq!(valid, expected["valid"], "{name}");
}

fn batch(input: &Value, expected: &Value) {
    let least = GenesisDocument::parse(
        r#"{"network_id": 1, "miners": ["0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f"]}"#,
        "",
    );
    let mining = BlockMining {
        interval_ms: get(input, "interval_ms"),
        min_bound: get(input, "min_bound"),
        allow_empty: get(input, "allow_empty"),
        ..least.unwrap().config.block_mining
    };
    let ancestors: Vec<(Height, Timestamp, Address)> = get(input, "ancestors");
    let parent = ancestors.last().unwrap();
    let rows: Vec<(Timestamp, Address, usize, bool)> = get(expected, "time_signer_count_allowed");
    assert!(!rows.is_empty());
    for (time, signer, count, allowed) in rows {
        let mine = |(number, _, coinbase): &&(Height, _, Address)| {
            *number > Height::GENESIS && *coinbase == signer
        };
        let last_by_signer = ancestors.iter().rev().find(mine).map(|ancestor| ancestor.1);
        let context = ParentContext {
            number: parent.0,
            time: parent.1,
            last_by_signer,
        };
        assert_eq!(
            is_due(&mining, &context, time, count),
            allowed,
            "{time} {signer} {count}"
        );
    }
}
