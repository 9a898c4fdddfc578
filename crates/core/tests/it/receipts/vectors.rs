//! The vectors of `tests/data/receipts`, which every verifier judges alike.

use ccoin_core::{
    BlockId,
    receipt::{Receipt, Refused, Verified},
};
use ccoin_crypto::{Hash, Verifier};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

pub(super) fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/receipts")
}

#[derive(Deserialize)]
struct Cases {
    genesis: BlockId,
    good: Vec<Good>,
    bad: Vec<Bad>,
}

#[derive(Deserialize)]
struct Good {
    file: String,
    document: Option<Hash>,
    proves: Value,
}

/// A good receipt, changed: members set (null removes them), or a part of its text replaced.
#[derive(Deserialize)]
struct Bad {
    name: String,
    file: String,
    genesis: Option<BlockId>,
    document: Option<Hash>,
    #[serde(default)]
    set: BTreeMap<String, Value>,
    replace: Option<(String, String)>,
    step: u8,
}

pub(super) fn judge(
    text: &[u8],
    genesis: &BlockId,
    document: Option<&Hash>,
) -> Result<Verified, Refused> {
    Receipt::parse(text)?.verify(genesis, document, &mut Verifier::new(8))
}

/// What a receipt proves, as the vectors say it.
pub(super) fn proves(verified: &Verified) -> Value {
    let txn = verified.transaction.as_ref();
    let account = verified.account.as_ref().map(|(address, account)| {
        json!({"address": address, "nonce": account.nonce, "balance": account.balance})
    });
    json!({
        "document": verified.document,
        "transaction": txn.map(|txn| txn.id),
        "sender": txn.map(|txn| txn.sender),
        "account": account,
        "block": verified.block.number,
        "certified": verified.permanence.block.id,
        "voters": verified.permanence.voters,
    })
}

fn text(file: &str) -> String {
    fs::read_to_string(directory().join(file)).unwrap()
}

fn changed(bad: &Bad) -> String {
    let text = text(&bad.file);
    if let Some((from, to)) = &bad.replace {
        assert!(text.contains(from.as_str()), "{}", bad.name);
        return text.replacen(from.as_str(), to, 1);
    }
    let mut receipt: BTreeMap<String, Value> = serde_json::from_str(&text).unwrap();
    for (name, value) in &bad.set {
        receipt.insert(name.clone(), value.clone());
    }
    receipt.retain(|_, value| !value.is_null());
    serde_json::to_string(&receipt).unwrap()
}

fn cases() -> Cases {
    serde_json::from_str(&text("cases.json")).unwrap()
}

#[test]
fn every_good_receipt_is_verified() {
    let Cases { genesis, good, .. } = cases();
    assert!(good.len() > 6);
    for case in good {
        let judged = judge(
            text(&case.file).as_bytes(),
            &genesis,
            case.document.as_ref(),
        );
        let verified = judged.unwrap_or_else(|refused| panic!("{}: {refused}", case.file));
        assert_eq!(proves(&verified), case.proves, "{}", case.file);
        let receipt = Receipt::parse(text(&case.file).as_bytes()).unwrap();
        assert_eq!(receipt.claimed_genesis(), Some(genesis));
        assert_eq!(
            Receipt::parse(receipt.to_json().to_string().as_bytes()),
            Ok(receipt)
        );
    }
}

#[test]
fn every_bad_receipt_is_refused_at_its_step() {
    let Cases { genesis, bad, .. } = cases();
    let mut steps = BTreeSet::new();
    for case in bad {
        let genesis = case.genesis.unwrap_or(genesis);
        let judged = judge(changed(&case).as_bytes(), &genesis, case.document.as_ref());
        let refused = judged.map(|_| ()).expect_err(&case.name);
        assert_eq!(refused.step, case.step, "{}: {refused}", case.name);
        assert!(
            !refused.got.is_empty() && !refused.expected.is_empty(),
            "{}",
            case.name
        );
        steps.insert(case.step);
    }
    assert!(steps.into_iter().eq(1..=8), "every step has a bad receipt");
}
