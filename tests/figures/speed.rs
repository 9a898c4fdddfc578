//! How fast a whole network starts and ends, and how much four validators include.

use crate::{
    network::{BenchNet, median},
    support::{Node, Place, request, send_signal},
};
use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    process::Stdio,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

const ROUNDS: usize = 5;

/// `ccoin devnet` with its defaults: two validators and a basic node.
pub(crate) fn devnet() {
    let place = Place::new("");
    let (mut ready, mut stop) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let since = Instant::now();
        let mut command = place.command("ccoin", &["devnet", "--json"]);
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        assert!(line.starts_with('{'), "{line}");
        ready.push(since.elapsed().as_secs_f64());
        let since = Instant::now();
        send_signal("INT", process.id());
        assert!(process.wait().unwrap().success());
        stop.push(since.elapsed().as_secs_f64());
    }
    println!(
        "to ready {ready:.2?} s, median {:.2} s",
        median(ready.clone())
    );
    println!(
        "to the end {stop:.2?} s, median {:.2} s",
        median(stop.clone())
    );
}

/// Signed arrays of 500 to one of them, as fast as it answers; then a few transfers a second.
pub(crate) fn four_validators() {
    let net = BenchNet::found(4, &["--max-bound", "2000"]);
    let nodes = net.start();
    let (report, lags) = with_lags(nodes[1].http, || {
        net.load(&nodes[0], &["--transfers", "400000"])
    });
    println!(
        "{:.0}/s in blocks over {:.1} s, median second {}, p50 {:.0} ms, p99 {:.0} ms",
        report["committed_per_second"].as_f64().unwrap(),
        report["seconds"].as_f64().unwrap(),
        report["median_second"],
        report["latency"]["p50_ms"].as_f64().unwrap(),
        report["latency"]["p99_ms"].as_f64().unwrap(),
    );
    let miners: std::collections::BTreeSet<String> = nodes[0].get("/v1/blocks?limit=100")["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|block| block["coinbase"].to_string())
        .collect();
    println!("miners of the last 100 blocks: {}", miners.len());
    println!("a block is final after it is here: {}", told(lags));
    let calm = ["--rate", "5", "--transfers", "100"];
    let (_, lags) = with_lags(nodes[1].http, || net.load(&nodes[0], &calm));
    println!("the same at 5 transfers a second: {}", told(lags));
    println!(
        "CPU of the threads that sign and verify votes: {}",
        vote_share(&nodes)
    );
}

/// The same load, and one of the four dies in the middle.
pub(crate) fn one_of_four_dies() {
    let net = BenchNet::found(4, &["--max-bound", "2000"]);
    let mut nodes = net.start();
    let mut victim = nodes.pop().unwrap();
    let (report, lags) = with_lags(nodes[1].http, || {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_secs(20));
                victim.kill();
            });
            net.load(&nodes[0], &["--transfers", "400000"])
        })
    });
    println!(
        "{:.0}/s in blocks over {:.1} s, a block is final after it is here: {}",
        report["committed_per_second"].as_f64().unwrap(),
        report["seconds"].as_f64().unwrap(),
        told(lags)
    );
}

/// The part of all CPU time of these nodes that goes to votes.
fn vote_share(nodes: &[Node]) -> String {
    let (mut votes, mut all) = (0, 0);
    for node in nodes {
        for task in std::fs::read_dir(format!("/proc/{}/task", node.pid())).unwrap() {
            let stat = std::fs::read_to_string(task.unwrap().path().join("stat")).unwrap();
            let (name, numbers) = stat.rsplit_once(')').unwrap();
            let ticks = numbers.split_whitespace().skip(11).take(2);
            let ticks: u64 = ticks.map(|text| text.parse::<u64>().unwrap()).sum();
            all += ticks;
            let of_votes = ["(voter", "(votes-"].iter().any(|of| name.contains(of));
            votes += if of_votes { ticks } else { 0 };
        }
    }
    format!("{:.1} %", 100.0 * votes as f64 / all.max(1) as f64)
}

/// Runs `work`, and watches meanwhile how long each block of a node waits for its finality:
/// from the look that first shows it to the one that shows it final, in ms.
fn with_lags<T>(http: SocketAddr, work: impl FnOnce() -> T) -> (T, Vec<f64>) {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watch = scope.spawn(|| watch(http, &over));
        let done = work();
        over.store(true, Ordering::Relaxed);
        (done, watch.join().unwrap())
    })
}

fn watch(http: SocketAddr, over: &AtomicBool) -> Vec<f64> {
    let (mut newest, mut seen, mut lags) = (0, BTreeMap::new(), Vec::new());
    while !over.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(2));
        let Ok(answer) = request(http, "GET", "/v1/status", &[], "") else {
            continue;
        };
        let (status, now) = (answer.json(), Instant::now());
        let [head, last_final] = ["head", "final"].map(|of| status[of]["number"].as_u64().unwrap());
        if head > newest {
            newest = head;
            seen.insert(head, now);
        }
        while let Some(first) = seen
            .first_entry()
            .filter(|first| *first.key() <= last_final)
        {
            lags.push((now - first.remove()).as_secs_f64() * 1_000.0);
        }
    }
    lags
}

/// Median and 99th percentile.
fn told(mut lags: Vec<f64>) -> String {
    lags.sort_by(f64::total_cmp);
    let at = |hundredth: usize| lags.get(lags.len().saturating_sub(1) * hundredth / 100);
    let [p50, p99] = [50, 99].map(|hundredth| at(hundredth).copied().unwrap_or(f64::NAN));
    format!("p50 {p50:.0} ms, p99 {p99:.0} ms, {} blocks", lags.len())
}
