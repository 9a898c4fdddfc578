//! `ccoin status`, `balance`, `nonce`, `send`, `block` and `txn` against a network of real
//! processes: what a newcomer does in the first minute, and what goes wrong then.

use crate::support::{Devnet, Place, genesis, in_a_block};
use serde_json::{Value, json};
use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::Stdio,
};

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
    let shown = network.says(&format!("txn {id}"));
    for line in [
        "from     alice  ",
        "to       bob  ",
        "amount   5 coins\n",
        "\"hello\"",
    ] {
        assert!(shown.contains(line), "{shown}");
    }
    let shown = network.says(&format!("block {}", txn["block_number"]));
    let row = format!("5 coins  alice -> bob  \"hello\"  {id}");
    assert!(shown.contains(&row), "{shown}");
    assert!(shown.contains("miner    validator-1  "), "{shown}");
    let blocks = network.says("blocks --limit 3");
    assert!(
        blocks.lines().nth(1).unwrap().contains("validator-1"),
        "{blocks}"
    );
    assert_eq!(
        network.json("blocks --limit 2")["items"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_eq!(network.says("txns"), "0 transactions waiting");
    assert_eq!(
        network.json("devnet list")[0]["accounts"][0]["name"],
        "alice"
    );

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
        ("account show alicia", 4, "known names: alice, bob, carol"),
        ("send alice bob 1000001", 6, "insufficient-funds"),
        ("send alice bob 1.5", 2, "whole coins"),
        ("send alice bob -5", 2, "whole coins"),
        ("block -1", 2, "names no block"),
        (
            "send alice bob 1 --data @missing",
            2,
            "cannot read the text of missing",
        ),
        (&format!("send {stranger} bob 1"), 4, "is not on this host"),
        ("sign alice bob 1", 2, "ccoin nonce alice"),
        ("sign alice bob 1 --number 0", 2, "has number 1"),
        ("publish missing", 2, "cannot read the text of missing"),
        ("block 99", 4, "there is no block 99"),
        ("block tail", 2, "names no block"),
        ("txn 00", 2, "64 hex digits"),
        (&format!("txn {}", "0".repeat(64)), 4, "no transaction 0000"),
        ("man nowhere", 4, "cannot write into nowhere"),
        ("status -c nowhere.json", 3, "cannot read the configuration"),
        ("status --url localhost:1", 2, "expected http://HOST:PORT"),
        (
            "watch --url http://127.0.0.1:1",
            5,
            "cannot connect to 127.0.0.1:1",
        ),
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

#[test]
fn a_payment_is_signed_without_a_node_and_published_later() {
    let network = Network::start();
    let sign = |number: u32| {
        let line = format!("sign alice bob 5 --number {number} --data offline");
        network.says(&line)
    };
    let (first, second) = (sign(1), sign(2));
    fs::write(network.place.path("signed"), format!("{first}\n{second}\n")).unwrap();
    let published = network.says("publish signed --wait final");
    let ids: Vec<_> = [&first, &second]
        .map(|line| {
            let signed: Value = serde_json::from_str(line).unwrap();
            signed["id"].as_str().unwrap().to_owned()
        })
        .into();
    let lines: Vec<_> = published.lines().collect();
    assert_eq!(lines.len(), 2, "{published}");
    for (line, id) in lines.iter().zip(&ids) {
        assert!(
            line.starts_with(&format!("{id} final in block ")),
            "{published}"
        );
    }
    assert_eq!(network.says("balance bob"), "1000010");
    // The same transactions again are no second payment.
    network.says("publish signed --wait");
    assert_eq!(network.says("balance bob"), "1000010");

    let other = network.says(&format!(
        "sign alice bob 5 --number 3 --genesis {}",
        "0".repeat(64)
    ));
    fs::write(network.place.path("other"), other).unwrap();
    let (code, said) = network.fails("publish other");
    assert_eq!(code, 6, "{said}");
    assert!(
        said.contains("id does not follow from the fields"),
        "{said}"
    );
}

#[test]
fn watching_shows_each_block_and_that_it_is_final() {
    let network = Network::start();
    let mut command = network.place.command("ccoin", &["watch", "--json"]);
    let mut watching = command.stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(watching.stdout.take().unwrap()).lines();
    let events: Vec<Value> = lines
        .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
        .take(6)
        .collect();
    watching.kill().unwrap();
    watching.wait().unwrap();
    let numbers = |event: &str| -> Vec<u64> {
        let of_event = events.iter().filter(|line| line["event"] == event);
        of_event
            .map(|line| line["number"].as_u64().unwrap())
            .collect()
    };
    let (blocks, finals) = (numbers("block"), numbers("final"));
    assert!(blocks.len() >= 2 && !finals.is_empty(), "{events:?}");
    assert!(
        blocks.windows(2).all(|pair| pair[1] == pair[0] + 1),
        "{events:?}"
    );
    assert!(finals.is_sorted(), "{events:?}");
}

#[test]
fn completions_and_manual_pages_name_every_command() {
    let place = Place::new(&genesis(&json!({}), 500, &[]));
    for shell in ["bash", "zsh", "fish"] {
        // More than a pipe holds.
        let output = place.command("ccoin", &["completions", shell]).output();
        let script = String::from_utf8(output.unwrap().stdout).unwrap();
        assert!(script.contains("publish") && script.contains("account"));
    }
    fs::create_dir(place.path("man")).unwrap();
    place.ok("ccoin", &["man", "man"]);
    let page = fs::read_to_string(place.path("man/ccoin-send.1")).unwrap();
    assert!(page.contains("no\\-wait"), "{page}");
}

#[test]
fn a_node_without_a_chain_says_so() {
    let mut place = Place::new(&genesis(&json!({}), 500, &[]));
    place.make_account_only();
    let mut node = place.spawn(&[]);
    node.http_port();
    let status = place.ok("ccoin", &["status"]);
    assert!(
        status.contains("state    not ready: no chain here"),
        "{status}"
    );
    let send = ["send", &place.address, &place.address, "1"];
    for options in [&send[..], &["watch"]] {
        let output = place.run("ccoin", options);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(6), "{said}");
        assert!(said.contains("the node has no chain yet"), "{said}");
    }
}

#[test]
fn a_payment_that_no_block_takes_stays_queued_and_its_wait_ends() {
    let place = Place::new(&genesis(&json!({}), 500, &[]));
    let options = ["devnet", "--json", "--validators", "1", "--basics", "1"];
    let _devnet = Devnet::start(&mut place.command("ccoin", &options));
    place.ok("ccoin", &["devnet", "kill", "validator-1"]);
    let output = place.run("ccoin", &["send", "alice", "bob", "1", "--timeout", "1"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(5), "{said}");
    assert!(said.contains("is in no block after 1 s"), "{said}");
    assert!(said.contains("it stays queued: "), "{said}");
    let waiting = place.ok("ccoin", &["txns"]);
    assert!(
        waiting.starts_with("1 transaction waiting\n1 coin  alice -> bob"),
        "{waiting}"
    );
}
