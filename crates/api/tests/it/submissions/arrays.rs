//! Many signed transactions in one request.

use super::*;

#[tokio::test]
async fn every_row_of_an_array_is_judged_by_itself() {
    let node = TestNode::start(&QUEUEING);
    let genesis = node.handle().genesis().id;
    let sign = sender(&node);
    let good = sign(1);
    let mut foreign = sign(2);
    foreign.0["id"] = "0".repeat(64).into();
    let rows = json!([
        good.0,
        sign(2).spoiled("amount", 2).0,
        sign(2).spoiled("amount", "2").0,
        sign(2).without("time").0,
        foreign.0,
        Signed::with(genesis, 1, 2, numbered(9), 0, &"x".repeat(4_097)).0,
        7,
        null,
        [],
        ["row", 1],
        "text",
        {},
        Signed::with(genesis, 1, 2, numbered(9), COINS, "").0,
        sign(1_000).0,
        good.0,
        sign(2).0,
    ]);
    let answer = submit(&node, &rows).await;
    assert_eq!(answer.status, 202, "{answer}");
    assert_eq!(answer.header("location"), "");
    let items = answer.json()["items"].as_array().expect("a list").clone();
    let words: Vec<_> = items
        .iter()
        .map(|item| {
            item["status"]
                .as_str()
                .or(item["problem"]["code"].as_str())
                .expect("either")
        })
        .collect();
    assert_eq!(
        words,
        [
            "pending",
            "bad-signature",
            "bad-field",
            "bad-field",
            "bad-field",
            "data-too-large",
            "bad-field",
            "bad-field",
            "bad-field",
            "bad-field",
            "bad-field",
            "bad-field",
            "insufficient-funds",
            "nonce-gap",
            "pending",
            "pending",
        ]
    );
    for item in &items {
        let problem = &item["problem"];
        let whole = ["type", "title", "status", "detail", "code"]
            .iter()
            .all(|key| !problem[key].is_null());
        assert_eq!(whole, item.get("status").is_none(), "{item}");
    }
    assert_eq!(items[0], json!({"id": good.id(), "status": "pending"}));
    assert_eq!(node.get("/v1/queue").await.ok()["txns"], 2);
    assert_eq!(submit(&node, "[]").await.json(), json!({"items": []}));
    for broken in ["[", "[1,]", "[1] 2", "[1", &"[".repeat(100_000)] {
        submit(&node, broken).await.is(400, "bad-json");
    }
}

#[tokio::test]
async fn arrays_end_at_a_thousand_rows_and_4_mib() {
    let node = TestNode::start(&QUEUEING);
    let genesis = node.handle().genesis().id;
    let txn = sender(&node)(1);
    submit(&node, json!(vec![&txn.0; 1_001]))
        .await
        .is(413, "body-too-large");
    let many = submit(&node, format!("[1{}]", ",1".repeat(2_000_000))).await;
    many.is(413, "body-too-large");
    assert_eq!(many.json()["got"], "2000001");
    assert_eq!(node.get("/v1/queue").await.ok()["txns"], 0);
    let wide = |bytes: usize| format!("{}{}", txn, " ".repeat(bytes - txn.to_string().len()));
    submit(&node, wide((4 << 20) + 1))
        .await
        .is(413, "body-too-large");
    assert_eq!(submit(&node, wide(4 << 20)).await.status, 202);
    let rows: Vec<_> = (1..=1_000)
        .map(|number| Signed::with(genesis, 2, number, numbered(9), 1, "").0)
        .collect();
    let items = submit(&node, json!(rows)).await.json()["items"].clone();
    let items = items.as_array().expect("a list");
    assert_eq!(
        items
            .iter()
            .filter(|item| item["status"] == "pending")
            .count(),
        1_000
    );
}
