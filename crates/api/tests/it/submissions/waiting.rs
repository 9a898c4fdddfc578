//! Callers that wait for a block.

use super::*;

#[tokio::test]
async fn waiting_ends_in_time_and_leaves_the_transaction_queued() {
    let node = TestNode::start(&QUEUEING);
    let txn = sender(&node)(1);
    let started = Instant::now();
    let late = node
        .post("/v1/txns?wait=included&timeout=1", txn.to_string())
        .await;
    late.is(504, "wait-timeout");
    assert!(started.elapsed() >= Duration::from_secs(1));
    let path = format!("/v1/txns/{}", txn.id());
    assert!(late.json()["hint"].to_string().contains(&path));
    assert_eq!(node.get(&path).await.ok()["status"], "pending");
    for query in [
        "wait=final&timeout=0",
        "wait=",
        "wait=soon",
        "timeout=5",
        "wait=included&timeout=0",
        "wait=included&timeout=601",
        "wait=included&timeout=-1",
        "wait=included&timeout=1.5",
        "wait=included&timeout=18446744073709551615",
        "wait=included&timeout=18446744073709551616",
        "wait=included&wait=included",
        "x=1",
    ] {
        let answer = node
            .post(&format!("/v1/txns?{query}"), txn.to_string())
            .await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (400, "bad-field"),
            "{query} {answer}"
        );
    }
    let list = json!([txn.0]).to_string();
    node.post("/v1/txns?wait=included", list)
        .await
        .is(400, "bad-field");
}

#[tokio::test]
async fn waiting_for_a_batch_ends_with_its_block() {
    let node = TestNode::start(&Network {
        min_bound: 2,
        interval: 60,
        ..MINING
    });
    let sign = sender(&node);
    let (first, second) = (sign(1).to_string(), sign(2).to_string());
    let path = "/v1/txns?wait=included&timeout=600";
    let (first, second) = tokio::join!(node.post(path, first), node.post(path, second));
    for answer in [first.ok(), second.ok()] {
        assert_ne!(answer["status"], "pending");
        assert_eq!(answer["block_number"], 2);
    }
}
