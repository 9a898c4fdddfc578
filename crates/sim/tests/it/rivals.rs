//! A miner that makes three blocks for one turn: two are kept, the third is not, unless
//! the chain goes on behind it.

use ccoin_core::{block::SealedBlock, genesis::Genesis, machine::Input};
use ccoin_sim::{Network, STRANGER, World, child, ghost, give_from, miner};

/// Blocks of miner 0 for one turn; the last is the best.
fn rivals(genesis: &Genesis) -> Vec<SealedBlock> {
    let txn = give_from(genesis, &ghost(99), 1);
    let make = |after| {
        child(
            genesis,
            &genesis.applied(),
            miner(0),
            after,
            core::slice::from_ref(&txn),
        )
    };
    [5_300, 5_200, 5_100]
        .map(|after| make(after).block.clone())
        .into()
}

fn show(world: &mut World, node: usize, block: &SealedBlock) {
    let (peer, block) = (STRANGER, block.clone());
    world.step(
        node,
        Input::Block {
            peer,
            block: ccoin_sim::verified(&block),
        },
    );
}

#[test]
fn the_third_block_of_a_turn_is_not_kept() {
    let genesis = Network::ready(2).found();
    let mut world = World::mesh(&genesis, 0, 1);
    world.run_until(5_500);
    let rivals = rivals(&genesis);
    rivals.iter().for_each(|block| show(&mut world, 0, block));
    let kept = |block: &SealedBlock| {
        world.nodes[0]
            .shell
            .machine
            .chain()
            .get(&block.id)
            .is_some()
    };
    assert_eq!(
        rivals.iter().map(kept).collect::<Vec<_>>(),
        [true, true, false]
    );
}

/// Two nodes keep two of the three, not the same, and the next miner goes on from the third.
#[test]
fn a_miner_with_three_blocks_does_not_part_the_others() {
    let genesis = Network::ready(2).found();
    let mut world = World::new(&genesis, 2, 3);
    world.link(1, 2, 20);
    world.run_until(100);
    world.start(1);
    world.start(2);
    (1..3).for_each(|node| world.give_keys(node));
    world.run_until(4_000);
    world.part(|node| node == 1);
    world.run_until(5_500);
    let rivals = rivals(&genesis);
    for (node, index) in [(1, 1), (1, 2), (2, 0), (2, 1)] {
        show(&mut world, node, &rivals[index]);
    }
    world.heal();
    world.run_until(6_000);
    world.pay(1, 1);
    world.run_until(9_000);
    assert_eq!(world.head(1), world.head(2));
    let asks = world.nodes[2].asks.len();
    assert!(asks < 20, "{asks} requests");
    world.assert_no_false_blame();
}
