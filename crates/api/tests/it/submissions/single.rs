//! One signed transaction.

use super::*;

#[tokio::test]
async fn one_transaction_is_accepted_with_its_place() {
    let node = TestNode::start(&QUEUEING);
    let txn = sender(&node)(1);
    let answer = submit(&node, &txn).await;
    assert_eq!(answer.status, 202, "{answer}");
    let path = format!("/v1/txns/{}", txn.id());
    assert_eq!(answer.header("location"), path);
    let shown = answer.json();
    let fields = [
        "amount",
        "block_id",
        "block_number",
        "data",
        "from",
        "id",
        "index",
        "number",
        "public_key",
        "reason",
        "signature",
        "status",
        "time",
        "to",
    ];
    assert!(
        shown.as_object().expect("an object").keys().eq(fields),
        "{shown}"
    );
    for (field, value) in txn.0.as_object().expect("an object") {
        assert_eq!(&shown[field], value, "{field}");
    }
    assert_eq!(shown["status"], "pending");
    for field in ["block_id", "block_number", "index", "reason"] {
        assert_eq!(shown[field], Value::Null, "{field}");
    }
    assert_eq!(node.get(&path).await.ok(), shown);
    for bad in ["0", "x", &"0".repeat(64), &"f".repeat(65), "%ff%fe"] {
        let answer = node.get(&format!("/v1/txns/{bad}")).await;
        assert!(matches!(answer.status, 404 | 400), "{bad}: {answer}");
    }
}

#[tokio::test]
async fn id_and_from_may_be_left_out_but_nothing_else() {
    let node = TestNode::start(&QUEUEING);
    let sign = sender(&node);
    let bare = sign(1).without("id").without("from");
    let answer = submit(&node, &bare).await;
    assert_eq!(
        (answer.status, &answer.json()["id"]),
        (202, &sign(1).0["id"])
    );
    for field in [
        "number",
        "public_key",
        "to",
        "amount",
        "data",
        "time",
        "signature",
    ] {
        submit(&node, sign(2).without(field))
            .await
            .is(400, "bad-field");
    }
    for (field, value, code) in [
        ("number", json!(-1), "bad-field"),
        ("number", json!("2"), "bad-field"),
        ("number", json!(2.0), "bad-field"),
        ("number", json!(1u64 << 53), "bad-field"),
        ("to", json!("x"), "bad-address"),
        (
            "to",
            json!(numbered(0xabc).to_string().to_uppercase()),
            "bad-address",
        ),
        ("amount", json!("1"), "bad-field"),
        ("amount", json!(-1), "amount-range"),
        ("amount", json!(1.5), "amount-range"),
        ("amount", json!(1u64 << 53), "amount-range"),
        ("amount", Value::Null, "bad-field"),
        ("data", Value::Null, "bad-field"),
        ("data", json!(5), "bad-field"),
        ("time", json!(1_523_101_619.336), "bad-field"),
        ("time", json!("2018-04-07"), "bad-field"),
        ("time", json!("2018-04-07T11:46:59.3361Z"), "bad-field"),
        ("time", json!("2018-04-07T11:46:59.336+01:00"), "bad-field"),
        ("time", json!("1969-12-31T23:59:59.000Z"), "bad-field"),
        ("time", json!("99999-01-01T00:00:00.000Z"), "bad-field"),
        ("public_key", json!("x"), "bad-field"),
        ("public_key", json!("A".repeat(100_000)), "bad-field"),
        ("signature", json!("!"), "bad-field"),
        ("signature", json!("A".repeat(100_000)), "bad-field"),
        ("fee", json!(1), "bad-field"),
    ] {
        let answer = submit(&node, sign(2).spoiled(field, value.clone())).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (400, code),
            "{field} {value} {answer}"
        );
    }
    // One that says who it is must be right.
    let mut other = sign(2);
    other.0["id"] = sign(3).0["id"].clone();
    submit(&node, other).await.is(400, "bad-field");
    let from = key(2).public_key().address();
    submit(&node, sign(2).spoiled("from", json!(from)))
        .await
        .is(400, "bad-field");
    let twice = sign(2).to_string().replacen('{', r#"{"amount":1,"#, 1);
    submit(&node, twice).await.is(400, "bad-json");
    submit(&node, "").await.is(400, "bad-json");
    submit(&node, "7").await.is(400, "bad-field");
    assert_eq!(node.get("/v1/queue").await.ok()["txns"], 1);
}

#[tokio::test]
async fn a_forged_signature_and_another_networks_are_refused() {
    let node = TestNode::start(&QUEUEING);
    let genesis = node.handle().genesis().id;
    let sign = sender(&node);
    let forged = |signature: Value| sign(1).spoiled("signature", signature);
    let other = Signed::new("11".repeat(32).parse().expect("hex"), 1, 1);
    for txn in [
        forged(sign(2).0["signature"].clone()),
        forged(Signed::new(genesis, 2, 1).0["signature"].clone()),
        forged("".into()),
        forged("AAAA".into()),
        sign(1).spoiled("amount", 2),
        sign(1).spoiled("number", 2),
        sign(1).spoiled("data", "x"),
        sign(1).spoiled("to", json!(numbered(8))),
        sign(1).spoiled("time", "2018-04-07T11:46:59.337Z"),
        sign(1)
            .without("from")
            .spoiled("public_key", json!(key(2).public_key())),
        other.without("id"),
    ] {
        submit(&node, txn).await.is(422, "bad-signature");
    }
    submit(&node, other).await.is(400, "bad-field");
    assert_eq!(node.get("/v1/queue").await.ok()["txns"], 0);
}

/// H6: sent a thousand times, it is one transaction, whose answer does not change kind.
#[tokio::test]
async fn the_same_transaction_a_thousand_times_is_one() {
    let node = TestNode::start(&QUEUEING);
    let txn = sender(&node)(1);
    let first = submit(&node, &txn).await;
    for _ in 1..1_000 {
        let again = submit(&node, &txn).await;
        assert_eq!((again.status, &again.body), (202, &first.body));
        assert_eq!(again.header("location"), first.header("location"));
    }
    assert_eq!(node.get("/v1/queue").await.ok()["txns"], 1);
    let sent: Vec<_> = vec![txn.0.clone(); 1_000];
    let items = submit(&node, json!(sent)).await.json()["items"].clone();
    let taken = json!({"id": txn.id(), "status": "pending"});
    assert_eq!(items, json!(vec![taken; 1_000]));
    assert_eq!(node.get("/v1/queue").await.ok()["txns"], 1);
}

#[tokio::test]
async fn the_same_transaction_again_when_it_is_in_a_block_or_only_on_disk() {
    let mut node = TestNode::start(&MINING);
    let sign = sender(&node);
    let txn = sign(1);
    let included = node.include(&txn).await;
    assert_eq!(
        (
            &included["status"],
            &included["block_number"],
            &included["index"]
        ),
        (&json!("final"), &json!(2), &json!(0))
    );
    let head = node.get("/v1/blocks/2").await.ok();
    assert_eq!(included["block_id"], head["id"]);
    node.include(&sign(2)).await;
    for _from_disk in [false, true] {
        let again = submit(&node, &txn).await;
        assert_eq!((again.status, &again.json()), (202, &included));
        let waited = node.post("/v1/txns?wait=included", txn.to_string()).await;
        assert_eq!((waited.status, &waited.json()), (200, &included));
        let list = submit(&node, json!([txn.0])).await.json();
        assert_eq!(list["items"], json!([{"id": txn.id(), "status": "final"}]));
        assert_eq!(node.get("/v1/status").await.ok()["height"], 3);
        // Another one in its place is not the same.
        let usurper = Signed::with(node.handle().genesis().id, 1, 1, numbered(8), 1, "");
        submit(&node, usurper).await.is(409, "nonce-used");
        node.restart();
    }
}

#[tokio::test]
async fn numbers_may_wait_up_to_64_beyond_and_the_queue_shows_gaps() {
    let node = TestNode::start(&QUEUEING);
    let sign = sender(&node);
    assert_eq!(
        submit(&node, sign(65)).await.status,
        202,
        "64 beyond number 1"
    );
    submit(&node, sign(66)).await.is(409, "nonce-gap");
    submit(&node, sign(0)).await.is(409, "nonce-used");
    assert_eq!(submit(&node, sign(1)).await.status, 202);
    assert_eq!(
        submit(&node, sign(66)).await.status,
        202,
        "the next number is 2 now"
    );
    submit(&node, sign(67)).await.is(409, "nonce-gap");
    let usurper = Signed::with(node.handle().genesis().id, 1, 65, numbered(8), 1, "");
    submit(&node, usurper).await.is(409, "nonce-used");

    let queue = node.get("/v1/queue").await.ok();
    let rows = queue["items"].as_array().expect("a list");
    let seen: Vec<_> = rows
        .iter()
        .map(|row| (row["number"].as_u64(), row["gap"].as_bool()))
        .collect();
    assert_eq!(
        seen,
        [
            (Some(65), Some(true)),
            (Some(1), Some(false)),
            (Some(66), Some(true))
        ]
    );
    assert_eq!((&queue["txns"], &queue["next"]), (&json!(3), &Value::Null));
    let account = node
        .get(&format!("/v1/accounts/{}", key(1).public_key().address()))
        .await
        .ok();
    assert_eq!(
        (&account["next_number"], &account["pending"]),
        (&json!(2), &json!(3))
    );
    // Pages of the queue, without an empty one at the end.
    let page = node.get("/v1/queue?limit=2").await.ok();
    let next = page["next"].as_str().expect("there is more").to_owned();
    let last = node
        .get(&format!("/v1/queue?limit=1&after={next}"))
        .await
        .ok();
    assert_eq!(
        (&last["items"][0]["number"], &last["next"]),
        (&json!(66), &Value::Null)
    );
}

#[tokio::test]
async fn funds_count_what_waits() {
    let node = TestNode::start(&QUEUEING);
    let genesis = node.handle().genesis().id;
    let txn = |number, amount| Signed::with(genesis, 1, number, numbered(9), amount, "");
    submit(&node, txn(1, COINS + 1))
        .await
        .is(422, "insufficient-funds");
    submit(&node, txn(1, ccoin_core::MAX_INTEGER))
        .await
        .is(422, "insufficient-funds");
    assert_eq!(submit(&node, txn(1, COINS)).await.status, 202);
    submit(&node, txn(2, 1)).await.is(422, "insufficient-funds");
    assert_eq!(submit(&node, txn(2, 0)).await.status, 202);
    submit(&node, Signed::with(genesis, 4, 1, numbered(9), 1, ""))
        .await
        .is(422, "insufficient-funds");
    let data = Signed::with(genesis, 2, 1, numbered(9), 0, &"x".repeat(4_097));
    submit(&node, data).await.is(413, "data-too-large");
}

/// What was accepted can be found at every moment, also while its block is made.
#[tokio::test(flavor = "multi_thread")]
async fn an_accepted_transaction_is_never_missing() {
    let node = TestNode::start(&MINING);
    let sign = sender(&node);
    for number in 1..=40 {
        let txn = sign(number);
        assert_eq!(submit(&node, &txn).await.status, 202);
        let path = format!("/v1/txns/{}", txn.id());
        node.until(&path, |answer| answer.ok()["status"] == "final")
            .await;
    }
}
