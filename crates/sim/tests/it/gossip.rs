//! What nodes say to each other around the machine, one rule at a time: seen cache, parked
//! blocks, miners' keys, and the feed of waiting transactions.

use ccoin_core::{
    applied::Applied, block::SealedBlock, genesis::Genesis, machine::Input,
    transaction::VerifiedTransaction,
};
use ccoin_sim::{Latency, Network, World, child, ghost, ghost_miner, give_from};
use std::sync::Arc;

/// A slot, in ms.
const SLOT: u64 = 2_000;
/// A network in which a block is due by its transactions alone waits so long, in ms.
const INTERVAL: u64 = 100_000;
/// Blocks of [`old_network`], and transactions of each user in a block.
const BLOCKS: u64 = 20;
const PER_BLOCK: u64 = 30;
/// Users whose transactions wait, and how many of each: more with those of one block than a
/// node takes ahead of an account's number.
const USERS: u32 = 40;
const WAITING: u64 = 50;

fn ghosts(miners: usize) -> Network {
    Network {
        ghosts: true,
        ..Network::ready(miners)
    }
}

/// A block of miner 0 on block 1, made `after` ms after the start.
fn first_block(genesis: &Genesis, after: u64) -> SealedBlock {
    let txn = give_from(genesis, &ghost(99), 1);
    let made = child(genesis, &genesis.applied(), ghost_miner(0), after, &[txn]);
    made.block.clone()
}

fn submit(world: &mut World, node: usize, txns: Vec<VerifiedTransaction>) {
    let (ticket, from) = (0, None);
    world.step(node, Input::Submit { ticket, txns, from });
}

/// Five nodes announce each block to each other while their disks still write it.
#[test]
fn a_block_that_many_peers_announce_is_checked_once() {
    let genesis = ghosts(2).found();
    let mut world = World::mesh(&genesis, 2, 5);
    world.latency = Latency {
        disk: 100,
        ..Latency::default()
    };
    for round in 0..20 {
        world.run_until(5_000 + round * 700);
        world.pay(0, 1);
    }
    world.settle(world.now + 3 * SLOT);
    // The last block is on every disk.
    world.run_until(world.now + 1_000);
    for (index, node) in world.nodes.iter().enumerate() {
        let taken = node.shell.log.iter();
        let taken = taken.filter(|block| Some(block.header().coinbase) != node.shell.miner());
        let (taken, checked) = (taken.count() as u64, node.checked);
        assert!(
            checked <= taken,
            "node {index} checks {checked} blocks and takes {taken}"
        );
    }
}

/// Node 1 shows a block of miner 0, whose key node 0 has not met: it comes later.
fn stranger() -> (World, SealedBlock) {
    let genesis = ghosts(2).found();
    let mut world = World::new(&genesis, 2, 4);
    world.link(2, 3, 20);
    world.start(2);
    world.start(3);
    world.run_until(5_000);
    let block = first_block(&genesis, 4_500);
    world.show(2, 3, &block);
    (world, block)
}

#[test]
fn a_parked_block_is_taken_when_the_key_of_its_miner_comes() {
    let (mut world, block) = stranger();
    world.run_until(5_100);
    assert_ne!(
        world.head(3),
        block.id,
        "its signature could not be checked"
    );
    let asked = world.nodes[3].asks.len();
    world.show_keys(2, 3, &[world.public_key(0)]);
    world.run_until(5_200);
    assert_eq!(world.head(3), block.id);
    assert_eq!(
        world.nodes[3].asks.len(),
        asked,
        "no request for a block that is here"
    );
    assert_eq!(world.nodes[3].checked, 1);
}

/// The neighbour does not know the key either, and says so each time.
#[test]
fn a_key_that_a_peer_lacks_is_asked_for_once() {
    let (mut world, _) = stranger();
    for round in 1..20 {
        world.run_until(5_000 + round * 100);
        world.show_keys(2, 3, &[world.public_key(1)]);
    }
    world.run_until(10_000);
    assert_eq!(world.keys_of(3), [world.public_key(1)]);
    assert_eq!(world.nodes[3].asked_keys, 1);
}

/// A copy whose miner's key is unknown says nothing about the block: its signature may be
/// false. The copy of a neighbour that can be checked is checked.
#[test]
fn an_unchecked_copy_does_not_hide_a_good_one() {
    let (mut world, block) = stranger();
    world.link(3, 1, 20);
    world.start(1);
    world.run_until(5_600);
    let asked = world.nodes[3].asks.len();
    world.give_keys(3);
    world.show(1, 3, &block);
    world.run_until(5_700);
    assert_eq!(world.head(3), block.id);
    assert_eq!(
        world.nodes[3].asks.len(),
        asked,
        "no request for a block that is here"
    );
}

#[test]
fn a_key_that_is_no_miners_is_not_kept_and_not_relayed() {
    let genesis = ghosts(2).found();
    let mut world = World::mesh(&genesis, 2, 3);
    world.run_until(3_000);
    world.show_keys(2, 0, &[ghost(77)]);
    world.run_until(4_000);
    for node in 0..3 {
        let known = world.keys_of(node);
        assert_eq!(known.len(), 2, "node {node}");
        assert!(!known.contains(&ghost(77)), "node {node}");
    }
}

/// Not at once; what waits for half a minute is told to all, because the peer may have lost it.
#[test]
fn a_transaction_goes_back_to_the_peer_that_sent_it_only_when_it_waits_long() {
    let genesis = ghosts(1).found();
    let mut world = World::new(&genesis, 0, 2);
    world.link(0, 1, 20);
    (0..2).for_each(|node| world.start(node));
    world.run_until(5_000);
    world.pay(0, 10);
    world.run_until(34_000);
    assert_eq!(world.nodes[1].shell.machine.pool().ready_len(), 10);
    assert_eq!(world.nodes[0].heard_txns, 0);
    world.run_until(70_000);
    assert!((10..=20).contains(&world.nodes[0].heard_txns));
}

#[test]
fn a_transaction_behind_a_gap_is_not_gossiped_before_the_gap_closes() {
    let genesis = ghosts(1).found();
    let mut world = World::new(&genesis, 0, 2);
    world.link(0, 1, 20);
    (0..2).for_each(|node| world.start(node));
    world.run_until(5_000);
    let txn = |number| give_from(&genesis, &ghost(0), number);
    submit(&mut world, 0, vec![txn(2), txn(3)]);
    world.run_until(10_000);
    assert_eq!(world.nodes[1].heard_txns, 0);
    submit(&mut world, 0, vec![txn(1)]);
    world.run_until(11_000);
    assert_eq!(world.nodes[1].shell.machine.pool().ready_len(), 3);
}

#[test]
fn two_nodes_without_keys_ask_each_other_once() {
    let genesis = ghosts(2).found();
    let mut world = World::new(&genesis, 0, 2);
    world.link(0, 1, 20);
    (0..2).for_each(|node| world.start(node));
    world.run_until(10_000);
    let requests = [0, 1].map(|node: usize| world.nodes[node].key_requests);
    assert_eq!(requests, [1, 1]);
}

/// Two validators with a chain in which each block holds `PER_BLOCK` transactions of every
/// user. The next block is due when `INTERVAL` is over, so transactions wait.
fn old_network() -> (Arc<Genesis>, Vec<Arc<Applied>>) {
    let genesis = Network {
        interval: INTERVAL,
        min_bound: 2_200,
        max_bound: 10_000,
        alloc: (0..USERS)
            .map(|user| (ghost(user).address(), 0, 1_000))
            .chain([(ghost(99).address(), 0, 1)])
            .collect(),
        ..ghosts(2)
    }
    .found();
    let mut tip = Arc::new(genesis.applied());
    let mut blocks = Vec::new();
    for block in 0..BLOCKS {
        let after = (block + 1) * INTERVAL;
        let txns = payments(&genesis, block * PER_BLOCK, PER_BLOCK);
        tip = child(&genesis, &tip, ghost_miner(0), after, &txns);
        blocks.push(Arc::clone(&tip));
    }
    (genesis, blocks)
}

/// The next `count` transactions of every user, whose number is `before`.
fn payments(genesis: &Genesis, before: u64, count: u64) -> Vec<VerifiedTransaction> {
    let of = |user: u32| {
        let numbers = before + 1..=before + count;
        numbers.map(move |number| give_from(genesis, &ghost(user), number))
    };
    (0..USERS).flat_map(of).collect()
}

/// Node 0 has all blocks and `WAITING` transactions of every user; node 1 has these blocks.
fn returner(
    genesis: &Arc<Genesis>,
    blocks: &[Arc<Applied>],
    of_returner: Vec<Arc<Applied>>,
) -> World {
    let mut world = World::new(genesis, 2, 2);
    world.link(0, 1, 20);
    let log = |blocks: &[Arc<Applied>]| blocks.iter().map(|block| block.block.clone()).collect();
    world.nodes[0].shell.log = log(blocks);
    world.nodes[1].shell.log = log(&of_returner);
    world.run_until(BLOCKS * INTERVAL + 2 * SLOT);
    world.start(0);
    let waiting = payments(genesis, BLOCKS * PER_BLOCK, WAITING);
    submit(&mut world, 0, waiting);
    assert_eq!(waits_at(&world, 0), USERS as usize * WAITING as usize);
    world.start(1);
    world.agree(world.now + 5_000);
    world
}

fn waits_at(world: &World, node: usize) -> usize {
    world.nodes[node].shell.machine.pool().ready_len()
}

/// While it is behind, it refuses transactions whose numbers lie too far ahead, and it heard
/// of them again after half a minute only.
#[test]
fn a_validator_that_returns_late_hears_of_all_that_waits() {
    let (genesis, blocks) = old_network();
    for lacks in [BLOCKS, 3, 1] {
        let own = blocks[..(BLOCKS - lacks) as usize].to_vec();
        let mut world = returner(&genesis, &blocks, own);
        world.run_until(world.now + 5_000);
        assert_eq!(waits_at(&world, 1), 2_000, "it lacked {lacks} blocks");
    }
}

/// It has as many blocks, but its last one is another: it refuses at first.
#[test]
fn a_refused_transaction_is_told_again() {
    let (genesis, blocks) = old_network();
    let (_, common) = blocks.split_last().expect("there are blocks");
    let tip = common.last().expect("there are blocks");
    let txn = give_from(&genesis, &ghost(99), 1);
    let worse = child(&genesis, tip, ghost_miner(0), BLOCKS * INTERVAL + 1, &[txn]);
    let own = common.iter().cloned().chain([worse]).collect();
    let mut world = returner(&genesis, &blocks, own);
    assert!(waits_at(&world, 1) < 2_000, "some are refused at first");
    world.run_until(world.now + 45_000);
    // The transaction of its own last block waits too.
    assert_eq!(waits_at(&world, 1), 2_001);
}
