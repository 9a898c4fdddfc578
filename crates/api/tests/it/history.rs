//! The history of an account: its transactions and its balances, page by page.

use crate::fixtures::{COINS, MINING, Network, QUEUEING, Signed, TestNode, key, numbered};
use serde_json::{Value, json};

/// Walks all pages of a list.
async fn walk(node: &TestNode, path: &str, limit: usize) -> Vec<Value> {
    let (mut all, mut before) = (Vec::new(), String::new());
    loop {
        let page = node
            .get(&format!("{path}?limit={limit}{before}"))
            .await
            .ok();
        let items = page["items"].as_array().expect("a list");
        assert!(items.len() <= limit, "{page}");
        all.extend(items.iter().cloned());
        match page["next"].as_str() {
            Some(next) => before = format!("&before={next}"),
            None => return all,
        }
    }
}

/// Four blocks with three transactions each: two to one account, one to another.
const BATCHES: Network = Network {
    min_bound: 3,
    interval: 3_600,
    ..MINING
};

#[tokio::test]
async fn transactions_of_an_account_are_walked_without_holes_or_repeats() {
    let mut node = TestNode::start(&BATCHES);
    let genesis = node.handle().genesis().id;
    for block in 0..4 {
        let txns: Vec<_> = [(1, 7), (2, 8), (3, 7)]
            .map(|(place, to)| Signed::with(genesis, 1, 3 * block + place, numbered(to), place, ""))
            .into();
        for txn in &txns {
            assert_eq!(node.post("/v1/txns", txn.to_string()).await.status, 202);
        }
        let last = format!("/v1/txns/{}", txns[2].id());
        node.until(&last, |answer| answer.ok()["status"] == "final")
            .await;
    }
    let sender = key(1).public_key().address();
    for _from_disk in [false, true] {
        let numbers = |items: &[Value]| -> Vec<u64> {
            let number = |item: &Value| item["number"].as_u64().expect("a number");
            items.iter().map(number).collect()
        };
        for limit in [1, 2, 3, 4, 5, 12, 13, 100] {
            let of = |address| format!("/v1/accounts/{address}/txns");
            let sent = walk(&node, &of(sender), limit).await;
            assert_eq!(
                numbers(&sent),
                (1..=12).rev().collect::<Vec<_>>(),
                "{limit}"
            );
            let received = walk(&node, &of(numbered(7)), limit).await;
            assert_eq!(numbers(&received), [12, 10, 9, 7, 6, 4, 3, 1], "{limit}");
            for txn in &sent {
                let id = txn["id"].as_str().expect("a text");
                assert_eq!(node.get(&format!("/v1/txns/{id}")).await.ok(), *txn);
            }
            assert!(walk(&node, &of(node.address()), limit).await.is_empty());
            assert!(walk(&node, &of(numbered(99)), limit).await.is_empty());
        }
        node.restart();
    }
}

#[tokio::test]
async fn balances_of_an_account_go_back_to_its_first_block() {
    let mut node = TestNode::start(&MINING);
    let genesis = node.handle().genesis().id;
    for number in 1..=4 {
        node.include(&Signed::with(genesis, 1, number, numbered(7), 10, ""))
            .await;
    }
    let sender = key(1).public_key().address();
    for _from_disk in [false, true] {
        for limit in [1, 2, 4, 5, 100] {
            let of = |address| format!("/v1/accounts/{address}/history");
            let row = |block: u64, nonce: u64, balance: u64| json!({"block_number": block, "nonce": nonce, "balance": balance});
            let received = walk(&node, &of(numbered(7)), limit).await;
            let expected: Vec<_> = (2..=5).rev().map(|n| row(n, 0, 10 * (n - 1))).collect();
            assert_eq!(received, expected, "{limit}");
            let sent = walk(&node, &of(sender), limit).await;
            let after = |n| row(n, n - 1, COINS - 10 * (n - 1));
            assert_eq!(
                sent,
                (1..=5).rev().map(after).collect::<Vec<_>>(),
                "{limit}"
            );
        }
        node.restart();
    }
}

#[tokio::test]
async fn a_cursor_or_address_that_does_not_fit_is_refused() {
    let node = TestNode::start(&QUEUEING);
    for (query, code) in [
        ("x/txns", "bad-address"),
        ("x/history", "bad-address"),
        ("7/txns?before=5", "bad-field"),
        ("7/txns?before=5-x", "bad-field"),
        ("7/txns?before=-5-1", "bad-field"),
        ("7/txns?before=9007199254740992-1", "bad-field"),
        ("7/txns?limit=0", "bad-field"),
        ("7/history?limit=101", "bad-field"),
        ("7/history?before=x", "bad-field"),
    ] {
        let path = query.replace("7/", &format!("{}/", numbered(7)));
        node.get(&format!("/v1/accounts/{path}"))
            .await
            .is(400, code);
    }
}
