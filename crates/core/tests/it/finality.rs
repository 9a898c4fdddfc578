//! Votes and final blocks in the machine: the order in which they reach the disk, and what
//! stops a key from signing.

use ccoin_core::{
    BlockId,
    applied::Applied,
    consensus::{
        ballot::Ballot,
        certificate::{Certificate, VerifiedCertificate},
        evidence::Evidence,
        vote::{Phase, Proposed, SignedVote, VerifiedVote, Vote, VoterIndex},
        voter::Standing,
    },
    genesis::Genesis,
    machine::{Ask, Input, NodeState, Publish, VerifiedStatus, Voting, Why},
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

/// D1 and D2: log, record, signature; and final is seen last.
#[test]
fn a_lone_validator_makes_its_block_final_in_the_order_of_the_disk() {
    let (mut shell, genesis) = ccoin_sim::node(&Network::ready(1));
    shell.tick(10);
    shell.trace.clear();
    shell.submit(100, &[pay(&genesis, 0, 1)]);
    let wanted = [
        "write block",
        "write voter record",
        "sign vote",
        "write certificate",
        "write voter record",
        "sign vote",
        "write certificate",
        "final",
    ];
    let of_votes = |name: &&&str| wanted.contains(name);
    let found: Vec<_> = shell.trace.iter().filter(of_votes).copied().collect();
    assert_eq!(found, wanted);
    assert_eq!(shell.machine.last_final().number, height(2));
    shell.restart();
    assert_eq!(shell.machine.last_final().number, height(2));
    assert_eq!(shell.machine.voter().unwrap().record, shell.record);
}

#[test]
fn two_validators_need_both_votes() {
    let (mut shell, _, block) = pair();
    let block = propose(&mut shell, 2_200, 0, &block);
    let phases = |shell: &Shell| -> Vec<Phase> { shell.votes.iter().map(|v| v.phase).collect() };
    // The proposal is the other one's vote 1: with its own there is a certificate.
    assert_eq!(phases(&shell), [Phase::One, Phase::Two]);
    assert_eq!(shell.machine.high().block(), block);
    assert!(shell.finals.is_empty());
    let vote = vote(Phase::Two, 1, block);
    shell.input(2_250, Input::Vote { peer: OTHER, vote });
    assert_eq!(shell.finals, [block]);
    // What conflicts with it is neither taken nor blamed.
    let rival = child(
        &shell.genesis,
        &shell.genesis.applied(),
        miner(1),
        2_300,
        &[],
    );
    shell.asks.clear();
    shell.block(2_350, &rival.block);
    assert!(shell.machine.chain().get(&rival.block.id).is_none());
    assert!(
        !shell
            .asks
            .iter()
            .any(|ask| matches!(ask, Ask::Penalize { .. }))
    );
}

#[test]
fn a_repeated_or_older_proposal_gets_no_second_vote() {
    let (mut shell, genesis, block) = pair();
    propose(&mut shell, 2_200, 5, &block);
    let votes = shell.votes.len();
    propose(&mut shell, 2_210, 5, &block);
    let rival = child(
        &genesis,
        &genesis.applied(),
        miner(1),
        2_160,
        &[pay(&genesis, 3, 1)],
    );
    shell.block(2_215, &rival.block);
    propose(&mut shell, 2_220, 5, &rival);
    propose(&mut shell, 2_230, 4, &block);
    assert_eq!(shell.votes.len(), votes);
}

/// C3: a key votes with others only while one is connected, and not by a clock that most
/// contradict.
#[test]
fn nobody_votes_alone_or_by_a_wrong_clock() {
    let (mut shell, _, block) = pair();
    shell.input(
        2_160,
        Input::ClockOffset {
            peer: OTHER,
            offset_ms: 60_000,
        },
    );
    propose(&mut shell, 2_200, 0, &block);
    assert!(shell.votes.is_empty());
    shell.input(2_210, Input::PeerLeft { peer: OTHER });
    propose(&mut shell, 2_220, 1, &block);
    assert!(shell.votes.is_empty());
}

/// A1: the record of a key is older than what the key has signed.
#[test]
fn a_key_whose_record_went_back_abstains_until_the_other_is_intact() {
    let (mut shell, _, block) = pair();
    let newer = proposed(ballot(&shell, 2_200, 9), &block);
    let yours = Yours {
        vote1: Some(vote(Phase::One, 0, newer).signed().clone()),
        ..Yours::default()
    };
    let told = genesis_final(&shell);
    // The other one has not said yet that it is intact when this is heard.
    shell.input(2_190, Input::PeerLeft { peer: OTHER });
    shell.input(
        2_191,
        Input::PeerJoined {
            peer: OTHER,
            validator: Some(1),
            height: height(2),
        },
    );
    shell.published.clear();
    tell(&mut shell, 2_200, told.clone(), yours);
    let lost = |publish: &Publish| matches!(publish, Publish::RecordLost);
    assert!(shell.published.iter().any(lost));
    // No offset of the new connection is known: the floor waits for a clock that is proven.
    assert_eq!(shell.record.standing, Standing::Abstains(None));
    let why = shell.machine.voting(shell.now(2_201));
    assert_eq!(why[0], (miner(0), Voting::Abstains));
    propose(&mut shell, 2_210, 10, &block);
    assert!(shell.votes.is_empty());
    shell.submit(4_100, &[pay(&shell.genesis, 2, 2)]);
    assert!(shell.made.is_empty(), "it seals nothing before its floor");

    let offset_ms = 3;
    let peer = OTHER;
    shell.input(4_110, Input::ClockOffset { peer, offset_ms });
    let floor = Ballot::last(shell.genesis.schedule.slot(at(4_110)) + 1);
    assert_eq!(shell.record.max_vote1, floor);
    assert_eq!(shell.record.standing, Standing::Recovering(floor));
    assert!(shell.mark.slot > shell.genesis.schedule.slot(at(4_110)));
    // A certificate above the floor makes it whole again (A3).
    let later = proposed(ballot(&shell, 4_110 + 4 * SLOT, 0), &block);
    tell(
        &mut shell,
        4_120 + 4 * SLOT,
        certificate(Phase::Two, later),
        Yours::default(),
    );
    assert_eq!(shell.record.standing, Standing::Intact);
}

/// D3: the log does not hold the certificate on which the key is locked.
#[test]
fn a_lock_that_the_log_does_not_hold_counts_as_lost() {
    let (mut shell, _, block) = pair();
    propose(&mut shell, 2_200, 0, &block);
    assert_eq!(shell.record.lock.id, block.block.id);
    shell.log.clear();
    shell.certificates.clear();
    shell.restart_at(6_000);
    let standing = shell.machine.voter().unwrap().record.standing;
    assert_eq!(standing, Standing::Abstains(None));
}

/// A certificate beside the final block: more keys than allowed have signed both.
#[test]
fn two_certificates_that_conflict_stop_the_key_for_ever() {
    let (mut shell, genesis, block) = pair();
    let final_block = proposed(ballot(&shell, 2_200, 0), &block);
    tell(
        &mut shell,
        2_200,
        certificate(Phase::Two, final_block),
        Yours::default(),
    );
    assert_eq!(shell.finals, [final_block]);
    let rival = Proposed {
        ballot: ballot(&shell, 2_200, 3),
        id: BlockId::new([9; 32]),
        ..final_block
    };
    tell(
        &mut shell,
        2_300,
        certificate(Phase::Two, rival),
        Yours::default(),
    );
    assert!(shell.alarmed);
    assert_eq!(shell.machine.why(shell.now(2_310)), Why::Alarm);
    let next = child(&genesis, &block, miner(1), 2_400, &[pay(&genesis, 2, 2)]);
    shell.block(2_450, &next.block);
    propose(&mut shell, 2_500, 7, &next);
    assert!(shell.votes.is_empty());
    shell.restart_at(6_000);
    assert!(shell.machine.is_alarmed(), "a restart does not forget it");
}

/// E1: the pair is written, shown, and told to the others once.
#[test]
fn two_headers_of_one_turn_are_evidence_once() {
    let (mut shell, genesis, block) = pair();
    let twins = [2_200, 2_250].map(|after| {
        child(
            &genesis,
            &genesis.applied(),
            miner(1),
            after,
            &[pay(&genesis, 3, 1)],
        )
    });
    shell.asks.clear();
    for twin in &twins {
        shell.block(2_300, &twin.block);
    }
    let told = |ask: &&Ask| matches!(ask, Ask::Tell { message, .. } if matches!(**message, Message::Evidence(_)));
    assert_eq!(shell.asks.iter().filter(told).count(), 1);
    let [Evidence::Headers(pair)] = &shell.machine.evidence()[..] else {
        panic!("{:?}", shell.machine.evidence());
    };
    assert_eq!(pair.0, block.block.signed);
    assert_eq!(pair.1, twins[0].block.signed);
}

/// While certificates hold the head, a branch with more slots does not win.
#[test]
fn the_head_extends_the_highest_certificate() {
    let (mut shell, genesis, block) = pair();
    let certified = proposed(ballot(&shell, 2_200, 0), &block);
    tell(
        &mut shell,
        2_200,
        certificate(Phase::One, certified),
        Yours::default(),
    );
    let root = Arc::new(genesis.applied());
    let longer = branch(&genesis, &root, 4, SLOT);
    let end = 5 * SLOT + 100;
    for rival in &longer {
        shell.block(end, &rival.block);
    }
    assert_eq!(shell.machine.chain().head().block.id, block.block.id);
    // A higher certificate for the other branch moves it.
    let other = proposed(ballot(&shell, end, 0), &longer[1]);
    tell(
        &mut shell,
        end + 10,
        certificate(Phase::One, other),
        Yours::default(),
    );
    assert_eq!(shell.machine.chain().head().block.id, longer[3].block.id);
}

/// The proposal came before its block: it waits for it.
#[test]
fn a_proposal_waits_for_its_block() {
    let (mut shell, genesis, block) = pair();
    let next = child(
        &genesis,
        &block,
        miner(1),
        2_250,
        &[give_from(&genesis, &ghost(99), 1)],
    );
    propose(&mut shell, 2_260, 0, &next);
    assert!(shell.votes.is_empty());
    let block = Input::Block {
        peer: OTHER,
        block: verified(&next.block),
    };
    shell.input(2_280, block);
    assert_eq!(
        shell.votes.first().map(|vote| vote.block.id),
        Some(next.block.id)
    );
}

/// While the key signs its block, another branch becomes final: the block joins no chain.
#[test]
fn an_own_block_beside_the_final_one_is_dropped() {
    let (mut shell, genesis, block) = pair();
    shell.signs = false;
    // The other one answers nothing: it is ready after three slots of silence.
    (2_200..12_100)
        .step_by(500)
        .for_each(|after| shell.tick(after));
    shell.submit(12_100, &[pay(&genesis, 2, 2)]);
    let job = shell.published.iter().find_map(|publish| match publish {
        Publish::Sign { job, .. } => Some(*job),
        _ => None,
    });
    let job = job.expect("its turn, and a transaction waits");
    let rival = child(
        &genesis,
        &genesis.applied(),
        miner(1),
        2_160,
        &[pay(&genesis, 3, 1)],
    );
    shell.block(12_110, &rival.block);
    let last_final = certificate(Phase::Two, proposed(ballot(&shell, 2_200, 0), &rival));
    tell(&mut shell, 12_120, last_final, Yours::default());
    assert_eq!(shell.machine.chain().head().block.id, rival.block.id);
    assert!(shell.machine.chain().get(&block.block.id).is_none());
    let before = shell.log.len();
    let signature = signature();
    shell.input(12_130, Input::Signed { job, signature });
    assert_eq!(shell.log.len(), before);
    assert_eq!(shell.machine.chain().head().block.id, rival.block.id);
}

/// R5: the certificate came before its block.
#[test]
fn a_certificate_waits_for_its_block() {
    let (mut shell, genesis, block) = pair();
    let next = child(
        &genesis,
        &block,
        miner(1),
        2_250,
        &[give_from(&genesis, &ghost(99), 1)],
    );
    let last_final = proposed(ballot(&shell, 2_260, 0), &next);
    let shown = certificate(Phase::Two, last_final);
    tell(&mut shell, 2_260, shown, Yours::default());
    assert!(shell.finals.is_empty());
    shell.block(2_280, &next.block);
    assert_eq!(shell.finals, [last_final]);
}

/// A4: the only validator of a network has lost its record. A peer without the chain tells
/// nothing; one that has shown all of its chain ends the wait.
#[test]
fn a_lone_validator_without_its_record_waits_for_a_peer_with_the_chain() {
    let network = Network::ready(1);
    let (mut shell, genesis) = ccoin_sim::node(&network);
    shell.tick(10);
    shell.submit(100, &[pay(&genesis, 0, 1)]);
    shell.record.standing = Standing::Abstains(None);
    shell.restart_at(4_100);
    shell.tick(4_100);
    let join = |shell: &mut Shell, peer: u64, claimed| {
        let (validator, height) = (None, claimed);
        let joined = Input::PeerJoined {
            peer,
            validator,
            height,
        };
        shell.input(4_200 + peer, joined);
    };
    join(&mut shell, 1, ccoin_core::Height::ZERO);
    (4_300..9_000)
        .step_by(500)
        .for_each(|after| shell.tick(after));
    assert_eq!(shell.machine.state(), NodeState::Boot);
    let said = shell.machine.why(shell.now(9_000)).to_string();
    assert!(said.contains("recover-votes --no-other-copy"), "{said}");
    join(&mut shell, 4_900, height(2));
    let (peer, blocks, more) = (4_900, Vec::new(), false);
    shell.input(9_200, Input::Blocks { peer, blocks, more });
    shell.tick(9_210);
    assert_eq!(shell.machine.state(), NodeState::Ready);
    assert!(matches!(shell.record.standing, Standing::Recovering(_)));
}
