//! One node's decisions in virtual time: when it makes a block, from what, and in which order its effects become durable and visible.

use ccoin_core::{
    Address,
    block::MAX_BLOCK_BYTES,
    machine::{Effect, NodeState},
};
use ccoin_sim::{Network, Shell, at, child, key, miner, node, pay, pays, record, transfer};

fn millisecond_by_millisecond(shell: &mut Shell, range: core::ops::Range<u64>) {
    range.for_each(|after| shell.tick(after));
}

#[test]
fn a_lone_validator_never_mines() {
    let (mut shell, genesis) = node(&Network::default());
    shell.submit(10, &pays(&genesis, 1, 1..=2));
    millisecond_by_millisecond(&mut shell, 11..200);
    assert_eq!(
        shell.blocks(),
        [(2, 50, 2)],
        "as soon as min_bound wait and min_gap is over"
    );
    assert_eq!(
        shell.trace,
        [
            "state",
            "persist transactions",
            "reply",
            "relay",
            "state",
            "ask heights",
            "mine",
            "persist seal",
            "sign",
            "persist block",
            "head",
            "announce"
        ]
    );
}

#[test]
fn a_refused_submission_is_answered_and_never_persisted() {
    let (mut shell, genesis) = node(&Network::default());
    let good = pay(&genesis, 1, 1);
    let far = pay(&genesis, 2, 99);
    shell.submit(10, &[far.clone(), good.clone(), good.clone()]);
    assert_eq!(shell.pool_log.len(), 1);
    let mut replies = shell.open.iter().filter_map(|effect| match effect {
        Effect::Reply { results, .. } => Some(results),
        _ => None,
    });
    let results = replies.next_back().expect("a reply");
    assert_eq!(
        results.iter().map(Result::is_ok).collect::<Vec<_>>(),
        [false, true, true]
    );
    shell.submit(11, &[far, good]);
    assert_eq!(
        (shell.pool_log.len(), shell.trace.last()),
        (1, Some(&"reply"))
    );
}

#[test]
fn the_heartbeat_beats_at_the_interval_or_never() {
    let (mut shell, _) = node(&Network::default());
    millisecond_by_millisecond(&mut shell, 0..3_500);
    assert_eq!(
        shell.blocks(),
        [(2, 1_000, 0), (3, 2_000, 0), (4, 3_000, 0)]
    );
    let (mut shell, genesis) = node(&Network {
        allow_empty: false,
        ..Network::default()
    });
    millisecond_by_millisecond(&mut shell, 0..3_500);
    assert_eq!(shell.blocks(), []);
    shell.submit(3_500, &[pay(&genesis, 1, 1)]);
    millisecond_by_millisecond(&mut shell, 3_501..9_000);
    assert_eq!(
        shell.blocks(),
        [(2, 3_500, 1)],
        "the parent is older than the interval"
    );
}

#[test]
fn blocks_hold_exactly_min_bound_transactions_whatever_waits() {
    let (mut shell, genesis) = node(&Network {
        allow_empty: false,
        ..Network::default()
    });
    shell.submit(10, &pays(&genesis, 1, 1..=10));
    millisecond_by_millisecond(&mut shell, 10..2_000);
    let gap_after_gap = [(2, 50, 3), (3, 100, 3), (4, 150, 3), (5, 1_150, 1)];
    assert_eq!(
        shell.blocks(),
        gap_after_gap,
        "max_bound each, and the rest after the interval"
    );
}

#[test]
fn blocks_never_pass_the_byte_limit() {
    let (mut shell, genesis) = node(&Network {
        max_bound: 1_000,
        max_data: 65_536,
        ..Network::default()
    });
    let data = "x".repeat(65_536);
    let large: Vec<_> = (1..=50)
        .map(|number| {
            record(
                &genesis,
                key(1).public_key(),
                number,
                Address::ZERO,
                0,
                &data,
            )
        })
        .collect();
    shell.submit(10, &large);
    millisecond_by_millisecond(&mut shell, 50..200);
    let sizes: Vec<_> = shell
        .made
        .iter()
        .map(|block| block.encode().len())
        .collect();
    assert!(
        sizes[0] <= MAX_BLOCK_BYTES && sizes[0] > 2_800_000,
        "{sizes:?}"
    );
    assert_eq!(
        shell
            .made
            .iter()
            .map(|block| block.transactions.len())
            .sum::<usize>(),
        50
    );
}

/// The third clause of the batch rule: a lone transaction that has waited a whole interval.
#[test]
fn a_lone_transaction_is_shut_out_for_ever_by_a_busy_miner() {
    let (mut shell, genesis) = node(&Network {
        miners: 2,
        ..Network::default()
    });
    shell.tick(0);
    let busy = child(
        &genesis,
        shell.machine.chain().head(),
        miner(1),
        3_900,
        &pays(&genesis, 1, 1..=2),
    );
    shell.tick(2_000);
    shell.submit(3_200, &[pay(&genesis, 2, 1)]);
    shell.block(3_900, &busy.block);
    millisecond_by_millisecond(&mut shell, 3_901..4_300);
    assert_eq!(shell.blocks(), [(2, 3_900, 2), (3, 4_200, 1)]);
    shell.submit(4_300, &[pay(&genesis, 2, 2)]);
    millisecond_by_millisecond(&mut shell, 4_301..5_400);
    assert_eq!(shell.blocks()[2..], [(4, 5_200, 1)], "once in an interval");
}

#[test]
fn the_guard_holds_only_before_another_ones_turn() {
    for (miners, after, made) in [(2, 1_599, 1), (2, 1_600, 0), (2, 1_999, 0), (1, 1_999, 1)] {
        let (mut shell, genesis) = node(&Network {
            miners,
            interval: 60_000,
            allow_empty: false,
            ..Network::default()
        });
        let base = 4_000 * (miners as u64 - 1);
        (0..base + after)
            .step_by(1_000)
            .for_each(|after| shell.tick(after));
        shell.submit(base + after, &pays(&genesis, 1, 1..=2));
        assert_eq!(shell.blocks().len(), made, "{miners} {after}");
    }
}

#[test]
fn only_the_leader_seals_and_only_when_ready() {
    let (mut shell, genesis) = node(&Network {
        miners: 2,
        interval: 60_000,
        ..Network::default()
    });
    shell.submit(0, &pays(&genesis, 1, 1..=2));
    millisecond_by_millisecond(&mut shell, 0..2_000);
    assert_eq!(
        shell.machine.state(),
        NodeState::Boot,
        "one slot, in which others may show a better chain"
    );
    millisecond_by_millisecond(&mut shell, 2_000..4_500);
    assert_eq!(shell.blocks(), [(2, 4_000, 2)]);
}

/// A rival number from elsewhere spends the coins: what waited is told, and nothing is mined for it.
#[test]
fn replayed_transactions_cause_an_empty_rewarded_block_every_5_s() {
    let (mut shell, genesis) = node(&Network {
        miners: 2,
        allow_empty: false,
        ..Network::default()
    });
    shell.tick(0);
    let send =
        |number, amount| transfer(&genesis, key(2).public_key(), number, Address::ZERO, amount);
    shell.submit(2_000, &[send(1, 10), send(2, 900), send(3, 1)]);
    let rivals = [send(1, 1_000), pay(&genesis, 3, 1)];
    let block = child(
        &genesis,
        shell.machine.chain().head(),
        miner(1),
        2_100,
        &rivals,
    );
    shell.block(2_100, &block.block);
    let told: Vec<_> = shell.dropped.iter().map(|txn| txn.number.get()).collect();
    assert_eq!(told, [1, 2, 3]);
    assert!(shell.machine.pool().is_empty());
    shell.submit(2_200, &rivals);
    millisecond_by_millisecond(&mut shell, 2_201..12_000);
    assert_eq!(shell.blocks(), [(2, 2_100, 2)]);
}

#[test]
fn a_clock_that_steps_back_stops_sealing_until_it_has_caught_up() {
    let (mut shell, genesis) = node(&Network::default());
    shell.submit(5_000, &pays(&genesis, 1, 1..=2));
    shell.submit(1_000, &pays(&genesis, 1, 3..=4));
    millisecond_by_millisecond(&mut shell, 1_000..5_200);
    assert_eq!(shell.blocks(), [(2, 5_000, 2), (3, 5_050, 2)]);
    assert!(shell.signed.is_sorted_by(|a, b| a.0 < b.0));
}

#[test]
fn a_clock_that_steps_back_prolongs_the_start() {
    let (mut shell, _) = node(&Network {
        miners: 2,
        ..Network::default()
    });
    for after in [100_000, 1_000, 2_999] {
        shell.tick(after);
        assert_eq!(shell.machine.state(), NodeState::Boot);
    }
    shell.tick(3_000);
    assert_eq!(
        shell.machine.state(),
        NodeState::Ready,
        "one slot by the clock as it runs now"
    );
    assert_eq!(shell.machine.wake_at(at(3_000)), Some(at(4_000)));
}
