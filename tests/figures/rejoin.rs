//! Two validators that could not reach each other for more blocks than either keeps whole
//! meet: how long until both have one final chain, and in how much memory.

use crate::{
    network::start,
    strangers::resident,
    support::{Node, Place, wait_up_to},
};
use std::{
    fs,
    time::{Duration, Instant},
};

/// Blocks of each side before they meet; 16,384 are kept whole.
const BLOCKS: u64 = 20_000;

/// Making them takes the longest part.
const PATIENCE: Duration = Duration::from_secs(1_800);

/// An empty block every 5 ms of a validator's own turns.
const GENESIS: &str = r#"{
  "network_id": 1, "miners": [], "max_peers": 0, "alloc": {},
  "block_mining": {"interval": 0.005, "min_bound": 1, "max_bound": 100, "reward": 100,
    "difficulty": 0, "allow_empty": true, "placeholder_data": null},
  "transaction": {"max_data_bytes": 4096, "placeholder_data": null},
  "genesis_block": {"coinbase": "", "coinbase_reward": 100, "difficulty": 0},
  "consensus": {"slot_ms": 200, "guard_ms": 20, "max_skew_ms": 50, "min_gap_ms": 5}
}"#;

/// All of it.
pub(crate) fn two_halves() {
    let (mut first, mut second) = (Place::new(""), Place::new(""));
    let path = |name: &str| first.path(name).to_str().unwrap().to_owned();
    let (genesis, block) = (path("halves.json"), path("block"));
    fs::write(&genesis, GENESIS).unwrap();
    first.make_miner(&genesis);
    second.make_miner(&genesis);
    first.ok("initc", &["-g", &genesis, "--out", &block]);
    second.ok("initc", &["-g", &block]);

    let apart = Instant::now();
    let mut halves = [&first, &second].map(|place| start(place, "validator", &[]));
    let heights = halves.each_ref().map(|half| {
        wait_up_to(PATIENCE, "a long branch", || {
            Some(half.height()).filter(|height| *height > BLOCKS)
        })
    });
    println!(
        "branches of {heights:?} blocks above block 1 in {:.0} s",
        apart.elapsed().as_secs_f64()
    );
    halves.iter_mut().for_each(|half| {
        half.stop();
    });

    let since = Instant::now();
    let one = start(&first, "validator", &[]);
    let other = start(&second, "validator", &[&one]);
    let mut most = 0;
    let last_final = |node: &Node| node.get("/v1/status")["final"]["number"].as_u64();
    wait_up_to(PATIENCE, "one final chain", || {
        for node in [&one, &other] {
            most = most.max(resident(node));
        }
        let finals = [last_final(&one), last_final(&other)];
        finals
            .iter()
            .all(|number| *number > Some(BLOCKS))
            .then_some(())
    });
    println!(
        "from the start of both to one final chain: {:.1} s, at most {} MiB each",
        since.elapsed().as_secs_f64(),
        most >> 20
    );
}
