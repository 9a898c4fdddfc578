//! What a user does to a devnet that runs: cut it in two and join it, keep its state and put
//! it back. The nodes are real processes and agree again afterwards.

use crate::support::{Devnet, Place, genesis, request, wait_for, wait_until_gone};
use serde_json::{Value, json};
use std::process::Stdio;

struct Network {
    place: Place,
    devnet: Devnet,
}

impl Network {
    fn start(validators: &str) -> Self {
        let place = Place::new(&genesis(&json!({}), 500, &[]));
        let options = ["devnet", "--json", "--validators", validators];
        let devnet = Devnet::start(&mut place.command("ccoin", &options));
        Self { place, devnet }
    }

    fn says(&self, line: &str) -> String {
        let words: Vec<_> = line.split(' ').collect();
        self.place.ok("ccoin", &words).trim_end().to_owned()
    }

    fn fails(&self, line: &str) -> (Option<i32>, String) {
        let words: Vec<_> = line.split(' ').collect();
        let output = self.place.run("ccoin", &words);
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    }

    /// The answer of one node; the validators come first.
    fn get(&self, node: usize, path: &str) -> Value {
        let url = self.devnet.nodes()[node]["http"].as_str().unwrap();
        let socket = url.strip_prefix("http://").unwrap().parse().unwrap();
        request(socket, "GET", path, &[], "").unwrap().json()
    }

    fn height(&self, node: usize) -> u64 {
        self.get(node, "/v1/status")["height"].as_u64().unwrap()
    }

    fn last_final(&self, node: usize) -> u64 {
        let status = self.get(node, "/v1/status");
        status["final"]["number"].as_u64().unwrap()
    }
}

#[test]
fn a_partition_stops_finality_and_healing_makes_one_chain() {
    let network = Network::start("2");
    let sides = network.says("devnet partition validator-1");
    assert_eq!(sides, "cut: validator-1 | validator-2 basic-1");
    assert_eq!(network.get(0, "/v1/peers")["items"], json!([]));
    let before = [0, 1, 2].map(|node| network.last_final(node));
    // Both sides go on, and neither has the votes of both validators.
    let started = [0, 1].map(|node| network.height(node));
    for node in [0, 1] {
        wait_for("two blocks of each side", || {
            (network.height(node) >= started[node] + 2).then_some(())
        });
    }
    assert_ne!(
        network.get(0, "/v1/blocks/head")["id"],
        network.get(1, "/v1/blocks/head")["id"]
    );
    let most = before.iter().max().unwrap();
    assert!(
        [0, 1]
            .iter()
            .all(|node| network.last_final(*node) <= most + 1)
    );

    // A node that starts again stays on its side.
    network.says("devnet kill basic-1");
    network.says("devnet start basic-1");
    let id = |node: usize| network.get(node, "/v1/status")["address"].clone();
    let first = id(0);
    let peers = network.get(2, "/v1/peers")["items"].take();
    assert!(
        peers
            .as_array()
            .unwrap()
            .iter()
            .all(|peer| peer["address"] != first),
        "{peers}"
    );

    let (code, said) = network.fails("devnet partition validator-1 validator-2 basic-1");
    assert_eq!(
        (code, said.contains("on each side")),
        (Some(6), true),
        "{said}"
    );
    let (code, said) = network.fails("devnet partition validator-9");
    assert_eq!(
        (code, said.contains("there is no validator-9")),
        (Some(4), true),
        "{said}"
    );
    assert_eq!(network.says("devnet heal"), "the network is whole");
    let reached = network.height(0).max(network.height(1));
    for node in [0, 1, 2] {
        wait_for("finality of a later block", || {
            (network.last_final(node) > reached).then_some(())
        });
    }
    let block = format!("/v1/blocks/{reached}");
    let ids = [0, 1, 2].map(|node| network.get(node, &block)["id"].clone());
    assert!(ids[0] == ids[1] && ids[1] == ids[2], "{ids:?}");
    assert_eq!(network.fails("devnet heal").0, Some(6));
}

#[test]
fn a_network_that_is_put_back_has_forgotten_and_goes_on() {
    let network = Network::start("2");
    network.says("send alice bob 5 --wait final");
    network.says("devnet stop basic-1");
    assert_eq!(network.says("devnet snapshot before"), "before is kept");
    assert_eq!(network.fails("devnet snapshot before").0, Some(8));
    assert_eq!(network.fails("devnet snapshot a/b").0, Some(2));
    assert_eq!(network.fails("devnet revert after").0, Some(4));
    network.says("devnet start basic-1");
    let sent = network.says("send alice bob 7 --wait final");
    let lost = sent.lines().last().unwrap();

    let back = network.says("devnet revert before");
    assert_eq!(back, "all nodes are back at before");
    for node in [0, 1, 2] {
        let missing = network.get(node, &format!("/v1/txns/{lost}"));
        assert_eq!(missing["code"], "txn-not-found");
    }
    assert_eq!(network.says("balance bob"), "1000005");
    // The keys vote again: they have not abstained.
    network.says("send alice bob 1 --wait final");
    assert_eq!(network.says("balance bob"), "1000006");
    // A second time, and as often as one likes.
    network.says("devnet revert before");
    assert_eq!(network.says("balance bob"), "1000005");
}

#[test]
fn a_network_ends_with_the_test_that_holds_its_input() {
    let place = Place::new(&genesis(&json!({}), 500, &[]));
    assert!(
        place
            .ok("ccoin", &["devnet", "list"])
            .starts_with("no devnet runs")
    );
    let options = ["devnet", "--json", "--validators", "1", "--basics", "0"];
    let mut command = place.command("ccoin", &options);
    command.arg("--until-stdin-closes").stdin(Stdio::piped());
    let mut devnet = Devnet::start(&mut command);
    let pids = devnet.pids();
    drop(devnet.process.stdin.take());
    let status = wait_for("its end", || devnet.process.try_wait().unwrap());
    assert_eq!(status.code(), Some(0));
    wait_until_gone(&pids);
}
