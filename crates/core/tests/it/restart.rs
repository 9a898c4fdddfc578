//! A node that is killed at any moment and starts again from its disk, and a node that
//! sleeps until the machine asks to be woken: both decide as if nothing had happened.

use crate::cases::cases;
use ccoin_core::{
    BlockId, StateHash, TxId,
    applied::Applied,
    genesis::Genesis,
    machine::{Machine, Publish, SealMark},
    transaction::VerifiedTransaction,
};
use ccoin_sim::{Network, Shell, at, child, miner, pay};
use proptest::prelude::*;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Two equal nodes agree on this: head, accounts, and waiting transactions, ready or behind a gap.
fn picture(machine: &Machine) -> (BlockId, StateHash, BTreeMap<TxId, bool>) {
    let ready: BTreeSet<_> = machine.pool().ready().map(|txn| *txn.id()).collect();
    let waiting = machine
        .pool()
        .by_arrival()
        .map(|(_, txn)| (*txn.id(), ready.contains(txn.id())));
    (
        machine.chain().head().block.id,
        machine.accounts().root(),
        waiting.collect(),
    )
}

/// Something that happens to a node, and how many ms after what happened before.
#[derive(Clone, Debug)]
enum Event {
    /// A user sends this many transactions, the first of them with a gap or not.
    Submit {
        from: usize,
        count: u64,
        gap: bool,
    },
    /// Another miner's block for a moment of its own slot not long ago, with or without transactions.
    Block {
        ago: u64,
        txns: u64,
    },
    /// The node is killed with the miner or the key at work, or with neither.
    Kill {
        mines: bool,
        signs: bool,
    },
    Nothing,
}

fn events() -> impl Strategy<Value = Vec<(u64, Event)>> {
    let event = prop_oneof![
        4 => (1usize..4, 1u64..4, prop::bool::weighted(0.2)).prop_map(|(from, count, gap)| Event::Submit { from, count, gap }),
        2 => (0u64..2_500, 0u64..3).prop_map(|(ago, txns)| Event::Block { ago, txns }),
        2 => (any::<bool>(), any::<bool>()).prop_map(|(mines, signs)| Event::Kill { mines, signs }),
        1 => Just(Event::Nothing),
    ];
    let wait = prop_oneof![2 => 0u64..80, 2 => 0u64..1_500, 1 => 1_500u64..5_000];
    prop::collection::vec((wait, event), 1..25)
}

/// The transactions of an event: numbers go on where the account's run ends.
fn sent(shell: &Shell, from: usize, count: u64, gap: bool) -> Vec<VerifiedTransaction> {
    let account = shell.machine.accounts().account(&miner(from));
    let next = shell.machine.pool().next_number(&miner(from), account) + u64::from(gap);
    (next..next + count)
        .map(|number| pay(&shell.genesis, from, number))
        .collect()
}

/// A block of miner 1 on the head, if the batch rule and the turn allow one then.
fn foreign(shell: &Shell, now: u64, ago: u64, txns: u64) -> Option<Arc<Applied>> {
    let (head, time) = (shell.machine.chain().head(), now.checked_sub(ago)?);
    let parent = head.block.header().time.get() - ccoin_sim::START;
    if time / 2_000 % 2 != 1 || time < parent + 50 || (txns < 2 && time < parent + 1_000) {
        return None;
    }
    let nonce = head.state.account(&miner(1)).nonce.get();
    let txns: Vec<_> = (nonce + 1..=nonce + txns)
        .map(|number| pay(&shell.genesis, 1, number))
        .collect();
    Some(child(&shell.genesis, head, miner(1), time, &txns))
}

/// Time passes from `from` to `to`: by the millisecond, or from one wake-up to the next.
fn pass(shell: &mut Shell, from: u64, to: u64, asleep: bool) {
    let mut now = from;
    while now < to {
        let wake = shell.machine.wake_in(shell.now(now));
        now = if asleep {
            wake.map_or(to, |wait| now + wait).min(to)
        } else {
            now + 1
        };
        shell.tick(now);
    }
}

fn network() -> Arc<Genesis> {
    Network {
        miners: 2,
        difficulty: 0,
        ..Network::default()
    }
    .found()
}

/// Runs the events; `check` sees the shell after each of them.
fn run(events: &[(u64, Event)], asleep: bool, mut check: impl FnMut(&mut Shell, &Event)) -> Shell {
    let genesis = network();
    let mut shell = Shell::new(&genesis, 0);
    let mut now = 0;
    shell.tick(now);
    for (wait, event) in events {
        pass(&mut shell, now, now + wait, asleep);
        now += wait;
        match event {
            Event::Submit { from, count, gap } => {
                let txns = sent(&shell, *from, *count, *gap);
                shell.submit(now, &txns);
            }
            Event::Block { ago, txns } => {
                if let Some(block) = foreign(&shell, now, *ago, *txns) {
                    shell.block(now, &block.block);
                }
            }
            Event::Kill { .. } | Event::Nothing => shell.tick(now),
        }
        check(&mut shell, event);
    }
    pass(&mut shell, now, now + 6_000, asleep);
    shell
}

proptest! {
    #![proptest_config(cases(48))]

    /// `wake_in` is never later than the moment at which time alone changes a decision.
    #[test]
    fn a_sleeping_node_makes_the_same_blocks_as_a_restless_one(events in events()) {
        let restless = run(&events, false, |_, _| {});
        let sleeping = run(&events, true, |_, _| {});
        prop_assert_eq!(restless.blocks(), sleeping.blocks());
        prop_assert_eq!(picture(&restless.machine), picture(&sleeping.machine));
    }

    /// Head, accounts and queue come back; nothing is lost that was answered.
    #[test]
    fn a_restart_changes_nothing(events in events()) {
        run(&events, true, |shell, _| {
            let before = picture(&shell.machine);
            let mut other = Shell::new(&shell.genesis, 0);
            (other.log, other.pool_log) = (shell.log.clone(), shell.pool_log.clone());
            other.restart();
            assert_eq!(picture(&other.machine), before);
        });
    }

    /// I4: one block for one (slot, number), and the marks only grow, across kills while
    /// the miner searches, while the key signs, and in between.
    #[test]
    fn a_key_never_signs_two_blocks_for_one_slot_and_number(events in events()) {
        let shell = run(&events, true, |shell, event| {
            if let Event::Kill { mines, signs } = event {
                // A killed key may or may not have signed: what was asked for counts.
                let asked = shell.published.iter().filter_map(|publish| match publish {
                    Publish::Sign { message, .. } => Some((shell.mark, *message)),
                    _ => None,
                });
                let asked: Vec<_> = asked.collect();
                shell.signed.extend(asked);
                shell.restart();
                (shell.mines, shell.signs) = (*mines, *signs);
            }
        });
        let marks: Vec<_> = shell.signed.iter().map(|signed| signed.0).collect();
        prop_assert!(marks.is_sorted_by(|a, b| a < b), "{:?}", marks);
        let messages: BTreeSet<_> = shell.signed.iter().map(|signed| signed.1).collect();
        prop_assert_eq!(messages.len(), marks.len());
    }
}

/// The mark is on disk, the signature never came: this slot is lost for this number, the next is not.
#[test]
fn a_crash_between_mark_and_signature_loses_one_slot_and_signs_nothing_twice() {
    let genesis = Network::default().found();
    let mut shell = Shell::new(&genesis, 0);
    shell.signs = false;
    shell.submit(100, &[pay(&genesis, 1, 1), pay(&genesis, 1, 2)]);
    assert!(shell.trace.contains(&"sign"));
    shell.restart();
    shell.signs = true;
    pass(&mut shell, 100, 1_999, false);
    assert!(
        shell.signed.is_empty(),
        "the key may have signed before the crash"
    );
    shell.tick(2_000);
    assert_eq!(shell.blocks(), [(2, 2_000, 2)]);
}

/// A mark that is not kept lets a key sign twice: the test above can fail.
#[test]
fn only_its_mark_keeps_a_restarted_key_from_signing_again() {
    let genesis = Network::default().found();
    let mut shell = Shell::new(&genesis, 0);
    shell.signs = false;
    shell.submit(100, &[pay(&genesis, 1, 1), pay(&genesis, 1, 2)]);
    shell.mark = SealMark::default();
    shell.restart();
    shell.tick(200);
    assert_eq!(
        shell.trace.iter().filter(|name| **name == "sign").count(),
        2
    );
}

/// The key may have signed for this slot and, with a clock ahead, for the next one (A2).
#[test]
fn a_key_with_a_lost_record_signs_nothing_before_the_slot_after_next() {
    let genesis = Network::default().found();
    let mut shell = Shell::new(&genesis, 0);
    shell.mark = SealMark::after_lost_record(genesis.schedule.slot(at(1_000)));
    shell.restart();
    shell.submit(1_000, &[pay(&genesis, 1, 1), pay(&genesis, 1, 2)]);
    pass(&mut shell, 1_000, 3_999, false);
    assert!(shell.signed.is_empty());
    shell.tick(4_000);
    assert_eq!(shell.blocks(), [(2, 4_000, 2)]);
}

/// Transactions that a later block of the signer leaves over are due an interval after that block.
#[test]
fn a_sleeping_node_wakes_an_interval_after_its_own_last_block() {
    let genesis = Network {
        miners: 2,
        interval: 3_000,
        max_bound: 3,
        ..Network::default()
    }
    .found();
    let blocks = [false, true].map(|asleep| {
        let mut shell = Shell::new(&genesis, 0);
        shell.tick(0);
        pass(&mut shell, 0, 5_450, asleep);
        let early: Vec<_> = (1..=4).map(|number| pay(&genesis, 2, number)).collect();
        shell.submit(5_450, &early[1..]);
        shell.submit(5_500, &early[..1]);
        let busy = [pay(&genesis, 1, 1), pay(&genesis, 1, 2)];
        pass(&mut shell, 5_500, 6_100, asleep);
        let block = child(
            &genesis,
            shell.machine.chain().head(),
            miner(1),
            6_100,
            &busy,
        );
        shell.block(6_100, &block.block);
        pass(&mut shell, 6_100, 9_500, asleep);
        shell.blocks()
    });
    assert_eq!(
        blocks[0],
        [(2, 4_000, 0), (3, 5_500, 3), (4, 6_100, 2), (5, 8_500, 1)]
    );
    assert_eq!(blocks[0], blocks[1]);
}

/// The queue's log was rewritten with what waited; then a branch was left and its transactions
/// came back behind. More than the largest gap lie between: they are all in the log.
#[test]
fn a_restart_after_a_rewritten_queue_loses_nothing() {
    let genesis = Network {
        miners: 2,
        min_bound: 1,
        max_bound: 100,
        ..Network::default()
    }
    .found();
    let mut shell = Shell::new(&genesis, 1);
    shell.tick(0);
    let run: Vec<_> = (1..=110).map(|number| pay(&genesis, 2, number)).collect();
    shell.submit(10, &run);
    let left = child(&genesis, &genesis.applied(), miner(0), 100, &run[..100]);
    shell.block(100, &left.block);
    shell.pool_log = shell
        .machine
        .pool()
        .by_arrival()
        .map(|(at, txn)| (at, txn.clone()))
        .collect();
    assert_eq!(shell.pool_log.len(), 10);
    let empty = child(&genesis, &genesis.applied(), miner(0), 1_000, &[]);
    let heavier = child(&genesis, &empty, miner(0), 1_100, &[pay(&genesis, 3, 1)]);
    shell.block(1_050, &empty.block);
    shell.block(1_100, &heavier.block);
    assert_eq!(shell.machine.pool().ready_len(), 110);
    shell.restart();
    assert_eq!(shell.machine.pool().ready_len(), 110);
}
