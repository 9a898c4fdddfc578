//! The stateful fuzz target on the stable compiler: sequences of random inputs.

#[path = "../../../../tests/fuzz/src/node.rs"]
#[allow(unreachable_pub, reason = "the fuzz crate uses it too")]
mod node;

use ccoin_sim::Random;

/// Sequences that one run tries; their seeds are printed when one fails.
const SEQUENCES: u64 = 100;

#[test]
fn a_node_keeps_its_promises_whatever_it_hears() {
    let first = std::env::var("CCOIN_SEED").ok();
    let first = first.and_then(|seed| seed.parse().ok()).unwrap_or(1);
    for seed in first..first + SEQUENCES {
        println!("CCOIN_SEED={seed}");
        let mut random = Random(seed);
        let bytes: Vec<u8> = (0..800).map(|_| random.below(256) as u8).collect();
        node::node(&bytes);
    }
}
