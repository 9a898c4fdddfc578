//! Digests of everything that is stored, hashed or signed, the same in every run. A red
//! line here means that nodes of two versions no longer understand each other, or that a
//! node no longer reads what the version before wrote.

use ccoin_core::{
    BlockId, PowNonce,
    block::Block,
    encoding::encode,
    genesis::UnminedGenesis,
    genesis_config::GenesisDocument,
    message::{acknowledgement_digest, okay_digest},
    pow::Midstate,
    transaction::Transaction,
};
use ccoin_crypto::sha256;

use super::samples::{block, hello, peer, public_key, time, transaction};

const NETWORK: BlockId = BlockId::new([0x77; 32]);

/// Mined at difficulty 1 from a configuration in which every key is set.
fn genesis() -> Vec<u8> {
    let text = r#"{"network_id": 3, "miners": ["1111111111111111111111111111111111111111"],
        "block_mining": {"interval": 2.5, "min_bound": 3, "max_bound": 100, "reward": 10,
            "difficulty": 1, "allow_empty": true, "placeholder_data": ["rnd", 5]},
        "transaction": {"max_data_bytes": 512, "placeholder_data": ["predef", "x"]},
        "max_peers": 8,
        "genesis_block": {"coinbase": "2222222222222222222222222222222222222222",
            "coinbase_reward": 7, "difficulty": 1},
        "alloc": {"3333333333333333333333333333333333333333": {"balance": 5, "nonce": 2}},
        "consensus": {"slot_ms": 1000, "guard_ms": 100, "max_skew_ms": 200, "min_gap_ms": 50,
            "quorum": 1}}"#;
    let document = GenesisDocument::parse(text, "golden").unwrap();
    let unmined = UnminedGenesis::new(&document, time(1_700_000_000_000)).unwrap();
    let midstate = Midstate::new(&unmined.mining_hash());
    let nonce = midstate.search(unmined.difficulty(), PowNonce::ZERO, 10_000);
    unmined.seal(nonce.unwrap()).unwrap().encode()
}

#[test]
fn every_stored_hashed_or_signed_value_has_its_golden_bytes() {
    let (txn, block, hello) = (transaction(), block(), hello());
    let header = &block.signed.header;
    let values = [
        ("transaction", encode(&txn)),
        ("transaction id", txn.id(&NETWORK).as_bytes().to_vec()),
        ("header", encode(header)),
        ("signed header", encode(&block.signed)),
        (
            "mining hash",
            header.mining_hash(&NETWORK).as_bytes().to_vec(),
        ),
        ("block id", block.signed.id(&NETWORK).as_bytes().to_vec()),
        ("block", encode(&block)),
        ("genesis block", genesis()),
        (
            "HEY to sign, first",
            acknowledgement_digest(&sha256(&[b"channel"]), &hello, &hello)
                .as_bytes()
                .to_vec(),
        ),
        (
            "HEY to sign, second",
            okay_digest(&sha256(&[b"channel"]), &hello, &hello)
                .as_bytes()
                .to_vec(),
        ),
        (
            "file keys",
            encode(&vec![public_key(0xc5), public_key(0xd3)]),
        ),
        ("file peers", encode(&vec![peer(0), peer(1)])),
    ];
    let line = |(name, bytes): &(&str, Vec<u8>)| {
        let digest = sha256(&[bytes]).to_string();
        format!("{name}: {} {}", bytes.len(), &digest[..32])
    };
    let found: Vec<String> = values.iter().map(line).collect();
    assert_eq!(found, GOLDEN, "found:\n{}", found.join("\n"));
    // What has these bytes is also what is read.
    let read = Transaction::decode(&values[0].1, 512).unwrap();
    assert_eq!((read, Block::decode(&values[6].1).unwrap()), (txn, block));
}

const GOLDEN: [&str; 12] = [
    "transaction: 592 7a9d138a350a1ee702ca153a6fdb362c",
    "transaction id: 32 75b9f429203dcebbe2949ff457de5821",
    "header: 140 f16a3e968c1bdd6abb1710944dcacc0f",
    "signed header: 400 684643f7dbe84360227ea003abc3f578",
    "mining hash: 32 8afa61b7e55037cea1d91206b1180fd9",
    "block id: 32 0c2a2d17f2d9a46065e8b405b85a084f",
    "block: 994 ee48b25f5a51dcb200e91a9b6a065f59",
    "genesis block: 663 f95dee27a6595e20044aecf24c021dea",
    "HEY to sign, first: 32 7fd664d2d6e70e5efcca906bc0b2c75e",
    "HEY to sign, second: 32 4f9a1d5f138c1803c15d05302ecc3ad0",
    "file keys: 595 e9ab641ddd615b67ad3ae69b859c0fd4",
    "file peers: 75 3a91fe87ad8f9b94e466ea059efa6b73",
];
