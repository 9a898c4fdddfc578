//! From a proposal to a final block, and in which order it reaches the disk.

use super::*;

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
    let rival = rival(&genesis, 2_160);
    shell.block(2_215, &rival.block);
    propose(&mut shell, 2_220, 5, &rival);
    propose(&mut shell, 2_230, 4, &block);
    assert_eq!(shell.votes.len(), votes);
}

/// E1: the pair is written, shown, and told to the others once.
#[test]
fn two_headers_of_one_turn_are_evidence_once() {
    let (mut shell, genesis, block) = pair();
    let twins = [2_200, 2_250].map(|after| rival(&genesis, after));
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
    let next = next(&genesis, &block, 2_250);
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
    let rival = rival(&genesis, 2_160);
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
    let next = next(&genesis, &block, 2_250);
    let last_final = proposed(ballot(&shell, 2_260, 0), &next);
    let shown = certificate(Phase::Two, last_final);
    tell(&mut shell, 2_260, shown, Yours::default());
    assert!(shell.finals.is_empty());
    shell.block(2_280, &next.block);
    assert_eq!(shell.finals, [last_final]);
}
