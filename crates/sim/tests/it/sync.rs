//! A node that lacks 2,000 blocks, and peers of which one lies, stalls or boasts:
//! it has them all in time, blames only whoever is to blame, and asks nobody too often.

use ccoin_core::{block::SealedBlock, genesis::Genesis, machine::Fault};
use ccoin_sim::{Lie, Network, World, child, ghost, give_from, miner};
use std::sync::{Arc, OnceLock};

/// Blocks after block 1.
const BLOCKS: u64 = 2_000;
/// When the node without blocks starts, in ms.
const START: u64 = 110_000;

/// The network and its chain, made once.
fn chain() -> &'static (Arc<Genesis>, Vec<SealedBlock>) {
    static CHAIN: OnceLock<(Arc<Genesis>, Vec<SealedBlock>)> = OnceLock::new();
    CHAIN.get_or_init(|| {
        let genesis = Network::ready(2).found();
        let mut tip = Arc::new(genesis.applied());
        let mut blocks = Vec::new();
        for number in 1..=BLOCKS {
            let after = number * 50;
            let txn = give_from(&genesis, &ghost(99), number);
            tip = child(
                &genesis,
                &tip,
                miner((after / 2_000 % 2) as usize),
                after,
                &[txn],
            );
            blocks.push(tip.block.clone());
        }
        (genesis, blocks)
    })
}

/// Node 3 has nothing, the others everything; they are linked with node 3 in this order.
fn world(lies: [Option<Lie>; 3]) -> World {
    let (genesis, blocks) = chain();
    let mut world = World::new(genesis, 2, 4);
    for (index, lie) in lies.into_iter().enumerate() {
        // A liar has time for many lies.
        world.link(index, 3, if lie.is_some() { 2 } else { 60 });
        world.nodes[index].shell.log = blocks.clone();
        world.nodes[index].lie = lie;
    }
    world.run_until(START);
    (0..4).for_each(|node| world.start(node));
    world
}

/// Runs until node 3 has the chain; how long that took.
fn synced(world: &mut World, most_ms: u64) -> u64 {
    let end = chain().1.last().map(|block| block.id);
    while Some(world.head(3)) != end {
        let head = world.nodes[3]
            .shell
            .machine
            .chain()
            .head()
            .block
            .header()
            .number;
        assert!(
            world.now < START + most_ms,
            "only {head} after {most_ms} ms"
        );
        world.run_until(world.now + 10);
    }
    world.now - START
}

/// Most requests to one peer within a second.
fn busiest(world: &World, peer: usize) -> usize {
    let times: Vec<u64> = world.nodes[3]
        .asks
        .iter()
        .filter(|ask| ask.1 == peer)
        .map(|ask| ask.0)
        .collect();
    let within = |from: u64| {
        times
            .iter()
            .filter(|at| (from..from + 1_000).contains(at))
            .count()
    };
    times.iter().map(|at| within(*at)).max().unwrap_or(0)
}

#[test]
fn three_peers_are_asked_at_once() {
    let mut world = world([None, None, None]);
    let took = synced(&mut world, 2_000);
    world.assert_no_false_blame();
    for peer in 0..3 {
        assert!(busiest(&world, peer) > 1, "{peer} was left out");
    }
    let mut alone = self::world([None, None, None]);
    alone.kill(0);
    alone.kill(1);
    assert!(took < synced(&mut alone, 2_000));
}

/// Wherever the liar stands; `blamed` is whether it must be, or must not be.
fn lie(lie: Lie, most_ms: u64, blamed: Option<bool>) {
    // Who brings something new may be asked again at once.
    let most = if matches!(lie, Lie::Single) { 250 } else { 12 };
    for place in 0..3 {
        let mut lies = [None, None, None];
        lies[place] = Some(lie.clone());
        let mut world = world(lies);
        let took = synced(&mut world, most_ms);
        world.assert_no_false_blame();
        println!(
            "{lie:?} at {place}: {took} ms, {} requests",
            world.nodes[3].asks.len()
        );
        let found = !world.nodes[3].penalties.is_empty();
        assert!(
            blamed.is_none_or(|blamed| blamed == found),
            "{lie:?} at {place}"
        );
        assert!(
            busiest(&world, place) <= most,
            "{lie:?} at {place}: {}",
            busiest(&world, place)
        );
        world.run_until(world.now + 30_000);
        assert!(
            busiest(&world, place) <= most,
            "{lie:?} at {place}: {}",
            busiest(&world, place)
        );
        world.assert_no_false_blame();
    }
}

#[test]
fn a_stalled_peer_is_replaced_within_5_s() {
    lie(Lie::Stall, 5_000, Some(false));
}

/// The moment at which a request is given up must not lie an hour ahead.
#[test]
fn a_stalled_peer_is_replaced_when_the_clock_is_set_back() {
    let mut world = world([Some(Lie::Stall), None, None]);
    world.run_until(START + 1_000);
    world.nodes[3].skew = -9_000;
    synced(&mut world, 7_000);
    let asked = |world: &World| world.nodes[3].asked_heights;
    let before = asked(&world);
    world.run_until(START + 13_000);
    assert!(
        asked(&world) > before,
        "nobody is asked for his height any more"
    );
}

/// To a clock that is far behind all new blocks are of the future: nobody is blamed, and
/// nobody is asked for them again and again.
#[test]
fn a_clock_that_is_behind_makes_no_storm() {
    for (behind, most) in [(5_000, 2_000), (60_000, 1_200)] {
        let mut world = world([None, None, None]);
        world.nodes[3].skew = -10_000 - behind;
        world.run_until(START + 3_000);
        world.assert_no_false_blame();
        let number = world.nodes[3].shell.machine.chain().head();
        let number = number.block.header().number.get();
        assert!((most / 2..most).contains(&number), "{behind}: {number}");
        for peer in 0..3 {
            let busiest = busiest(&world, peer);
            assert!(busiest <= 12, "{behind}: {busiest} requests to {peer}");
        }
    }
}

#[test]
fn blocks_out_of_order_end_a_connection() {
    lie(Lie::Order, 2_000, Some(true));
}

#[test]
fn blocks_from_elsewhere_end_a_connection() {
    lie(Lie::Beginning, 2_000, Some(true));
}

#[test]
fn more_blocks_than_asked_for_end_a_connection() {
    lie(Lie::TooMany, 2_000, Some(true));
}

#[test]
fn a_wrong_state_hash_is_found_wherever_it_stands() {
    for number in [2, 257, 300, 1_024, 1_999] {
        let mut world = world([Some(Lie::State(number)), Some(Lie::State(number)), None]);
        synced(&mut world, 2_000);
        world.assert_no_false_blame();
        let blames = &world.nodes[3].penalties;
        assert!(!blames.is_empty(), "nobody was asked for block {number}");
        for (_, fault) in blames {
            assert!(matches!(fault, Fault::Block(_)), "{fault}");
        }
    }
}

#[test]
fn a_promise_of_more_without_a_block_ends_a_connection() {
    lie(Lie::EmptyMore, 2_000, Some(true));
}

#[test]
fn a_claimed_height_is_never_believed() {
    lie(Lie::Claims(1 << 50), 2_000, Some(false));
}

#[test]
fn repeated_old_blocks_do_not_delay_sync() {
    lie(Lie::Stale, 2_000, None);
}

#[test]
fn slow_and_short_answers_do_not_stop_sync() {
    lie(Lie::Late, 9_000, Some(false));
    lie(Lie::Single, 2_000, Some(false));
}
