//! What each fuzz target does with bytes: it reads them as a node does, and checks what must
//! hold of all that was read. A panic is a finding. `tests/it/fuzz_seeds.rs` replays seeds on
//! the stable compiler.

use ccoin_core::{
    BlockId,
    block::Block,
    encoding::encode,
    genesis::Genesis,
    message::{KINDS, Message, frame},
    receipt::Receipt,
    transaction::{Transaction, VerifiedTransaction},
};
use ccoin_crypto::{Claim, Hash, Lanes, PublicKey, SecretKey, Signature, Verifier, sha256};
use ccoin_home::{Config, GenesisDocument};
use ccoin_p2p::{Decoder, Step};
use ccoin_storage::VoteFile;
use std::{cell::RefCell, fs, path::PathBuf};

/// Bytes of text in a transaction that the targets allow.
const MAX_DATA: usize = 4_096;

thread_local! {
    static VERIFIER: RefCell<Verifier> = RefCell::new(Verifier::new(16));
}

/// Name and function.
type Target = (&'static str, fn(&[u8]));

/// Every target but `http_body` and the stateful one.
pub const TARGETS: [Target; 10] = [
    ("frames", frames),
    ("message", message),
    ("transaction", transaction),
    ("block", block),
    ("genesis", genesis),
    ("configuration", configuration),
    ("key_file", key_file),
    ("vote_file", vote_file),
    ("receipt", receipt),
    ("signatures", signatures),
];

/// The frame reader: however a stream is cut, it gives the same frames, and each of them is
/// written as it was read. The first two bytes choose the phase and the cut.
pub fn frames(bytes: &[u8]) {
    let [phase, cut, stream @ ..] = bytes else {
        return;
    };
    let whole = read(stream, stream.len().max(1), *phase);
    let pieces = read(stream, usize::from(*cut).max(1), *phase);
    assert_eq!(whole, pieces);
    let mut rest = stream;
    for bytes in whole {
        assert!(rest.starts_with(&bytes));
        rest = &rest[bytes.len()..];
    }
}

/// The frames of a stream up to the first skipped or wrong one.
fn read(mut stream: &[u8], cut: usize, phase: u8) -> Vec<Vec<u8>> {
    let mut decoder = Decoder::new();
    if phase & 1 == 1 {
        decoder.allow_all();
    }
    let mut frames = Vec::new();
    while !stream.is_empty() {
        let (mut piece, later) = stream.split_at(cut.min(stream.len()));
        stream = later;
        loop {
            match decoder.take(&mut piece) {
                Ok(Some(Step::Whole(whole))) => frames.push(frame(whole.header, &whole.body)),
                Ok(Some(Step::Announced { .. })) => {}
                Ok(None) => break,
                Ok(Some(Step::Skipped(_))) | Err(_) => return frames,
            }
        }
    }
    frames
}

/// Every message: what is read is written as it was read. The first byte chooses the kind.
pub fn message(bytes: &[u8]) {
    let Some((kind, body)) = bytes.split_first() else {
        return;
    };
    let header = KINDS[usize::from(*kind) % KINDS.len()].header;
    if let Ok(message) = Message::decode(header, body) {
        assert_eq!(message.header(), header);
        assert_eq!(message.frame(), frame(header, body));
    }
}

/// A transaction: one spelling, and a check that ends.
pub fn transaction(bytes: &[u8]) {
    let Ok(txn) = Transaction::decode(bytes, MAX_DATA) else {
        return;
    };
    assert_eq!(encode(&txn), bytes);
    VERIFIER.with_borrow_mut(|verifier| {
        let _ = VerifiedTransaction::verify(txn, &BlockId::ZERO, MAX_DATA, verifier);
    });
}

/// A block: one spelling, and a header that can be read alone.
pub fn block(bytes: &[u8]) {
    let peeked = Block::peek(bytes);
    if let Ok(block) = Block::decode(bytes) {
        assert_eq!(encode(&block), bytes);
        assert_eq!(peeked.as_ref(), Some(&block.signed));
        let _ = block.signed.id(&BlockId::ZERO);
    }
}

/// Block 1 and the file that it is made from.
pub fn genesis(bytes: &[u8]) {
    if let Ok(genesis) = Genesis::decode(bytes) {
        let _ = genesis.applied();
    }
    if let Ok(text) = str::from_utf8(bytes) {
        let _ = GenesisDocument::parse(text, "genesis.json");
        let _ = GenesisDocument::parse_draft(text, "genesis.json");
    }
}

/// The settings of a node.
pub fn configuration(bytes: &[u8]) {
    if let Ok(text) = str::from_utf8(bytes) {
        let variable = |name: &str| (name == "HOME").then(|| "/home/somebody".to_owned());
        let _ = Config::parse(text, "ccoin.json", &variable);
    }
}

/// A key as it stands on disk.
pub fn key_file(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    if let Ok(key) = SecretKey::from_pem(text, None) {
        let _ = key.public_key().address();
    }
}

/// A vote file as it stands on disk.
pub fn vote_file(bytes: &[u8]) {
    thread_local! {
        static PLACE: PathBuf = {
            let shared = PathBuf::from("/dev/shm");
            let dir = if shared.is_dir() { shared } else { std::env::temp_dir() };
            dir.join(format!("ccoin-fuzz-votes-{}", std::process::id()))
        };
    }
    PLACE.with(|path| {
        fs::write(path, bytes).expect("a file for the bytes");
        if let Ok(file) = VoteFile::open(path) {
            let _ = file.record(&BlockId::ZERO);
        }
        let _ = fs::remove_file(path);
    });
}

/// A receipt: what is read is written as JSON that is read again, and the check ends.
pub fn receipt(bytes: &[u8]) {
    let Ok(receipt) = Receipt::parse(bytes) else {
        return;
    };
    let text = receipt.to_json().to_string();
    let again = Receipt::parse(text.as_bytes()).expect("our own spelling");
    assert_eq!(again.to_json(), receipt.to_json());
    if let Some(genesis) = receipt.claimed_genesis() {
        VERIFIER.with_borrow_mut(|verifier| {
            let _ = receipt.verify(&genesis, None, verifier);
        });
    }
}

/// A key, a message, and a signature that may be the key's.
type Claimed = (PublicKey, Hash, Signature);

/// Signatures that are judged together, in lanes where the processor has them: each verdict is
/// the one that the signature gets alone. Four bytes make a claim: a good one, what is altered
/// in it, where, and how.
pub fn signatures(bytes: &[u8]) {
    thread_local! {
        static GOOD: Vec<Claimed> = good_claims();
        static TOGETHER: RefCell<Verifier> = RefCell::new(Verifier::with_lanes(4, Lanes::detect()));
    }
    let claimed: Vec<_> = GOOD.with(|good| {
        let (quadruples, _) = bytes.as_chunks::<4>();
        quadruples
            .iter()
            .take(64)
            .map(|how| altered(good, *how))
            .collect()
    });
    let claims: Vec<_> = claimed
        .iter()
        .map(|(key, message, signature)| Claim {
            key,
            message: *message,
            signature,
        })
        .collect();
    let together = TOGETHER.with_borrow_mut(|verifier| {
        let verdicts = verifier.verify_many(&claims);
        assert_eq!(verifier.lane_fault(), None);
        verdicts
    });
    VERIFIER.with_borrow_mut(|verifier| {
        for (claim, together) in claims.iter().zip(together) {
            let alone = verifier.verify(claim.key, &claim.message, claim.signature);
            assert_eq!(together, alone, "{claim:?}");
        }
    });
}

fn good_claims() -> Vec<Claimed> {
    let sign = |number: u8| {
        let key = SecretKey::generate(2048).expect("randomness");
        let message = sha256(&[&[number]]);
        let signature = key.sign(&message).expect("a fresh key signs");
        (key.public_key().clone(), message, signature)
    };
    (0..3).map(sign).collect()
}

fn altered(good: &[Claimed], [which, part, at, mask]: [u8; 4]) -> Claimed {
    let (mut key, mut message, mut signature) = good[usize::from(which) % good.len()].clone();
    let at = usize::from(at);
    match part % 4 {
        0 => {}
        1 => {
            let mut bytes = signature.as_bytes().to_vec();
            bytes[at] ^= mask;
            signature = Signature::new(&bytes).expect("no longer than before");
        }
        2 => {
            let mut bytes = *message.as_bytes();
            bytes[at % bytes.len()] ^= mask;
            message = Hash::new(bytes);
        }
        _ => {
            let mut der = key.as_der().to_vec();
            // The modulus begins behind 33 bytes.
            der[33 + at] ^= mask;
            key = PublicKey::from_der(&der).unwrap_or(key);
        }
    }
    (key, message, signature)
}
