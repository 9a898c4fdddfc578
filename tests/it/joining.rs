//! Who finds whom: before and after the others, with and without the discovery service,
//! with another network's chain, with a long chain to fetch.

use crate::support::{
    Discovery, Net, Node, PATIENCE, Sender, in_a_block, request, wait_for, wait_up_to,
};
use ccoin_core::{encoding::decode, message::PeerAddress};
use serde_json::{Value, json};
use std::{collections::BTreeSet, fs, net::TcpListener, time::Duration};

/// How often a node is listed anew.
const RENEWAL: Duration = Duration::from_secs(30);

fn busy() -> Value {
    json!({"min_bound": 1, "interval": 2, "max_bound": 500})
}

fn pay(node: &Node) -> String {
    let to = "00000000000000000000000000000000000000aa";
    let answer = node.pay(&json!({"sendto_address": to, "amount": 1}));
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()["id"].as_str().unwrap().to_owned()
}

/// Those that know only the discovery service meet; when it is gone, those that know
/// each other find each other again.
#[test]
fn a_node_started_before_the_genesis_holder_syncs() {
    let mut net = Net::found(&busy(), 1_000, 2, 1);
    let mut discovery = Discovery::start(&net.places[0], 0);
    let port = discovery.port;
    net.places
        .iter()
        .for_each(|place| place.set_discovery(port));
    // The two without a chain come first.
    net.start_with(2, &[], &[]);
    net.start_with(1, &[], &[]);
    assert_eq!(net.node(2).get("/v1/status")["state"], "g");
    net.start_with(0, &[], &[]);
    net.nodes.iter_mut().flatten().for_each(Node::ready);
    pay(net.node(2));
    net.settle();

    discovery.kill();
    // Where each was reached last is remembered, so the ports must stay.
    let port = |node: &Node| node.p2p().rsplit_once(':').unwrap().1.to_owned();
    let ports: Vec<String> = net.running().map(port).collect();
    for node in net.nodes.iter_mut().flatten() {
        assert_eq!(node.stop().0, Some(0));
    }
    for (index, port) in ports.iter().enumerate() {
        net.start_at(index, port, &[]);
    }
    net.nodes.iter_mut().flatten().for_each(Node::ready);
    wait_for_all(&net);
    pay(net.node(2));
    net.settle();
}

/// Without the service a node finds those that it has met before, wherever it is itself
/// now; when the service is back, everybody is listed again.
#[test]
fn a_network_outlives_its_discovery_service() {
    let mut net = Net::found(&busy(), 1_000, 2, 1);
    let mut discovery = Discovery::start(&net.places[0], 0);
    let port = discovery.port;
    net.places
        .iter()
        .for_each(|place| place.set_discovery(port));
    for index in 0..3 {
        net.start_with(index, &[], &[]);
        // The next one finds it listed, and calls it.
        wait_for("a member", || {
            (discovery.members().len() == index + 1).then_some(())
        });
    }
    net.nodes.iter_mut().flatten().for_each(Node::ready);
    wait_for_all(&net);
    let remembered = |net: &Net, index: usize| {
        // Reached, or a caller that says where it listens.
        let files = ["chain/peers", "chain/callers"].map(|file| net.places[index].data(file));
        wait_for("two peers on disk", || {
            let stored = files.iter().filter_map(|file| fs::read(file).ok());
            let peers = stored.flat_map(|bytes| {
                let peers: Vec<PeerAddress> = decode("peers", &bytes).unwrap();
                peers.into_iter().map(|peer| peer.address)
            });
            (peers.collect::<BTreeSet<_>>().len() == 2).then_some(())
        });
    };
    (0..3).for_each(|index| remembered(&net, index));
    discovery.kill();
    // The first was called by the others, the last has called them.
    for index in [0, 2] {
        let before = net.node(index).p2p();
        net.kill(index);
        net.start_with(index, &[], &[]);
        assert_ne!(net.node(index).p2p(), before);
        net.nodes[index].as_mut().unwrap().ready();
        wait_for_all(&net);
    }
    pay(net.node(2));
    net.settle();

    // It has forgotten everything: what it lists, it was told since.
    fs::remove_dir_all(net.places[0].path("discovery")).unwrap();
    let discovery = Discovery::start(&net.places[0], port);
    let mut places: Vec<_> = net.running().map(listed).collect();
    places.sort();
    wait_up_to(RENEWAL + PATIENCE, "all members", || {
        (discovery.members() == places).then_some(())
    });
}

/// How the service lists a node.
fn listed(node: &Node) -> (String, String, u64) {
    let place = node.p2p();
    let (ip, port) = place.rsplit_once(':').unwrap();
    (node.address.clone(), ip.to_owned(), port.parse().unwrap())
}

/// Waits until everybody is connected with everybody.
fn wait_for_all(net: &Net) {
    let others = net.running().count() - 1;
    wait_for("all peers", || {
        let complete = |node: &Node| node.peers().len() == others;
        net.running().all(complete).then_some(())
    });
}

#[test]
fn a_node_without_a_chain_joins_nobody_but_the_wanted_network() {
    let mut net = Net::found(&busy(), 1_000, 1, 1);
    net.start(0);
    net.nodes[0].as_mut().unwrap().ready();
    let (wanted, place) = (net.node(0).genesis_id(), net.node(0).p2p());
    net.start_with(1, &[place], &["--genesis-id", &wanted.to_string()]);
    let node = net.nodes[1].as_mut().unwrap();
    node.ready();
    node.said(&format!("joined the network {wanted} for good"));
    assert_eq!(node.genesis_id(), wanted);
    pay(net.node(0));
    net.settle();
    assert_eq!(net.node(1).height(), 2);
}

/// Its place is called again and again, by a node that has nothing else to do.
#[test]
fn a_peer_that_comes_later_is_found() {
    let mut net = Net::found(&busy(), 1_000, 1, 1);
    let port = free_pair();
    let place = format!("127.0.0.1:{port}");
    net.start_with(1, core::slice::from_ref(&place), &[]);
    assert_eq!(net.node(1).get("/v1/status")["state"], "g");
    net.start_at(0, &port.to_string(), &[]);
    assert_eq!(net.node(0).p2p(), place);
    net.nodes.iter_mut().flatten().for_each(Node::ready);
    pay(net.node(0));
    net.settle();
}

/// A port that is free, as the next one is.
fn free_pair() -> u16 {
    wait_for("two free ports side by side", || {
        let first = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = first.local_addr().unwrap().port();
        let next = TcpListener::bind(("127.0.0.1", port.checked_add(1)?));
        next.is_ok().then_some(port)
    })
}

#[test]
fn transactions_accepted_without_a_peer_are_kept() {
    let mut net = Net::found(&busy(), 1_000, 1, 1);
    net.start(0);
    net.start(1);
    net.nodes.iter_mut().flatten().for_each(Node::ready);
    net.settle();
    net.kill(0);
    wait_for("nobody", || {
        (net.node(1).get("/v1/status")["peers"] == 0).then_some(())
    });
    let ids: Vec<String> = (0..20).map(|_| pay(net.node(1))).collect();
    net.kill(1);
    net.start_with(1, &[], &[]);
    net.nodes[1].as_mut().unwrap().ready();
    net.start(0);
    for id in ids {
        wait_for("inclusion", || {
            let status = net.node(1).get(&format!("/v1/txns/{id}"));
            in_a_block(&status).then_some(())
        });
    }
}

/// Ten megabytes of text in many blocks, then a node without a chain.
#[test]
fn chains_over_3_mb_are_synced() {
    let mining = json!({"min_bound": 20, "interval": 1, "max_bound": 20});
    let mut net = Net::found(&mining, 1_000, 1, 1);
    net.start(0);
    net.nodes[0].as_mut().unwrap().ready();
    let (id, sender) = (net.node(0).genesis_id(), Sender::of(&net.places[1]));
    let text = "x".repeat(4_000);
    for batch in 0..50u64 {
        let sign = |n: u64| {
            sender
                .sign(&id, batch * 50 + n + 1, sender.address(), 0, &text)
                .1
        };
        let body = Value::Array((0..50).map(sign).collect());
        let answer = net.node(0).post("/v1/txns", &body);
        assert_eq!(answer.status, 202, "{}", answer.body);
    }
    net.settle();
    let height = net.node(0).height();
    assert!(height >= 120, "{height}");
    net.start(1);
    net.node(1).reach(height);
    net.settle();
    let path = format!("/v1/accounts/{}", sender.address());
    assert_eq!(net.node(1).get(&path)["nonce"], 2_500);
}

/// One clear line on both sides, and nothing changes.
#[test]
fn a_foreign_network_is_refused_by_name() {
    let mut ours = Net::found(&busy(), 1_000, 1, 0);
    let mut theirs = Net::found(&busy(), 1_000, 1, 0);
    ours.start_all();
    let (mine, place) = (ours.node(0).genesis_id(), ours.node(0).p2p());
    theirs.start_with(0, &[place], &[]);
    theirs.nodes[0].as_mut().unwrap().ready();
    let foreign = theirs.node(0).genesis_id();
    let refusal = |node: &mut Node| {
        let line = node.said("no connection: ");
        for part in [
            "the genesis ids differ",
            &mine.to_string(),
            &foreign.to_string(),
        ] {
            assert!(line.contains(part), "no {part:?} in {line}");
        }
        node.log.clear();
    };
    for (net, own) in [(&mut ours, mine), (&mut theirs, foreign)] {
        let node = net.nodes[0].as_mut().unwrap();
        refusal(node);
        assert_eq!(node.get("/v1/status")["peers"], 0);
        assert_eq!((node.genesis_id(), node.height()), (own, 1));
        assert!(!net.places[0].data("chain/peers").exists());
    }
    // A node without a chain that was given the other id does not take this one either,
    // however often it is offered.
    let newcomer = Net::found(&busy(), 1_000, 1, 1).places.pop().unwrap();
    let wanted = foreign.to_string();
    let (place, options) = (
        ours.node(0).p2p(),
        ["-p", "0", "-h", "127.0.0.1", "--genesis-id", &wanted],
    );
    let mut command = newcomer.command("cnode", &options);
    // A cause that comes again and again is told once a minute, else to those who debug.
    command.args(["--peer", &place]).env("RUST_LOG", "debug");
    let mut node = Node::spawn(&mut command, &newcomer.data(""));
    node.http_port();
    for _ in 0..2 {
        refusal(&mut node);
        assert_eq!(node.get("/v1/status")["state"], "g");
        let answer = request(node.http, "GET", "/readyz", &[], "").unwrap();
        assert_eq!(answer.status, 503);
    }
    assert_eq!(node.stop().0, Some(0));
    assert!(!node.rest().contains("asking for its block 1"));
    let names = fs::read_dir(newcomer.data("chain")).unwrap();
    let names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["lock"], "something was stored");
}

/// The operator of a new node knows one block of the right chain from elsewhere.
#[test]
fn a_node_stays_with_the_trusted_block() {
    let mut net = Net::found(&busy(), 1_000, 1, 1);
    net.start_with(0, &[], &[]);
    net.nodes[0].as_mut().unwrap().ready();
    pay(net.node(0));
    net.node(0).reach(2);
    let id = net.node(0).get("/v1/blocks/2")["id"].clone();
    let right = format!("2:{}", id.as_str().unwrap());
    let wrong = format!("2:{}", "0".repeat(64));
    let peers = [net.node(0).p2p()];

    net.start_with(1, &peers, &["--trusted-block", &wrong]);
    let refused = "this node was told to trust";
    net.nodes[1].as_mut().unwrap().line(refused);
    net.node(1).reach(1);
    assert_eq!(net.node(1).height(), 1);
    net.nodes[1].as_mut().unwrap().stop();
    net.start_with(1, &peers, &["--trusted-block", &right]);
    net.node(1).reach(2);
    net.nodes[1].as_mut().unwrap().stop();

    let options = ["-h", "127.0.0.1", "-p", "0", "--trusted-block", &wrong];
    let mut command = net.places[1].command("cnode", &options);
    let mut late = Node::spawn(&mut command, &net.places[1].data(""));
    assert_eq!(late.ended().code(), Some(7));
    let said = late.rest();
    assert!(
        said.contains("block 2 of the chain here is not the trusted one"),
        "{said}"
    );
}
