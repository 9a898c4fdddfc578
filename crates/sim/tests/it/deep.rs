//! Two halves without a quorum, apart for so long that their branches leave far below what
//! is kept whole: they become one chain, and every payment of either side is on it.

use ccoin_core::chain::Window;
use ccoin_sim::{FIRST_USER, Network, Random, World, ghost};

/// Eight whole blocks; the halves make dozens.
const SMALL: Window = Window {
    blocks: 8,
    bytes: usize::MAX,
    milestone: 1_000,
    side_blocks: 2_000,
};

/// Four validators in pairs, and how often each node left its branch that deep.
fn reunited(apart_ms: u64, restart: bool) -> Vec<usize> {
    let users = (0..4).map(|user| (ghost(FIRST_USER + user).address(), 0, 1_000));
    let genesis = Network {
        alloc: users.collect(),
        ..Network::ready(4)
    }
    .found();
    let mut world = World::new(&genesis, 4, 4);
    for b in 0..4 {
        (0..b).for_each(|a| world.link(a, b, 20));
    }
    for node in &mut world.nodes {
        node.shell.set_window(SMALL);
    }
    (0..4).for_each(|node| world.start(node));
    let mut random = Random(7);
    world.invite(4, false);
    world.run_until(10_000);
    world.part(|node| node < 2);
    while world.now < 10_000 + apart_ms {
        world.spend(&mut random);
        world.run_until(world.now + 200);
    }
    if restart {
        for node in [0, 3] {
            world.kill(node);
            world.start(node);
        }
    }
    let heads = [0, 3].map(|node| world.nodes[node].shell.machine.chain().height().get());
    assert!(heads.iter().all(|head| *head > 40), "{heads:?}");
    world.heal();
    world.settle(world.now + 30_000);
    let last_final = world.nodes[0].shell.machine.chain().last_final().0;
    assert!(last_final.get() > heads[0].max(heads[1]), "{last_final}");
    world.nodes.iter().map(|node| node.deep_reorgs).collect()
}

#[test]
fn halves_become_one_chain_after_a_long_partition() {
    let deep = reunited(60_000, false);
    assert_eq!(
        deep.iter().filter(|count| **count > 0).count(),
        2,
        "{deep:?}"
    );
}

/// What a restart reads of the log, it must be able to execute again.
#[test]
fn halves_become_one_chain_after_restarts() {
    reunited(60_000, true);
}
