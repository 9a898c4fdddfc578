//! A devnet whose blocks are made by hand: none is made by itself, and each that is asked for
//! is there when the command returns.

use crate::support::{Devnet, Place, genesis, request};
use serde_json::{Value, json};
use std::process::Command;

struct Manual {
    place: Place,
    devnet: Devnet,
}

fn place() -> Place {
    Place::new(&genesis(&json!({}), 500, &[]))
}

impl Manual {
    fn start(options: &[&str]) -> Self {
        let place = place();
        let mut command: Command = place.command("ccoin", &["devnet", "--json", "--manual"]);
        let devnet = Devnet::start(command.args(options));
        Self { place, devnet }
    }

    fn says(&self, line: &str) -> String {
        let words: Vec<_> = line.split(' ').collect();
        self.place.ok("ccoin", &words).trim_end().to_owned()
    }

    fn code(&self, line: &str) -> Option<i32> {
        let words: Vec<_> = line.split(' ').collect();
        self.place.run("ccoin", &words).status.code()
    }

    /// Makes blocks, and returns the last.
    fn mine(&self, count: &str) -> Value {
        serde_json::from_str(&self.says(&format!("devnet mine {count} --json"))).unwrap()
    }

    fn get(&self, node: usize, path: &str) -> Value {
        let url = self.devnet.nodes()[node]["http"].as_str().unwrap();
        let socket = url.strip_prefix("http://").unwrap().parse().unwrap();
        request(socket, "GET", path, &[], "").unwrap().json()
    }
}

#[test]
fn each_block_is_made_by_a_command_and_is_there_when_it_returns() {
    let network = Manual::start(&[]);
    assert_eq!(network.devnet.nodes().len(), 1, "one validator alone");
    let status = network.get(0, "/v1/status");
    assert_eq!(
        (&status["height"], &status["blocks_by_hand"]),
        (&json!(1), &json!(true))
    );
    let said = network.says("status");
    assert!(
        said.contains("ready; blocks are made by hand: ccoin devnet mine makes one"),
        "{said}"
    );

    network.says("send alice bob 5 --no-wait");
    network.says("send alice bob 7 --no-wait");
    let why = "blocks are made by hand: 2 transactions wait, block 1 is final, and ccoin devnet \
               mine makes the next";
    assert_eq!(network.says("why"), why);
    assert_eq!(network.says("balance bob"), "1000000");
    let said = network.says("devnet mine");
    let block = network.get(0, "/v1/blocks/2");
    let (id, reward) = (block["id"].as_str().unwrap(), &block["reward"]);
    assert_eq!(
        said,
        format!("block 2 {id}, 2 transactions, reward {reward}")
    );
    assert_eq!(network.says("balance bob"), "1000012");

    let last = network.mine("4");
    assert_eq!((&last["number"], &last["txns"]), (&json!(6), &json!(0)));
    let head = network.get(0, "/v1/blocks/head");
    let last_final = network.get(0, "/v1/blocks/final");
    for block in [&head, &last_final] {
        assert_eq!((&block["id"], &block["number"]), (&last["id"], &json!(6)));
    }
    // Block 1 pays nobody, and does not count.
    assert_eq!(block["reward"], 100);
    for number in 3..=6 {
        let block = |number: u64| network.get(0, &format!("/v1/blocks/{number}?body=ids"));
        let (block, parent) = (block(number), block(number - 1));
        let first = slot(&block) != slot(&parent);
        let reward = if first { 100 } else { 0 };
        assert_eq!(block["reward"], json!(reward), "{block} after {parent}");
    }
}

/// The slot of a block, of 1 s in such a network.
fn slot(block: &Value) -> String {
    let time = block["time"].as_str().unwrap();
    time.split('.')
        .next()
        .unwrap()
        .trim_end_matches('Z')
        .to_owned()
}

#[test]
fn other_nodes_have_the_block_too_and_a_restart_or_a_snapshot_makes_none() {
    let network = Manual::start(&["--basics", "1"]);
    assert_eq!(network.mine("2")["number"], 3);
    assert_eq!(network.get(1, "/v1/status")["final"]["number"], 3);
    let why = network.get(1, "/v1/why")["sentence"].clone();
    let why = why.as_str().unwrap();
    assert!(
        why.starts_with("blocks are made by hand: 0 transactions wait"),
        "{why}"
    );

    network.says("devnet snapshot three");
    assert_eq!(network.mine("1")["number"], 4);
    network.says("devnet partition basic-1");
    assert_eq!(network.mine("1")["number"], 5);
    network.says("devnet heal");
    network.says("devnet stop validator-1");
    assert_eq!(network.code("devnet mine"), Some(6));
    network.says("devnet start validator-1");
    assert_eq!(network.mine("1")["number"], 6);
    assert_eq!(network.get(1, "/v1/status")["final"]["number"], 6);
    network.says("devnet revert three");
    assert_eq!(network.get(0, "/v1/status")["height"], 3);
    assert_eq!(network.mine("1")["number"], 4);
}

#[test]
fn a_network_that_is_continued_stays_manual_and_another_one_does_not_become_it() {
    let place = place();
    for options in [&["--manual"][..], &[]] {
        let mut command = place.command("ccoin", &["devnet", "--json", "--data-dir", "net"]);
        let mut devnet = Devnet::start(command.args(options));
        place.ok("ccoin", &["devnet", "mine"]);
        assert_eq!(devnet.end("INT").0.code(), Some(0));
    }
    let new = ["devnet", "--json", "--validators", "1", "--basics", "0"];
    let mut command = place.command("ccoin", &new);
    let mut devnet = Devnet::start(command.args(["--data-dir", "other"]));
    let refused = place.run("ccoin", &["devnet", "mine"]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(6), "{said}");
    assert!(said.contains("ccoin devnet --manual"), "{said}");
    assert_eq!(devnet.end("INT").0.code(), Some(0));
    let again = ["devnet", "--manual", "--data-dir", "other"];
    assert_eq!(place.run("ccoin", &again).status.code(), Some(2));
}

#[test]
fn only_a_lone_validator_under_a_parent_makes_blocks_by_hand() {
    let mut place = place();
    for options in [
        &["devnet", "--manual", "--validators", "2"][..],
        &["devnet", "--manual", "--block-time", "1s"],
        &["devnet", "--manual", "mine"],
        &["devnet", "mine", "0"],
    ] {
        let code = place.run("ccoin", options).status.code();
        assert_eq!(code, Some(2), "{options:?}");
    }
    place.make_account();
    place.make_account();
    place.ok("initc", &[]);
    let validator = ["-t", "validator", "-p", "0", "--blocks-by-hand"];
    let refused = |options: &[&str], word: &str| {
        let output = place.run("cnode", options);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(word), "{said}");
    };
    refused(&validator, "--until-stdin-closes");
    let with_parent = [&validator[..], &["--until-stdin-closes"]].concat();
    refused(&with_parent, "one miner, and this one has 2");
}
