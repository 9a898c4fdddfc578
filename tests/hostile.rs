//! Strangers at the port for peers: whoever says nothing, rubbish or too much is gone
//! soon, costs little, and nobody else notices.

mod support;

use serde_json::json;
use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};
use support::{Net, Node, wait_for};

/// Bytes that a process has in memory.
fn resident(node: &Node) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", node.pid())).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS"))
        .unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib << 10
}

/// Waits until the other side has closed.
fn closed(mut stream: TcpStream) {
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    let mut rest = [0; 4_096];
    // What comes before is its hello or its last word.
    while stream.read(&mut rest).is_ok_and(|read| read > 0) {}
}

fn frame(length: u32, rest: &[u8]) -> Vec<u8> {
    [&length.to_le_bytes()[..], rest].concat()
}

fn pay(node: &Node) -> Duration {
    let since = Instant::now();
    let to = "00000000000000000000000000000000000000aa";
    let answer = node.pay(&json!({"sendto_address": to, "amount": 1}));
    assert_eq!(answer.status, 200, "{}", answer.body);
    since.elapsed()
}

/// Random bytes from a seed that is printed.
fn random(seed: &mut u64, length: usize) -> Vec<u8> {
    let mut next = || {
        *seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (*seed >> 33) as u8
    };
    (0..length).map(|_| next()).collect()
}

#[test]
fn strangers_at_the_door_harm_nobody() {
    let mining = json!({"min_bound": 1, "interval": 2, "max_bound": 500});
    let mut net = Net::found(&mining, 1_000, 2, 0);
    net.start_all();
    let door = net.node(0).p2p();
    let knock = || TcpStream::connect(&door).unwrap();
    let before = resident(net.node(0));

    let silent: Vec<TcpStream> = (0..300).map(|_| knock()).collect();
    let mut seed = u64::from(std::process::id());
    println!("seed {seed}");
    let depth = [frame(4_003, b"HEY"), vec![0x91; 4_000]].concat();
    let lists = frame(
        8,
        &[b"HEY".as_slice(), &[0xdd, 0xff, 0xff, 0xff, 0xff]].concat(),
    );
    let election = [frame(10, b"LDR"), vec![0x00; 7]].concat();
    let mut rubbish: Vec<Vec<u8>> = vec![
        frame(u32::MAX, b"BLK"),
        frame(3_000_001, b"ABL"),
        frame(0, b""),
        frame(2, b"HE"),
        frame(4_100, b"HEY"),
        depth,
        lists,
        election,
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
    ];
    rubbish.extend((0..100).map(|round| random(&mut seed, 1 + round * 37)));
    for bytes in rubbish {
        let mut stream = knock();
        // It may have hung up on the first of them.
        let _ = stream.write_all(&bytes);
        closed(stream);
        pay(net.node(0));
    }
    // Among 64 strangers the oldest had to go; what is left goes when its time is over.
    silent.into_iter().for_each(closed);
    let grown = resident(net.node(0)).saturating_sub(before);
    assert!(grown < 64 << 20, "{grown} bytes for strangers");
    wait_for("the other miner, still connected", || {
        let peers = net.node(0).get("/v1/peers")["items"]
            .as_array()
            .unwrap()
            .len();
        (peers == 1).then_some(())
    });
    net.settle();
    for node in net.nodes.iter_mut().flatten() {
        assert_eq!(node.stop().0, Some(0));
        assert!(!node.rest().contains("panicked"));
    }
}
