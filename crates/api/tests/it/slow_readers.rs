//! Answers that are long, and requests that take their time: what they may take from others.

use crate::fixtures::{
    MINING, QUEUEING, Signed, TestNode, numbered,
    sockets::{Server, answer},
};
use axum::{body::Body, body::HttpBody as _, http::Method};
use ccoin_core::Height;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tower::ServiceExt as _;

/// As many as the tests put into one block, with text that JSON makes six times as long.
const TXNS: u64 = 30;

fn text() -> String {
    "\u{1}".repeat(4_096)
}

/// A block that holds them all: the first one comes last.
async fn large_block(node: &TestNode) -> (u64, Vec<Signed>) {
    let genesis = node.handle().genesis().id;
    let sign = |number| Signed::with(genesis, 1, number, numbered(9), 1, &text());
    let txns: Vec<_> = (1..=TXNS).map(sign).collect();
    for txn in txns.iter().skip(1) {
        assert_eq!(node.post("/v1/txns", txn.to_string()).await.status, 202);
    }
    let first = node.include(&txns[0]).await;
    (first["block_number"].as_u64().expect("included"), txns)
}

async fn length_is_known(node: &TestNode, path: &str) -> bool {
    let request = crate::fixtures::request(Method::GET, path, Body::empty());
    let response = node.router.clone().oneshot(request).await;
    let response = response.expect("infallible");
    response.body().size_hint().exact().is_some()
}

#[tokio::test]
async fn a_large_block_is_written_as_it_is_taken_and_whole() {
    let mut node = TestNode::start(&MINING);
    let (number, txns) = large_block(&node).await;
    for restarted in [false, true] {
        if restarted {
            node.restart();
        }
        let block = format!("/v1/blocks/{number}");
        let legacy = node.own(&format!("/blk/{number}"));
        for path in [&block, &legacy] {
            assert!(!length_is_known(&node, path).await, "{path}");
            let found = node.get(path).await.ok();
            let body = found["body"].as_array().expect("a body");
            assert_eq!(body.len(), txns.len(), "{path}");
            for (row, txn) in body.iter().zip(&txns) {
                for field in ["id", "number", "data", "signature", "public_key"] {
                    assert_eq!(row[field], txn.0[field], "{path} {field}");
                }
            }
        }
        assert_eq!(node.get(&block).await.ok()["txn_count"], TXNS);
        let ids: Vec<Value> = txns.iter().map(|txn| txn.0["id"].clone()).collect();
        let list = format!("/v1/blocks?body=ids&after={}", number - 1);
        let listed = node.get(&list).await.ok();
        assert_eq!(listed["items"][0]["body"], Value::from(ids.clone()));
        let with_ids = node.get(&format!("{block}?body=ids")).await.ok();
        assert_eq!(with_ids["body"], Value::from(ids));
        assert!(length_is_known(&node, "/v1/blocks/1").await);
    }
}

#[tokio::test]
async fn pages_of_large_transactions_end_early_and_miss_none() {
    let node = TestNode::start(&MINING);
    let (_, txns) = large_block(&node).await;
    let mut path = format!("/v1/accounts/{}/txns?limit=100", numbered(9));
    let start = path.clone();
    let (mut found, mut pages) = (Vec::new(), 0);
    loop {
        let page = node.get(&path).await.ok();
        found.extend(page["items"].as_array().expect("rows").clone());
        pages += 1;
        let Some(next) = page["next"].as_str() else {
            break;
        };
        path = format!("{start}&before={next}");
    }
    assert!(pages > 1);
    let ids: Vec<_> = found.iter().rev().map(|row| row["id"].clone()).collect();
    let expected: Vec<_> = txns.iter().map(|txn| txn.0["id"].clone()).collect();
    assert_eq!(ids, expected);
    assert!(found.iter().all(|row| row["data"] == text()));
}

#[tokio::test]
async fn a_page_of_the_queue_ends_early_and_says_what_a_gap_holds_back() {
    let node = TestNode::start(&QUEUEING);
    let genesis = node.handle().genesis().id;
    for number in (1..=10).chain(12..=30) {
        let txn = Signed::with(genesis, 1, number, numbered(9), 1, &text());
        assert_eq!(node.post("/v1/txns", txn.to_string()).await.status, 202);
    }
    let (mut after, mut rows) = (String::from("0"), Vec::new());
    loop {
        let page = node
            .get(&format!("/v1/queue?limit=100&after={after}"))
            .await
            .ok();
        assert_eq!(page["txns"], 29);
        rows.extend(page["items"].as_array().expect("rows").clone());
        match page["next"].as_str() {
            Some(next) => after = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(rows.len(), 29);
    for row in rows {
        let number = row["number"].as_u64().expect("a number");
        assert_eq!(row["gap"], number > 11, "{number}");
        assert_eq!(row["data"], text());
    }
}

#[tokio::test]
async fn heads_of_blocks_are_read_without_their_transactions() {
    let mut node = TestNode::start(&MINING);
    let (number, _) = large_block(&node).await;
    node.restart();
    let reader = node.handle().reader();
    let numbers = [number + 1_000, number, 1, 0].map(|number| Height::new(number).expect("small"));
    let heads = reader.heads(numbers.into()).await.expect("they are there");
    let found: Vec<_> = heads
        .iter()
        .map(|head| (head.signed.header.number.get(), head.txn_count))
        .collect();
    assert_eq!(found, [(number, TXNS as usize), (1, 0)]);
}

/// A wait is refused before its transaction is taken.
#[tokio::test(flavor = "multi_thread")]
async fn waiting_requests_have_places_of_their_own() {
    let node = TestNode::start(&QUEUEING);
    let server = Server::start(&node).await;
    let genesis = node.handle().genesis().id;
    let post = |txn: &Signed| {
        let (head, body) = ("POST /v1/txns?wait=included&timeout=600", txn.to_string());
        format!(
            "{head} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let mut waiting = Vec::new();
    for number in 2..=65 {
        let mut stream = server.connect().await;
        let request = post(&Signed::new(genesis, 1, number));
        stream
            .write_all(request.as_bytes())
            .await
            .expect("it reads");
        waiting.push(stream);
    }
    node.until("/v1/queue", |answer| answer.json()["txns"] == 64)
        .await;
    let late = Signed::new(genesis, 2, 1);
    let refused = server.ask(&post(&late)).await;
    refused.is(429, "rate-limited");
    let path = format!("/v1/txns/{}", late.id());
    node.get(&path).await.is(404, "txn-not-found");
    server.get("/v1/status").await.ok();
    // One that goes away makes room.
    drop(waiting.pop());
    loop {
        // A refusal before the body has come closes the connection.
        let mut stream = server.connect().await;
        stream
            .write_all(post(&late).as_bytes())
            .await
            .expect("it reads");
        tokio::select! {
            refused = answer(&mut stream) => refused.is(429, "rate-limited"),
            _ = node.until(&path, |answer| answer.status == 200) => break,
        }
    }
}

/// However many accounts came later, an old state costs as much as it did then.
#[tokio::test]
async fn old_states_are_found_by_the_age_of_accounts() {
    let mut node = TestNode::start(&MINING);
    let genesis = node.handle().genesis().id;
    let first = node
        .include(&Signed::with(genesis, 1, 1, numbered(5), 3, ""))
        .await;
    let number = first["block_number"].as_u64().expect("included");
    for later in 2..=20 {
        let to = numbered(100 + later);
        let txn = Signed::with(genesis, 1, later as u64, to, 1, "");
        assert_eq!(node.post("/v1/txns", txn.to_string()).await.status, 202);
    }
    node.include(&Signed::new(genesis, 1, 21)).await;
    node.restart();
    for number in [1, number, number + 1] {
        let legacy = node.get(&node.own(&format!("/blk/{number}"))).await.ok();
        let page = node
            .get(&format!("/v1/blocks/{number}/state?limit=1000"))
            .await
            .ok();
        let rows = page["items"].as_array().expect("rows");
        let state = legacy["state"].as_object().expect("accounts");
        assert_eq!(state.len(), rows.len(), "as of {number}");
        for row in rows {
            assert_eq!(&state[row["address"].as_str().expect("a text")], row);
        }
    }
}

#[tokio::test]
async fn a_document_leads_to_the_transactions_that_record_it() {
    let node = TestNode::start(&MINING);
    let genesis = node.handle().genesis().id;
    let hash = "ab".repeat(32);
    let path = format!("/v1/documents/{hash}");
    let record = |number, data: &str| Signed::with(genesis, 1, number, numbered(9), 0, data);
    assert_eq!(node.get(&path).await.ok()["items"], serde_json::json!([]));
    for (number, data) in (1..).zip([
        format!("sha256:{hash}"),
        format!("sha256:{hash} "),
        format!("see sha256:{hash}"),
        format!("sha256-tree:{hash}"),
    ]) {
        node.include(&record(number, &data)).await;
    }
    let found = node.get(&path).await.ok();
    let items = found["items"].as_array().expect("rows");
    let numbers: Vec<_> = items.iter().map(|item| &item["data"]).collect();
    let expected = ["sha256:", "sha256-tree:"].map(|kind| format!("{kind}{hash}"));
    assert_eq!(numbers, expected.each_ref().map(|text| text.as_str()));
    assert_eq!(items[0]["id"], record(1, &expected[0]).0["id"]);
    assert_eq!(items[0]["status"], "final");
    let block = items[0]["block_number"].clone();
    let block = node.get(&format!("/v1/blocks/{block}")).await.ok();
    assert_eq!(items[0]["block_time"], block["time"]);
    for wrong in ["ab", "AB", "x"] {
        let path = format!("/v1/documents/{wrong}");
        node.get(&path).await.is(400, "bad-field");
    }
}
