//! Steps 2 and 3: block 1 and the headers.

use super::{super::ledger::Ledger, Case, Change, case, with};
use ccoin_core::{
    BlockId, PowNonce, StateHash,
    block::{Header, SignedHeader, block_id},
    encoding::encode,
    pow::meets,
};
use ccoin_crypto::Signature;
use ccoin_sim::{at, key, miner, seal};

pub(super) fn genesis(ledger: &Ledger) -> Vec<Case> {
    let (file, good) = ("transaction.ccoin", ledger.txn(2, 2));
    let signed = ledger.genesis.signed();
    let mut with_signature = signed.clone();
    with_signature.signature = Signature::new(&[1]).unwrap();
    let mut other = signed.clone();
    other.header.time = at(1);
    let mut long = good.genesis.clone();
    // version as uint8 instead of fixint
    long.splice(1..2, [0xcc, 1]);
    vec![
        case(
            2,
            "another genesis id",
            file,
            Change::Genesis(BlockId::new([7; 32])),
        ),
        case(
            2,
            "another block 1",
            file,
            with(&good, |r| r.genesis = encode(&other)),
        ),
        case(
            2,
            "block 1 with a signature",
            file,
            with(&good, |r| r.genesis = encode(&with_signature)),
        ),
        case(
            2,
            "a second spelling of block 1",
            file,
            with(&good, |r| r.genesis = long),
        ),
        case(
            2,
            "nothing as block 1",
            file,
            with(&good, |r| r.genesis.clear()),
        ),
    ]
}

/// The first header of a receipt altered by `change`, mined and signed by miner `signer`.
fn sealed(ledger: &Ledger, signer: usize, change: impl FnOnce(&mut Header)) -> SignedHeader {
    let mut header = ledger.signed(2).header;
    change(&mut header);
    seal(&ledger.genesis, header, Some(key(signer)), Vec::new()).signed
}

pub(super) fn headers(ledger: &Ledger) -> Vec<Case> {
    let (file, good) = ("transaction.ccoin", ledger.txn(2, 2));
    let first = |signed: &SignedHeader| with(&good, |r| r.headers[0] = encode(signed));
    let mut unmined = ledger.signed(2);
    let hash = unmined.header.mining_hash(&ledger.genesis.id);
    let nonce = (0..).map(|n| PowNonce::new(n).unwrap());
    unmined.nonce = nonce
        .clone()
        .find(|n| !meets(&block_id(&hash, *n), 1))
        .unwrap();
    let sign = |signed: &mut SignedHeader, id: BlockId| {
        signed.signature = key(0).sign(&id.into()).unwrap();
    };
    let id = unmined.id(&ledger.genesis.id);
    sign(&mut unmined, id);
    let mut foreign = ledger.signed(2);
    sign(&mut foreign, BlockId::new([9; 32]));
    let other_time = sealed(ledger, 0, |header| header.time = at(60));
    let mut trailing = good.headers[0].clone();
    trailing.push(0);
    let by_stranger = sealed(ledger, 3, |header| header.coinbase = miner(3));
    vec![
        case(
            3,
            "a header that its miner did not sign",
            file,
            first(&{
                let mut signed = ledger.signed(2);
                signed.header.hash_state = StateHash::ZERO;
                signed
            }),
        ),
        case(
            3,
            "a header signed by another miner",
            file,
            first(&sealed(ledger, 1, |_| ())),
        ),
        case(
            3,
            "a header signed out of turn",
            file,
            first(&sealed(ledger, 1, |h| h.coinbase = miner(1))),
        ),
        case(3, "a header of a stranger", file, first(&by_stranger)),
        case(3, "a header without work", file, first(&unmined)),
        case(3, "a signature over another id", file, first(&foreign)),
        case(
            3,
            "a difficulty of its own",
            file,
            first(&sealed(ledger, 0, |h| h.difficulty = 0)),
        ),
        case(
            3,
            "another version",
            file,
            first(&sealed(ledger, 0, |h| h.version = 2)),
        ),
        case(
            3,
            "a sibling that is not the parent of the next",
            file,
            first(&other_time),
        ),
        case(3, "a gap", file, with(&good, |r| drop(r.headers.remove(1)))),
        case(
            3,
            "headers in another order",
            file,
            with(&good, |r| r.headers.swap(0, 1)),
        ),
        case(
            3,
            "a header twice",
            file,
            with(&good, |r| r.headers.insert(1, r.headers[0].clone())),
        ),
        case(
            3,
            "a byte behind a header",
            file,
            with(&good, |r| r.headers[0] = trailing),
        ),
        case(
            3,
            "no key of the signer of a header",
            file,
            with(&good, |r| drop(r.keys.pop())),
        ),
        case(
            3,
            "the key of another as that of a signer",
            file,
            with(&good, |r| {
                r.keys[2].1 = key(3).public_key().as_der().to_vec();
            }),
        ),
        case(
            3,
            "a key with a byte behind it",
            file,
            with(&good, |r| r.keys[2].1.push(0)),
        ),
        case(
            3,
            "block 1 behind block 2",
            file,
            with(&good, |r| {
                let genesis = r.genesis.clone();
                r.headers.insert(1, genesis);
            }),
        ),
    ]
}
