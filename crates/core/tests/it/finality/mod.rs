//! Votes and final blocks in the machine.

mod alarms;
mod below;
mod hostile;
mod losses;
mod records;
mod twins;
mod votes;

use ccoin_core::{
    BlockId,
    applied::Applied,
    consensus::{
        ballot::Ballot,
        certificate::{Certificate, VerifiedCertificate},
        evidence::Evidence,
        vote::{Phase, Proposed, SignedVote, VerifiedVote, Vote, VoterIndex},
        voter_record::Standing,
    },
    genesis::Genesis,
    machine::{
        Ask, Hindrance, Input, Machine, NodeState, PeerId, PlaceholderText, Publish, SealMark,
        Start, VerifiedStatus, Voting, Why,
    },
    message::{Message, VoterState, Yours},
};
use ccoin_crypto::Signature;
use ccoin_sim::{
    Network, Shell, at, branch, child, ghost, give_from, height, miner, pay, verified,
};
use std::sync::Arc;

const SLOT: u64 = 2_000;

/// The connection of the other validator.
const OTHER: u64 = 7;

fn signature() -> Signature {
    Signature::new(&[0xcd; 256]).expect("not too long")
}

/// The first node of two, ready, with a block of the other one at 2,100 ms, and that block.
fn pair() -> (Shell, Arc<Genesis>, Arc<Applied>) {
    let genesis = Network::ready(2).found();
    let mut shell = Shell::unsigned(&genesis, Some(0));
    shell.tick(10);
    join(&mut shell, 20);
    let block = child(
        &genesis,
        &genesis.applied(),
        miner(1),
        2_100,
        &[pay(&genesis, 2, 1)],
    );
    shell.block(2_150, &block.block);
    (shell, genesis, block)
}

/// A block of the other validator on `parent`.
fn next(genesis: &Genesis, parent: &Applied, after: u64) -> Arc<Applied> {
    child(
        genesis,
        parent,
        miner(1),
        after,
        &[give_from(genesis, &ghost(99), 1)],
    )
}

/// A block of the other validator beside that of [`pair`].
fn rival(genesis: &Genesis, after: u64) -> Arc<Applied> {
    child(
        genesis,
        &genesis.applied(),
        miner(1),
        after,
        &[pay(genesis, 3, 1)],
    )
}

/// The other validator connects; its clock is right.
fn join(shell: &mut Shell, after: u64) {
    let joined = Input::PeerJoined {
        peer: OTHER,
        validator: Some(1),
        height: height(1),
    };
    shell.input(after, joined);
    let offset = Input::ClockOffset {
        peer: OTHER,
        offset_ms: 3,
    };
    shell.input(after, offset);
}

fn ballot(shell: &Shell, after: u64, count: u64) -> Ballot {
    let slot = shell.genesis.schedule.slot(at(after));
    Ballot(Ballot::first(slot).0 + count)
}

fn proposed(ballot: Ballot, block: &Applied) -> Proposed {
    Proposed {
        ballot,
        number: block.block.header().number,
        id: block.block.id,
    }
}

fn vote(phase: Phase, voter: VoterIndex, block: Proposed) -> VerifiedVote {
    let vote = Vote {
        phase,
        block,
        voter,
    };
    let signature = signature();
    VerifiedVote::already_verified(SignedVote { vote, signature })
}

fn certificate(phase: Phase, block: Proposed) -> VerifiedCertificate {
    VerifiedCertificate::already_verified(Certificate {
        phase,
        ballot: block.ballot,
        number: block.number,
        id: block.id,
        votes: vec![(0, signature()), (1, signature())],
    })
}

/// The other validator proposes a block under a ballot of the slot of `after`.
fn propose(shell: &mut Shell, after: u64, count: u64, block: &Applied) -> Proposed {
    let block = proposed(ballot(shell, after, count), block);
    let proposal = Input::Proposal {
        peer: OTHER,
        vote: vote(Phase::One, 1, block),
        justify: VerifiedCertificate::genesis(Phase::One, shell.genesis.id),
    };
    shell.input(after, proposal);
    block
}

/// What the other validator tells: its certificates, and what it has seen of this key.
fn tell(shell: &mut Shell, after: u64, last_final: VerifiedCertificate, yours: Yours) {
    let status = VerifiedStatus {
        high: last_final.clone(),
        head: (last_final.number, last_final.id),
        last_final,
        state: VoterState::Intact,
        links: vec![0],
        yours,
    };
    let status = Box::new(status);
    let peer = OTHER;
    shell.input(after, Input::Status { peer, status });
}

fn genesis_final(shell: &Shell) -> VerifiedCertificate {
    VerifiedCertificate::genesis(Phase::Two, shell.genesis.id)
}

/// A block of the key in the making, its nonce not found yet.
fn open_job(shell: &mut Shell, after: u64) -> u64 {
    shell.mines = false;
    (2_200..after)
        .step_by(500)
        .for_each(|after| shell.tick(after));
    shell.published.clear();
    shell.submit(after, &[pay(&shell.genesis, 2, 2)]);
    let job = shell.published.iter().find_map(|publish| match publish {
        Publish::Mine { job, .. } => Some(*job),
        _ => None,
    });
    job.expect("its turn, and a transaction waits")
}

fn signs(shell: &mut Shell, after: u64, job: u64) -> bool {
    shell.published.clear();
    shell.signs = false;
    let nonce = ccoin_core::PowNonce::ZERO;
    shell.input(after, Input::Mined { job, nonce });
    let sign = |publish: &Publish| matches!(publish, Publish::Sign { .. });
    shell.published.iter().any(sign)
}
