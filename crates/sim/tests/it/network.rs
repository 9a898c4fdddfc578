//! Networks of two to five nodes in virtual time: starts, kills, hangs and partitions,
//! after which there is one chain with every transaction once.

use ccoin_sim::{Network, World};

const SLOT: u64 = 2_000;

/// Every node relays what it has from one neighbour to the other.
#[test]
fn a_line_of_five_is_one_network() {
    let genesis = Network::ready(2).found();
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
fn partition_heals_to_one_chain() {
    for seconds in [1, 2, 5, 10, 20, 29, 31, 40, 60] {
        for later in [false, true] {
            for miners in [2, 3, 4] {
                let genesis = Network::ready(miners).found();
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

/// First, last, alone, and with old data; the chain goes on meanwhile.
#[test]
fn a_node_started_before_the_others_syncs() {
    for (order, old) in [([0, 1, 2], false), ([2, 1, 0], false), ([1, 2, 0], true)] {
        let genesis = Network::ready(2).found();
        let mut world = World::new(&genesis, 2, 3);
        (0..3).for_each(|b| (0..b).for_each(|a| world.link(a, b, 20)));
        if old {
            world.start(order[2]);
            world.run_until(5_000);
            world.pay(order[2], 3);
            world.run_until(9_000);
            world.kill(order[2]);
        }
        for node in order {
            world.start(node);
            for round in 0..20 {
                world.run_until(world.now + 397);
                world.pay(order[0], round % 2);
            }
        }
        world.settle(world.now + 2 * SLOT);
        let blocks = world.nodes[0].shell.machine.chain().canonical().len();
        assert!(blocks > 5, "{order:?}: {blocks}");
    }
}

/// When the first block after `moment` was made, by any node that runs.
fn next_block(world: &World, index: usize, moment: u64) -> Option<u64> {
    let chain = world.nodes[index].shell.machine.chain();
    let times = chain
        .canonical()
        .iter()
        .map(|block| block.block.header().time.get() - ccoin_sim::START);
    times.filter(|after| *after > moment).min()
}

/// Killed or hung at any moment of its turn, back after any time: the other goes on, and
/// then there is one chain.
#[test]
fn the_chain_grows_while_a_leader_is_killed_or_hangs() {
    for moment in (12_000..14_000).step_by(50) {
        for (hangs, back) in [
            (false, 700),
            (true, 700),
            (false, 9_000),
            (true, 9_000),
            (true, 40_000),
        ] {
            let genesis = Network::ready(2).found();
            let mut world = World::mesh(&genesis, 2, 3);
            world.run_until(moment - 3);
            world.pay(2, 1);
            world.run_until(moment);
            if hangs {
                world.hang(0);
            } else {
                world.kill(0);
            }
            world.pay(2, 1);
            world.run_until(moment + back.min(2 * SLOT + 1_000));
            if back > 2 * SLOT + 1_000 {
                let next = next_block(&world, 1, moment);
                assert!(next.is_some(), "{moment} {hangs}");
                for _ in 0..9 {
                    world.run_until(world.now + back / 10);
                    world.pay(1, 1);
                }
            }
            if hangs {
                world.resume(0);
            } else {
                world.start(0);
            }
            world.settle(world.now + 3 * SLOT);
            world.pay(0, 1);
            world.settle(world.now + 3 * SLOT);
        }
    }
}

/// It made a block that reached its disk and nobody else.
#[test]
fn a_node_with_a_block_of_its_own_comes_back() {
    for busy in [false, true] {
        let genesis = Network::ready(2).found();
        let mut world = World::mesh(&genesis, 2, 3);
        world.run_until(12_100);
        world.part(|node| node == 0);
        world.pay(0, 1);
        world.run_until(12_400);
        assert_eq!(world.nodes[0].shell.log.len(), 1);
        world.kill(0);
        world.heal();
        for round in 0..10 {
            world.run_until(13_000 + round * 500);
            world.pay(1, u64::from(busy));
        }
        world.start(0);
        world.settle(world.now + 3 * SLOT);
    }
}

/// A user's node may have nobody to tell for a while: nothing that was accepted is lost.
#[test]
fn transactions_accepted_without_a_peer_are_included_later() {
    let genesis = Network::ready(1).found();
    let mut world = World::mesh(&genesis, 1, 2);
    world.run_until(3_000);
    world.kill(0);
    world.run_until(4_000);
    world.pay(1, 5);
    world.kill(1);
    world.start(1);
    world.run_until(60_000);
    world.start(0);
    world.settle(world.now + 3 * SLOT);
}
