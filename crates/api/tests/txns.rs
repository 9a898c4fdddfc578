//! Signed transactions over HTTP: one, many, again, waiting, refused.

mod fixture;

use fixture::{TestNode, body};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn the_same_transaction_gets_the_same_answer_for_ever() {
    let node = TestNode::start(1);
    let txn = body(&node.transfer(1, 5, "é")).to_string();
    let first = node.post("/v1/txns?wait=included", txn.clone()).await;
    let shown = first.json();
    assert_eq!(
        (first.status.as_u16(), &shown["status"]),
        (200, &json!("included")),
        "{shown}"
    );
    assert_eq!(shown["block_number"], 2);
    assert_eq!(shown["time"], "2018-04-07T11:46:59.336Z");
    let id = shown["id"].as_str().unwrap().to_owned();
    assert_eq!(
        first.headers["location"].to_str().unwrap(),
        format!("/v1/txns/{id}")
    );
    for _ in 0..50 {
        let again = node.post("/v1/txns", txn.clone()).await;
        assert_eq!((again.status.as_u16(), again.json()), (202, shown.clone()));
    }
    let account = node
        .get(&format!(
            "/v1/accounts/{}",
            node.other.public_key().address()
        ))
        .await
        .json();
    assert_eq!(
        (&account["nonce"], &account["pending"]),
        (&json!(1), &json!(0))
    );
    let original = node
        .get(&format!("/{}/txn/{id}", node.address))
        .await
        .json();
    assert_eq!(original["time"], json!(1_523_101_619.336));
    for (block, status) in [(2, 200), (3, 404)] {
        let path = format!("/{}/txn/{id}", node.address);
        let asked = node
            .post(&path, json!({"block_number": block}).to_string())
            .await;
        assert_eq!(asked.status, status);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn gaps_are_held_and_visible_up_to_64() {
    let node = TestNode::start(100);
    let send = async |number: u64| {
        node.post("/v1/txns", body(&node.transfer(number, 0, "")).to_string())
            .await
    };
    assert_eq!(send(65).await.status, 202);
    let beyond = send(66).await;
    assert_eq!(
        (beyond.status.as_u16(), beyond.code().as_str()),
        (409, "nonce-gap")
    );
    assert_eq!(send(1).await.status, 202);
    let queue = node.get("/v1/queue").await.json();
    let gaps: Vec<_> = queue["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row["gap"])
        .collect();
    assert_eq!(
        (&queue["txns"], gaps),
        (&json!(2), vec![&json!(true), &json!(false)])
    );
    let used = node
        .post("/v1/txns", body(&node.transfer(1, 7, "")).to_string())
        .await;
    assert_eq!(
        (used.status.as_u16(), used.code().as_str()),
        (409, "nonce-used")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_transaction_of_an_array_is_judged_by_itself() {
    let node = TestNode::start(100);
    let good = body(&node.transfer(1, 1, ""));
    let change = |field: &str, value: Value| {
        let mut changed = body(&node.transfer(2, 1, ""));
        changed[field] = value;
        changed
    };
    let foreign = body(&node.transfer_on(&ccoin_core::BlockId::new([1; 32]), 1, 1, ""));
    let rows = json!([
        good,
        change("amount", json!(2)),
        change("amount", json!("2")),
        change("time", json!("yesterday")),
        change("from", json!("00".repeat(20))),
        change("id", json!("00".repeat(32))),
        change("data", json!("x".repeat(1001))),
        foreign,
        7,
        body(&node.transfer(2, 9_999_999, "")),
    ]);
    let answer = node.post("/v1/txns", rows.to_string()).await;
    let items = answer.json()["items"].as_array().unwrap().clone();
    let codes: Vec<_> = items
        .iter()
        .map(|row| row["problem"]["code"].as_str().unwrap_or("taken"))
        .collect();
    assert_eq!(answer.status, 202);
    assert_eq!(
        codes,
        [
            "taken",
            "bad-signature",
            "bad-field",
            "bad-field",
            "bad-field",
            "bad-field",
            "data-too-large",
            "bad-signature",
            "bad-field",
            "insufficient-funds"
        ]
    );
    let many = Value::Array(vec![good.clone(); 1001]).to_string();
    assert_eq!(node.post("/v1/txns", many).await.code(), "body-too-large");
    let large = node.post("/v1/txns", " ".repeat((4 << 20) + 1)).await;
    assert_eq!(
        (large.status.as_u16(), large.code().as_str()),
        (413, "body-too-large")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_ends_with_the_block_or_with_a_word() {
    let node = TestNode::start(100);
    let txn = body(&node.transfer(1, 1, "")).to_string();
    let late = node
        .post("/v1/txns?wait=included&timeout=1", txn.clone())
        .await;
    assert_eq!(
        (late.status.as_u16(), late.code().as_str()),
        (504, "wait-timeout")
    );
    assert_eq!(
        node.post("/v1/txns", txn.clone()).await.json()["status"],
        "pending"
    );
    for query in [
        "wait=final",
        "wait=soon",
        "timeout=5",
        "wait=included&timeout=0",
        "wait=included&timeout=601",
        "x=1",
    ] {
        let answer = node.post(&format!("/v1/txns?{query}"), txn.clone()).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (400, "bad-field"),
            "{query}"
        );
    }
    let check = node
        .post("/v1/txns/check", body(&node.transfer(2, 1, "")).to_string())
        .await;
    assert_eq!(check.json()["status"], "acceptable");
    let queue = node.get("/v1/queue").await.json();
    assert_eq!(queue["txns"], 1, "checking takes nothing");
}
