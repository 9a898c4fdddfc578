//! The fuzz targets on the stable compiler: seeds that are made here, each whole, cut, and
//! with every bit of its beginning changed. `tests/fuzz` looks further.

#[path = "../fuzz/src/targets.rs"]
#[allow(unreachable_pub, reason = "the fuzz crate uses it too")]
mod targets;

use ccoin_core::{
    AccountNonce, Address, Amount, BlockId, Height, Timestamp,
    encoding::encode,
    message::{Heights, KINDS, Message, PeerAddress},
    transaction::{Payment, Transaction},
};
use ccoin_crypto::SecretKey;
use ccoin_storage::{VoteFile, VoteRecord};
use std::{fs, path::Path};

/// Bytes of a seed of which every bit is changed.
const CHANGED: usize = 256;

fn text(path: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn payment(key: &SecretKey) -> Transaction {
    let payment = Payment {
        number: AccountNonce::new(1).unwrap(),
        to: Address::ZERO,
        amount: Amount::new(5).unwrap(),
        data: "hello".into(),
        time: Timestamp::ZERO,
    };
    Transaction::sign(payment, key, &BlockId::ZERO).unwrap()
}

fn messages(key: &SecretKey) -> Vec<Message> {
    let heights = Heights {
        height: Height::GENESIS,
        final_number: Height::GENESIS,
    };
    let peer = PeerAddress {
        address: Address::ZERO,
        host: "node.example".into(),
        port: 4001,
    };
    vec![
        Message::AskHeights,
        Message::Heights(heights),
        Message::Keys(vec![key.public_key().clone()]),
        Message::Transactions(vec![payment(key)]),
        Message::Peers(vec![peer]),
        Message::Ping(Timestamp::ZERO),
    ]
}

/// Seeds of a target.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let key = SecretKey::generate(2048).unwrap();
    match target {
        "frames" => {
            let frames: Vec<u8> = messages(&key).iter().flat_map(Message::frame).collect();
            [0, 1]
                .map(|phase| [&[phase, 7], &frames[..]].concat())
                .into()
        }
        "message" => {
            let body = |message: &Message| {
                let kind = KINDS
                    .iter()
                    .position(|kind| kind.header == message.header());
                let frame = message.frame();
                [&[u8::try_from(kind.unwrap()).unwrap()], &frame[7..]].concat()
            };
            messages(&key).iter().map(body).collect()
        }
        "transaction" => vec![encode(&payment(&key))],
        "genesis" => vec![text("genesis.json")],
        "configuration" => vec![text("ccoin.json")],
        "key_file" => vec![key.to_pem(None).as_bytes().to_vec()],
        "vote_file" => {
            let place = tempfile::tempdir().unwrap();
            let path = place.path().join("votes");
            let record = VoteRecord::never_signed(BlockId::ZERO);
            drop(VoteFile::create_with(&path, record).unwrap());
            vec![fs::read(path).unwrap()]
        }
        "receipt" => ["tree", "account", "absent", "transaction"]
            .map(|name| text(&format!("tests/data/receipts/{name}.ccoin")))
            .into(),
        // Good ones of all keys with every part of one altered: two eights.
        "signatures" => vec![
            (0..16u8)
                .flat_map(|number| match number % 5 {
                    4 => [number, number / 5, number, 1],
                    _ => [number, 0, 0, 0],
                })
                .collect(),
        ],
        _ => Vec::new(),
    }
}

#[test]
fn no_seed_and_no_small_damage_to_one_breaks_a_reader() {
    for (name, run) in targets::TARGETS {
        let mut seeds = seeds(name);
        seeds.extend([Vec::new(), vec![0], vec![0xff; 64]]);
        for seed in seeds {
            run(&seed);
            let beginning = seed.len().min(CHANGED);
            for cut in (0..beginning).chain((beginning..seed.len()).step_by(97)) {
                run(&seed[..cut]);
            }
            let mut changed = seed.clone();
            for bit in 0..8 * beginning {
                changed[bit / 8] ^= 1 << (bit % 8);
                run(&changed);
                changed[bit / 8] ^= 1 << (bit % 8);
            }
        }
    }
}

/// `CCOIN_WRITE_SEEDS=DIR` writes them for the fuzzer: a directory for each target.
#[test]
fn seeds_are_written_for_the_fuzzer() {
    let Ok(dir) = std::env::var("CCOIN_WRITE_SEEDS") else {
        return;
    };
    for (name, _) in targets::TARGETS {
        let dir = Path::new(&dir).join(name);
        fs::create_dir_all(&dir).unwrap();
        for (index, seed) in seeds(name).iter().enumerate() {
            fs::write(dir.join(format!("seed-{index}")), seed).unwrap();
        }
    }
}
