//! A network of several nodes, each at a place of its own: the first validator founds
//! it, everybody else gets block 1 from peers.

use super::{Node, Place, genesis, request, wait_for};
use serde_json::{Value, json};
use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

/// Places in the order validators, basic nodes; and who of them runs.
pub(crate) struct Net {
    pub(crate) places: Vec<Place>,
    pub(crate) nodes: Vec<Option<Node>>,
    validators: usize,
}

impl Net {
    /// Accounts and block 1, nothing started; every account has coins.
    pub(crate) fn found(mining: &Value, slot_ms: u64, validators: usize, basics: usize) -> Self {
        let mut places: Vec<Place> = (0..validators + basics).map(|_| Place::new("")).collect();
        let mut coins = Vec::new();
        for place in &mut places[validators..] {
            place.make_account_only();
            coins.push((place.address.parse().unwrap(), 1_000_000));
        }
        fs::write(
            places[0].path("genesis.json"),
            genesis(mining, slot_ms, &coins),
        )
        .unwrap();
        let file = places[0].path("genesis.json");
        for place in &mut places[..validators] {
            place.make_miner(file.to_str().unwrap());
        }
        places[0].ok("initc", &[]);
        let nodes = places.iter().map(|_| None).collect();
        Self {
            places,
            nodes,
            validators,
        }
    }

    /// Starts a node that calls all running ones.
    pub(crate) fn start(&mut self, index: usize) {
        let peers: Vec<String> = self.running().map(Node::p2p).collect();
        self.start_with(index, &peers, &[]);
    }

    /// Starts a node that calls these, and waits until its API is up.
    pub(crate) fn start_with(&mut self, index: usize, peers: &[String], options: &[&str]) {
        let mut node = self.spawn(index, peers, options);
        node.http_port();
        self.nodes[index] = Some(node);
    }

    fn spawn(&self, index: usize, peers: &[String], options: &[&str]) -> Node {
        let node_type = if index < self.validators {
            "validator"
        } else {
            "basic"
        };
        let mut all = vec!["-t", node_type, "-h", "127.0.0.1"];
        all.extend(peers.iter().flat_map(|peer| ["--peer", peer]));
        all.extend(options);
        if !options.contains(&"-p") {
            all.extend(["-p", "0"]);
        }
        let place = &self.places[index];
        Node::spawn(&mut place.command("cnode", &all), &place.data(""))
    }

    /// Starts a node at a port that was free a moment ago; whoever has taken it for a
    /// short call gives it back.
    pub(crate) fn start_at(&mut self, index: usize, port: &str, peers: &[String]) {
        let node = wait_for(&format!("port {port} and the next one"), || {
            let mut node = self.spawn(index, peers, &["-p", port]);
            node.has_ports().then_some(node)
        });
        self.nodes[index] = Some(node);
    }

    pub(crate) fn start_all(&mut self) {
        for index in 0..self.places.len() {
            self.start(index);
        }
        for node in self.nodes.iter_mut().flatten() {
            node.ready();
        }
    }

    pub(crate) fn node(&self, index: usize) -> &Node {
        self.nodes[index].as_ref().unwrap()
    }

    pub(crate) fn running(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().flatten()
    }

    /// Ends a node without warning.
    pub(crate) fn kill(&mut self, index: usize) {
        self.nodes[index].take().unwrap().kill();
    }

    /// Waits until all running nodes have the same head and nothing waits; the height.
    pub(crate) fn settle(&self) -> u64 {
        wait_for("one chain and empty queues", || {
            let status = |node: &Node| node.get("/v1/status");
            let all: Vec<Value> = self.running().map(status).collect();
            let same = all
                .windows(2)
                .all(|pair| pair[0]["head"] == pair[1]["head"]);
            let empty = all.iter().all(|status| status["queue"]["txns"] == 0);
            (same && empty).then(|| all[0]["height"].as_u64().unwrap())
        })
    }

    /// Only these may connect to a node from now on; nobody: everybody.
    pub(crate) fn allow(&self, index: usize, others: &[usize]) {
        let file = self.places[index].path("ccoin.json");
        let mut config: Value = serde_json::from_str(&plain(&file)).unwrap();
        let allow: Vec<&String> = others.iter().map(|i| &self.places[*i].address).collect();
        config["p2p"] = json!({ "allow": allow });
        fs::write(&file, config.to_string()).unwrap();
        if let Some(node) = &self.nodes[index] {
            node.signal("HUP");
        }
    }
}

/// The shipped configuration without its comments.
fn plain(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let code = lines.map(|line| line.split(" //").next().unwrap_or_default());
    let joined = code.collect::<Vec<_>>().join("\n");
    let mut json = String::new();
    for (index, c) in joined.char_indices() {
        let next = joined[index + 1..].trim_start().chars().next();
        if c != ',' || !matches!(next, Some('}' | ']')) {
            json.push(c);
        }
    }
    json
}

/// A discovery service of the test, on a free port.
pub(crate) struct Discovery {
    node: Node,
    pub(crate) port: u16,
}

impl Discovery {
    pub(crate) fn start(place: &Place, port: u16) -> Self {
        let (data, port) = (place.path("discovery"), port.to_string());
        let options = [
            "-h",
            "127.0.0.1",
            "-p",
            &port,
            "--data-dir",
            data.to_str().unwrap(),
        ];
        let mut command: Command = place.command("discovery", &options);
        let mut node = Node::spawn(command.stdin(Stdio::null()), &data);
        let line = node.line("Discovery Service listens on port=");
        let port = line
            .split("port=")
            .nth(1)
            .unwrap()
            .split(' ')
            .next()
            .unwrap();
        let port = port.parse().unwrap();
        Self { node, port }
    }

    pub(crate) fn kill(&mut self) {
        self.node.kill();
    }

    /// What it lists: id, ip and port of each member, in the order of the ids.
    pub(crate) fn members(&self) -> Vec<(String, String, u64)> {
        let at = ([127, 0, 0, 1], self.port).into();
        let all = json!({"command": "get_all"}).to_string();
        let listed = request(at, "POST", "/", &[], &all).unwrap().json();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let member = |member: &Value| {
            let port = member["port"].as_u64().unwrap();
            (text(&member["id"]), text(&member["ip"]), port)
        };
        let mut members: Vec<_> = listed.as_array().unwrap().iter().map(member).collect();
        members.sort();
        members
    }
}
