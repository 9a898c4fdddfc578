//! Payments through a basic node until they are in a block of the one validator, calm and
//! while strangers attack the validator: one row for each attack. The attackers are a process
//! of lower priority on the same cores. `CCOIN_SECONDS` is the length of an attack.

use crate::{
    network::{BenchNet, newcomer, start},
    strangers::{Strangers, resident},
    support::{Caller, Node, request, wait_up_to},
};
use ccoin_core::{
    AccountNonce, Address, Amount, BlockId, Timestamp,
    encoding::encode,
    message::{BlockRequest, Bye, ByeReason, Heights, Message},
    transaction::{Payment, Transaction},
};
use ccoin_crypto::{PublicKey, SecretKey};
use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

/// Strangers at a time: as many as there are seats for them.
const CROWD: usize = 96;

/// How soon all must be as before.
const AFTER: Duration = Duration::from_secs(10);

/// What the attackers know.
pub(crate) struct Target {
    pub(crate) door: String,
    pub(crate) genesis: BlockId,
}

/// Name, what the strangers do, and how.
type Attack = (&'static str, &'static str, fn(&Target));

pub(crate) const ATTACKS: [Attack; 8] = [
    (
        "come-and-go",
        "finish handshakes and say BYE, 8 at a time",
        come_and_go,
    ),
    (
        "unread",
        "96 ask for blocks and keys and read nothing",
        unread,
    ),
    (
        "questions",
        "8 send PNG, RBH, BLH and KEY without a pause",
        questions,
    ),
    (
        "known",
        "4 send a block that is known, without a pause",
        known,
    ),
    (
        "penniless",
        "4 send payments of accounts without coins, RSA-4096",
        penniless,
    ),
    ("again", "4 send the same refused payments, RSA-4096", again),
    (
        "gaps",
        "450 accounts without coins send numbers behind a gap",
        gaps,
    ),
    ("crowd", "96 take seats and do nothing", crowd),
];

/// Every attack, or those named in `CCOIN_ATTACKS`.
pub(crate) fn all() {
    let seconds = std::env::var("CCOIN_SECONDS").unwrap_or_else(|_| "20".into());
    let wanted = std::env::var("CCOIN_ATTACKS").unwrap_or_default();
    let net = BenchNet::found(1, &["--min-bound", "1", "--max-bound", "500"]);
    let mut nodes = net.start();
    let place = newcomer();
    let mut basic = start(&place, "basic", &[&nodes[0]]);
    basic.ready();
    nodes.push(basic);
    let load = |nodes: &[Node]| {
        let load = ["--rate", "300", "--seconds", &seconds, "--connections", "1"];
        let cpu = cpu(&nodes[0]);
        let report = net.load(&nodes[1], &load);
        let p99 = report["latency"]["p99_ms"].as_f64().unwrap();
        let used = (self::cpu(&nodes[0]) - cpu) / seconds.parse::<f64>().unwrap();
        (p99, used)
    };
    load(&nodes);
    println!(
        "attack        calm p99   p99      ratio  memory    disk      CPU calm  CPU   as before"
    );
    for (name, ..) in ATTACKS {
        if !wanted.is_empty() && !wanted.contains(name) {
            continue;
        }
        let (calm, calm_cpu) = load(&nodes);
        let calm_disk = disk(&nodes[0]);
        load(&nodes);
        let load_disk = disk(&nodes[0]) - calm_disk;
        let (memory, before) = (resident(&nodes[0]), disk(&nodes[0]));
        let strangers = Strangers::start(&nodes[0], name);
        let (p99, cpu) = load(&nodes);
        let memory = resident(&nodes[0]) as i64 - memory as i64;
        let grown = disk(&nodes[0]) as i64 - before as i64 - load_disk as i64;
        drop(strangers);
        let since = Instant::now();
        wait_up_to(AFTER * 6, "one peer and a ready node", || {
            let ready = request(nodes[0].http, "GET", "/readyz", &[], "").ok()?;
            let friends = nodes[0].peers() == [nodes[1].address.as_str()];
            (ready.status == 200 && friends).then_some(())
        });
        let mib = |bytes: i64| bytes as f64 / f64::from(1 << 20);
        println!(
            "{name:13} {calm:6.1} ms {p99:6.1} ms  {:5.2}  {:+5.1} MiB {:+5.1} MiB {:5.0} %  {:5.0} %  {:.1} s",
            p99 / calm,
            mib(memory),
            mib(grown),
            calm_cpu * 100.0,
            cpu * 100.0,
            since.elapsed().as_secs_f64()
        );
    }
}

/// Seconds of CPU that a node has used.
fn cpu(node: &Node) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", node.pid())).unwrap();
    let fields: Vec<&str> = stat
        .rsplit_once(')')
        .unwrap()
        .1
        .split_whitespace()
        .collect();
    let ticks = |at: usize| fields[at].parse::<f64>().unwrap();
    (ticks(11) + ticks(12)) / 100.0
}

/// Bytes below the data directory of a node.
fn disk(node: &Node) -> u64 {
    fn size(path: &Path) -> u64 {
        let Ok(found) = fs::symlink_metadata(path) else {
            return 0;
        };
        if !found.is_dir() {
            return found.len();
        }
        let inside = fs::read_dir(path).into_iter().flatten().flatten();
        inside.map(|entry| size(&entry.path())).sum()
    }
    size(&node.data_dir.join("chain"))
}

fn key(bits: usize) -> SecretKey {
    SecretKey::generate(bits).unwrap()
}

fn caller(target: &Target, key: &SecretKey) -> Option<Caller> {
    Caller::call(&target.door, key, target.genesis).ok()
}

/// So many threads that each do this again and again.
fn crowd_of(count: usize, run: impl Fn() + Sync) {
    thread::scope(|scope| {
        for _ in 0..count {
            scope.spawn(|| {
                loop {
                    // a panic is the end of a connection
                    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(&run));
                }
            });
        }
    });
}

fn come_and_go(target: &Target) {
    crowd_of(8, || {
        let key = key(2048);
        loop {
            if let Some(mut caller) = caller(target, &key) {
                caller.say(&Message::Bye(Bye::new(ByeReason::Stopping, "bye")));
                caller.closed();
            }
        }
    });
}

fn unread(target: &Target) {
    crowd_of(CROWD, || {
        let Some(mut caller) = caller(target, &key(2048)) else {
            return thread::sleep(Duration::from_secs(1));
        };
        let (locator, most) = (Vec::new(), 256);
        loop {
            caller.say(&Message::AskBlocks(BlockRequest {
                locator: locator.clone(),
                most,
            }));
            caller.say(&Message::Keys(Vec::new()));
            caller.say(&Message::AskHeights);
        }
    });
}

fn questions(target: &Target) {
    crowd_of(8, || {
        let key = key(2048);
        let Some(mut caller) = caller(target, &key) else {
            return;
        };
        let heights = |height: u64| Heights {
            height: ccoin_core::Height::new(height).unwrap(),
            final_number: ccoin_core::Height::GENESIS,
        };
        let keys: Vec<PublicKey> = vec![key.public_key().clone(); 200];
        for round in 0.. {
            caller.say(&Message::Ping(Timestamp::ZERO));
            caller.say(&Message::AskHeights);
            caller.say(&Message::Heights(heights(1 + round % 2)));
            caller.say(&Message::Keys(keys.clone()));
        }
    });
}

fn known(target: &Target) {
    crowd_of(4, || {
        let Some(mut caller) = caller(target, &key(2048)) else {
            return;
        };
        let request = BlockRequest {
            locator: Vec::new(),
            most: 8,
        };
        caller.say(&Message::AskBlocks(request));
        let answer = loop {
            if let Some(Message::Blocks(answer)) = caller.hear() {
                break answer;
            }
        };
        let block = answer.blocks.last().unwrap().clone();
        loop {
            caller.tell(*b"BLK", &block);
        }
    });
}

/// Payments of one account, the first with this number.
fn payments(
    target: &Target,
    key: &SecretKey,
    first: u64,
    count: u64,
    data: &str,
) -> Vec<Transaction> {
    let payment = |number| Payment {
        number: AccountNonce::new(number).unwrap(),
        to: Address::ZERO,
        amount: Amount::ZERO,
        data: data.into(),
        time: Timestamp::ZERO,
    };
    let numbers = first..first + count;
    numbers
        .map(|number| Transaction::sign(payment(number), key, &target.genesis).unwrap())
        .collect()
}

fn penniless(target: &Target) {
    crowd_of(4, || {
        let Some(mut caller) = caller(target, &key(2048)) else {
            return;
        };
        let own = key(4096);
        loop {
            caller.tell(*b"TXN", &encode(&payments(target, &own, 1, 10, "")));
        }
    });
}

fn again(target: &Target) {
    crowd_of(4, || {
        let Some(mut caller) = caller(target, &key(2048)) else {
            return;
        };
        let body = encode(&payments(target, &key(4096), 1, 100, ""));
        loop {
            caller.tell(*b"TXN", &body);
        }
    });
}

fn gaps(target: &Target) {
    let data = "x".repeat(4_000);
    crowd_of(4, || {
        let Some(mut caller) = caller(target, &key(2048)) else {
            return;
        };
        for _ in 0..112 {
            let own = key(2048);
            caller.tell(*b"TXN", &encode(&payments(target, &own, 2, 64, &data)));
        }
        caller.closed();
    });
}

fn crowd(target: &Target) {
    crowd_of(CROWD, || match caller(target, &key(2048)) {
        Some(caller) => {
            thread::sleep(Duration::from_secs(3_600));
            drop(caller);
        }
        None => thread::sleep(Duration::from_secs(1)),
    });
}
