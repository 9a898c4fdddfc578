//! Final blocks with real processes: who may die, what a lost or copied key does, and what
//! the node says meanwhile.

use crate::support::{Net, Node, request, wait_for};
use serde_json::{Value, json};
use std::{fs, path::Path};

const SLOT_MS: u64 = 1_000;

fn network(validators: usize, basics: usize) -> Net {
    let mining = json!({"min_bound": 1, "interval": 1, "max_bound": 500});
    Net::found(&mining, SLOT_MS, validators, basics)
}

fn pay(node: &Node) -> String {
    let to = "00000000000000000000000000000000000000aa";
    let paid = wait_for("a node that pays", || {
        let body = json!({"sendto_address": to, "amount": 1});
        Some(node.pay(&body)).filter(|answer| answer.status == 200)
    });
    paid.json()["id"].as_str().unwrap().to_owned()
}

fn status_of(node: &Node, id: &str) -> String {
    let txn = node.get(&format!("/v1/txns/{id}"));
    txn["status"].as_str().unwrap().to_owned()
}

/// A payment at one node is final at another.
fn becomes_final(from: &Node, at: &Node) {
    let id = pay(from);
    wait_for("a final payment", || {
        let answer = request(at.http, "GET", &format!("/v1/txns/{id}"), &[], "").ok()?;
        (answer.status == 200 && answer.json()["status"] == "final").then_some(())
    });
}

fn last_final(node: &Node) -> u64 {
    node.get("/v1/status")["final"]["number"].as_u64().unwrap()
}

fn sentence(node: &Node) -> String {
    let why = node.get("/v1/why");
    why["sentence"].as_str().unwrap().to_owned()
}

fn vote_state(node: &Node, miner: &str) -> Value {
    let why = node.get("/v1/why");
    let miners = why["facts"]["miners"].as_array().unwrap();
    let found = miners.iter().find(|one| one["address"] == miner);
    found.unwrap()["vote_state"].clone()
}

/// With fewer than a quorum blocks go on, and the node says what is missing.
#[test]
fn of_three_validators_one_may_die_for_finality_and_two_for_blocks() {
    let mut net = network(3, 1);
    net.start_all();
    becomes_final(net.node(3), net.node(0));
    net.kill(1);
    becomes_final(net.node(3), net.node(2));
    net.kill(2);
    let id = pay(net.node(3));
    wait_for("a block of the last validator", || {
        (status_of(net.node(3), &id) == "included").then_some(())
    });
    let missing = [1, 2].map(|index| net.places[index].address.clone());
    let said = wait_for("the reason", || {
        let said = sentence(net.node(0));
        said.starts_with("finality waits: 1 of 3 validators vote, 2 are needed")
            .then_some(said)
    });
    for miner in missing {
        assert!(said.contains(&format!("miner {miner} is silent")), "{said}");
    }
    net.start(1);
    wait_for("what waited is final", || {
        (status_of(net.node(3), &id) == "final").then_some(())
    });
}

/// Kept over `kill -9` of everybody: nothing final is lost, and votes go on.
#[test]
fn both_validators_are_killed_and_go_on() {
    let mut net = network(2, 1);
    net.start_all();
    becomes_final(net.node(2), net.node(1));
    let before = [0, 1, 2].map(|index| last_final(net.node(index)));
    (0..3).for_each(|index| net.kill(index));
    net.start_all();
    for (index, before) in before.into_iter().enumerate() {
        assert!(last_final(net.node(index)) >= before, "node {index}");
    }
    becomes_final(net.node(2), net.node(1));
}

/// A lost vote file, and a lost chain: the key abstains until the other one, which is intact,
/// has shown what it has.
#[test]
fn of_two_validators_one_may_lose_its_votes_or_its_chain() {
    for lost in [".keys/votes", "chain"] {
        let mut net = network(2, 1);
        net.start_all();
        becomes_final(net.node(2), net.node(1));
        net.kill(1);
        let path = net.places[1].data(lost);
        match path.is_dir() {
            true => fs::remove_dir_all(&path).unwrap(),
            false => fs::remove_file(&path).unwrap(),
        }
        net.start(1);
        let node = net.nodes[1].as_mut().unwrap();
        node.line("the key gives no votes until that is safe");
        node.line("this node's key votes again");
        wait_for("two validators that vote", || {
            let miner = &net.places[1].address;
            (vote_state(net.node(0), miner) == "votes").then_some(())
        });
        becomes_final(net.node(2), net.node(1));
    }
}

/// More validators have lost their votes than finality can do without: the operator names the
/// data of enough others, and fewer are refused.
#[test]
fn the_operator_gives_votes_back_from_the_data_of_others() {
    let mut net = network(4, 0);
    net.start_all();
    becomes_final(net.node(0), net.node(3));
    (0..4).for_each(|index| net.kill(index));
    for index in [2, 3] {
        fs::remove_file(net.places[index].data(".keys/votes")).unwrap();
    }
    let dir = |index: usize| net.places[index].data("").to_str().unwrap().to_owned();
    let recover = |index: usize, from: &[usize]| {
        let mut options = vec!["recover-votes".to_owned(), "--no-other-copy".to_owned()];
        from.iter()
            .for_each(|from| options.extend(["--from".to_owned(), dir(*from)]));
        let options: Vec<_> = options.iter().map(String::as_str).collect();
        let output = net.places[index].run("cnode", &options);
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(said).unwrap())
    };
    let (code, said) = recover(2, &[0, 2, 0]);
    assert_eq!(code, Some(3), "{said}");
    assert!(
        said.contains("1 data directories") && said.contains("2 are needed"),
        "{said}"
    );
    let (code, said) = recover(2, &[0, 3]);
    assert_eq!(code, Some(10), "{said}");
    assert!(said.contains("is missing"), "{said}");
    for index in [2, 3] {
        let (code, said) = recover(index, &[0, 1]);
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("this key votes again"), "{said}");
    }
    net.start_all();
    becomes_final(net.node(0), net.node(3));
}

/// The same key on a second machine: the first one sees what it has not signed. A vote file that
/// alone is old is betrayed by the own log, a whole old snapshot by the other validator.
#[test]
fn a_copy_of_a_validators_key_is_found_out() {
    for (part, said) in [
        (
            ".keys/votes",
            "do not show all that this node's key has signed",
        ),
        ("", "signatures of this node's key"),
    ] {
        let mut net = network(2, 1);
        net.start_all();
        becomes_final(net.node(2), net.node(1));
        net.kill(1);
        let path = net.places[1].data(part);
        let old = net.places[1].path("old");
        copy(&path, &old);
        net.start(1);
        becomes_final(net.node(2), net.node(1));
        net.kill(1);
        match path.is_dir() {
            true => fs::remove_dir_all(&path).unwrap(),
            false => fs::remove_file(&path).unwrap(),
        }
        copy(&old, &path);
        net.start(1);
        let node = net.nodes[1].as_mut().unwrap();
        let line = node.line(said);
        assert!(line.contains("gives no votes"), "{line}");
        node.line("this node's key votes again");
        becomes_final(net.node(2), net.node(0));
    }
}

/// Copies a file, or a directory with all that is in it.
fn copy(from: &Path, to: &Path) {
    if !from.is_dir() {
        fs::copy(from, to).unwrap();
        return;
    }
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        copy(&entry.path(), &to.join(entry.file_name()));
    }
}
