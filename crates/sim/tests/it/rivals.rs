//! A miner that makes three blocks for one turn: two are kept, the third is not, unless
//! the chain goes on behind it. What only memory keeps is not in the log.

use ccoin_core::{applied::Applied, block::SealedBlock, genesis::Genesis, machine::Input};
use ccoin_sim::{Network, STRANGER, World, child, ghost, give_from, miner};
use std::sync::Arc;

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

/// One more block of miner 0 on each block of a chain of one turn, later than the block that
/// follows there: none is better than the head.
fn flood(genesis: &Genesis, chain: &[Arc<Applied>]) -> Vec<SealedBlock> {
    let make = |parent: &Arc<Applied>| {
        let txn = give_from(genesis, &ghost(99), 1);
        child(genesis, parent, miner(0), 5_500, &[txn])
            .block
            .clone()
    };
    chain.iter().map(make).collect()
}

/// A chain of blocks of miner 0 in one turn, block 1 first.
fn turn(genesis: &Genesis, count: u64) -> Vec<Arc<Applied>> {
    let mut chain = vec![Arc::new(genesis.applied())];
    for number in 1..=count {
        let txn = give_from(genesis, &ghost(98), number);
        let tip = &chain[chain.len() - 1];
        chain.push(child(genesis, tip, miner(0), 4_000 + 50 * number, &[txn]));
    }
    chain
}

/// Bytes in the log of the first node.
fn logged(world: &World) -> usize {
    let log = world.nodes[0].shell.log.iter();
    log.map(|block| block.encode().len()).sum()
}

/// A node wrote each of them: a lying miner could fill every disk.
#[test]
fn rivals_of_the_head_are_kept_in_memory_and_not_written() {
    let genesis = Network::ready(2).found();
    let mut world = World::mesh(&genesis, 0, 1);
    world.run_until(6_000);
    let chain = turn(&genesis, 20);
    chain[1..]
        .iter()
        .for_each(|block| show(&mut world, 0, &block.block));
    let before = logged(&world);
    let flood = flood(&genesis, &chain[..20]);
    flood.iter().for_each(|block| show(&mut world, 0, block));
    let machine = &world.nodes[0].shell.machine;
    assert!(
        flood
            .iter()
            .all(|block| machine.chain().contains(&block.id))
    );
    let sent: usize = flood.iter().map(|block| block.encode().len()).sum();
    println!(
        "{sent} bytes of rivals, {} written",
        logged(&world) - before
    );
    assert_eq!(logged(&world), before);
}

/// The branch is written whole when a block makes it the best, and a restart finds it.
#[test]
fn a_rival_that_wins_is_written_with_its_ancestors() {
    let genesis = Network::ready(2).found();
    let mut world = World::mesh(&genesis, 0, 1);
    world.run_until(8_000);
    let chain = turn(&genesis, 3);
    chain[1..]
        .iter()
        .for_each(|block| show(&mut world, 0, &block.block));
    let give = |number| [give_from(&genesis, &ghost(99), number)];
    let rival = child(&genesis, &chain[1], miner(0), 5_000, &give(1));
    let winner = child(&genesis, &rival, miner(1), 6_100, &give(2));
    show(&mut world, 0, &rival.block);
    let is_logged = |world: &World, id| {
        let mut log = world.nodes[0].shell.log.iter();
        log.any(|block| block.id == id)
    };
    assert!(!is_logged(&world, rival.block.id));
    show(&mut world, 0, &winner.block);
    assert!(is_logged(&world, rival.block.id) && is_logged(&world, winner.block.id));
    world.nodes[0].shell.restart_at(9_000);
    let head = world.nodes[0].shell.machine.chain().head().block.id;
    assert_eq!(head, winner.block.id);
}
