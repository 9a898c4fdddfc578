//! Payments through the one validator of a long chain, calm and beside each attack on its HTTP
//! side, in turns: how late a payment is in a block, how late `/v1/status` answers, and what
//! the attack costs in memory.

use crate::{
    callers::{Attack, Callers},
    network::{BenchNet, median},
    strangers::{resident, resident_of},
    support::{Node, request, wait_for},
};
use ccoin_core::{
    AccountNonce, Address, Amount, BlockId, Timestamp,
    transaction::{Payment, Transaction},
};
use ccoin_crypto::SecretKey;
use serde_json::{Value, json};
use std::{
    net::SocketAddr,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

const ROUNDS: usize = 3;
/// Payments a second, and for how long.
const LOAD: [&str; 6] = ["--rate", "100", "--seconds", "12", "--connections", "1"];
/// Blocks as large as they may be, of text that JSON makes six times as long.
const LARGE_BLOCKS: u64 = 40;
const LARGE_TXNS: u64 = 41;
const LARGE_TEXT: usize = 65_536;
/// Accounts in block 1 beside those that pay, and those that come into being later.
const FIRST_ACCOUNTS: u32 = 30_000;
const LATER_ACCOUNTS: u32 = 30_000;

/// Each attack by its name; without names all.
pub(crate) fn attacks() {
    let scene = Scene::found();
    scene.measure("250 slow readers of large blocks", || {
        vec![slow(250, scene.large_blocks().collect())]
    });
    scene.measure("250 slow readers of a large block with its state", || {
        let own = &scene.node.address;
        vec![slow(
            250,
            vec![format!("/{own}/blk/{}/", scene.newest_large)],
        )]
    });
    scene.measure("256 callers that wait behind a gap", || {
        vec![Callers {
            count: 256,
            manner: "wait",
            requests: scene.behind_a_gap.clone(),
        }]
    });
    scene.measure("16 callers of 100 headers", || {
        vec![fast(
            16,
            vec![format!(
                "/v1/blocks?limit=100&before={}",
                scene.newest_large
            )],
        )]
    });
    scene.measure("16 callers of old states", || {
        let own = &scene.node.address;
        let paths = [
            "/v1/blocks/2/state?limit=1000".into(),
            format!("/{own}/blk/1/"),
        ];
        vec![fast(16, paths.into())]
    });
    scene.measure("16 callers of the queue", || {
        vec![fast(16, vec!["/v1/queue?limit=100".into()])]
    });
}

/// 200 readers of states and histories, and 200 of events of whom one sleeps.
pub(crate) fn readers() {
    let scene = Scene::found();
    scene.measure("200 readers and 200 readers of events", || {
        let pages = (0..64).map(|n| {
            format!(
                "/v1/blocks/head/state?limit=100&after={:02x}{:038}",
                n * 4,
                0
            )
        });
        let histories = scene.payers.iter().flat_map(|payer| {
            ["txns", "history"].map(|of| format!("/v1/accounts/{payer}/{of}?limit=20"))
        });
        let group = |count, manner, requests| Callers {
            count,
            manner,
            requests,
        };
        vec![
            group(100, "fast", pages.collect()),
            group(100, "fast", histories.collect()),
            group(199, "stream", vec!["/v1/events".into()]),
            group(1, "asleep", vec!["/v1/events?from_block=1".into()]),
        ]
    });
}

fn slow(count: usize, requests: Vec<String>) -> Callers {
    Callers {
        count,
        manner: "slow",
        requests,
    }
}

fn fast(count: usize, requests: Vec<String>) -> Callers {
    Callers {
        count,
        manner: "fast",
        requests,
    }
}

/// A node with a chain that is worth attacking.
struct Scene {
    net: BenchNet,
    node: Node,
    payers: Vec<Address>,
    behind_a_gap: Vec<String>,
    newest_large: u64,
}

impl Scene {
    fn found() -> Self {
        let options = ["--min-bound", "1", "--max-bound", "500", "--accounts", "16"];
        let net = BenchNet::found_with(1, &options, |genesis| {
            genesis["transaction"] = json!({"max_data_bytes": LARGE_TEXT});
            for number in 0..FIRST_ACCOUNTS {
                genesis["alloc"][address(1, number).to_string()] = json!({"balance": 1});
            }
        });
        let node = net.start().pop().unwrap();
        let mut keys = net.keys();
        let genesis = node.genesis_id();
        // They pay nothing in the measurement: their numbers are used here.
        let (large, later) = (keys.pop().unwrap(), keys.pop().unwrap());
        let gaps: Vec<_> = keys.drain(10..).collect();
        let payers = keys.iter().map(|key| key.public_key().address()).collect();
        for number in 1..=LATER_ACCOUNTS / 1_000 {
            let numbers = (number - 1) * 1_000..number * 1_000;
            let txns = numbers.map(|n| sign(&later, &genesis, u64::from(n) + 1, address(2, n), ""));
            submit(&node, txns.collect());
        }
        let text = "\u{1}".repeat(LARGE_TEXT);
        for block in 0..LARGE_BLOCKS {
            let numbers = block * LARGE_TXNS + 1..=(block + 1) * LARGE_TXNS;
            // The first one last: all of them go into one block.
            for number in numbers.rev() {
                let txn = sign(&large, &genesis, number, Address::ZERO, &text);
                submit(&node, vec![txn]);
            }
        }
        wait_for("empty queues", || {
            (node.get("/v1/status")["queue"]["txns"] == 0).then_some(())
        });
        let behind_a_gap = gaps.iter().flat_map(|key| {
            let sign = move |number| sign(key, &genesis, number, Address::ZERO, "");
            (2..=65).map(move |number| sign(number).to_string())
        });
        let behind_a_gap = behind_a_gap.collect();
        let newest_large = node.height();
        let memory = resident(&node) >> 20;
        println!("height {newest_large}, {memory} MiB resident");
        Self {
            net,
            node,
            payers,
            behind_a_gap,
            newest_large,
        }
    }

    fn large_blocks(&self) -> impl Iterator<Item = String> {
        let numbers = self.newest_large - LARGE_BLOCKS + 1..=self.newest_large;
        numbers.map(|number| format!("/v1/blocks/{number}"))
    }

    /// Calm and beside an attack, in turns.
    fn measure(&self, what: &str, groups: impl Fn() -> Vec<Callers>) {
        println!("\n{what}");
        let plan = self.net.path("plan");
        let figures = || {
            let over = AtomicBool::new(false);
            let ((p50, p99), (status, memory)) = thread::scope(|scope| {
                let (http, pid) = (self.node.http, self.node.pid());
                let over = &over;
                let looks = scope.spawn(move || look(http, pid, over));
                let report = self.net.try_load(&self.node, &LOAD);
                over.store(true, Ordering::Relaxed);
                let report = report.unwrap_or_else(|said| {
                    println!("  {}", said.lines().next().unwrap_or_default());
                    Value::Null
                });
                // Without an answer there is no latency.
                let ms = |name: &str| report["latency"][name].as_f64().unwrap_or(f64::INFINITY);
                ((ms("p50_ms"), ms("p99_ms")), looks.join().unwrap())
            });
            [p50, p99, status, memory]
        };
        let (mut calm, mut beside) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let quiet = figures();
            let attack = Attack::start(&self.node, &plan, &groups());
            // The attack is in full force.
            thread::sleep(Duration::from_secs(3));
            beside.push(figures());
            drop(attack);
            calm.push(quiet);
        }
        let middle =
            |figures: &[[f64; 4]], of: usize| median(figures.iter().map(|f| f[of]).collect());
        for (of, name, unit) in [
            (0, "in a block, p50", "ms"),
            (1, "in a block, p99", "ms"),
            (2, "/v1/status, p99", "ms"),
            (3, "memory, highest", "MiB"),
        ] {
            let (calm, beside) = (middle(&calm, of), middle(&beside, of));
            println!(
                "  {name}: {calm:.1} and {beside:.1} {unit} = {:.2} x",
                beside / calm
            );
        }
        let p99s = |figures: &[[f64; 4]]| figures.iter().map(|f| f[1]).collect::<Vec<_>>();
        println!(
            "  p99 of each round {:.1?} and {:.1?} ms",
            p99s(&calm),
            p99s(&beside)
        );
    }
}

/// The 99th percentile of answers to `/v1/status` in ms, and the most memory in MiB.
fn look(http: SocketAddr, pid: u32, over: &AtomicBool) -> (f64, f64) {
    let (mut waits, mut most) = (Vec::new(), 0);
    while !over.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(20));
        let since = Instant::now();
        // A node that has no place in a minute counts with that minute.
        let _ = request(http, "GET", "/v1/status", &[], "");
        waits.push(since.elapsed().as_secs_f64() * 1_000.0);
        most = most.max(resident_of(pid));
    }
    waits.sort_by(f64::total_cmp);
    (waits[(waits.len() - 1) * 99 / 100], (most >> 20) as f64)
}

fn address(kind: u8, number: u32) -> Address {
    let mut bytes = [kind; 20];
    bytes[..4].copy_from_slice(&number.wrapping_mul(0x9E37_79B1).to_be_bytes());
    Address::new(bytes)
}

fn sign(key: &SecretKey, genesis: &BlockId, number: u64, to: Address, data: &str) -> Value {
    let payment = Payment {
        number: AccountNonce::new(number).unwrap(),
        to,
        amount: Amount::new(1).unwrap(),
        data: data.to_owned(),
        time: Timestamp::new(1_700_000_000_000).unwrap(),
    };
    let txn = Transaction::sign(payment, key, genesis).unwrap();
    json!({"number": number, "public_key": txn.from, "to": to, "amount": 1, "data": data,
        "time": "2023-11-14T22:13:20Z", "signature": txn.signature})
}

/// Hands transactions in, all of which must be taken.
fn submit(node: &Node, txns: Vec<Value>) {
    let answer = node.post("/v1/txns", &Value::Array(txns));
    assert_eq!(answer.status, 202, "{}", answer.body);
    let refused = |item: &&Value| item["status"].is_null();
    let items = answer.json();
    let refused = items["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(refused)
        .cloned();
    assert_eq!(refused, None);
}
