//! One node's decisions in virtual time: when it makes a block, from which transactions,
//! and what is durable before it becomes visible.

use ccoin_core::{
    Address, MonoTime, Now,
    block::MAX_BLOCK_BYTES,
    machine::{Ask, Input, NodeState, Publish},
    transaction::VerifiedTransaction,
};
use ccoin_sim::{Network, Shell, at, child, key, miner, node, pay, pays, record, transfer};

fn millisecond_by_millisecond(shell: &mut Shell, range: core::ops::Range<u64>) {
    range.for_each(|after| shell.tick(after));
}

/// The clocks of a node whose wall clock was set back by four seconds.
fn set_back(after_ms: u64) -> Now {
    Now {
        wall: at(after_ms),
        mono: MonoTime(after_ms + 4_000),
    }
}

#[test]
fn a_lone_validator_makes_a_block_as_soon_as_it_is_due() {
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
            "write transactions",
            "state",
            "queued",
            "reply",
            "state",
            "gossip",
            "mine",
            "write seal mark",
            "sign",
            "write block",
            "write voter record",
            "head",
            "sign vote",
            "announce",
            "write certificate",
            "write voter record",
            "sign vote",
            "write certificate",
            "final"
        ]
    );
    assert!(matches!(shell.asks[..], [Ask::Heights]));
}

#[test]
fn a_refused_submission_is_answered_and_never_persisted() {
    let (mut shell, genesis) = node(&Network::default());
    let good = pay(&genesis, 1, 1);
    let far = pay(&genesis, 2, 99);
    shell.submit(10, &[far.clone(), good.clone(), good.clone()]);
    assert_eq!(shell.pool_log.len(), 1);
    let mut replies = shell.published.iter().filter_map(|publish| match publish {
        Publish::Reply { results, .. } => Some(results),
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

/// Readers hear of every transaction that waits; peers, which refuse what lies behind a gap,
/// only of those that no gap holds back.
#[test]
fn transactions_are_gossiped_once_no_gap_holds_them_back() {
    let (mut shell, genesis) = node(&Network {
        miners: 2,
        ..Network::default()
    });
    let [first, second, third] = [1, 2, 3].map(|number| pay(&genesis, 1, number));
    let ids = |txns: &[&VerifiedTransaction]| txns.iter().map(|txn| *txn.id()).collect();
    for (sent, queued, gossiped) in [
        (&third, ids(&[&third]), vec![]),
        (&first, ids(&[&first]), ids(&[&first])),
        (&second, ids(&[&second]), ids(&[&second, &third])),
    ] {
        shell.published.clear();
        shell.input(
            10,
            Input::Submit {
                ticket: 0,
                txns: vec![sent.clone()],
                from: Some(7),
            },
        );
        let (mut waiting, mut told) = (Vec::new(), Vec::new());
        for publish in &shell.published {
            match publish {
                Publish::Queued { txns, from, .. } => {
                    assert_eq!(*from, Some(7));
                    waiting.extend(txns.iter().map(|txn| *txn.id()));
                }
                Publish::GossipTransactions(ids) => told.extend(ids.iter().copied()),
                _ => {}
            }
        }
        assert_eq!((waiting, told), (queued, gossiped));
    }
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
        alloc: vec![(miner(1), 0, 10_000)],
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
fn a_lone_transaction_is_included_after_an_interval() {
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
fn no_block_is_made_of_transactions_that_cannot_apply() {
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
    let input = Input::Submit {
        ticket: 0,
        txns: pays(&genesis, 1, 3..=4),
        from: None,
    };
    shell.input_at(set_back(1_000), input);
    (1_000..5_200).for_each(|after| shell.input_at(set_back(after), Input::Tick));
    assert_eq!(shell.blocks(), [(2, 5_000, 2), (3, 5_050, 2)]);
    assert!(shell.signed.is_sorted_by(|a, b| a.0 < b.0));
}

/// However far the wall clock is set back, boot lasts one slot after that (C4).
#[test]
fn a_clock_that_steps_back_prolongs_boot_by_no_more_than_a_slot() {
    let (mut shell, _) = node(&Network {
        miners: 2,
        ..Network::default()
    });
    shell.tick(5_000);
    assert_eq!(shell.machine.state(), NodeState::Boot);
    for after in [1_000, 2_999] {
        shell.input_at(set_back(after), Input::Tick);
        assert_eq!(shell.machine.state(), NodeState::Boot);
    }
    shell.input_at(set_back(3_000), Input::Tick);
    assert_eq!(shell.machine.state(), NodeState::Ready);
    assert_eq!(shell.machine.wake_in(set_back(3_000)), Some(1_000));
}

#[test]
fn by_hand_a_block_is_made_only_when_it_is_asked_for_and_due() {
    let (mut shell, genesis) = node(&Network::default());
    // It is of no use to a machine that makes blocks by itself.
    shell.input(1, Input::MakeBlock);
    shell.machine.make_by_hand();
    millisecond_by_millisecond(&mut shell, 2..3_500);
    shell.submit(3_500, &pays(&genesis, 1, 1..=2));
    millisecond_by_millisecond(&mut shell, 3_501..5_000);
    assert_eq!(shell.blocks(), []);
    let why = shell.machine.why(shell.now(5_000)).to_string();
    assert_eq!(
        why,
        "blocks are made by hand: 2 transactions wait, block 1 is final, and ccoin devnet mine \
         makes the next"
    );

    shell.input(5_000, Input::MakeBlock);
    millisecond_by_millisecond(&mut shell, 5_001..8_000);
    assert_eq!(shell.blocks(), [(2, 5_000, 2)], "once, with what waits");
    shell.input(8_000, Input::MakeBlock);
    millisecond_by_millisecond(&mut shell, 8_001..10_000);
    assert_eq!(shell.blocks()[1..], [(3, 8_000, 0)], "at once, and empty");
}

#[test]
fn an_empty_block_that_is_asked_for_waits_for_the_interval() {
    let (mut shell, _) = node(&Network::default());
    shell.machine.make_by_hand();
    shell.input(2_000, Input::MakeBlock);
    shell.input(2_100, Input::MakeBlock);
    // Asked for twice before it is made, it stays one.
    shell.input(2_200, Input::MakeBlock);
    millisecond_by_millisecond(&mut shell, 2_201..2_999);
    assert_eq!(shell.blocks(), [(2, 2_000, 0)]);
    millisecond_by_millisecond(&mut shell, 2_999..5_000);
    assert_eq!(shell.blocks(), [(2, 2_000, 0), (3, 3_000, 0)]);
}

#[test]
fn a_node_that_only_follows_makes_no_block_by_hand() {
    let genesis = Network::default().found();
    let mut shell = Shell::unsigned(&genesis, None);
    shell.machine.make_by_hand();
    shell.input(2_000, Input::MakeBlock);
    millisecond_by_millisecond(&mut shell, 2_001..4_000);
    assert_eq!(shell.blocks(), []);
}
