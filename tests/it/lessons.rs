//! What the program that this one replaces got wrong. Only what shows in a whole system
//! with one node stands here.

use crate::support::{Node, Place, Sender, genesis, wait_for};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

#[test]
fn nonces_go_on_after_a_restart_and_a_failed_request() {
    let mining = json!({"min_bound": 50, "interval": 600});
    let place = Place::network(&genesis(&mining, 500, &[]));
    let mut node = place.start(&[]);
    let pay = |node: &Node, amount: Value| {
        node.pay(&json!({"sendto_address": place.address, "amount": amount}))
    };
    assert_eq!(pay(&node, json!(1)).json()["number"], 1);
    for bad in [json!("5"), json!(-1), json!(1.5), json!(5000)] {
        let refused = pay(&node, bad).status;
        assert!((400..500).contains(&refused), "{refused}");
    }
    assert_eq!(pay(&node, json!(1)).json()["number"], 2);
    assert_eq!(node.stop().0, Some(0));
    let mut node = place.start(&[]);
    assert_eq!(pay(&node, json!(1)).json()["number"], 3);
    node.kill();
    let node = place.start(&[]);
    assert_eq!(pay(&node, json!(1)).json()["number"], 4);
    let account = node.get(&format!("/v1/accounts/{}", place.address));
    assert_eq!(
        (&account["next_number"], &account["pending"]),
        (&json!(5), &json!(4))
    );
}

#[test]
fn mining_goes_on_after_a_request_with_a_text_as_amount() {
    let place = Place::network(&genesis(
        &json!({"allow_empty": true, "interval": 0.2}),
        500,
        &[],
    ));
    let node = place.start(&[]);
    let height = node.height();
    let refused = node.pay(&json!({"sendto_address": place.address, "amount": "5"}));
    assert_eq!(
        (refused.status, refused.header("content-type")),
        (400, Some("application/problem+json"))
    );
    node.reach(height + 2);
}

#[test]
fn pow_solved_by_nonce_0_is_a_solution() {
    let mining = json!({"difficulty": 0, "allow_empty": true, "interval": 0.1});
    let text = genesis(&mining, 500, &[]);
    let place = Place::network(&text.replace("\"difficulty\": 1", "\"difficulty\": 0"));
    let node = place.start(&[]);
    node.reach(4);
    for number in 1..=4 {
        assert_eq!(node.get(&format!("/v1/blocks/{number}"))["nonce"], 0);
    }
}

#[test]
fn replayed_and_invalid_transactions_are_refused_and_make_no_block() {
    let sender = Sender::new();
    let to = sender.address();
    let mining = json!({"interval": 0.3});
    let place = Place::network(&genesis(&mining, 500, &[(to, 100)]));
    let node = place.start(&[]);
    let net = node.genesis_id();
    let first: Vec<_> = (1..=3).map(|n| sender.sign(&net, n, to, 1, "").1).collect();
    for body in &first {
        assert_eq!(node.post("/v1/txns", body).status, 202);
    }
    wait_for("an empty queue", || {
        (node.get("/v1/queue")["txns"] == 0).then_some(())
    });
    for body in &first {
        assert_eq!(
            node.post("/v1/txns", body).status,
            202,
            "the same id: the same answer"
        );
    }
    for (number, amount) in [(4, 101), (3, 2), (90, 1)] {
        let refused = node.post("/v1/txns", &sender.sign(&net, number, to, amount, "").1);
        assert!((400..500).contains(&refused.status), "{}", refused.body);
    }
    assert_eq!(node.get("/v1/queue")["txns"], 0);
    // Time for two of them.
    let since = Instant::now();
    wait_for("two intervals", || {
        (since.elapsed() > Duration::from_millis(600)).then_some(())
    });
    let last = sender.sign(&net, 4, to, 1, "").1;
    let last = node.post("/v1/txns?wait=included", &last);
    assert_eq!(last.status, 200, "{}", last.body);
    for number in 2..=node.height() {
        let block = node.get(&format!("/v1/blocks/{number}"));
        assert_ne!(block["txn_count"], 0, "{block}");
    }
}

#[test]
fn blocks_hold_exactly_min_bound_transactions_whatever_waits() {
    let sender = Sender::new();
    let to = sender.address();
    let mining = json!({"max_bound": 4, "interval": 0.5});
    let place = Place::network(&genesis(&mining, 500, &[(to, 100)]));
    let node = place.start(&[]);
    let net = node.genesis_id();
    let ten: Vec<_> = (1..=10)
        .map(|n| sender.sign(&net, n, to, 1, "").1)
        .collect();
    assert_eq!(node.post("/v1/txns", &Value::from(ten)).status, 202);
    node.reach(4);
    let counts = [2, 3, 4].map(|n| node.get(&format!("/v1/blocks/{n}"))["txn_count"].clone());
    assert_eq!(counts, [json!(4), json!(4), json!(2)]);
}

/// Keys like `blk-1` were prefixes of keys like `blk-10`.
#[test]
fn block_1_shows_its_own_accounts_only() {
    let sender = Sender::new();
    let mining = json!({"min_bound": 1, "max_bound": 1, "interval": 600});
    let place = Place::network(&genesis(&mining, 500, &[(sender.address(), 100)]));
    let mut node = place.start(&[]);
    let first = format!("/{}/blk/1/", node.address);
    let before = node.get(&first);
    assert_eq!(before["state"].as_object().unwrap().len(), 2);
    let net = node.genesis_id();
    for number in 1..=11 {
        let to = format!("{number:040x}").parse().unwrap();
        let (_, body) = sender.sign(&net, number, to, 1, "");
        assert_eq!(node.post("/v1/txns", &body).status, 202);
    }
    node.reach(12);
    for options in [&[][..], &["--reindex"]] {
        assert_eq!(node.get(&first), before);
        let tenth = node.get(&format!("/{}/blk/10/", node.address));
        assert_eq!(tenth["state"].as_object().unwrap().len(), 2 + 9);
        node.kill();
        node = place.start(options);
    }
    assert_eq!(node.get(&first), before);
}
