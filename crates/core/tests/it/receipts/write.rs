//! Writes the vectors, and checks that fresh ones are judged as they say.

use super::{
    bad::{Case, Change, cases},
    ledger::{Ledger, document, documents},
    vectors::{directory, judge, proves},
};
use ccoin_core::{
    block::MAX_BLOCK_DATA,
    receipt::{BuildError, CertifiedHeaders, DocumentPath, MAX_HEADERS, Receipt, Subject},
};
use ccoin_crypto::{Address, Hash, Verifier};
use ccoin_sim::miner;
use serde_json::{Value, json};
use std::fs;

/// A good receipt, its file, and the document that its reader holds.
type Good = (&'static str, Receipt, Option<Hash>);

fn goods(ledger: &Ledger) -> Vec<Good> {
    let absent = |other: bool| {
        let receipt = (0..200).map(|n| ledger.account(2, Address::new([n; 20])));
        let fits = |receipt: &Receipt| match &receipt.subject {
            Subject::Account(path) => path.other.is_some() == other,
            Subject::Transaction(_) => false,
        };
        receipt.into_iter().find(fits).unwrap()
    };
    let places = DocumentPath::all(&documents());
    let tree = ledger.txn(2, 1);
    vec![
        (
            "document.ccoin",
            ledger
                .txn(2, 0)
                .with_document(DocumentPath::alone(document())),
            Some(document()),
        ),
        ("document-unnamed.ccoin", ledger.txn(2, 0), Some(document())),
        (
            "tree.ccoin",
            tree.clone().with_document(places[1].clone()),
            Some(documents()[1]),
        ),
        (
            "tree-last.ccoin",
            tree.with_document(places[4].clone()),
            None,
        ),
        ("transaction.ccoin", ledger.txn(2, 2), None),
        ("one-header.ccoin", ledger.txn(4, 0), None),
        ("account.ccoin", ledger.account(2, miner(1)), None),
        (
            "account-of-block-1.ccoin",
            ledger.account(1, miner(1)),
            None,
        ),
        ("absent.ccoin", absent(true), None),
        ("absent-nothing.ccoin", absent(false), None),
    ]
}

fn text(receipt: &Receipt) -> String {
    receipt.to_json().to_string()
}

/// The members of `made` that differ from those of `base`.
fn differences(base: &Value, made: &Value) -> Value {
    let (base, made) = (base.as_object().unwrap(), made.as_object().unwrap());
    let changed = made
        .iter()
        .filter(|(name, value)| base.get(*name) != Some(value));
    changed
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn bad_json(case: &Case, goods: &[Good]) -> Value {
    let base = goods.iter().find(|(file, ..)| *file == case.file).unwrap();
    let mut json = json!({"name": case.name, "step": case.step, "file": case.file});
    match &case.change {
        Change::Made(receipt) => {
            json["set"] = differences(&base.1.to_json(), &receipt.to_json());
            assert_ne!(json["set"], json!({}), "{}", case.name);
        }
        Change::Set(members) => json["set"] = members.clone(),
        Change::Text(from, to) => json["replace"] = json!([from, to]),
        Change::Document(hash) => json["document"] = json!(hash),
        Change::Genesis(id) => json["genesis"] = json!(id),
    }
    json
}

/// Run with `CCOIN_WRITE_RECEIPTS=1` after a change of the format. Keys and signatures are new
/// each time, so all files change.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "it writes test data when asked to"
)]
fn fresh_receipts_are_judged_as_the_vectors_say() {
    let ledger = Ledger::new();
    let goods = goods(&ledger);
    let id = ledger.genesis.id;
    let mut good = Vec::new();
    for (file, receipt, document) in &goods {
        let verified = judge(text(receipt).as_bytes(), &id, document.as_ref());
        let verified = verified.unwrap_or_else(|refused| panic!("{file}: {refused}"));
        good.push(json!({"file": file, "document": document, "proves": proves(&verified)}));
    }
    let cases = cases(&ledger);
    for case in &cases {
        if let Change::Made(receipt) = &case.change {
            let judged = receipt.verify(&id, None, &mut Verifier::new(8));
            let refused = judged.map(drop).expect_err(case.name);
            assert_eq!(refused.step, case.step, "{}: {refused}", case.name);
        }
    }
    if std::env::var_os("CCOIN_WRITE_RECEIPTS").is_none() {
        return;
    }
    for (file, receipt, _) in &goods {
        fs::write(directory().join(file), text(receipt) + "\n").unwrap();
    }
    let bad: Vec<_> = cases.iter().map(|case| bad_json(case, &goods)).collect();
    let all = json!({"genesis": id, "good": good, "bad": bad});
    fs::write(directory().join("cases.json"), format!("{all:#}\n")).unwrap();
}

/// 4,096 headers with the longest data have more text than a receipt may have.
#[test]
fn what_would_be_longer_than_a_receipt_is_not_built() {
    let ledger = Ledger::new();
    let mut certified = ledger.certified(2);
    let mut long = ledger.signed(2);
    long.header.data = "x".repeat(MAX_BLOCK_DATA);
    let build = |certified: &CertifiedHeaders| {
        let block = &ledger.block(2).block;
        Receipt::of_transaction(&ledger.genesis, block, 0, certified, &ledger.keys)
    };
    certified.headers = vec![ledger.signed(2); MAX_HEADERS];
    let longest = build(&certified).unwrap();
    assert!(Receipt::parse(text(&longest).as_bytes()).is_ok());
    certified.headers = vec![long; MAX_HEADERS];
    assert!(matches!(
        build(&certified),
        Err(BuildError::Headers {
            got: MAX_HEADERS,
            ..
        })
    ));
    certified.headers = vec![ledger.signed(2); MAX_HEADERS + 1];
    assert!(matches!(build(&certified), Err(BuildError::Headers { .. })));
    let nobody = vec![None; 3];
    let block = &ledger.block(2).block;
    let certified = ledger.certified(2);
    let unknown = Receipt::of_transaction(&ledger.genesis, block, 0, &certified, &nobody);
    assert_eq!(unknown, Err(BuildError::Key(miner(0))));
}
