//! After the order to stop inputs change nothing that a restart would see; only a block
//! that the key signs already is finished.

use ccoin_core::{
    Height,
    machine::{Ask, Input, NodeState, Publish, Step, Write},
};
use ccoin_sim::{Network, STRANGER, Shell, child, miner, now, pay, pays, verified};
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
        validator: Some(0),
        height: Height::new(2).expect("within the range"),
    };
    shell.input(100, joined);
    assert_eq!(shell.machine.state(), NodeState::Boot);
    shell
}

/// The same, ready: no peer showed a block for three slots.
fn ready() -> Shell {
    let mut shell = in_boot();
    (101..6_101).step_by(50).for_each(|after| shell.tick(after));
    assert_eq!(shell.machine.state(), NodeState::Ready);
    shell
}

/// Whether nothing follows from an input.
fn is_idle(step: &Step) -> bool {
    step.ask.is_empty() && step.write.is_empty() && step.publish.is_empty()
}

/// Inputs that are taken a moment before.
fn inputs(shell: &Shell) -> Vec<Input> {
    let genesis = &shell.genesis;
    let root = Arc::new(genesis.applied());
    let block = child(genesis, &root, miner(1), 6_100, &[pay(genesis, 1, 1)]);
    let block = verified(&block.block);
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
            validator: Some(0),
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
fn nothing_changes_after_the_order_to_stop() {
    for (name, start) in [("boot", in_boot as fn() -> Shell), ("ready", ready)] {
        let count = inputs(&start()).len();
        for index in 0..count {
            let mut shell = start();
            shell.input(6_150, Input::Stop);
            assert_eq!(shell.machine.state(), NodeState::Stopping, "{name}");
            let head = shell.machine.chain().head().block.id;
            let input = inputs(&shell).swap_remove(index);
            let text = format!("{name}, input {index}");
            let step = shell.machine.step(now(6_160), input);
            assert!(is_idle(&step), "{text}: {step:?}");
            assert_eq!(shell.machine.chain().head().block.id, head, "{text}");
            assert!(shell.machine.pool().is_empty(), "{text}");
        }
    }
}

/// The inputs above are worth something: before the order they are taken.
#[test]
fn the_same_inputs_are_taken_before_the_order() {
    let taken = |index: usize, wanted: fn(&Step) -> bool| {
        let mut shell = ready();
        let input = inputs(&shell).swap_remove(index);
        let step = shell.machine.step(now(6_150), input);
        assert!(wanted(&step), "{index}: {step:?}");
    };
    taken(0, |step| matches!(step.write[..], [Write::Block { .. }]));
    taken(1, |step| matches!(step.write[..], [Write::Block { .. }]));
    taken(2, |step| {
        matches!(step.write[..], [Write::Transactions { .. }])
    });
    taken(3, |step| {
        let mut asks = step.ask.iter();
        asks.any(|ask| matches!(ask, Ask::Blocks { .. }))
    });
}

/// A stopping node asks no peer, makes no block and does not become ready.
#[test]
fn a_node_in_boot_stops_at_once() {
    let mut shell = in_boot();
    shell.submit(200, &pays(&shell.genesis.clone(), 0, 1..=3));
    let step = shell.machine.step(now(300), Input::Stop);
    let Step {
        ask,
        write,
        publish,
    } = &step;
    assert!(ask.is_empty() && write.is_empty(), "{step:?}");
    assert!(
        matches!(
            publish[..],
            [Publish::State {
                from: NodeState::Boot,
                to: NodeState::Stopping
            }]
        ),
        "{step:?}"
    );
    for after in (300..20_000).step_by(100) {
        let step = shell.machine.step(now(after), Input::Tick);
        assert!(is_idle(&step), "{after}: {step:?}");
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
    let step = shell.machine.step(now(60_000), Input::Tick);
    assert!(is_idle(&step), "{step:?}");
    assert_eq!(shell.machine.state(), NodeState::Stopping);
}
