//! Nodes on hosts of their own: a cable that is pulled, addresses as others see them,
//! limits that loopback never meets, a bad line. Skipped where a test may make no hosts.

use crate::support::{
    Hosts, Net, Node, PATIENCE, Stranger, in_a_block, request, skip, wait_for, wait_up_to,
};
use ccoin_core::{BlockId, Timestamp, message::NodeType};
use ccoin_crypto::SecretKey;
use ccoin_discovery::{Claim, Record};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    process::Stdio,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

const SLOT_MS: u64 = 2_000;

/// Who is paid.
const PAYEE: &str = "00000000000000000000000000000000000000aa";

/// A network with a host for each node.
struct Wide {
    net: Net,
    hosts: Hosts,
}

impl Wide {
    /// Two validators and a basic node, nothing started.
    fn found() -> Option<Self> {
        let hosts = Hosts::new(3)?;
        let mining = json!({"min_bound": 1, "interval": 2, "max_bound": 500});
        let net = Net::found(&mining, SLOT_MS, 2, 1);
        Some(Self { net, hosts })
    }

    /// Starts all nodes, each with those before it as peers.
    fn start(&mut self) {
        let mut peers = Vec::new();
        for index in 0..3 {
            self.start_with(index, &peers);
            peers.push(self.place(index).to_string());
        }
        self.ready();
    }

    fn start_with(&mut self, index: usize, peers: &[String]) {
        let net = &mut self.net;
        let here = ["-h", "0.0.0.0"];
        self.hosts.on(index, || net.start_with(index, peers, &here));
    }

    fn ready(&mut self) {
        for (index, node) in self.net.nodes.iter_mut().enumerate() {
            self.hosts.on(index, || node.as_mut().unwrap().ready());
        }
    }

    /// Where others reach a node.
    fn place(&self, index: usize) -> SocketAddr {
        let listens: SocketAddr = self.net.node(index).p2p().parse().unwrap();
        assert!(listens.ip().is_unspecified(), "{listens}");
        (self.hosts.ip(index), listens.port()).into()
    }

    fn get(&self, index: usize, path: &str) -> Value {
        self.hosts.on(index, || self.net.node(index).get(path))
    }

    /// Pays one coin from the account of a node, at that node.
    fn pay(&self, index: usize) -> String {
        let body = json!({"sendto_address": PAYEE, "amount": 1});
        let answer = self.hosts.on(index, || self.net.node(index).pay(&body));
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    fn received(&self, index: usize) -> u64 {
        let account = self.get(index, &format!("/v1/accounts/{PAYEE}"));
        account["balance"].as_u64().unwrap()
    }

    /// The addresses that a node is connected to.
    fn peers(&self, index: usize) -> Vec<String> {
        let peers = self.get(index, "/v1/peers");
        let peers = peers["items"].as_array().unwrap().iter();
        peers
            .map(|peer| peer["address"].as_str().unwrap().to_owned())
            .collect()
    }

    fn is_connected(&self, index: usize, other: usize) -> bool {
        let other = &self.net.node(other).address;
        self.peers(index).contains(other)
    }

    /// Waits until all have one chain with so many payments.
    fn settle(&self, paid: u64) {
        wait_for("one chain with every payment", || {
            let all: Vec<Value> = (0..3).map(|i| self.get(i, "/v1/status")).collect();
            let same = all.windows(2).all(|two| two[0]["head"] == two[1]["head"]);
            (same && (0..3).all(|i| self.received(i) == paid)).then_some(())
        });
    }
}

/// How long a peer may say nothing: three rounds of asking for a sign of life.
const SILENCE: Duration = Duration::from_secs(30);

/// Nobody is told that the other has gone: no `FIN`, no `RST`, only silence.
#[test]
fn both_sides_of_a_pulled_cable_go_on_and_join_again() {
    let Some(mut wide) = Wide::found() else {
        return;
    };
    wide.start();
    wait_for("a full mesh", || {
        (0..3).all(|i| wide.peers(i).len() == 2).then_some(())
    });
    wide.pay(2);
    wide.settle(1);

    wide.hosts.cable(1, false);
    let pulled = Instant::now();
    let id = wide.pay(2);
    wait_for("a block of the miner that is left", || {
        let http = wide.net.node(0).http;
        let path = format!("/v1/txns/{id}");
        let asked = || request(http, "GET", &path, &[], "").unwrap();
        // It may not have come here yet.
        let answer = wide.hosts.on(0, asked);
        (answer.status == 200 && in_a_block(&answer.json())).then_some(())
    });
    println!("a block {:?} after the cable was pulled", pulled.elapsed());
    // Both sides go on by themselves, each with what is paid there.
    for round in 1..=3 {
        wide.pay(1);
        wide.pay(2);
        wait_for("a block on either side", || {
            let done = wide.received(1) == 1 + round && wide.received(0) == 2 + round;
            done.then_some(())
        });
    }
    wait_up_to(SILENCE + PATIENCE, "the end of the silent peer", || {
        let gone = [(0, 1), (2, 1), (1, 0), (1, 2)];
        let gone = gone
            .iter()
            .all(|(one, other)| !wide.is_connected(*one, *other));
        gone.then_some(())
    });
    // The last sign of life may have come ten seconds before, on a slow host a few more.
    let silence = pulled.elapsed();
    assert!(silence + Duration::from_secs(15) > SILENCE, "{silence:?}");
    assert!(wide.is_connected(0, 2), "the others stay connected");

    wide.hosts.cable(1, true);
    wide.settle(8);
}

/// Where a node that was told nothing about its addresses is, as others see it.
#[test]
fn nodes_meet_through_discovery_alone() {
    let Some(mut wide) = Wide::found() else {
        return;
    };
    let data = wide.net.places[0].path("discovery");
    let mut command = wide.net.places[0].command("discovery", &["-h", "0.0.0.0", "-p", "0"]);
    command.arg("--data-dir").arg(&data).stdin(Stdio::null());
    let mut service = wide.hosts.on(0, || Node::spawn(&mut command, &data));
    let line = service.line("Discovery Service listens on port=");
    let (_, line) = line.split_once("port=").unwrap();
    let port: u16 = line.split(' ').next().unwrap().parse().unwrap();
    for index in 0..3 {
        let place = &wide.net.places[index];
        place.set_discovery(port);
        // The node beside the service calls it at 127.0.0.1.
        if index > 0 {
            let file = place.path("ccoin.json");
            let text = fs::read_to_string(&file).unwrap();
            let service = wide.hosts.ip(0).to_string();
            fs::write(file, text.replacen("127.0.0.1", &service, 1)).unwrap();
        }
        wide.start_with(index, &[]);
    }
    wide.ready();
    wait_for("everybody to meet", || {
        (0..3).all(|i| wide.peers(i).len() == 2).then_some(())
    });
    wide.pay(2);
    wide.settle(1);

    // Those that say nothing useful are where they called from, like the others.
    let ask = |from: usize, to: SocketAddr, body: Value| {
        let asked = || request(to, "POST", "/", &[], &body.to_string()).unwrap();
        let answer = wide.hosts.on(from, asked);
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    };
    let outside = SocketAddr::from((wide.hosts.ip(0), port));
    let modest = ["127.0.0.1", "0.0.0.0", ""].map(record);
    for record in &modest {
        let add = json!({"command": "add", "peer": record});
        assert_eq!(ask(2, outside, add), true);
    }
    let listed = |from, to| -> BTreeMap<String, String> {
        let all = ask(from, to, json!({"command": "get_all"}));
        let all = all.as_array().unwrap().iter();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        all.map(|one| (text(&one["id"]), text(&one["ip"])))
            .collect()
    };
    let seen = |first: &str| -> BTreeMap<String, String> {
        let hosts = [first.to_owned()].into_iter();
        let hosts = hosts.chain((1..3).map(|i| wide.hosts.ip(i).to_string()));
        let nodes = (0..3).map(|i| wide.net.node(i).address.clone());
        let modest = modest.iter().map(|record| record.id.to_string());
        let modest = modest.map(|id| (id, wide.hosts.ip(2).to_string()));
        nodes.zip(hosts).chain(modest).collect()
    };
    assert_eq!(listed(1, outside), seen(&wide.hosts.ip(0).to_string()));
    assert_eq!(listed(2, outside), seen(&wide.hosts.ip(0).to_string()));
    let inside = SocketAddr::from(([127, 0, 0, 1], port));
    assert_eq!(listed(0, inside), seen("127.0.0.1"));
}

fn record(ip: &str) -> Record {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let time = Timestamp::new(u64::try_from(now.as_millis()).unwrap()).unwrap();
    let claim = Claim {
        ip: ip.to_owned(),
        port: 4001,
        network_id: 7,
        genesis_id: BlockId::ZERO,
    };
    let key = SecretKey::generate(2048).unwrap();
    Record::add(claim, time, &key).unwrap()
}

/// Has the other side ended it? What it says before that is thrown away.
fn is_over(stream: &mut TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    loop {
        match stream.read(&mut [0; 1024]) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() != io::ErrorKind::WouldBlock,
        }
    }
}

/// A host becomes a peer of a node.
fn meet(hosts: &Hosts, from: usize, place: SocketAddr, genesis_id: BlockId) {
    let key = SecretKey::generate(2048).unwrap();
    let place = place.to_string();
    let call = || Stranger::call_as(key, NodeType::Basic, &place, genesis_id, 1);
    let _stranger = hosts.on(from, call);
}

/// Most connections of a host whose handshake is not finished.
const EARLY: usize = 8;

/// How long nobody listens to a host that sent rubbish.
const DELAY: Duration = Duration::from_secs(10);

/// How long a connection may be silent before its handshake ends. Without trouble a
/// handshake takes milliseconds.
const HANDSHAKE: Duration = Duration::from_secs(10);

#[test]
fn a_rude_host_is_delayed_and_others_are_not() {
    let Some(mut wide) = Wide::found() else {
        return;
    };
    wide.start_with(0, &[]);
    wide.hosts
        .on(0, || wide.net.nodes[0].as_mut().unwrap().ready());
    let place = wide.place(0);
    let genesis_id = wide.hosts.on(0, || wide.net.node(0).genesis_id());
    let hosts = &wide.hosts;
    let call = || hosts.on(1, || TcpStream::connect(place).unwrap());

    let begin = Instant::now();
    let mut silent: Vec<TcpStream> = (0..30).map(|_| call()).collect();
    let mut open = || silent.iter_mut().map(is_over).filter(|over| !over).count();
    wait_for("the end of the oldest", || (open() <= EARLY).then_some(()));
    meet(hosts, 2, place, genesis_id);
    assert!(begin.elapsed() < HANDSHAKE, "another host had to wait");
    assert_eq!(open(), EARLY, "the newest stay");
    let last = silent.split_off(30 - EARLY);
    assert!(last.into_iter().all(|mut stream| !is_over(&mut stream)));

    let begin = Instant::now();
    let mut rude = call();
    rude.write_all(&[0xff; 64]).unwrap();
    wait_for("the end of the rude one", || {
        is_over(&mut rude).then_some(())
    });
    let since = Instant::now();
    let mut next = call();
    wait_for("the end of the next", || is_over(&mut next).then_some(()));
    assert!(
        since.elapsed() < HANDSHAKE,
        "it had the time of a handshake"
    );
    meet(hosts, 2, place, genesis_id);
    assert!(begin.elapsed() < DELAY, "another host had to wait");
    // Listened to again, it has the time of a handshake to speak.
    let heard = wait_for("the end of the delay", || {
        let mut next = call();
        next.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        let silence = next.read(&mut [0; 1]).err()?.kind();
        let waits = matches!(silence, io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut);
        waits.then(|| begin.elapsed())
    });
    assert!(heard > DELAY, "{heard:?}");
}

/// Everything comes late and some of it only after it was sent again.
#[test]
fn a_slow_and_lossy_line_makes_one_chain() {
    let Some(mut wide) = Wide::found() else {
        return;
    };
    for host in 0..3 {
        if let Err(why) = wide.hosts.worsen(host) {
            return skip(&why);
        }
    }
    wide.start();
    for index in (0..3).cycle().take(30) {
        wide.pay(index);
    }
    wide.settle(30);
}
