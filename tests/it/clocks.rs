//! Wall clocks that are wrong, or set while a node runs.

use crate::support::{Net, Node, Place, genesis, request, wait_for};
use serde_json::{Value, json};

const HOUR_MS: i64 = 3_600_000;

fn mining() -> Value {
    json!({"min_bound": 1, "interval": 1, "max_bound": 500})
}

/// Pays, waits until the payment has at least this status, and returns its id.
fn pay(node: &Node, status: &str) -> String {
    let to = "00000000000000000000000000000000000000aa";
    let paid = wait_for("a node that pays", || {
        let body = json!({"sendto_address": to, "amount": 1});
        Some(node.pay(&body)).filter(|answer| answer.status == 200)
    });
    let id = paid.json()["id"].as_str().unwrap().to_owned();
    becomes(node, &id, status);
    id
}

fn becomes(node: &Node, id: &str, status: &str) {
    wait_for(&format!("{id} to be {status}"), || {
        let answer = request(node.http, "GET", &format!("/v1/txns/{id}"), &[], "").ok()?;
        let now = answer.json()["status"].as_str()?.to_owned();
        (now == "final" || now == status).then_some(())
    });
}

/// What `/readyz` says, once it holds these words.
fn not_ready(node: &Node, words: &str) -> String {
    wait_for(words, || {
        let answer = request(node.http, "GET", "/readyz", &[], "").ok()?;
        (answer.status == 503 && answer.body.contains(words)).then_some(answer.body)
    })
}

#[test]
fn a_lone_validator_takes_back_what_it_made_while_its_clock_was_ahead() {
    let place = Place::network(&genesis(&mining(), 1_000, &[]));
    place.set_clock(HOUR_MS);
    let mut node = place.start(&[]);
    let id = pay(&node, "final");
    assert_eq!(node.stop().0, Some(0));
    place.set_clock(0);
    let mut node = place.spawn(&[]);
    node.http_port();
    not_ready(&node, "cnode drop-future-blocks");
    assert_eq!(node.stop().0, Some(0));
    let said = place.ok("cnode", &["drop-future-blocks", "--no-other-copy"]);
    assert!(said.contains("transactions that wait again: 1;"), "{said}");
    let node = place.start(&[]);
    becomes(&node, &id, "final");
    pay(&node, "final");
}

/// Blocks dated ahead keep the survivor still until their time has come; nothing is signed twice.
#[test]
fn the_clock_of_a_lone_survivor_may_be_set_forth_and_back() {
    let mut net = Net::found(&mining(), 1_000, 2, 1);
    net.places[0].set_clock(0);
    net.start_all();
    pay(net.node(0), "final");
    net.kill(1);
    let mut ids = vec![pay(net.node(0), "included")];
    for ms in [8_000, 0, -8_000, 0] {
        net.places[0].set_clock(ms);
        ids.push(pay(net.node(0), "included"));
    }
    net.start(1);
    for id in &ids {
        becomes(net.node(1), id, "final");
        becomes(net.node(2), id, "final");
    }
    for node in net.running() {
        assert_eq!(node.get("/v1/evidence")["items"], json!([]));
    }
}

#[test]
fn a_validator_whose_clock_is_a_minute_ahead_says_so_and_the_others_go_on() {
    let mut net = Net::found(&mining(), 1_000, 3, 0);
    net.places[2].set_clock(60_000);
    for index in 0..3 {
        net.start(index);
    }
    let said = not_ready(net.node(2), "my clock is");
    assert!(said.contains("ahead of those of 2 of 2 peers"), "{said}");
    pay(net.node(0), "final");
    net.places[2].set_clock(0);
    let node = net.nodes[2].as_mut().unwrap();
    node.ready();
    pay(net.node(2), "final");
}
