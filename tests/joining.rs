//! Who finds whom: before and after the others, with and without the discovery service,
//! with another network's chain, with a long chain to fetch.

mod support;

use serde_json::{Value, json};
use support::{Discovery, Net, Node, Sender, request, wait_for};

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
fn a_node_started_before_the_genesis_holder_never_syncs() {
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
        net.start_with(index, &[], &["-p", port]);
    }
    net.nodes.iter_mut().flatten().for_each(Node::ready);
    wait_for("the old peers", || {
        let two = |node: &Node| node.get("/v1/peers")["items"].as_array().unwrap().len() == 2;
        net.running().all(two).then_some(())
    });
    pay(net.node(2));
    net.settle();
}

#[test]
fn transactions_answered_200_with_no_peer_are_dropped() {
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
            (status["status"] == "included").then_some(())
        });
    }
}

/// Ten megabytes of text in many blocks, then a node without a chain.
#[test]
fn chains_over_3_mb_cannot_be_synced() {
    let mining = json!({"min_bound": 20, "interval": 1, "max_bound": 20});
    let mut net = Net::found(&mining, 1_000, 1, 1);
    net.start(0);
    net.nodes[0].as_mut().unwrap().ready();
    let (id, sender) = (net.node(0).genesis_id(), Sender::new());
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
    for net in [&mut ours, &mut theirs] {
        let node = net.nodes[0].as_mut().unwrap();
        let text = "genesis";
        let seen = node.log.iter().find(|line| line.contains(text)).cloned();
        let line = seen.unwrap_or_else(|| node.line(text));
        for id in [mine, foreign] {
            let text = id.to_string();
            assert!(line.contains(&text[text.len() - 8..]), "{line}");
        }
        assert_eq!(node.get("/v1/status")["peers"], 0);
        assert_eq!(node.height(), 1);
    }
    // A node without a chain that was given the other id does not take this one either.
    let newcomer = Net::found(&busy(), 1_000, 1, 1).places.pop().unwrap();
    let wanted = foreign.to_string();
    let (place, options) = (
        ours.node(0).p2p(),
        ["-p", "0", "-h", "127.0.0.1", "--genesis-id", &wanted],
    );
    let mut command = newcomer.command("cnode", &options);
    let mut node = Node::spawn(command.args(["--peer", &place]), &newcomer.data(""));
    node.http_port();
    node.line("genesis");
    assert_eq!(node.get("/v1/status")["state"], "g");
    let answer = request(node.http, "GET", "/readyz", &[], "").unwrap();
    assert_eq!(answer.status, 503);
}
