//! `ccoin status`, `balance`, `nonce`, `send`, `block` and `txn` against a network of real
//! processes: what a newcomer does in the first minute, and what goes wrong then.

use crate::support::{Devnet, Place, genesis, in_a_block};
use serde_json::{Value, json};

struct Network {
    place: Place,
    _devnet: Devnet,
}

impl Network {
    fn start() -> Self {
        let place = Place::new(&genesis(&json!({}), 500, &[]));
        let options = ["devnet", "--json", "--validators", "1", "--basics", "0"];
        let devnet = Devnet::start(&mut place.command("ccoin", &options));
        Self {
            place,
            _devnet: devnet,
        }
    }

    fn says(&self, line: &str) -> String {
        let words: Vec<_> = line.split(' ').collect();
        self.place.ok("ccoin", &words).trim_end().to_owned()
    }

    fn json(&self, line: &str) -> Value {
        serde_json::from_str(&self.says(&format!("{line} --json"))).unwrap()
    }

    fn fails(&self, line: &str) -> (i32, String) {
        let words: Vec<_> = line.split(' ').collect();
        let output = self.place.command("ccoin", &words).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        (output.status.code().unwrap(), said)
    }
}

#[test]
fn a_newcomer_looks_sends_coins_and_finds_them() {
    let network = Network::start();
    let status = network.says("status");
    for part in [
        "node     validator",
        "state    ready",
        "0 transactions waiting",
    ] {
        assert!(status.contains(part), "{status}");
    }
    assert_eq!(network.says("balance bob"), "1000000");
    let sent = network.says("send alice bob 5 --data hello");
    assert!(sent.contains(" in block "), "{sent}");
    assert_eq!(network.says("balance bob"), "1000005");
    assert_eq!(network.says("nonce alice"), "2");
    let lasting = network.says("send alice bob 1 --wait final");
    assert!(lasting.contains(": final in block "), "{lasting}");
    assert!(network.says("status").contains("final    block "));
    let why = network.json("why");
    assert_eq!(why["facts"]["quorum"], 1, "{why}");
    assert_eq!(network.says("why"), why["sentence"]);

    let id = sent.lines().last().unwrap();
    let txn = network.json(&format!("txn {id}"));
    assert!(in_a_block(&txn) && txn["data"] == "hello", "{txn}");
    let block = network.json(&format!("block {}", txn["block_number"]));
    assert_eq!(block["body"][0]["id"], id);

    let stranger = "00000000000000000000000000000000000000ab";
    let sent = network.json(&format!("send bob {stranger} 1"));
    assert!(in_a_block(&sent), "{sent}");
    let account = network.json(&format!("balance {stranger}"));
    assert_eq!(
        (&account["address"], &account["balance"]),
        (&json!(stranger), &json!(1))
    );
    let sent = network.json("send carol alice 1 --no-wait");
    assert!(
        sent["id"].is_string() && sent["status"].is_string(),
        "{sent}"
    );
}

#[test]
fn each_thing_that_goes_wrong_has_its_code_and_advice() {
    let network = Network::start();
    let stranger = "00000000000000000000000000000000000000ab";
    for (line, code, words) in [
        ("balance alicia", 4, "known names: alice, bob, carol"),
        ("send alice bob 1000001", 6, "insufficient-funds"),
        ("send alice bob 1.5", 2, "whole coins"),
        (
            "send alice bob 1 --data @missing",
            2,
            "cannot read the text of @missing",
        ),
        (&format!("send {stranger} bob 1"), 4, "is not on this host"),
        ("block 99", 4, "there is no block 99"),
        ("txn 00", 4, "hex digits"),
        ("status --url http://127.0.0.1:1", 5, "is the node running?"),
    ] {
        let (got, said) = network.fails(line);
        assert_eq!(got, code, "{line}: {said}");
        assert!(said.contains(words), "{line}: {said}");
    }
}

#[test]
fn a_locked_key_sends_with_its_passphrase_only() {
    let (place, _) = Place::packed(include_str!("../data/directory-slots-apart.json"));
    let unlock = ["--passphrase-file", "passphrase"];
    let node = place.start(&unlock);
    let other = "00000000000000000000000000000000000000ab";
    let send = ["send", &place.address, other, "1", "--no-wait", "--json"];
    let output = place.command("ccoin", &send).output().unwrap();
    assert_eq!(output.status.code(), Some(9));
    let sent = place.ok("ccoin", &[&send[..], &unlock].concat());
    let sent: Value = serde_json::from_str(&sent).unwrap();
    let txn = node.get(&format!("/v1/txns/{}", sent["id"].as_str().unwrap()));
    assert_eq!((&txn["to"], &txn["amount"]), (&json!(other), &json!(1)));
}
