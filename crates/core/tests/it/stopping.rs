//! After the order to stop: what still comes in changes nothing that a restart would
//! see, and only a block that the key signs already is finished.

use ccoin_core::{
    Height,
    machine::{Effect, Input, NodeState},
};
use ccoin_sim::{Network, STRANGER, Shell, at, child, miner, pay, pays};
use std::sync::Arc;

fn network() -> Network {
    Network {
        miners: 2,
        min_bound: 1,
        allow_empty: false,
        difficulty: 0,
        ..Network::default()
    }
}

/// A validator of two, in boot: a peer that makes blocks has claimed one and not shown it.
fn in_boot() -> Shell {
    let mut shell = Shell::unsigned(&network().found(), Some(0));
    shell.tick(0);
    let joined = Input::PeerJoined {
        peer: 7,
        validator: true,
        height: Height::new(2).expect("within the range"),
    };
    shell.input(100, joined);
    assert_eq!(shell.machine.state(), NodeState::Boot);
    shell
}

/// The same, ready: nobody showed anything for three turns.
fn ready() -> Shell {
    let mut shell = in_boot();
    (101..6_101).step_by(50).for_each(|after| shell.tick(after));
    assert_eq!(shell.machine.state(), NodeState::Ready);
    shell
}

/// What would have been taken a moment before.
fn inputs(shell: &Shell) -> Vec<Input> {
    let genesis = &shell.genesis;
    let root = Arc::new(genesis.applied());
    let block = child(genesis, &root, miner(1), 6_100, &[pay(genesis, 1, 1)]);
    let block = block.block.clone();
    vec![
        Input::Blocks {
            peer: 7,
            blocks: vec![block.clone()],
            more: false,
        },
        Input::Block {
            peer: STRANGER,
            block,
        },
        Input::Submit {
            ticket: 1,
            txns: pays(genesis, 0, 1..=3),
            from: None,
        },
        Input::PeerJoined {
            peer: 8,
            validator: true,
            height: Height::MAX,
        },
        Input::Heights {
            peer: 7,
            height: Height::MAX,
        },
        Input::PeerLeft { peer: 7 },
        Input::Tick,
        Input::Stop,
    ]
}

/// The actor decides a whole group of inputs before it notices that the node stops.
#[test]
fn what_comes_after_the_order_to_stop_is_still_persisted() {
    for (name, start) in [("boot", in_boot as fn() -> Shell), ("ready", ready)] {
        let count = inputs(&start()).len();
        for index in 0..count {
            let mut shell = start();
            shell.input(6_150, Input::Stop);
            assert_eq!(shell.machine.state(), NodeState::Stopping, "{name}");
            let head = shell.machine.chain().head().block.id;
            let input = inputs(&shell).swap_remove(index);
            let text = format!("{name}, input {index}");
            let effects = shell.machine.step(at(6_160), input);
            assert!(effects.is_empty(), "{text}: {effects:?}");
            assert_eq!(shell.machine.chain().head().block.id, head, "{text}");
            assert!(shell.machine.pool().is_empty(), "{text}");
        }
    }
}

/// The inputs above are worth something: before the order they are taken.
#[test]
fn the_same_before_the_order_is_taken() {
    let taken = |index: usize, wanted: fn(&Effect) -> bool| {
        let mut shell = ready();
        let input = inputs(&shell).swap_remove(index);
        let effects = shell.machine.step(at(6_150), input);
        assert!(effects.iter().any(wanted), "{index}: {effects:?}");
    };
    taken(0, |effect| matches!(effect, Effect::PersistBlock { .. }));
    taken(1, |effect| matches!(effect, Effect::PersistBlock { .. }));
    taken(2, |effect| {
        matches!(effect, Effect::PersistTransactions { .. })
    });
    taken(3, |effect| matches!(effect, Effect::Ask { .. }));
}

/// It asks nobody, makes nothing and does not become ready on its way out.
#[test]
fn a_node_in_boot_stops_at_once() {
    let mut shell = in_boot();
    shell.submit(200, &pays(&shell.genesis.clone(), 0, 1..=3));
    let effects = shell.machine.step(at(300), Input::Stop);
    assert!(
        matches!(
            effects.as_slice(),
            [Effect::State {
                from: NodeState::Boot,
                to: NodeState::Stopping
            }]
        ),
        "{effects:?}"
    );
    for after in (300..20_000).step_by(100) {
        let effects = shell.machine.step(at(after), Input::Tick);
        assert!(effects.is_empty(), "{after}: {effects:?}");
    }
}

/// A ready validator that has slept goes back to boot; one that stops does not.
#[test]
fn a_sleep_does_not_wake_a_stopping_node() {
    let mut awake = ready();
    awake.tick(60_000);
    assert_eq!(awake.machine.state(), NodeState::Boot, "it has slept");
    let mut shell = ready();
    shell.input(6_150, Input::Stop);
    let effects = shell.machine.step(at(60_000), Input::Tick);
    assert!(effects.is_empty(), "{effects:?}");
    assert_eq!(shell.machine.state(), NodeState::Stopping);
}
