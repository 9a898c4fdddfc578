//! What stops a key from signing: its record, its clock, its company, an alarm.

use super::*;

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
