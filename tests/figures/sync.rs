//! A new node fetches 100,000 transfers in more than 200 blocks from three others, all
//! honest, one hanging, or one lying; beside what the cores could verify meanwhile.

use crate::{
    liar::{self, Manner},
    network::{BenchNet, median, newcomer, reached, start},
    support::Node,
};
use ccoin_core::Hash;
use ccoin_crypto::{SecretKey, Verifier};
use std::{thread, time::Instant};

const TRANSFERS: usize = 100_000;
const ROUNDS: usize = 3;

/// Signatures that each core checks to find the limit.
const SAMPLE: usize = 20_000;

/// All of it, the cases in turn.
pub(crate) fn all() {
    let net = BenchNet::found(1, &["--max-bound", "480"]);
    let mut nodes = net.start();
    let transfers = TRANSFERS.to_string();
    net.load(&nodes[0], &["--transfers", &transfers]);
    let height = nodes[0].height();
    println!("{TRANSFERS} transfers in {} blocks", height - 1);
    assert!(height > 200);
    let places = [newcomer(), newcomer()];
    for place in &places {
        let node = start(place, "basic", &[&nodes[0]]);
        reached(&node, height, Instant::now());
        nodes.push(node);
    }

    let (mut limits, mut honest) = (Vec::new(), Vec::new());
    let mut worse: [(&str, Vec<f64>); 4] =
        ["hangs", "is silent", "has nothing", "corrupts"].map(|name| (name, Vec::new()));
    for _ in 0..ROUNDS {
        limits.push(TRANSFERS as f64 / verifications_per_second());
        honest.push(time(&nodes, height, None));
        for (index, (_, times)) in worse.iter_mut().enumerate() {
            let manner = match index {
                0 => None,
                1 => Some(Manner::Silent),
                2 => Some(Manner::Empty),
                _ => Some(Manner::Corrupt),
            };
            times.push(match manner {
                None => hung(&nodes, height),
                Some(manner) => time(&nodes[..2], height, Some(manner)),
            });
        }
    }
    let (limit, fair) = (median(limits.clone()), median(honest.clone()));
    println!("to verify all signatures on all cores: {limits:.2?} s, median {limit:.2} s");
    println!(
        "three honest peers: {honest:.2?} s, median {fair:.2} s = {:.0} % of what can be verified",
        100.0 * limit / fair
    );
    for (name, times) in worse {
        let time = median(times.clone());
        println!(
            "one of three {name}: {times:.2?} s, median {time:.2} s = {:.2} x",
            time / fair
        );
    }
}

/// From the start of a process without a chain to the height of its peers.
fn time(peers: &[Node], height: u64, manner: Option<Manner>) -> f64 {
    let place = newcomer();
    let since = Instant::now();
    let node = start(&place, "basic", &peers.iter().collect::<Vec<_>>());
    if let Some(manner) = manner {
        liar::call(&node, &peers[0], height, manner);
    }
    reached(&node, height, since).as_secs_f64()
}

/// One of the peers stops answering as soon as it is connected.
fn hung(peers: &[Node], height: u64) -> f64 {
    let place = newcomer();
    let since = Instant::now();
    let node = start(&place, "basic", &peers.iter().collect::<Vec<_>>());
    crate::support::wait_for("three peers", || {
        (node.get("/v1/status")["peers"] == 3).then_some(())
    });
    peers[2].signal("STOP");
    let took = reached(&node, height, since).as_secs_f64();
    peers[2].signal("CONT");
    took
}

/// What all cores together can check, keys parsed before.
fn verifications_per_second() -> f64 {
    let key = SecretKey::generate(2048).unwrap();
    let message = Hash::new([7; 32]);
    let signature = key.sign(&message).unwrap();
    let cores = thread::available_parallelism().unwrap().get();
    let since = Instant::now();
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                let mut verifier = Verifier::new(1);
                for _ in 0..SAMPLE {
                    verifier
                        .verify(key.public_key(), &message, &signature)
                        .unwrap();
                }
            });
        }
    });
    (cores * SAMPLE) as f64 / since.elapsed().as_secs_f64()
}
