//! Several nodes make one chain: whoever hands transactions in, whoever dies or hangs,
//! whoever is cut off for a while.

use crate::support::{Net, Node, request, wait_for};
use serde_json::{Value, json};
use std::{collections::BTreeSet, time::Instant};

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
    let root = |node: &Node| node.get(&format!("/v1/blocks/{height}"))["hash_state"].clone();
    let roots: Vec<Value> = net.running().map(root).collect();
    let digits = |root: &Value| {
        let text = root.as_str().expect("a root is a string");
        text.len() == 64 && text.bytes().all(|digit| digit.is_ascii_hexdigit())
    };
    assert!(digits(&roots[0]), "{roots:?}");
    assert!(roots.windows(2).all(|pair| pair[0] == pair[1]), "{roots:?}");
    for node in net.running() {
        assert_eq!(received(node), 1_000);
        assert_eq!(node.get("/v1/peers")["items"].as_array().unwrap().len(), 2);
    }
}

/// Waits until it is the turn of this miner, as another node sees it.
fn wait_for_turn(net: &Net, miner: usize, observer: usize) {
    let leader = json!(net.places[miner].address);
    wait_for("the turn of a miner", || {
        (net.node(observer).get("/v1/status")["leader"] == leader).then_some(())
    });
}

/// In which block a transaction is, once this node has it.
fn block_of(node: &Node, id: &str) -> Value {
    let number = wait_for("inclusion", || {
        // It may not have come here yet.
        let answer = request(node.http, "GET", &format!("/v1/txns/{id}"), &[], "").ok()?;
        let number = answer.json()["block_number"].as_u64();
        number.filter(|_| answer.status == 200)
    });
    // A transaction is told to be in a block a moment before the block is there.
    wait_for("the block", || {
        let answer = request(node.http, "GET", &format!("/v1/blocks/{number}"), &[], "").ok()?;
        (answer.status == 200).then(|| answer.json())
    })
}

/// The survivor makes a block after the blow that ends the turn of the other. How soon it
/// does, `sim` checks in virtual time.
fn strike(net: &mut Net, leader: usize, survivor: usize, blow: impl FnOnce(&mut Net, usize)) {
    wait_for_turn(net, leader, 2);
    let since = Instant::now();
    blow(net, leader);
    let id = pay(net.node(2), 1);
    let block = block_of(net.node(survivor), &id);
    let took = since.elapsed();
    println!("a block {took:?} after the blow");
    assert_eq!(block["coinbase"], json!(net.places[survivor].address));
}

#[test]
fn a_killed_leader_is_replaced_and_finds_back() {
    let mut net = Net::found(&busy(), SLOT_MS, 2, 1);
    net.start_all();
    for round in 0..6 {
        let (dead, survivor) = (round % 2, 1 - round % 2);
        pay(net.node(2), 1);
        strike(&mut net, dead, survivor, Net::kill);
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
        strike(&mut net, hung, survivor, |net, hung| {
            net.node(hung).signal("STOP");
        });
        net.node(hung).signal("CONT");
        pay(net.node(hung), 1);
        net.settle();
    }
    net.running().for_each(|node| assert_eq!(received(node), 8));
}

/// Who has made blocks; nobody has made block 1.
fn miners(node: &Node) -> BTreeSet<String> {
    let blocks = node.get("/v1/blocks?limit=100");
    let blocks = blocks["items"].as_array().unwrap().iter();
    blocks
        .filter(|block| block["number"] != 1)
        .map(|block| block["coinbase"].as_str().unwrap().to_owned())
        .collect()
}

/// What the operator of a basic node sees of the two that take turns.
#[test]
fn the_log_names_each_new_leader_once() {
    let mut net = Net::found(&busy(), SLOT_MS, 2, 1);
    net.start_all();
    let mut paid = 0;
    let changes = |blocks: &[String]| blocks.windows(2).filter(|pair| pair[0] != pair[1]).count();
    let mut coinbases = Vec::new();
    while changes(&coinbases) < 3 {
        paid += 1;
        assert!(paid < 200, "{coinbases:?}");
        let block = block_of(net.node(2), &pay(net.node(2), 1));
        net.settle();
        coinbases.push(block["coinbase"].as_str().unwrap().to_owned());
    }
    let node = net.nodes[2].as_mut().unwrap();
    node.stop();
    let log = node.rest();
    // What was told behind each block, from the first of ours on.
    let told = |block: usize| {
        let begin = format!("Applied new block {}. ", block + 2);
        let (_, after) = log.split_once(&begin).expect(&log);
        let lines = after.lines().skip(1);
        let lines = lines.take_while(|line| !line.contains("Applied new block"));
        let lines = lines.filter_map(|line| line.split_once("New leader is "));
        lines
            .map(|(_, leader)| leader.to_owned())
            .collect::<Vec<_>>()
    };
    for (block, pair) in coinbases.windows(2).enumerate() {
        let expected: &[String] = if pair[0] == pair[1] { &[] } else { &pair[1..] };
        assert_eq!(told(block + 1), expected, "block {}: {log}", block + 3);
    }
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
    let mut paid = 50;
    wait_for("blocks of the miners at both ends", || {
        if miners(net.node(3)).len() == 2 {
            return Some(());
        }
        paid += 1;
        block_of(net.node(3), &pay(net.node(3), 1));
        None
    });
    net.settle();
    net.running()
        .for_each(|node| assert_eq!(received(node), paid));
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
