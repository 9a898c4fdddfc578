//! Several nodes make one chain: whoever hands transactions in, whoever dies or hangs,
//! whoever is cut off for a while.

mod support;

use serde_json::{Value, json};
use std::time::{Duration, Instant};
use support::{Net, Node, request, wait_for};

const SLOT_MS: u64 = 1_000;

fn busy() -> Value {
    json!({"min_bound": 1, "interval": 2, "max_bound": 500})
}

fn pay(node: &Node, amount: u64) -> String {
    let to = "00000000000000000000000000000000000000aa";
    let answer = node.pay(&json!({"sendto_address": to, "amount": amount}));
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()["id"].as_str().unwrap().to_owned()
}

fn received(node: &Node) -> u64 {
    let account = node.get("/v1/accounts/00000000000000000000000000000000000000aa");
    account["balance"].as_u64().unwrap()
}

/// The first figure, with its own genesis: 1,000 transfers through a node that
/// makes no blocks.
#[test]
fn a_thousand_transfers_through_a_basic_node_are_everywhere() {
    let mining = json!({"min_bound": 3, "interval": 5, "difficulty": 4, "max_bound": 1000});
    let mut net = Net::found(&mining, 2_000, 2, 1);
    net.start_all();
    for _ in 0..1_000 {
        pay(net.node(2), 1);
    }
    let height = net.settle();
    let roots: Vec<Value> = net
        .running()
        .map(|node| node.get(&format!("/v1/blocks/{height}"))["hash_state"].clone())
        .collect();
    assert!(roots.windows(2).all(|pair| pair[0] == pair[1]), "{roots:?}");
    for node in net.running() {
        assert_eq!(received(node), 1_000);
        assert_eq!(node.get("/v1/peers")["items"].as_array().unwrap().len(), 2);
    }
}

/// The other miner's block comes within two slots and a second, whichever of them leads.
fn next_block_within(net: &Net, survivor: usize, payer: usize) {
    let since = Instant::now();
    let id = pay(net.node(payer), 1);
    let path = format!("/v1/txns/{id}");
    wait_for("a block of the other miner", || {
        // It may not have come here yet.
        let answer = request(net.node(survivor).http, "GET", &path, &[], "").ok()?;
        (answer.status == 200 && answer.json()["status"] == "included").then_some(())
    });
    let limit = Duration::from_millis(2 * SLOT_MS + 1_000);
    assert!(since.elapsed() <= limit, "{:?}", since.elapsed());
}

#[test]
fn a_killed_miner_is_replaced_and_finds_back() {
    let mut net = Net::found(&busy(), SLOT_MS, 2, 1);
    net.start_all();
    for round in 0..6 {
        let (dead, survivor) = (round % 2, 1 - round % 2);
        pay(net.node(2), 1);
        net.kill(dead);
        next_block_within(&net, survivor, 2);
        net.start(dead);
        net.nodes[dead].as_mut().unwrap().ready();
        pay(net.node(dead), 1);
        net.settle();
    }
    net.running()
        .for_each(|node| assert_eq!(received(node), 18));
}

#[test]
fn a_hung_leader_freezes_the_chain() {
    let mut net = Net::found(&busy(), SLOT_MS, 2, 1);
    net.start_all();
    for round in 0..4 {
        let (hung, survivor) = (round % 2, 1 - round % 2);
        net.node(hung).signal("STOP");
        next_block_within(&net, survivor, 2);
        net.node(hung).signal("CONT");
        pay(net.node(hung), 1);
        net.settle();
    }
    net.running().for_each(|node| assert_eq!(received(node), 8));
}

/// Each node may speak with its neighbours only.
#[test]
fn a_line_of_five_sees_and_relays_everything() {
    let mut net = Net::found(&busy(), SLOT_MS, 2, 3);
    // miner, basic, basic, basic, miner
    let line = [0, 2, 3, 4, 1];
    for (place, index) in line.iter().enumerate() {
        let neighbours: Vec<usize> = [place.checked_sub(1), Some(place + 1)]
            .into_iter()
            .flatten()
            .filter_map(|place| line.get(place).copied())
            .collect();
        net.allow(*index, &neighbours);
    }
    for place in 0..line.len() {
        let before = place
            .checked_sub(1)
            .map(|place| net.node(line[place]).p2p());
        net.start_with(line[place], before.as_slice(), &[]);
    }
    net.nodes.iter_mut().flatten().for_each(Node::ready);
    for _ in 0..10 {
        line.iter().for_each(|index| {
            pay(net.node(*index), 1);
        });
    }
    wait_for("all transfers everywhere", || {
        net.running().all(|node| received(node) == 50).then_some(())
    });
    net.settle();
    for (place, index) in line.iter().enumerate() {
        let peers = net.node(*index).get("/v1/peers")["items"]
            .as_array()
            .unwrap()
            .len();
        let ends = place == 0 || place == line.len() - 1;
        assert_eq!(peers, if ends { 1 } else { 2 }, "node {place} of the line");
    }
    let both = net.node(3).get("/v1/blocks?limit=100");
    let miners: std::collections::BTreeSet<_> = both["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|block| block["coinbase"].to_string())
        .collect();
    assert!(
        miners.len() >= 2,
        "miners at both ends take turns: {miners:?}"
    );
}

/// Both sides go on by themselves; when they meet again one chain has everything.
#[test]
fn a_partition_forks_for_ever() {
    let mut net = Net::found(&busy(), SLOT_MS, 2, 2);
    net.start_all();
    pay(net.node(2), 1);
    net.settle();
    let before = received(net.node(0));
    for (index, side) in [(0, [2]), (2, [0]), (1, [3]), (3, [1])] {
        net.allow(index, &side);
    }
    wait_for("two sides", || {
        let apart = |node: &Node| node.get("/v1/peers")["items"].as_array().unwrap().len() == 1;
        net.running().all(apart).then_some(())
    });
    for round in 1..=3 {
        pay(net.node(2), 1);
        pay(net.node(3), 1);
        wait_for("a block on either side", || {
            let got = |index| received(net.node(index)) == before + round;
            (got(0) && got(1)).then_some(())
        });
    }
    let heads: Vec<Value> = (0..2)
        .map(|i| net.node(i).get("/v1/status")["head"].clone())
        .collect();
    assert_ne!(heads[0], heads[1]);
    for index in 0..4 {
        net.allow(index, &[]);
    }
    net.settle();
    for node in net.running() {
        assert_eq!(
            received(node),
            before + 6,
            "every transfer of both sides, once"
        );
    }
}
