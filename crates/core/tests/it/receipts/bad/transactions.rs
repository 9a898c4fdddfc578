//! Steps 4 to 6: documents and transactions.

use super::{
    super::ledger::{Ledger, document, documents, long_key, sign},
    Case, Change, case, text, with,
};
use ccoin_core::{
    BlockId,
    encoding::encode,
    receipt::{Receipt, Subject},
    transaction::Transaction,
};
use ccoin_crypto::{Hash, Signature, merkle, sha256};
use ccoin_sim::coins;
use serde_json::json;

fn with_txn(good: &Receipt, bytes: Vec<u8>) -> Change {
    with(good, |receipt| {
        if let Subject::Transaction(path) = &mut receipt.subject {
            path.transaction = bytes;
        }
    })
}

pub(super) fn documents_and_transactions(ledger: &Ledger) -> Vec<Case> {
    let (one, tree, plain) = ("document.ccoin", "tree.ccoin", "transaction.ccoin");
    let plain_good = ledger.txn(2, 2);
    let txn = |index: usize| (*ledger.block(2).block.transactions[index]).clone();
    let other = sha256(&[b"another document\n"]);
    let set = |sha256: Hash, index: u64, size: u64, path: Vec<Hash>| {
        Change::Set(
            json!({"document": {"sha256": sha256, "index": index, "size": size, "path": path}}),
        )
    };
    let path = |index| merkle::path(&documents(), index);
    let hash = documents()[1];
    let mut cases = vec![
        case(4, "another document alone", one, set(other, 0, 1, vec![])),
        case(
            4,
            "a document alone at place 1",
            one,
            set(document(), 1, 2, vec![]),
        ),
        case(
            4,
            "a document alone with a path",
            one,
            set(document(), 0, 1, vec![other]),
        ),
        case(
            4,
            "another document of a tree",
            tree,
            set(other, 1, 5, path(1)),
        ),
        case(
            4,
            "another place in the tree",
            tree,
            set(hash, 0, 5, path(1)),
        ),
        case(
            4,
            "a place outside the tree",
            tree,
            set(hash, 5, 5, path(1)),
        ),
        case(
            4,
            "a path cut short",
            tree,
            set(hash, 1, 5, path(1)[1..].to_vec()),
        ),
        case(
            4,
            "the root as a document",
            tree,
            set(merkle::root(&documents()), 0, 1, vec![]),
        ),
        case(
            4,
            "a document of a transaction without any",
            plain,
            set(other, 0, 1, vec![]),
        ),
        case(
            4,
            "the reader holds another document",
            one,
            Change::Document(other),
        ),
        case(
            4,
            "the reader holds a document, the receipt names none",
            plain,
            Change::Document(other),
        ),
        case(
            4,
            "the reader holds a document against an account",
            "account.ccoin",
            Change::Document(other),
        ),
    ];
    let changed = |change: &dyn Fn(&mut Transaction)| {
        let mut txn = txn(2);
        change(&mut txn);
        with_txn(&plain_good, encode(&txn))
    };
    let bits = |n: usize| long_key(n).public_key().clone();
    // The first byte of the modulus loses its top bit.
    let mut thin_key = encode(&txn(2));
    let modulus = thin_key
        .windows(5)
        .position(|w| w == [2, 0x82, 2, 1, 0])
        .unwrap()
        + 5;
    thin_key[modulus] &= 0x7f;
    cases.extend([
        case(
            5,
            "another amount",
            plain,
            changed(&|txn| txn.amount = coins(2)),
        ),
        case(
            5,
            "another sender",
            plain,
            changed(&|txn| txn.from = bits(3072)),
        ),
        case(
            5,
            "a signature of other length",
            plain,
            changed(&|txn| txn.signature = Signature::new(&[1; 256]).unwrap()),
        ),
        case(
            5,
            "no signature",
            plain,
            changed(&|txn| txn.signature = Signature::empty()),
        ),
        case(
            5,
            "a signature that is not below the modulus",
            plain,
            changed(&|txn| txn.signature = Signature::new(&[0xff; 512]).unwrap()),
        ),
        case(
            5,
            "a signature for another network",
            plain,
            changed(&|txn| {
                txn.signature = sign(&BlockId::ZERO, long_key(4096), 1, "").signature;
            }),
        ),
        case(
            5,
            "more data than the network allows",
            plain,
            changed(&|txn| txn.data = "x".repeat(77)),
        ),
        case(
            5,
            "a key outside the profile",
            plain,
            with_txn(&plain_good, thin_key),
        ),
        case(
            5,
            "half a transaction",
            plain,
            with_txn(&plain_good, encode(&txn(2))[..600].to_vec()),
        ),
        case(
            5,
            "no transaction",
            plain,
            with_txn(&plain_good, Vec::new()),
        ),
        case(
            6,
            "a transaction of another block",
            plain,
            with_txn(&plain_good, encode(&*ledger.block(3).block.transactions[0])),
        ),
        case(
            6,
            "a transaction of another place",
            plain,
            with_txn(&plain_good, encode(&txn(0))),
        ),
        case(
            6,
            "another place in the block",
            plain,
            text("\"index\":2", "\"index\":1"),
        ),
        case(
            6,
            "another size of the block",
            plain,
            text("\"size\":3", "\"size\":4"),
        ),
        case(
            6,
            "a block without its path",
            plain,
            with(&plain_good, |r| {
                if let Subject::Transaction(path) = &mut r.subject {
                    path.inclusion.path.clear();
                }
            }),
        ),
    ]);
    cases
}
