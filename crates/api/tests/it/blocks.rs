//! `/v1/status`, lists of blocks, single blocks, and the accounts as of a block.

use crate::fixtures::{Answer, COINS, MINING, Network, QUEUEING, Signed, TestNode, key, numbered};
use axum::{body::Body, http::Request};
use serde_json::{Value, json};

/// Makes blocks up to `last`, with one transaction in each.
async fn grow(node: &TestNode, last: u64) {
    let genesis = node.handle().genesis().id;
    for number in 1..last {
        node.include(&Signed::new(genesis, 1, number)).await;
    }
}

fn is_time(value: &Value) -> bool {
    let shape = |byte: u8| {
        if byte.is_ascii_digit() {
            '0'
        } else {
            char::from(byte)
        }
    };
    let text = value.as_str().unwrap_or_default();
    text.bytes().map(shape).collect::<String>() == "0000-00-00T00:00:00.000Z"
}

fn numbers(answer: &Value) -> Vec<u64> {
    let rows = answer["items"].as_array().expect("a list");
    rows.iter()
        .map(|row| row["number"].as_u64().expect("a number"))
        .collect()
}

#[tokio::test]
async fn status_has_every_key() {
    let node = TestNode::start(&MINING);
    grow(&node, 2).await;
    let held = Signed::new(node.handle().genesis().id, 2, 2);
    assert_eq!(node.post("/v1/txns", held.to_string()).await.status, 202);
    let status = node.get("/v1/status").await.ok();
    let keys: Vec<_> = status.as_object().expect("an object").keys().collect();
    let mut expected = [
        "address",
        "node_type",
        "version",
        "network_id",
        "genesis_id",
        "height",
        "head",
        "final",
        "seconds_since_final",
        "leader",
        "blocks_by_hand",
        "state",
        "state_word",
        "peers",
        "queue",
        "ready",
        "not_ready",
    ];
    expected.sort_unstable();
    assert_eq!(keys, expected);
    let address = json!(node.address());
    let block = |number: u64| async move { number };
    for (key, value) in [
        ("address", address.clone()),
        ("node_type", json!("validator")),
        ("version", json!(env!("CARGO_PKG_VERSION"))),
        ("network_id", json!(7)),
        ("genesis_id", json!(node.handle().genesis().id)),
        ("height", json!(block(2).await)),
        ("leader", address.clone()),
        ("blocks_by_hand", json!(false)),
        ("state", json!("r")),
        ("state_word", json!("ready")),
        ("peers", json!(0)),
        ("ready", json!(true)),
        ("not_ready", json!([])),
    ] {
        assert_eq!(status[key], value, "{key}");
    }
    for (key, number, coinbase) in [("head", 2, address.clone()), ("final", 2, address)] {
        let block = node.get(&format!("/v1/blocks/{number}")).await.ok();
        let summary = json!({"number": number, "id": block["id"], "time": block["time"], "coinbase": coinbase});
        assert_eq!(status[key], summary, "{key}");
        assert!(is_time(&status[key]["time"]), "{}", status[key]);
    }
    assert!(
        status["seconds_since_final"]
            .as_u64()
            .is_some_and(|seconds| seconds < 60)
    );
    assert_eq!(status["queue"]["txns"], 1);
    assert!(
        status["queue"]["bytes"]
            .as_u64()
            .is_some_and(|bytes| (500..700).contains(&bytes))
    );
    let basic = TestNode::start(&QUEUEING);
    assert_eq!(basic.get("/v1/status").await.ok()["node_type"], "basic");
}

#[tokio::test]
async fn lists_are_newest_first_and_walked_without_holes_or_repeats() {
    let mut node = TestNode::start(&MINING);
    grow(&node, 13).await;
    for _from_disk in [false, true] {
        let all = node.get("/v1/blocks").await.ok();
        assert_eq!(numbers(&all), (1..=13).rev().collect::<Vec<_>>());
        assert_eq!(all["next"], Value::Null);
        for limit in [1, 2, 3, 4, 6, 12, 13, 14, 100] {
            for (after, first) in [
                (None, 1),
                (Some(0), 1),
                (Some(1), 2),
                (Some(5), 6),
                (Some(13), 14),
                (Some(u64::MAX), 14),
            ] {
                let after = after.map_or_else(String::new, |after| format!("&after={after}"));
                let (mut seen, mut before) = (Vec::new(), String::new());
                loop {
                    let path = format!("/v1/blocks?limit={limit}{after}{before}");
                    let page = node.get(&path).await.ok();
                    let rows = numbers(&page);
                    assert!(rows.len() <= limit, "{path}");
                    seen.extend(rows);
                    let Some(next) = page["next"].as_str() else {
                        break;
                    };
                    assert_eq!(
                        page["items"].as_array().map(Vec::len),
                        Some(limit),
                        "{path}"
                    );
                    before = format!("&before={next}");
                }
                assert_eq!(
                    seen,
                    (first..=13).rev().collect::<Vec<_>>(),
                    "limit={limit}{after}"
                );
            }
        }
        for (query, expected) in [
            ("before=1", vec![]),
            ("before=0", vec![]),
            ("before=3", vec![2, 1]),
            ("before=99&limit=2", vec![13, 12]),
            ("before=18446744073709551615&limit=1", vec![13]),
            ("before=6&after=3", vec![5, 4]),
            ("before=6&after=5", vec![]),
            ("before=3&after=9", vec![]),
        ] {
            assert_eq!(
                numbers(&node.get(&format!("/v1/blocks?{query}")).await.ok()),
                expected,
                "{query}"
            );
        }
        node.restart();
    }
    let many = node.get("/v1/blocks?limit=2").await.ok();
    assert!(many["items"][0].get("body").is_none() && many["items"][0].get("state").is_none());
    assert_eq!(many["items"][0]["txn_count"], 1);
    let ids = node.get("/v1/blocks?limit=2&body=ids").await.ok();
    assert_eq!(ids["items"][0]["body"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_block_has_many_names() {
    let node = TestNode::start(&MINING);
    grow(&node, 3).await;
    let get = async |name: &str| node.get(&format!("/v1/blocks/{name}")).await.ok();
    let head = get("3").await;
    let fields = [
        "body",
        "coinbase",
        "data",
        "difficulty",
        "final",
        "hash_parent",
        "hash_state",
        "hash_txns",
        "id",
        "nonce",
        "number",
        "reward",
        "signature",
        "time",
        "txn_count",
    ];
    assert!(
        head.as_object().expect("an object").keys().eq(fields),
        "{head}"
    );
    assert_eq!(get("head").await, head);
    assert_eq!(get(head["id"].as_str().expect("hex")).await, head);
    assert!(is_time(&head["time"]));
    assert_eq!(
        (&head["final"], &head["txn_count"]),
        (&json!(true), &json!(1))
    );
    let txn = Signed::new(node.handle().genesis().id, 1, 2);
    let mut body = head["body"][0].clone();
    let signature = body["signature"].take();
    assert!(signature.is_string());
    let mut expected = txn.0.clone();
    expected["signature"].take();
    assert_eq!(
        body, expected,
        "PSS signs anew each time, all else is the same"
    );
    assert_eq!(get("3?body=ids").await["body"], json!([txn.id()]));
    assert_eq!(get("3?body=full").await, head);
    assert_eq!(get("2").await["id"], head["hash_parent"]);

    let first = get("1").await;
    assert_eq!(get("final").await, head);
    assert_eq!(get(&node.handle().genesis().id.to_string()).await, first);
    assert_eq!(
        (&first["final"], &first["body"], &first["txn_count"]),
        (&json!(true), &json!([]), &json!(0))
    );
}

#[tokio::test]
async fn a_final_block_may_be_kept_and_no_other() {
    let node = TestNode::start(&Network {
        absent: 1,
        ..MINING
    });
    let txn = Signed::new(node.handle().genesis().id, 1, 1).to_string();
    let answer = node.post("/v1/txns?wait=included", txn.clone()).await.ok();
    assert_eq!(answer["status"], "included");
    let late = node.post("/v1/txns?wait=final&timeout=1", txn).await;
    late.is(504, "wait-timeout");
    let why = node.get("/v1/why").await.ok();
    let missing = format!("miner {} is silent", numbered(0xab00));
    assert_eq!(
        why["sentence"],
        format!("finality waits: 1 of 2 validators vote, 2 are needed; {missing}")
    );
    assert_eq!(
        (&why["facts"]["final"], &why["facts"]["quorum"]),
        (&json!(1), &json!(2))
    );
    let cache = |answer: &Answer| answer.header("cache-control").to_owned();
    for name in ["head", "2"] {
        let answer = node.get(&format!("/v1/blocks/{name}")).await;
        assert_eq!(
            (cache(&answer).as_str(), answer.header("etag")),
            ("no-store", ""),
            "{name}"
        );
    }
    let id = node.handle().genesis().id.to_string();
    let mut tags = Vec::new();
    for (name, expected) in [
        ("1", "public, max-age=31536000, immutable"),
        (id.as_str(), "public, max-age=31536000, immutable"),
        ("1?body=ids", "public, max-age=31536000, immutable"),
        // Tomorrow these are other blocks.
        ("final", "no-cache"),
    ] {
        let path = format!("/v1/blocks/{name}");
        let answer = node.get(&path).await;
        assert_eq!(cache(&answer), expected, "{name}");
        let tag = answer.header("etag").to_owned();
        assert!(tag.starts_with('"') && tag.ends_with('"'), "{tag}");
        let ask = |known: &str| {
            let request = Request::get(&path).header("if-none-match", known);
            node.send(request.body(Body::empty()).expect("valid"))
        };
        let same = ask(&tag).await;
        assert_eq!(
            (same.status, same.header("etag"), cache(&same).as_str()),
            (304, tag.as_str(), expected)
        );
        assert_eq!(ask("\"other\"").await.ok(), answer.ok());
        tags.push(tag);
    }
    assert_eq!(tags[0], tags[1]);
    assert_ne!(tags[0], tags[2], "with ids it is another document");
}

#[tokio::test]
async fn all_accounts_of_a_block_can_be_walked() {
    let mut node = TestNode::start(&Network {
        more_accounts: 1_500,
        ..MINING
    });
    let genesis = node.handle().genesis().id;
    let newcomer = numbered(0xffff_ffff);
    node.include(&Signed::with(genesis, 1, 1, newcomer, 7, ""))
        .await;
    node.get(&node.own("/blk/1"))
        .await
        .is(422, "too-many-accounts");
    for _from_disk in [false, true] {
        for (block, limit, count) in [
            ("1", 1_000, 1_504),
            ("1", 752, 1_504),
            ("2", 500, 1_505),
            ("head", 7, 1_505),
        ] {
            let (mut accounts, mut after) = (Vec::new(), String::new());
            loop {
                let path = format!("/v1/blocks/{block}/state?limit={limit}{after}");
                let page = node.get(&path).await.ok();
                let items = page["items"].as_array().expect("a list").clone();
                assert!(!items.is_empty() && items.len() <= limit, "{path}");
                accounts.extend(items);
                let Some(next) = page["next"].as_str() else {
                    break;
                };
                after = format!("&after={next}");
            }
            let addresses: Vec<_> = accounts
                .iter()
                .map(|account| account["address"].as_str())
                .collect();
            assert!(
                addresses.is_sorted() && addresses.len() == count,
                "{block}: {}",
                addresses.len()
            );
            let coins: u64 = accounts
                .iter()
                .filter_map(|account| account["balance"].as_u64())
                .sum();
            assert_eq!(coins, 4 * COINS + 1_500 + if block == "1" { 0 } else { 10 });
            let sender = json!(key(1).public_key().address());
            let sender = accounts.iter().find(|account| account["address"] == sender);
            let (nonce, balance) = if block == "1" {
                (0, COINS)
            } else {
                (1, COINS - 7)
            };
            let expected = json!({"address": key(1).public_key().address(), "nonce": nonce, "balance": balance});
            assert_eq!(sender, Some(&expected));
            let seen = accounts
                .iter()
                .any(|account| account["address"] == json!(newcomer));
            assert_eq!(seen, block != "1");
        }
        node.restart();
    }
    assert_eq!(
        node.get("/v1/blocks/1/state").await.ok()["items"]
            .as_array()
            .map(Vec::len),
        Some(20)
    );
    let beyond = format!("/v1/blocks/1/state?after={}", "f".repeat(40));
    assert_eq!(
        node.get(&beyond).await.ok(),
        json!({"items": [], "next": null})
    );
}
