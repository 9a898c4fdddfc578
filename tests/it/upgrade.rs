//! A user's directory that an earlier version wrote, in `tests/data`: it opens as it is,
//! and the node goes on where the earlier one was killed.

use crate::support::{Node, Place};
use serde_json::{Value, json};
use std::fs;

const PACKED: &str = include_str!("../data/directory-slots-apart.json");
/// Its miner made several paid blocks in one slot.
const EVERY_BLOCK_PAID: &str = include_str!("../data/directory-every-block-paid.json");
const UNLOCK: [&str; 2] = ["--passphrase-file", "passphrase"];

fn node(place: &Place, node_type: &str) -> Node {
    let mut command = place.command("cnode", &["-p", "0", "-t", node_type]);
    let mut node = Node::spawn(command.args(UNLOCK), &place.data(""));
    node.ready();
    node
}

fn accounts(node: &Node, answers: &Value) -> Value {
    let addresses = answers["accounts"].as_object().unwrap().keys();
    addresses
        .map(|address| {
            let account = node.get(&format!("/v1/accounts/{address}"));
            (address.clone(), account)
        })
        .collect()
}

#[test]
fn a_directory_of_an_earlier_version_opens_and_answers_as_before() {
    let (place, answers) = Place::packed(PACKED);
    let votes = fs::read(place.data(".keys/votes")).unwrap();
    let check = place.ok("cnode", &[&["--check"], &UNLOCK[..]].concat());
    assert!(!check.is_empty());
    assert_eq!(fs::read(place.data(".keys/votes")).unwrap(), votes);

    let mut basic = node(&place, "basic");
    let status = basic.get("/v1/status");
    for name in ["address", "genesis_id", "height", "head", "final", "queue"] {
        assert_eq!(status[name], answers[name], "{name}");
    }
    assert_eq!(accounts(&basic, &answers), answers["accounts"]);
    for number in 1..=6 {
        let block = basic.get(&format!("/v1/blocks/{number}"));
        let paid = block["body"].as_array().map_or(0, Vec::len);
        assert_eq!(paid, if number == 1 { 0 } else { 3 }, "block {number}");
    }
    let before = basic.get(&format!("/v1/accounts/{:040x}?block=3", 1));
    assert_eq!(before["balance"], 1 + 2);
    assert_eq!(basic.stop().0, Some(0));

    // Two transactions wait; with a third one a block is due, if it is not already.
    let validator = node(&place, "validator");
    let payment = json!({"sendto_address": format!("{:040x}", 3), "amount": 1});
    let answer = validator.pay(&payment);
    assert_eq!(answer.status, 200, "{}", answer.body);
    validator.reach(7);
    for (account, balance) in [(1, 15 + 7), (2, 20 + 7)] {
        let paid = validator.get(&format!("/v1/accounts/{account:040x}"));
        assert_eq!(paid["balance"], balance);
    }
}

#[test]
fn a_chain_in_which_every_block_is_paid_is_refused_unchanged_with_what_helps() {
    let (place, _) = Place::packed(EVERY_BLOCK_PAID);
    let log = place.data("chain/blocks/00000001.log");
    let before = fs::read(&log).unwrap();
    for options in [&["--check"][..], &["-p", "0"]] {
        let mut command = place.command("cnode", &[options, &UNLOCK[..]].concat());
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        for part in ["block 3", "pays 10 coins where 0 are due", "initc founds"] {
            assert!(said.contains(part), "{said}");
        }
    }
    assert_eq!(fs::read(&log).unwrap(), before);
}
