//! How fast a whole network starts and ends, and how much four validators include.

use crate::{
    network::{BenchNet, median},
    support::{Place, send_signal},
};
use std::{
    io::{BufRead as _, BufReader},
    process::Stdio,
    time::Instant,
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

/// Signed arrays of 500 to one of them, as fast as it answers.
pub(crate) fn four_validators() {
    let net = BenchNet::found(4, &["--max-bound", "2000"]);
    let nodes = net.start();
    let report = net.load(&nodes[0], &["--transfers", "400000"]);
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
}
