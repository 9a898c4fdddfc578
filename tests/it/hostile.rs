//! Strangers at the port for peers: whoever says nothing, rubbish, too much or the name of
//! another network is gone soon, costs little, and nobody else notices.

use crate::support::{Caller, Net, Node, PATIENCE, hello, wait_for};
use ccoin_core::{
    BlockId,
    message::{ByeReason, Message},
};
use ccoin_crypto::SecretKey;
use serde_json::json;
use std::{
    fs,
    hash::{BuildHasher as _, RandomState},
    io::{self, Read as _, Write as _},
    net::{Shutdown, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

/// Silent connections that are kept open: more than a node lets wait.
const SILENT: usize = 300;

/// Those of them that are opened again at a time, and the pause behind that.
const REOPENED: usize = 4;
const PAUSE: Duration = Duration::from_millis(10);

/// How long all of them come at once, at least.
const SIEGE: Duration = Duration::from_secs(5);

/// How long a silent connection may take for its handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// The most bytes that a process has ever had in memory.
fn peak(node: &Node) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", node.pid())).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib << 10
}

fn frame(length: u32, rest: &[u8]) -> Vec<u8> {
    [&length.to_le_bytes()[..], rest].concat()
}

fn pay(node: &Node) -> Duration {
    let since = Instant::now();
    let to = "00000000000000000000000000000000000000aa";
    let answer = node.pay(&json!({"sendto_address": to, "amount": 0}));
    assert_eq!(answer.status, 200, "{}", answer.body);
    since.elapsed()
}

/// `CCOIN_SEED`, or another one each time; printed.
fn seed() -> u64 {
    let asked = std::env::var("CCOIN_SEED").ok();
    let asked = asked.and_then(|text| text.parse().ok());
    let seed = asked.unwrap_or_else(|| RandomState::new().hash_one(0));
    println!("CCOIN_SEED={seed}");
    seed
}

fn random(seed: &mut u64, length: usize) -> Vec<u8> {
    let mut next = || {
        *seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (*seed >> 33) as u8
    };
    (0..length).map(|_| next()).collect()
}

/// Each of these is known to be wrong as soon as it has come.
fn rubbish(seed: &mut u64) -> Vec<Vec<u8>> {
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
    rubbish.extend((0..100).map(|round| random(seed, 8 + round * 37)));
    rubbish
}

/// Sends bytes without TLS and waits for the end of the connection.
fn without_tls(door: &str, bytes: &[u8]) {
    let mut stream = TcpStream::connect(door).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // the node may have closed already
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    let read = stream.read_to_end(&mut Vec::new());
    let open = read.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
    assert!(!open, "the connection stays open: {bytes:?}");
}

/// Keeps `SILENT` connections that say nothing until it is told to stop, counts those that
/// it opened and hands over those of the end.
fn crowd(door: &str, opened: &AtomicUsize, stop: &mpsc::Receiver<()>) -> Vec<Caller> {
    let mut silent: Vec<Caller> = (0..SILENT).map(|_| Caller::connect(door)).collect();
    opened.fetch_add(SILENT, Ordering::Relaxed);
    while stop.recv_timeout(PAUSE) == Err(mpsc::RecvTimeoutError::Timeout) {
        let ended = silent.iter_mut().filter_map(|caller| {
            // What was said to it is read before the end is seen.
            caller.is_closed().then_some(caller)
        });
        for caller in ended.take(REOPENED) {
            *caller = Caller::connect(door);
            opened.fetch_add(1, Ordering::Relaxed);
        }
    }
    silent
}

/// Nodes of another network call again and again; counts how often they were told why not.
fn foreigners(door: &str, refused: &AtomicUsize, stop: &mpsc::Receiver<()>) {
    let key = SecretKey::generate(2048).unwrap();
    while stop.recv_timeout(PAUSE) == Err(mpsc::RecvTimeoutError::Timeout) {
        let mut caller = Caller::connect(door);
        caller.say(&Message::Hey(hello(&key, BlockId::new([9; 32]))));
        // Among so many it may be the oldest, and go for that.
        if let Some(bye) = caller.last_word() {
            let reason = bye.reason();
            assert!(
                matches!(reason, ByeReason::Network | ByeReason::Full),
                "{reason:?}"
            );
            if reason == ByeReason::Network {
                refused.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

#[test]
fn strangers_at_the_port_neither_slow_nor_swell_a_node() {
    let mining = json!({"min_bound": 1, "interval": 2, "max_bound": 500});
    let mut net = Net::found(&mining, 1_000, 2, 0);
    net.start_all();
    let doors = [0, 1].map(|index| net.node(index).p2p());
    let before = [0, 1].map(|index| peak(net.node(index)));
    let (stop, stopped) = mpsc::channel();
    let (leave, left) = mpsc::channel();
    let (opened, refused) = <(Arc<AtomicUsize>, Arc<AtomicUsize>)>::default();
    let (crowded, counted) = (doors[0].clone(), Arc::clone(&opened));
    let crowd = thread::spawn(move || crowd(&crowded, &counted, &stopped));
    let (other, counted) = (doors[1].clone(), Arc::clone(&refused));
    let foreigners = thread::spawn(move || foreigners(&other, &counted, &left));

    let mut seed = seed();
    let mut slowest = Duration::ZERO;
    let mut paid = 0;
    let begin = Instant::now();
    let enough = || {
        let (opened, refused) = (
            opened.load(Ordering::Relaxed),
            refused.load(Ordering::Relaxed),
        );
        begin.elapsed() > SIEGE && opened > 2 * SILENT && refused > 10
    };
    while !enough() {
        assert!(begin.elapsed() < 2 * PATIENCE, "too little load");
        for bytes in rubbish(&mut seed) {
            for (index, door) in doors.iter().enumerate() {
                let mut caller = Caller::connect(door);
                let since = Instant::now();
                caller.write(&bytes);
                caller.closed();
                without_tls(door, &bytes);
                let took = since.elapsed();
                assert!(took < HANDSHAKE, "{took:?}: {bytes:?}");
                slowest = slowest.max(pay(net.node(index)));
                paid += 1;
            }
        }
    }
    net.settle();
    for index in [0, 1] {
        // Each of its payments, in the eyes of the other.
        let path = format!("/v1/accounts/{}", net.places[index].address);
        assert_eq!(net.node(1 - index).get(&path)["nonce"], paid / 2);
        wait_for("the other miner, still connected", || {
            (net.node(index).peers() == [net.places[1 - index].address.as_str()]).then_some(())
        });
    }
    println!("the slowest of {paid} payments took {slowest:?}");
    println!("{opened:?} silent connections, {refused:?} of another network");

    leave.send(()).unwrap();
    foreigners.join().unwrap();
    stop.send(()).unwrap();
    let silent = crowd.join().unwrap();
    // The last of them go when their time is over.
    silent.into_iter().for_each(|mut caller| caller.closed());
    for index in [0, 1] {
        let grown = peak(net.node(index)) - before[index];
        println!("{grown} bytes more");
        assert!(grown < 64 << 20, "{grown} bytes for strangers");
    }
    for node in net.nodes.iter_mut().flatten() {
        assert_eq!(node.stop().0, Some(0));
        assert!(!node.rest().contains("panicked"));
    }
}
