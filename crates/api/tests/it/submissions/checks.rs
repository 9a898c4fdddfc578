//! Checks without a submission.

use super::*;

#[tokio::test]
async fn checking_takes_nothing_and_names_the_first_rule_that_fails() {
    let node = TestNode::start(&QUEUEING);
    let genesis = node.handle().genesis().id;
    let sign = sender(&node);
    let check = async |txn: Signed| node.post("/v1/txns/check", txn.to_string()).await;
    let taken = |status: &str| json!({"id": sign(1).id(), "status": status});
    assert_eq!(check(sign(1)).await.ok(), taken("acceptable"));
    assert_eq!(check(sign(1)).await.ok(), taken("acceptable"));
    assert_eq!(node.get("/v1/queue").await.ok()["txns"], 0);
    assert_eq!(submit(&node, sign(1)).await.status, 202);
    assert_eq!(check(sign(1)).await.ok(), taken("pending"));
    check(sign(2).spoiled("amount", 2))
        .await
        .is(422, "bad-signature");
    check(sign(67)).await.is(409, "nonce-gap");
    check(Signed::with(genesis, 1, 1, numbered(8), 1, ""))
        .await
        .is(409, "nonce-used");
    check(Signed::with(genesis, 1, 2, numbered(8), COINS, ""))
        .await
        .is(422, "insufficient-funds");
    check(Signed::with(
        genesis,
        1,
        2,
        numbered(8),
        0,
        &"x".repeat(4_097),
    ))
    .await
    .is(413, "data-too-large");
    node.post("/v1/txns/check", json!([sign(2).0]).to_string())
        .await
        .is(400, "bad-field");
    assert_eq!(node.get("/v1/queue").await.ok()["txns"], 1);
}

#[tokio::test]
async fn checking_one_that_is_in_a_block_says_so() {
    let node = TestNode::start(&MINING);
    let txn = sender(&node)(1);
    node.include(&txn).await;
    let answer = node.post("/v1/txns/check", txn.to_string()).await.ok();
    assert_eq!(answer, json!({"id": txn.id(), "status": "final"}));
}
