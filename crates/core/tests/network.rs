//! Networks of two to five nodes in virtual time: starts, kills, hangs and partitions,
//! after which there is one chain with every transaction once.

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

/// Every node relays what it has from one neighbour to the other.
#[test]
fn a_line_of_five_is_one_network() {
    let genesis = network(2);
    let mut world = World::new(&genesis, 2, 5);
    // The validators stand at the ends.
    for (a, b) in [(0, 2), (2, 3), (3, 4), (4, 1)] {
        world.link(a, b, 20);
    }
    (0..5).for_each(|node| world.start(node));
    for round in 0..50 {
        world.run_until(5_000 + round * 300);
        world.pay((round % 5) as usize, 2);
    }
    world.settle(world.now + 3 * SLOT);
}

#[test]
fn a_partition_forks_for_ever() {
    for seconds in [1, 2, 5, 10, 20, 29, 31, 40, 60] {
        for later in [false, true] {
            for miners in [2, 3, 4] {
                let genesis = network(miners);
                let mut world = World::mesh(&genesis, miners, miners);
                world.run_until(5_000);
                world.part(|node| node % 2 == 0);
                for ms in (0..seconds * 1_000).step_by(490) {
                    world.run_until(5_000 + ms);
                    (0..miners).for_each(|node| world.pay(node, 1));
                }
                world.run_until(5_000 + seconds * 1_000);
                world.heal();
                if later {
                    world.run_until(world.now + 100);
                    world.pay(0, 1);
                }
                println!("{seconds} {later} {miners}");
                world.settle(world.now + 6 * SLOT);
            }
        }
    }
}
