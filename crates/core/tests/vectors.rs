//! Every golden case of the independent reading of the rules, judged by this one.
//!
//! A kind or a field that nobody here looks at fails the test; where the two
//! readings differ, the specification decides.

use base64::{Engine, engine::general_purpose::STANDARD};
use ccoin_core::{
    AccountNonce, Address, Amount, BlockId, Height, PowNonce, Timestamp, TxId,
    block::{Block, Header, SealedBlock, SignedHeader, block_id},
    chain::Chain,
    encoding::encode,
    genesis::Genesis,
    genesis_config::{BlockMining, GenesisConfig, GenesisDocument},
    ledger::{Account, ApplyError, State},
    pow::Midstate,
    rules::{Applied, BlockError, Place, check_header, check_place, execute, is_due},
    transaction::{Transaction, TransactionError, VerifiedTransaction},
};
use ccoin_crypto::{Hash, PublicKey, Signature, StateTree, Verifier, merkle, sha256};
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

/// What a case may refer to: the keys by name, and the chain that block 6 continues.
struct World {
    keys: BTreeMap<String, PublicKey>,
    chain: Option<(Arc<Genesis>, Chain, Vec<PublicKey>)>,
    verifier: Verifier,
}

#[test]
fn every_vector_agrees() {
    let cases: Vec<Case> =
        serde_json::from_str(include_str!("../../../tests/oracle/vectors.json")).unwrap();
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
        .map(|case| chain(case, &mut world.verifier));
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
            "merkle" => merkle_tree(input, expected),
            "state" => state(input, expected),
            "state_proof" => state_proof(input, expected),
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
                block_6(input, &mut world),
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

fn merkle_tree(input: &Value, expected: &Value) {
    let ids: Vec<Hash> = get(input, "ids");
    let root: Hash = get(expected, "root");
    assert_eq!(merkle::root(&ids), root);
    let paths: Option<Value> = expected.get("paths").cloned();
    for (index, path) in paths.iter().flat_map(|p| p.as_array().unwrap()).enumerate() {
        let path: Vec<Hash> = serde_json::from_value(path.clone()).unwrap();
        assert_eq!(merkle::path(&ids, index), path);
        assert!(merkle::verify_path(
            &ids[index],
            index as u64,
            ids.len() as u64,
            &path,
            &root
        ));
    }
}

type Line = (Address, AccountNonce, Amount);

fn change(&(address, nonce, balance): &Line) -> (Address, [u8; 16]) {
    (address, Account { nonce, balance }.to_value())
}

fn tree(input: &Value) -> StateTree {
    StateTree::from_values(get::<Vec<Line>>(input, "accounts").iter().map(change))
}

fn state(input: &Value, expected: &Value) {
    let tree = tree(input);
    assert_eq!(tree.root(), get(expected, "root"));
    let then: Option<Vec<Line>> = get(input, "then");
    assert_eq!(then.is_some(), expected.get("root_after").is_some());
    if let Some(then) = then {
        let changes: Vec<_> = then.iter().map(change).collect();
        assert_eq!(tree.update(&changes).root(), get(expected, "root_after"));
    }
}

fn state_proof(input: &Value, expected: &Value) {
    let (tree, address) = (tree(input), get::<Address>(input, "address"));
    let proof = tree.prove(&address);
    assert_eq!(tree.root(), get(expected, "root"));
    assert_eq!(proof.siblings, get::<Vec<Hash>>(expected, "siblings"));
    assert_eq!(
        proof.end,
        get::<Option<Line>>(expected, "end").as_ref().map(change)
    );
    assert_eq!(proof.verify(&tree.root(), &address), Ok(tree.get(&address)));
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
        let place = Place {
            parent_number: parent.0,
            parent_time: parent.1,
            last_by_signer,
        };
        assert_eq!(
            is_due(&mining, &place, time, count),
            allowed,
            "{time} {signer} {count}"
        );
    }
}

/// Replays the recorded chain through decoding, rules, ledger and chain.
fn chain(case: &Case, verifier: &mut Verifier) -> (Arc<Genesis>, Chain, Vec<PublicKey>) {
    let (input, expected) = (&case.input, &case.expected);
    let bytes = raw(input, "genesis");
    let genesis = Arc::new(Genesis::decode(&bytes).unwrap());
    assert_eq!(genesis.encode(), bytes);
    assert_eq!(genesis.id, get(expected, "genesis_id"));
    assert_eq!(genesis.signed().header.data, expected["genesis_data"]);
    let config = GenesisDocument::parse(&input["config"].to_string(), "vector")
        .unwrap()
        .config;
    assert_eq!(config.canonical_json(), genesis.signed().header.data);
    let keys: Vec<PublicKey> = get::<Vec<String>>(input, "miner_keys")
        .iter()
        .map(|text| PublicKey::from_der(&STANDARD.decode(text).unwrap()).unwrap())
        .collect();
    let mut chain = Chain::new(Arc::new(genesis.applied()), None, &genesis);
    let (mut ids, mut roots) = (vec![genesis.id], vec![genesis.state.root()]);
    for text in get::<Vec<String>>(input, "blocks") {
        let bytes = STANDARD.decode(text).unwrap();
        let applied = judge(&bytes, &genesis, &chain, &keys, verifier).unwrap();
        assert_eq!(applied.block.encode(), bytes);
        for ((offset, length), txn) in applied
            .block
            .transaction_ranges()
            .zip(&applied.block.transactions)
        {
            assert_eq!(bytes[offset as usize..][..length as usize], encode(txn));
        }
        ids.push(applied.block.id);
        roots.push(applied.state.root());
        assert!(chain.insert(Arc::new(applied), true).is_some());
    }
    assert_eq!(ids, get::<Vec<BlockId>>(expected, "ids"));
    assert_eq!(
        serde_json::to_value(roots).unwrap(),
        expected["state_roots"]
    );
    let end = get::<Vec<Line>>(expected, "state");
    let end = State::from_accounts(
        end.into_iter()
            .map(|(a, nonce, balance)| (a, Account { nonce, balance })),
    );
    assert_eq!(
        chain.head().state.values().collect::<Vec<_>>(),
        end.values().collect::<Vec<_>>()
    );
    (genesis, chain, keys)
}

/// All rules in their order, as the node applies them.
fn judge(
    bytes: &[u8],
    genesis: &Genesis,
    chain: &Chain,
    keys: &[PublicKey],
    verifier: &mut Verifier,
) -> Result<Applied, BlockError> {
    let block = Block::decode(bytes).unwrap();
    let header = &block.signed.header;
    let key = keys
        .iter()
        .find(|key| key.address() == header.coinbase)
        .unwrap_or(&keys[0]);
    check_header(&block.signed, genesis, key, verifier)?;
    let place = chain
        .place(&header.hash_parent, &header.coinbase)
        .ok_or(BlockError::Parent(header.hash_parent))?;
    check_place(header, block.transactions.len(), &place, genesis)?;
    let max_data = genesis.config.transaction.max_data_bytes as usize;
    let verdict = |(index, txn): (usize, &Transaction)| {
        let verified = VerifiedTransaction::verify(txn.clone(), &genesis.id, max_data, verifier);
        verified
            .err()
            .map(|source| BlockError::Transaction { index, source })
    };
    let forged = block.transactions.iter().enumerate().find_map(verdict);
    let parent = &chain.get(&header.hash_parent).unwrap().state;
    let result = execute(
        SealedBlock::already_verified(block, &genesis.id),
        parent,
        genesis,
    );
    match (forged, result) {
        (Some(_), Err(error @ BlockError::TxnsHash { .. })) => Err(error),
        (Some(forged), _) => Err(forged),
        (None, result) => result,
    }
}

fn block_6(input: &Value, world: &mut World) -> &'static str {
    let (genesis, chain, keys) = world.chain.as_ref().expect("the chain comes first");
    match judge(
        &raw(input, "block"),
        genesis,
        chain,
        keys,
        &mut world.verifier,
    ) {
        Ok(_) => "valid",
        Err(BlockError::Data { .. }) => "size",
        Err(BlockError::Version { .. }) => "version",
        Err(BlockError::Difficulty { .. }) => "difficulty",
        Err(BlockError::Reward { .. }) => "reward",
        Err(BlockError::Turn { .. }) => "turn",
        Err(BlockError::Pow { .. }) => "pow",
        Err(BlockError::Signature { .. }) => "signature",
        Err(BlockError::Parent(_)) => "parent",
        Err(BlockError::Number { .. }) => "number",
        Err(BlockError::TooEarly { .. }) => "gap",
        Err(BlockError::TooMany { .. }) => "max_bound",
        Err(BlockError::NotDue { .. }) => "batch",
        Err(BlockError::TxnsHash { .. }) => "hash_txns",
        Err(BlockError::Transaction {
            source: TransactionError::Data { .. },
            ..
        }) => "txn_size",
        Err(BlockError::Transaction {
            source: TransactionError::Signature { .. },
            ..
        }) => "txn_signature",
        Err(BlockError::Apply {
            source: ApplyError::Number { .. },
            ..
        }) => "txn_number",
        Err(BlockError::Apply {
            source: ApplyError::Funds { .. },
            ..
        }) => "txn_funds",
        Err(BlockError::StateHash { .. }) => "hash_state",
        Err(error) => panic!("no name for {error}"),
    }
}
