//! When a node that starts, or that has slept, may make blocks: each way out of boot,
//! and not before.

mod fixtures;

use ccoin_core::genesis::Genesis;
use fixtures::{Network, world::World};
use std::sync::Arc;

const SLOT: u64 = 2_000;

fn network(miners: usize) -> Arc<Genesis> {
    Network {
        miners,
        min_bound: 1,
        max_bound: 50,
        allow_empty: false,
        difficulty: 0,
        ..Network::default()
    }
    .found()
}

/// Its clock shows its own turn when it goes on, and nothing of what it missed has been read yet.
#[test]
fn a_leader_that_has_slept_makes_nothing_on_its_old_head() {
    for late in (0..1_600).step_by(100) {
        let genesis = network(2);
        let mut world = World::mesh(&genesis, 2, 2);
        world.run_until(3_500);
        world.hang(0);
        world.run_until(6_100);
        world.pay(1, 1);
        world.run_until(12_000 + late);
        world.resume(0);
        world.settle(world.now + 3 * SLOT);
        let chain = world.nodes[0].shell.machine.chain().main().len();
        let made = world.nodes[0].shell.log.len();
        assert_eq!(made + 1, chain, "{late}: a block beside the chain");
    }
}
