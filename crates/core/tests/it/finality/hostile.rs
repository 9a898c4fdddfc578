//! One liar, or one stranger, with everything that it may have signed or recorded.

use super::*;

/// The first node of four, ready and linked with the three others, and a block of the second.
fn four() -> (Shell, Arc<Genesis>, Arc<Applied>) {
    let genesis = Network::ready(4).found();
    let mut shell = Shell::unsigned(&genesis, Some(0));
    shell.tick(10);
    for index in 1..4 {
        let peer = PeerId::from(index);
        let (validator, height) = (Some(index), height(1));
        shell.input(
            20,
            Input::PeerJoined {
                peer,
                validator,
                height,
            },
        );
        shell.input(20, Input::ClockOffset { peer, offset_ms: 3 });
    }
    let txns = [pay(&genesis, 2, 1)];
    let block = child(&genesis, &genesis.applied(), miner(1), 2_100, &txns);
    shell.block(2_150, &block.block);
    (shell, genesis, block)
}

/// A proposal of the second validator, handed on by the third.
fn hear(shell: &mut Shell, after: u64, block: Proposed, justify: &VerifiedCertificate) {
    let proposal = Input::Proposal {
        peer: 2,
        vote: vote(Phase::One, 1, block),
        justify: justify.clone(),
    };
    shell.input(after, proposal);
}

/// The third validator shows a certificate of phase 1.
fn show(shell: &mut Shell, after: u64, certified: Proposed) {
    let status = VerifiedStatus {
        last_final: genesis_final(shell),
        high: certificate(Phase::One, certified),
        head: (certified.number, certified.id),
        state: VoterState::Intact,
        links: vec![0],
        yours: Yours::default(),
    };
    let (peer, status) = (2, Box::new(status));
    shell.input(after, Input::Status { peer, status });
}

/// How often the node has handed a proposal on, and forgets it.
fn handed_on(shell: &mut Shell, of: Proposed) -> usize {
    let asks = core::mem::take(&mut shell.asks);
    let told = asks.iter().filter(|ask| match ask {
        Ask::Tell { message, .. } => {
            matches!(&**message, Message::Proposal(told) if told.vote.vote.block == of)
        }
        _ => false,
    });
    told.count()
}

/// M3 and M4: a proposal older than those that are remembered would go round for ever.
#[test]
fn an_old_proposal_is_handed_on_once_at_most() {
    let (mut shell, genesis, block) = four();
    let justify = VerifiedCertificate::genesis(Phase::One, genesis.id);
    let old = proposed(ballot(&shell, 2_200, 0), &block);
    for count in 1..=64 {
        let next = proposed(ballot(&shell, 2_200, count), &block);
        hear(&mut shell, 2_200 + count, next, &justify);
    }
    shell.asks.clear();
    let mut times = 0;
    for repeat in 0..5 {
        hear(&mut shell, 2_400 + repeat * 100, old, &justify);
        times += handed_on(&mut shell, old);
    }
    assert!(times <= 1, "handed on {times} times");
}

/// M4: a proposal is handed on again only with a stronger justification than ever before.
#[test]
fn a_weak_justification_does_not_make_the_stronger_one_news_again() {
    let (mut shell, genesis, block) = four();
    let certified = proposed(ballot(&shell, 2_200, 0), &block);
    let (weak, strong) = (
        VerifiedCertificate::genesis(Phase::One, genesis.id),
        certificate(Phase::One, certified),
    );
    let proposal = proposed(ballot(&shell, 2_200, 1), &block);
    hear(&mut shell, 2_300, proposal, &strong);
    let mut times = handed_on(&mut shell, proposal);
    for repeat in 0..5 {
        hear(&mut shell, 2_400 + repeat * 100, proposal, &weak);
        hear(&mut shell, 2_410 + repeat * 100, proposal, &strong);
        times += handed_on(&mut shell, proposal);
    }
    assert!(times <= 1, "handed on {times} times");
}

/// M4 and V8: no honest key gives more votes in a slot, so more are neither counted nor handed on.
#[test]
fn a_flood_of_votes_of_one_key_is_not_handed_on_without_end() {
    let (mut shell, _, block) = four();
    for count in 0..2_000 {
        let block = proposed(ballot(&shell, 2_200, count), &block);
        let vote = vote(Phase::One, 3, block);
        shell.input(2_200 + count / 4, Input::Vote { peer: 3, vote });
    }
    let told = |ask: &&Ask| matches!(ask, Ask::Tell { message, .. } if matches!(**message, Message::Vote(_)));
    let told = shell.asks.iter().filter(told).count();
    assert!(told <= 2 * 104, "{told} votes of one liar were handed on");
}

/// A proposal of a block that no node has says nothing about who hands it on.
#[test]
fn a_proposal_of_no_block_does_not_make_its_bearer_a_liar() {
    let (mut shell, genesis, _) = four();
    let justify = VerifiedCertificate::genesis(Phase::One, genesis.id);
    let nowhere = Proposed {
        ballot: ballot(&shell, 2_200, 0),
        number: height(1 << 40),
        id: BlockId::new([9; 32]),
    };
    hear(&mut shell, 2_200, nowhere, &justify);
    (2_300..2_900)
        .step_by(100)
        .for_each(|after| shell.tick(after));
    let hindrances = shell.machine.hindrances(shell.now(2_900));
    let behind = |found: &Hindrance| matches!(found, Hindrance::Behind { .. });
    assert!(!hindrances.iter().any(behind), "{hindrances:?}");
}

/// L4: certificates that come one by one leave no leader with a block that it may not propose.
#[test]
fn a_leader_leaves_the_block_that_a_higher_certificate_contradicts() {
    let (mut shell, genesis, _) = four();
    let root = genesis.applied();
    let rivals = [2, 3].map(|index: usize| {
        let after = index as u64 * SLOT + 100;
        child(
            &genesis,
            &root,
            miner(index),
            after,
            &[pay(&genesis, index, 1)],
        )
    });
    for rival in &rivals {
        shell.block(3 * SLOT + 200, &rival.block);
    }
    let turn = 8 * SLOT;
    (3 * SLOT + 300..turn + 10)
        .step_by(500)
        .for_each(|after| shell.tick(after));
    shell.tick(turn + 20);
    assert_eq!(shell.machine.state(), NodeState::Ready);
    assert!(!shell.votes.is_empty(), "it leads and proposes its head");
    for (index, rival) in rivals.iter().enumerate() {
        let after = turn + 30 + 800 * index as u64;
        let slot = (2 + index as u64) * SLOT;
        let certified = proposed(ballot(&shell, slot, 9), rival);
        show(&mut shell, after, certified);
        (after..after + 790)
            .step_by(50)
            .for_each(|after| shell.tick(after));
    }
    (turn + 1_600..turn + SLOT)
        .step_by(50)
        .for_each(|after| shell.tick(after));
    let last = shell.votes.last().unwrap().block;
    let certified = proposed(last.ballot, &rivals[1]);
    let follows = shell.machine.chain().extends(&last.id, &certified);
    assert!(follows, "{:?}", shell.votes);
}

/// D2 and D3: no vote 2 for a certificate that is too old to be kept: the log would lack it.
#[test]
fn a_lock_is_always_on_a_certificate_of_the_log() {
    let (mut shell, genesis, block) = four();
    let justify = VerifiedCertificate::genesis(Phase::One, genesis.id);
    let [voted, higher] = [0, 1].map(|count| ballot(&shell, 2_200, count));
    hear(&mut shell, 2_200, proposed(voted, &block), &justify);
    assert_eq!(shell.votes.len(), 1);
    for count in 0..64 {
        let ballot = Ballot(higher.0 + count);
        show(&mut shell, 2_210, proposed(ballot, &block));
    }
    show(&mut shell, 2_220, proposed(voted, &block));
    let lock = shell.record.lock;
    let logged = shell.certificates.iter();
    let mut logged = logged.map(|(_, certificate)| certificate.block());
    assert!(lock.ballot == Ballot::GENESIS || logged.any(|block| block == lock));
}
