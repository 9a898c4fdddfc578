//! The paths of 2018, field by field, as old clients read them.

use crate::fixtures::{COINS, MINING, Network, QUEUEING, Signed, TestNode, key, numbered, request};
use axum::http::Method;
use serde_json::{Map, Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

fn keys(value: &Value) -> Vec<&str> {
    value
        .as_object()
        .expect("an object")
        .keys()
        .map(String::as_str)
        .collect()
}

fn is_hex(value: &Value, digits: usize) -> bool {
    let lower = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    value
        .as_str()
        .is_some_and(|text| text.len() == digits && text.bytes().all(lower))
}

fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970")
        .as_secs_f64()
}

#[tokio::test]
async fn the_root_and_the_height() {
    let node = TestNode::start(&MINING);
    let root = node.get(&node.own("")).await.ok();
    assert_eq!(root["peers"], 0);
    assert_eq!(root["height"], 1);
    assert_eq!(root["address"], json!(node.address()));
    let count = node.get(&node.own("/blk/cnt")).await;
    assert_eq!((count.status, count.body.as_str()), (200, "1"));
    assert_eq!(count.header("content-type"), "application/json");
    node.include(&Signed::new(node.handle().genesis().id, 1, 1))
        .await;
    assert_eq!(node.get(&node.own("/blk/cnt")).await.body, "2");
}

#[tokio::test]
async fn a_block_has_exactly_these_fields() {
    let node = TestNode::start(&MINING);
    let genesis = node.handle().genesis().id;
    let before = now();
    let txn = Signed::with(genesis, 1, 1, numbered(9), 5, "é\u{1f600}");
    node.include(&txn).await;
    let after = now();

    let answer = node.get(&node.own("/blk/2")).await;
    let block = answer.ok();
    let mut fields = [
        "number",
        "hash_parent",
        "body",
        "nonce",
        "data",
        "id",
        "difficulty",
        "hash_state",
        "hash_txns",
        "reward",
        "time",
        "coinbase",
        "state",
        "signature",
        "final",
    ];
    fields.sort_unstable();
    assert_eq!(keys(&block), fields);
    assert_eq!(block["number"], 2);
    assert_eq!(block["hash_parent"], json!(genesis));
    assert!(block["nonce"].is_u64() && block["data"].is_string());
    assert!(is_hex(&block["id"], 64) && block["id"].as_str().expect("hex").starts_with('0'));
    assert!(is_hex(&block["hash_state"], 64) && is_hex(&block["hash_txns"], 64));
    assert_eq!(
        (&block["difficulty"], &block["reward"]),
        (&json!(1), &json!(10))
    );
    assert_eq!(block["coinbase"], json!(node.address()));
    assert_eq!(
        block["signature"].as_str().map(str::len),
        Some(344),
        "256 bytes in base64"
    );
    assert_eq!(block["final"], true);
    // Seconds, of which the fraction is no accident of rounding.
    let time = block["time"].as_f64().expect("a number");
    assert!(
        before - 0.002 <= time && time <= after,
        "{before} {time} {after}"
    );
    assert!(
        (time * 1000.0 - (time * 1000.0).round()).abs() < 1e-3,
        "{time} is not in ms"
    );
    assert!(
        !answer.body.contains("e9") || !answer.body.contains("\"time\":1e"),
        "no exponent"
    );

    let [body] = block["body"].as_array().expect("a list").as_slice() else {
        panic!("{answer}")
    };
    assert_eq!(
        body,
        &legacy_form(&txn),
        "the nine fields and nothing of the status"
    );
}

/// A transaction as the legacy paths show it.
fn legacy_form(txn: &Signed) -> Value {
    let mut shown = txn.clone();
    shown.0["time"] = json!(1_523_101_619.336);
    assert_eq!(keys(&shown.0).len(), 9);
    shown.0
}

#[tokio::test]
async fn block_1_has_no_body_but_its_accounts_and_is_final() {
    let node = TestNode::start(&MINING);
    let block = node.get(&node.own("/blk/1")).await.ok();
    assert_eq!(block["body"], json!([]));
    assert_eq!(block["hash_parent"], "0".repeat(64));
    assert_eq!(block["hash_txns"], "0".repeat(64));
    assert_eq!(block["signature"], "");
    assert_eq!(block["final"], true);
    assert_eq!(block["id"], json!(node.handle().genesis().id));
    let mut state = Map::new();
    for user in 0..=3 {
        let address = key(user).public_key().address().to_string();
        let account = json!({"address": address, "nonce": 0, "balance": COINS});
        state.insert(address, account);
    }
    assert_eq!(block["state"], Value::Object(state));
}

/// In the toy `blk-1` was a key prefix of `blk-10`: block 1 showed later accounts.
#[tokio::test]
async fn block_1_shows_no_account_of_a_later_block() {
    let mut node = TestNode::start(&MINING);
    let genesis = node.handle().genesis().id;
    for number in 1..=11 {
        let to = numbered(100 + usize::try_from(number).expect("small"));
        node.include(&Signed::with(genesis, 1, number, to, number, ""))
            .await;
    }
    for from_disk in [false, true] {
        for number in 1..=12 {
            let block = node.get(&node.own(&format!("/blk/{number}"))).await.ok();
            let state = &block["state"];
            assert_eq!(block["number"], number, "from disk: {from_disk}");
            assert_eq!(
                keys(state).len() as u64,
                4 + number - 1,
                "accounts as of block {number}"
            );
            let sent: u64 = (1..number).sum();
            let sender = key(1).public_key().address().to_string();
            assert_eq!(state[&sender]["balance"], COINS - sent);
            assert_eq!(state[&sender]["nonce"], number - 1);
            assert_eq!(
                state[&node.address().to_string()]["balance"],
                COINS + node.rewards(number).await
            );
            for earlier in 1..number {
                let to = numbered(100 + usize::try_from(earlier).expect("small")).to_string();
                assert_eq!(
                    state[&to],
                    json!({"address": to, "nonce": 0, "balance": earlier})
                );
            }
        }
        node.restart();
    }
}

#[tokio::test]
async fn a_thousand_accounts_are_shown_and_one_more_is_not() {
    for (more, status) in [(996, 200), (997, 422)] {
        let node = TestNode::start(&Network {
            more_accounts: more,
            ..QUEUEING
        });
        let answer = node.get(&node.own("/blk/1")).await;
        assert_eq!(answer.status, status, "{} accounts: {answer}", more + 4);
        if status == 200 {
            assert_eq!(keys(&answer.json()["state"]).len(), 1_000);
        } else {
            answer.is(422, "too-many-accounts");
            let hint = answer.json()["hint"].to_string();
            assert!(hint.contains("/v1/blocks/1/state"), "{hint}");
        }
    }
}

#[tokio::test]
async fn what_does_not_exist_is_404_however_it_is_written() {
    let node = TestNode::start(&QUEUEING);
    for number in [
        "0",
        "2",
        "-1",
        "+1",
        "1.0",
        "1e0",
        "0x1",
        "latest",
        "latest%20",
        "%201",
        "9007199254740992",
        "18446744073709551615",
        "18446744073709551616",
        "99999999999999999999999999999999",
        "%D9%A1",
    ] {
        node.get(&node.own(&format!("/blk/{number}")))
            .await
            .is(404, "block-not-found");
    }
    let unknown = "0".repeat(64);
    for id in [
        "1",
        "x",
        &unknown,
        &"A".repeat(64),
        &"0".repeat(63),
        &"0".repeat(65),
    ] {
        let path = node.own(&format!("/txn/{id}"));
        node.get(&path).await.is(404, "txn-not-found");
        node.post(&path, "{}").await.is(404, "txn-not-found");
    }
    let other = format!("/{}/blk/cnt", numbered(1));
    node.get(&other).await.is(404, "not-found");
    node.get(&node.own("/blk/1").to_uppercase())
        .await
        .is(404, "not-found");
}

#[tokio::test]
async fn a_transaction_by_id_with_and_without_a_block_number() {
    let mut node = TestNode::start(&MINING);
    let genesis = node.handle().genesis().id;
    let txn = Signed::new(genesis, 1, 1);
    node.include(&txn).await;
    node.include(&Signed::new(genesis, 1, 2)).await;
    let path = node.own(&format!("/txn/{}", txn.id()));
    for _from_disk in [false, true] {
        let shown = node.get(&path).await.ok();
        let mut expected = legacy_form(&txn);
        expected["status"] = "final".into();
        expected["block_number"] = 2.into();
        for (field, value) in expected.as_object().expect("an object") {
            assert_eq!(&shown[field], value, "{field}");
        }
        let block = node.get(&node.own("/blk/2")).await.ok();
        assert_eq!(
            (&shown["block_id"], &shown["index"]),
            (&block["id"], &json!(0))
        );
        // Old clients POST, with a body, without one, and without a Content-Type then.
        let bare = request(Method::POST, &path, axum::body::Body::empty());
        assert_eq!(node.send(bare).await.ok(), shown);
        for body in ["{}", r#"{"block_number": 2}"#, r#"{"block_number": null}"#] {
            assert_eq!(node.post(&path, body).await.ok(), shown, "{body}");
        }
        for number in [
            "1",
            "3",
            "0",
            "-2",
            "2.5",
            "9007199254740992",
            "18446744073709551616",
        ] {
            let answer = node
                .post(&path, format!(r#"{{"block_number": {number}}}"#))
                .await;
            assert_eq!(answer.status, 404, "{number}: {answer}");
        }
        for (body, code) in [
            ("{", "bad-json"),
            ("{nonsense", "bad-json"),
            ("nonsense", "bad-json"),
            ("5", "bad-field"),
            ("[2]", "bad-field"),
            (r#"{"block": 2}"#, "bad-field"),
            (r#"{"block_number": 2, "block_number": 2}"#, "bad-json"),
        ] {
            node.post(&path, body).await.is(400, code);
        }
        let typed = request(Method::POST, &path, "{}".into());
        node.send(typed).await.is(415, "unsupported-media-type");
        node.restart();
    }
}

#[tokio::test]
async fn a_waiting_transaction_is_pending_and_in_no_block() {
    let node = TestNode::start(&QUEUEING);
    let txn = Signed::new(node.handle().genesis().id, 1, 1);
    assert_eq!(node.post("/v1/txns", txn.to_string()).await.status, 202);
    let path = node.own(&format!("/txn/{}", txn.id()));
    let shown = node.get(&path).await.ok();
    assert_eq!(
        (&shown["status"], &shown["block_number"]),
        (&json!("pending"), &Value::Null)
    );
    node.post(&path, r#"{"block_number": 1}"#)
        .await
        .is(404, "txn-not-found");
}
