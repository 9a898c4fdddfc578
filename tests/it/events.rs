//! Readers of `/v1/events` of real nodes: they go on at another node, after a crash, and
//! through a reorganisation of the chain.

use crate::support::{Net, Node, PATIENCE, wait_for};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Write as _},
    net::TcpStream,
    time::Instant,
};

/// The blocks of one stream, as a program that follows the chain would keep them.
struct Follower {
    lines: BufReader<TcpStream>,
    /// By number: a block replaces that number and all above it.
    chain: BTreeMap<u64, Value>,
    /// How often one was replaced.
    replaced: usize,
    last_final: u64,
    id: String,
}

impl Follower {
    fn open(node: &Node, last_id: Option<&str>) -> Self {
        let mut stream = TcpStream::connect_timeout(&node.http, PATIENCE).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let resume = last_id.map_or_else(String::new, |id| format!("Last-Event-ID: {id}\r\n"));
        let path = "/v1/events?types=block,final&from_block=1";
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {}\r\n{resume}\r\n",
            node.http
        )
        .unwrap();
        Self {
            lines: BufReader::new(stream),
            chain: BTreeMap::new(),
            replaced: 0,
            last_final: 0,
            id: String::new(),
        }
    }

    /// Takes the next event; its number.
    fn next(&mut self) -> u64 {
        let mut kind = String::new();
        let since = Instant::now();
        loop {
            assert!(since.elapsed() < PATIENCE, "heartbeats only");
            let mut line = String::new();
            let got = self
                .lines
                .read_line(&mut line)
                .expect("a heartbeat at least");
            assert_ne!(got, 0, "the stream has ended");
            match line.trim_end().split_once(": ") {
                Some(("id", id)) => id.clone_into(&mut self.id),
                Some(("event", word)) => word.clone_into(&mut kind),
                Some(("data", data)) => {
                    return self.take(&kind, &serde_json::from_str(data).unwrap());
                }
                _ => {}
            }
        }
    }

    fn take(&mut self, kind: &str, data: &Value) -> u64 {
        let number = data["number"].as_u64().unwrap();
        if kind == "final" {
            self.last_final = number;
            return number;
        }
        self.replaced += self.chain.split_off(&number).len();
        if let Some(parent) = self.chain.get(&(number - 1)) {
            assert_eq!(data["hash_parent"], parent["id"], "a hole below {data}");
        }
        self.chain.insert(number, data.clone());
        number
    }

    fn until_final(&mut self, number: u64) {
        while self.last_final < number {
            self.next();
        }
    }

    /// The chain of the stream is the chain of the node.
    fn is_chain_of(&self, node: &Node) {
        for (number, block) in &self.chain {
            let there = node.get(&format!("/v1/blocks/{number}"));
            assert_eq!(block["id"], there["id"], "block {number}");
        }
    }
}

fn pay(node: &Node) {
    let to = "00000000000000000000000000000000000000aa";
    let answer = node.pay(&json!({"sendto_address": to, "amount": 1}));
    assert_eq!(answer.status, 200, "{}", answer.body);
}

fn found(validators: usize, basics: usize) -> Net {
    let mining = json!({"min_bound": 1, "interval": 2, "max_bound": 500});
    let mut net = Net::found(&mining, 1_000, validators, basics);
    net.start_all();
    net
}

/// Makes a block and waits until it is final; its number.
fn grow(net: &Net, payer: usize) -> u64 {
    pay(net.node(payer));
    let height = net.settle();
    wait_for("finality", || {
        let last_final = net.node(0).get("/v1/status")["final"]["number"].as_u64();
        last_final.filter(|number| *number >= height)
    })
}

#[test]
fn a_reader_goes_on_at_another_node_and_after_a_crash() {
    let mut net = found(1, 2);
    let first = grow(&net, 1);
    let mut reader = Follower::open(net.node(2), None);
    reader.until_final(first);
    let id = reader.id.clone();
    net.kill(2);
    let second = grow(&net, 1);
    net.start(2);
    net.node(2).reach(second);
    for index in [0, 1, 2] {
        let mut again = Follower::open(net.node(index), Some(&id));
        again.until_final(second);
        let numbers: Vec<_> = again.chain.keys().copied().collect();
        assert_eq!(
            numbers,
            (first + 1..=second).collect::<Vec<_>>(),
            "node {index}"
        );
        again.is_chain_of(net.node(0));
    }
}

#[test]
fn a_reader_follows_a_reorganisation_without_a_hole() {
    let net = found(2, 2);
    pay(net.node(2));
    net.settle();
    let mut readers = [2, 3].map(|index| Follower::open(net.node(index), None));
    for (index, side) in [(0, [2]), (2, [0]), (1, [3]), (3, [1])] {
        net.allow(index, &side);
    }
    wait_for("two sides", || {
        let apart = |node: &Node| node.get("/v1/peers")["items"].as_array().unwrap().len() == 1;
        net.running().all(apart).then_some(())
    });
    for _ in 0..3 {
        for (index, reader) in [2, 3].into_iter().zip(&mut readers) {
            let height = net.node(index).height();
            pay(net.node(index));
            net.node(index).reach(height + 1);
            while reader.next() <= height {}
        }
    }
    let heads = [0, 1].map(|index| net.node(index).get("/v1/status")["head"].clone());
    assert_ne!(heads[0], heads[1]);
    let ids = readers.each_ref().map(|reader| reader.id.clone());
    for index in 0..4 {
        net.allow(index, &[]);
    }
    let height = net.settle();
    for reader in &mut readers {
        reader.until_final(height);
        reader.is_chain_of(net.node(0));
    }
    let replaced: usize = readers.iter().map(|reader| reader.replaced).sum();
    assert!(replaced > 0, "one side was left");
    // Readers of the branch that was left go on at nodes of the other.
    for id in ids {
        let mut again = Follower::open(net.node(0), Some(&id));
        again.until_final(height);
        again.is_chain_of(net.node(0));
        assert!(again.chain.contains_key(&height));
    }
}
