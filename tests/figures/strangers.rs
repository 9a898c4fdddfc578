//! Payments through a basic node until they are in a block of the one validator, calm and
//! while strangers knock at the validator: 300 silent connections, and four that send
//! rubbish as fast as they are hung up on. They are a process of lower priority: what they
//! cost themselves is not the node's fault. One validator, because with more the end of
//! each turn, when nobody makes blocks, decides the slowest payments.

use crate::{
    attacks::{ATTACKS, Target},
    network::{BenchNet, median, newcomer, start},
    support::{Node, tls},
};
use ccoin_core::{
    BlockId, Hash, Height, Timestamp,
    message::{Hello, Message, NodeType, PROTOCOL, frame},
};
use ccoin_crypto::SecretKey;
use rustls::ClientConnection;
use serde_json::Value;
use std::{
    fs,
    io::{self, Read as _, Write as _},
    net::TcpStream,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

/// The first argument of the strangers' process; then come the door, what they do there, and
/// the network.
pub(crate) const KNOCK: &str = "knock";

const ROUNDS: usize = 3;
const SILENT: usize = 300;

/// Calm and beside strangers, in turn.
pub(crate) fn all() {
    let net = BenchNet::found(1, &["--min-bound", "1", "--max-bound", "500"]);
    let mut nodes = net.start();
    let place = newcomer();
    let mut basic = start(&place, "basic", &[&nodes[0]]);
    basic.ready();
    nodes.push(basic);
    let load = ["--rate", "300", "--seconds", "15", "--connections", "1"];
    let measure = || {
        let report = net.load(&nodes[1], &load);
        let ms = |name: &str| report["latency"][name].as_f64().unwrap();
        (ms("p50_ms"), ms("p99_ms"))
    };
    let (mut calm, mut beside) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        calm.push(measure());
        let before = resident(&nodes[0]);
        let _strangers = Strangers::start(&nodes[0], KNOCK);
        beside.push(measure());
        let grown = resident(&nodes[0]).saturating_sub(before) >> 10;
        println!("memory of the node that they knock at: {grown} KiB more");
    }
    println!("calm (p50, p99) {calm:.1?} ms, beside strangers {beside:.1?} ms");
    let p99 = |figures: &[(f64, f64)]| median(figures.iter().map(|(_, p99)| *p99).collect());
    println!(
        "median p99 {:.1} and {:.1} ms = {:.2} x",
        p99(&calm),
        p99(&beside),
        p99(&beside) / p99(&calm)
    );
    for node in &nodes {
        let peers: Value = node.get("/v1/peers");
        assert_eq!(peers["items"].as_array().unwrap().len(), 1, "still friends");
    }
}

/// Bytes of memory that a node holds.
pub(crate) fn resident(node: &Node) -> u64 {
    resident_of(node.pid())
}

/// The same of a process.
pub(crate) fn resident_of(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS"));
    let kib = line.unwrap().split_whitespace().nth(1).unwrap();
    kib.parse::<u64>().unwrap() << 10
}

/// The process; killed when dropped.
pub(crate) struct Strangers(Child);

impl Strangers {
    /// What they do: an attack, or to knock.
    pub(crate) fn start(node: &Node, what: &str) -> Self {
        let mut command = Command::new("nice");
        command
            .args(["-n", "19"])
            .arg(std::env::current_exe().unwrap());
        let genesis = node.genesis_id().to_string();
        command.args([KNOCK, &node.p2p(), what, &genesis]);
        command.stdin(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().unwrap())
    }
}

impl Drop for Strangers {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// What the strangers do, until they are killed.
pub(crate) fn knock() {
    let argument = |place| std::env::args().nth(place).expect("an argument");
    let (door, what) = (argument(2), argument(3));
    if let Some((.., attack)) = ATTACKS.iter().find(|(name, ..)| *name == what) {
        let genesis = argument(4).parse().expect("an id");
        return attack(&Target { door, genesis });
    }
    let open = || TcpStream::connect(&door);
    thread::scope(|scope| {
        for _ in 0..SILENT {
            let builder = thread::Builder::new().stack_size(64 << 10);
            let silent = || {
                loop {
                    let _ = open().map(until_closed);
                    thread::park_timeout(Duration::from_millis(100));
                }
            };
            builder.spawn_scoped(scope, silent).unwrap();
        }
        for words in words() {
            scope.spawn(move || {
                loop {
                    if let Ok(mut stream) = open() {
                        let _ = knock_once(&mut stream, &words);
                        until_closed(stream);
                    }
                }
            });
        }
    });
}

/// Says its words inside TLS; the node may have hung up already.
fn knock_once(stream: &mut TcpStream, words: &[u8]) -> io::Result<()> {
    let name = tls::NAME.try_into().unwrap();
    let mut connection = ClientConnection::new(tls::client(1), name).unwrap();
    connection.writer().write_all(words)?;
    while connection.is_handshaking() || connection.wants_write() {
        connection.complete_io(stream)?;
    }
    Ok(())
}

fn until_closed(mut stream: TcpStream) {
    let mut rest = [0; 4_096];
    while stream.read(&mut rest).is_ok_and(|read| read > 0) {}
}

/// Random bytes, a frame that is too large, one that is too deep, a foreign network.
fn words() -> [Vec<u8>; 4] {
    let random = SecretKey::generate(2048)
        .unwrap()
        .public_key()
        .as_der()
        .to_vec();
    let large = frame(*b"ABL", &[0; 5_000]);
    let deep = frame(*b"HEY", &[0x91; 4_000]);
    let key = SecretKey::generate(2048).unwrap().public_key().clone();
    let foreign = Message::Hey(Hello {
        version: PROTOCOL,
        agent: "stranger".into(),
        network_id: 9,
        genesis_id: BlockId::new([9; 32]),
        address: key.address(),
        public_key: key,
        node_type: NodeType::Basic,
        listen_port: 0,
        place: String::new(),
        height: Height::GENESIS,
        final_number: Height::GENESIS,
        clock: Timestamp::ZERO,
        challenge: Hash::new([9; 32]),
    });
    [random, large, deep, foreign.frame()]
}
