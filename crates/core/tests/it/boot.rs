//! When a node that starts, or that has slept, may make blocks: each way out of boot,
//! and not before.

use ccoin_core::{
    MonoTime, Now,
    machine::{Ask, Input, NodeState},
};
use ccoin_sim::{Lie, Network, Shell, World, at, child, ghost, give_from, height, miner, verified};

const SLOT: u64 = 2_000;

fn join(shell: &mut Shell, after: u64, peer: u64, validator: bool, claimed: u64) {
    let height = height(claimed);
    let joined = Input::PeerJoined {
        peer,
        validator: validator.then_some(0),
        height,
    };
    shell.input(after, joined);
}

fn answer(shell: &mut Shell, after: u64, peer: u64) {
    let (blocks, more) = (Vec::new(), false);
    shell.input(after, Input::Blocks { peer, blocks, more });
}

/// The millisecond in which a node that starts at 100 becomes ready, if it does before `end`.
fn ready_at(shell: &mut Shell, from: u64, end: u64) -> Option<u64> {
    (from..end).find(|after| {
        shell.tick(*after);
        shell.machine.state() == NodeState::Ready
    })
}

#[test]
fn the_only_validator_is_ready_at_once() {
    let genesis = Network::ready(1).found();
    assert_eq!(ready_at(&mut Shell::new(&genesis, 0), 100, 200), Some(100));
}

#[test]
fn without_validators_a_node_is_ready_after_a_slot() {
    let genesis = Network::ready(2).found();
    let mut shell = Shell::new(&genesis, 0);
    shell.tick(100);
    join(&mut shell, 200, 7, false, 1);
    answer(&mut shell, 210, 7);
    assert_eq!(ready_at(&mut shell, 220, 9_000), Some(100 + SLOT));
}

#[test]
fn a_validators_answer_makes_a_node_ready() {
    let genesis = Network::ready(2).found();
    let mut shell = Shell::new(&genesis, 0);
    shell.tick(100);
    join(&mut shell, 200, 7, true, 1);
    assert_eq!(
        shell.machine.state(),
        NodeState::Boot,
        "it has said nothing yet"
    );
    answer(&mut shell, 210, 7);
    assert_eq!(shell.machine.state(), NodeState::Ready);
    let mut shell = Shell::new(&genesis, 0);
    shell.tick(100);
    join(&mut shell, 200, 7, true, 0);
    assert_eq!(shell.machine.state(), NodeState::Ready, "it has nothing");
}

/// Blocks that a validator has shown count only when they are here; what it merely
/// claims is waited for so many turns as there are validators, at least three.
#[test]
fn a_validator_that_is_ahead_is_waited_for() {
    for (miners, turns) in [(2, 3), (3, 3), (4, 4)] {
        let genesis = Network::ready(miners).found();
        let mut shell = Shell::new(&genesis, 0);
        shell.tick(100);
        join(&mut shell, 200, 7, true, 2);
        assert_eq!(ready_at(&mut shell, 201, 20_000), Some(100 + turns * SLOT));
        let mut shell = Shell::new(&genesis, 0);
        shell.tick(100);
        join(&mut shell, 200, 7, true, 3);
        let txn = give_from(&genesis, &ghost(9), 1);
        let block = child(&genesis, &genesis.applied(), miner(0), 150, &[txn]);
        let (blocks, more) = (vec![verified(&block.block)], true);
        let peer = 7;
        shell.input(1_000, Input::Blocks { peer, blocks, more });
        assert_eq!(shell.machine.state(), NodeState::Boot, "there is more");
        assert_eq!(
            ready_at(&mut shell, 1_001, 20_000),
            Some(1_000 + turns * SLOT)
        );
    }
}

/// A node that is awake for its ticks alone leaves boot as early as a restless one.
#[test]
fn a_sleeping_node_wakes_to_leave_boot() {
    let genesis = Network::ready(2).found();
    let mut shell = Shell::unsigned(&genesis, None);
    shell.tick(100);
    join(&mut shell, 150, 7, false, 2);
    let txn = give_from(&genesis, &ghost(9), 1);
    let block = child(&genesis, &genesis.applied(), miner(0), 150, &[txn]);
    let peer = 7;
    let block = verified(&block.block);
    shell.input(1_000, Input::Block { peer, block });
    let mut now = 1_000;
    while shell.machine.state() == NodeState::Boot {
        let wake = shell
            .machine
            .wake_in(shell.now(now))
            .expect("it will be ready");
        now += wake;
        shell.tick(now);
    }
    assert_eq!(now, 1_000 + SLOT);
}

/// A validator that owes an answer goes on showing its blocks.
#[test]
fn new_blocks_of_a_slow_validator_do_not_prolong_boot() {
    let genesis = Network::ready(2).found();
    let mut shell = Shell::unsigned(&genesis, Some(0));
    shell.tick(100);
    join(&mut shell, 150, 7, true, 9);
    let (mut tip, mut number) = (std::sync::Arc::new(genesis.applied()), 0);
    for now in (500..10_000).step_by(500) {
        shell.tick(now);
        let others_turn = now / SLOT % 2 == 1;
        if others_turn && shell.machine.state() == NodeState::Boot {
            number += 1;
            let txn = give_from(&genesis, &ghost(9), number);
            tip = child(&genesis, &tip, miner(1), now, &[txn]);
            let (peer, block) = (7, verified(&tip.block));
            shell.input(now, Input::Block { peer, block });
        }
    }
    assert!(number > 4, "{number}");
    assert_eq!(shell.machine.state(), NodeState::Ready);
}

#[test]
fn a_claimed_height_never_stops_a_ready_node() {
    let genesis = Network::ready(2).found();
    let mut world = World::mesh(&genesis, 2, 3);
    world.run_until(5_000);
    world.nodes[2].lie = Some(Lie::Claims(1 << 50));
    world.kill(2);
    world.start(2);
    for round in 0..40 {
        world.run_until(6_000 + round * 500);
        assert_eq!(world.nodes[0].shell.machine.state(), NodeState::Ready);
        world.pay(0, 1);
    }
    let made = world.nodes[0].shell.machine.chain().canonical().len();
    assert!(made > 20, "{made}");
}

/// An answer to a request from before the sleep says nothing about blocks that came meanwhile.
#[test]
fn an_answer_from_before_a_sleep_does_not_end_boot() {
    let genesis = Network::ready(2).found();
    let mut shell = Shell::new(&genesis, 0);
    shell.tick(100);
    join(&mut shell, 200, 7, true, 1);
    shell.tick(20_000);
    answer(&mut shell, 20_010, 7);
    assert_eq!(shell.machine.state(), NodeState::Boot);
    answer(&mut shell, 20_020, 7);
    assert_eq!(shell.machine.state(), NodeState::Ready);
}

/// The wall clock of a validator with others may move by the tolerated skew against the
/// monotonic one; more is a jump (C4).
#[test]
fn a_jump_of_the_wall_clock_begins_boot_again() {
    for (miners, jump, state) in [
        (2, 500, NodeState::Ready),
        (2, 501, NodeState::Boot),
        (2, -500, NodeState::Ready),
        (2, -501, NodeState::Boot),
        (1, 100_000, NodeState::Ready),
    ] {
        let mut shell = Shell::unsigned(&Network::ready(miners).found(), Some(0));
        (0..=3_000).step_by(500).for_each(|after| shell.tick(after));
        assert_eq!(shell.machine.state(), NodeState::Ready);
        let asks = shell.asks.len();
        let now = |after: u64| Now {
            wall: at(after.saturating_add_signed(jump)),
            mono: MonoTime(after),
        };
        shell.input_at(now(3_100), Input::Tick);
        assert_eq!(shell.machine.state(), state, "{miners} {jump}");
        let asked = matches!(shell.asks[asks..], [Ask::Heights]);
        assert_eq!(asked, state == NodeState::Boot, "{miners} {jump}");
        for after in (3_100..5_100).step_by(100) {
            shell.input_at(now(after), Input::Tick);
            assert_eq!(shell.machine.state(), state, "{miners} {jump} {after}");
        }
        shell.input_at(now(5_100), Input::Tick);
        assert_eq!(shell.machine.state(), NodeState::Ready, "one slot later");
    }
}

/// Its clock shows its own turn when it goes on, and nothing of what it missed has been read yet.
#[test]
fn a_leader_that_has_slept_makes_nothing_on_its_old_head() {
    for late in (0..1_600).step_by(100) {
        let genesis = Network::ready(2).found();
        let mut world = World::mesh(&genesis, 2, 2);
        world.run_until(3_500);
        world.hang(0);
        world.run_until(6_100);
        world.pay(1, 1);
        world.run_until(12_000 + late);
        world.resume(0);
        world.settle(world.now + 3 * SLOT);
        let chain = world.nodes[0].shell.machine.chain().canonical().len();
        let made = world.nodes[0].shell.log.len();
        assert_eq!(made + 1, chain, "{late}: a block beside the chain");
    }
}

/// More than 256 blocks behind: at once, and then every two seconds while it waits.
#[test]
fn progress_of_catching_up_is_told() {
    for (claimed, times) in [(1, 0), (257, 0), (258, 2), (1 << 40, 2)] {
        let mut shell = Shell::new(&Network::ready(2).found(), 0);
        shell.tick(100);
        join(&mut shell, 200, 7, true, claimed);
        (210..4_000).step_by(10).for_each(|after| shell.tick(after));
        let told = |ask: &Ask| match ask {
            Ask::Progress { height, target } => Some((height.get(), target.get())),
            _ => None,
        };
        let told: Vec<_> = shell.asks.iter().filter_map(told).collect();
        assert_eq!(told, vec![(1, claimed); times]);
    }
}
