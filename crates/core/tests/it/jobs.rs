//! A block in the making: what lets it go, and that it is kept once the key signs.

use ccoin_core::{
    Height, PowNonce,
    genesis::Genesis,
    machine::{Input, JobId, NodeState, Publish, SealMark},
};
use ccoin_crypto::Signature;
use ccoin_sim::{Network, START, Shell, child, miner, node, pays};
use std::sync::Arc;

/// A shell in its own slot with a job that looks for a nonce, and the job's id.
fn mining(network: &Network) -> (Shell, Arc<Genesis>, JobId) {
    let (mut shell, genesis) = node(network);
    shell.tick(0);
    shell.tick(2_000);
    shell.mines = false;
    shell.submit(4_000, &pays(&genesis, 1, 1..=2));
    let job = shell.published.iter().find_map(|publish| match publish {
        Publish::Mine { job, .. } => Some(*job),
        _ => None,
    });
    (shell, genesis, job.expect("a block is due"))
}

fn cancelled(shell: &Shell, job: JobId) -> bool {
    shell
        .published
        .iter()
        .any(|publish| matches!(publish, Publish::CancelMining(id) if *id == job))
}

fn pair() -> Network {
    Network {
        miners: 2,
        interval: 60_000,
        ..Network::default()
    }
}

#[test]
fn a_job_is_dropped_when_the_slot_ends() {
    let (mut shell, _, job) = mining(&pair());
    shell.tick(5_999);
    assert!(!cancelled(&shell, job));
    shell.tick(6_000);
    assert!(cancelled(&shell, job));
    shell.input(
        6_001,
        Input::Mined {
            job,
            nonce: PowNonce::ZERO,
        },
    );
    assert!(shell.signed.is_empty() && shell.mark == SealMark::default());
    let (mut shell, _, job) = mining(&pair());
    shell.input(
        6_000,
        Input::Mined {
            job,
            nonce: PowNonce::ZERO,
        },
    );
    assert!(
        shell.signed.is_empty() && cancelled(&shell, job),
        "the nonce itself may come too late"
    );
}

#[test]
fn a_job_is_dropped_when_a_rival_takes_its_place_or_the_node_ends() {
    let (mut shell, genesis, job) = mining(&pair());
    let rival = child(
        &genesis,
        shell.machine.chain().head(),
        miner(1),
        2_100,
        &pays(&genesis, 2, 1..=2),
    );
    shell.block(4_010, &rival.block);
    assert!(cancelled(&shell, job));
    let again = shell
        .published
        .iter()
        .any(|publish| matches!(publish, Publish::Mine { job: next, .. } if *next != job));
    assert!(
        again,
        "the transactions still wait: a child of the rival is made at once"
    );
    let (mut shell, _, job) = mining(&pair());
    shell.input(4_010, Input::Stop);
    assert!(cancelled(&shell, job) && shell.machine.state() == NodeState::Stopping);
    shell.input(
        4_020,
        Input::Mined {
            job,
            nonce: PowNonce::ZERO,
        },
    );
    shell.tick(8_000);
    assert!(shell.signed.is_empty() && shell.log.is_empty());
}

#[test]
fn a_side_block_without_weight_cancels_nothing() {
    let (mut shell, genesis, first) = mining(&pair());
    shell.input(
        4_001,
        Input::Mined {
            job: first,
            nonce: PowNonce::ZERO,
        },
    );
    shell.submit(4_100, &pays(&genesis, 1, 3..=4));
    let job = shell
        .published
        .iter()
        .rev()
        .find_map(|publish| match publish {
            Publish::Mine { job, .. } => Some(*job),
            _ => None,
        });
    assert_ne!(job, Some(first));
    let old = child(
        &genesis,
        &genesis.applied(),
        miner(1),
        2_100,
        &pays(&genesis, 2, 1..=2),
    );
    shell.block(4_110, &old.block);
    assert!(
        shell.machine.chain().get(&old.block.id).is_some(),
        "it is kept, but moves nothing"
    );
    assert!(!cancelled(&shell, job.unwrap()));
}

/// Once the key signs, the block will exist: it is kept, whatever happens.
#[test]
fn a_block_being_signed_is_kept() {
    let (mut shell, genesis, job) = mining(&pair());
    shell.signs = false;
    shell.input(
        4_001,
        Input::Mined {
            job,
            nonce: PowNonce::ZERO,
        },
    );
    assert_eq!(
        shell.mark,
        SealMark {
            slot: (START + 4_000) / 2_000,
            number: Height::new(2).unwrap()
        }
    );
    let seal = shell
        .trace
        .iter()
        .position(|name| *name == "write seal mark");
    assert!(seal < shell.trace.iter().position(|name| *name == "sign") && seal.is_some());
    shell.input(
        4_002,
        Input::Mined {
            job,
            nonce: PowNonce::ZERO,
        },
    );
    assert_eq!(
        shell.trace.iter().filter(|name| **name == "sign").count(),
        1,
        "one signature for one number"
    );
    let rival = child(
        &genesis,
        shell.machine.chain().head(),
        miner(1),
        2_100,
        &pays(&genesis, 2, 1..=2),
    );
    shell.block(4_010, &rival.block);
    shell.tick(6_500);
    shell.input(6_600, Input::Stop);
    assert!(!cancelled(&shell, job));
    let before = shell.log.len();
    let signature = Signature::new(&[1; 256]).unwrap();
    shell.input(
        6_700,
        Input::Signed {
            job,
            signature: signature.clone(),
        },
    );
    assert_eq!(shell.log.len(), before + 1);
    shell.input(6_701, Input::Signed { job, signature });
    assert_eq!(shell.log.len(), before + 1);
}

/// The signer is a program that may fail: then the block is given up, its slot and number stay
/// used, and nothing is made before the signer is back.
#[test]
fn a_signer_that_fails_makes_the_node_follow_and_signs_nothing_twice() {
    let (mut shell, _, job) = mining(&pair());
    shell.signs = false;
    let nonce = PowNonce::ZERO;
    shell.input(4_001, Input::Mined { job, nonce });
    let mark = shell.mark;
    assert_ne!(mark, SealMark::default());
    shell.input(4_002, Input::NotSigned { job });
    let fault = Some("the card is gone".to_owned());
    shell.input(4_003, Input::SignerFault { fault });
    let now = shell.now(4_010);
    let told = shell.machine.hindrances(now);
    let told: Vec<String> = told.iter().map(ToString::to_string).collect();
    assert!(told[0].contains("(the card is gone)"), "{told:?}");
    let mined = |shell: &Shell| {
        let mined = |publish: &&Publish| matches!(publish, Publish::Mine { .. });
        shell.published.iter().filter(mined).count()
    };
    // Its next slot begins after 8 s: the ticks lie closer than a sleep.
    (5_000..9_000)
        .step_by(500)
        .for_each(|after| shell.tick(after));
    assert_eq!(mined(&shell), 1, "no block while the signer fails");
    shell.input(9_001, Input::SignerFault { fault: None });
    shell.tick(9_002);
    assert_eq!(mined(&shell), 2, "it goes on by itself");
    assert_eq!(shell.mark, mark, "nothing was signed meanwhile");
}
