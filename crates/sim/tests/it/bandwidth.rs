//! Slow links: what arrives slowly is used, and no peer is left for it.

use ccoin_core::applied::Applied;
use ccoin_sim::{Network, World, child, ghost, ghost_miner, record};
use std::sync::Arc;

/// Of the link, in each direction.
const BYTES_PER_S: u64 = 5_000;
/// Blocks of the chain, each with one transaction of so many bytes of data.
const BLOCKS: u64 = 300;
const DATA: usize = 8_000;

/// A full answer takes seven minutes. It used to be given up after one, asked for again, and
/// so for ever.
#[test]
fn a_node_syncs_over_5_kilobytes_a_second() {
    let genesis = Network {
        ghosts: true,
        max_data: DATA as u32,
        ..Network::ready(2)
    }
    .found();
    let mut tip = Arc::new(genesis.applied());
    let mut blocks: Vec<Arc<Applied>> = Vec::new();
    let data = "x".repeat(DATA);
    for number in 1..=BLOCKS {
        let leader = (number * 50 / 2_000 % 2) as usize;
        let txn = record(&genesis, &ghost(99), number, ghost_miner(0), 0, &data);
        tip = child(&genesis, &tip, ghost_miner(leader), number * 50, &[txn]);
        blocks.push(Arc::clone(&tip));
    }
    let log: Vec<_> = blocks.iter().map(|block| block.block.clone()).collect();
    let bytes: usize = log.iter().map(|block| block.encode().len()).sum();
    let mut world = World::new(&genesis, 2, 2);
    world.link(0, 1, 20);
    world.limit(0, 1, BYTES_PER_S);
    world.nodes[0].shell.log = log;
    world.run_until(20_000);
    (0..2).for_each(|node| world.start(node));
    let line = bytes as u64 * 1_000 / BYTES_PER_S;
    // Proposals and statuses take their part: two validators that know no final block send
    // up to 2 kB a second, unless they would wait behind an answer.
    world.agree(world.now + line * 13 / 10);
    let node = &world.nodes[1];
    assert!(node.penalties.is_empty() && node.stuck.is_empty());
    assert_eq!(node.connections, 1, "the connection stands");
    let halved = node.batches.windows(2).all(|pair| pair[1] <= pair[0] / 2);
    assert!(halved, "all answers are late: {:?}", node.batches);
}
