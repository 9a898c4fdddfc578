//! What a key may sign after the loss of its record, and by an unproven clock.

use super::*;

/// A2: what the key may have signed already is not signed again, though its search began
/// before the loss was known; and the mark does not go back.
#[test]
fn a_block_in_the_making_is_dropped_when_the_record_proves_old() {
    let (mut shell, _, block) = pair();
    let job = open_job(&mut shell, 12_100);
    let newer = proposed(ballot(&shell, 12_110, 9), &block);
    let yours = Yours {
        vote1: Some(vote(Phase::One, 0, newer).signed().clone()),
        ..Yours::default()
    };
    let told = genesis_final(&shell);
    tell(&mut shell, 12_110, told, yours);
    let floor = shell.mark;
    assert!(!signs(&mut shell, 12_120, job), "signed under {floor:?}");
    assert!(shell.mark >= floor);
}

/// A4: the other one goes on showing what the key had signed before its loss.
#[test]
fn what_the_key_signed_before_its_loss_is_no_new_loss() {
    let (mut shell, _, block) = pair();
    let before = proposed(ballot(&shell, 2_200, 9), &block);
    let yours = || Yours {
        vote1: Some(vote(Phase::One, 0, before).signed().clone()),
        vote2: Some(vote(Phase::Two, 0, before).signed().clone()),
        ..Yours::default()
    };
    let told = genesis_final(&shell);
    tell(&mut shell, 2_200, told.clone(), yours());
    tell(&mut shell, 2_300, told.clone(), yours());
    let Standing::Recovering(floor) = shell.record.standing else {
        panic!("{:?}", shell.record);
    };
    for after in [4_000, 6_000, 8_000] {
        tell(&mut shell, after, told.clone(), yours());
    }
    assert_eq!(shell.record.standing, Standing::Recovering(floor));
}

/// A2: the floor is not below what the key is shown to have signed, whatever the clock says.
#[test]
fn the_floor_of_an_abstention_is_above_what_is_shown() {
    let (mut shell, _, block) = pair();
    let ahead = proposed(ballot(&shell, 600_000, 9), &block);
    let yours = Yours {
        vote1: Some(vote(Phase::One, 0, ahead).signed().clone()),
        ..Yours::default()
    };
    let told = genesis_final(&shell);
    tell(&mut shell, 2_200, told, yours);
    assert!(shell.record.max_vote1 >= ahead.ballot, "{:?}", shell.record);
}

/// A1: the vote file was put back and the log was not: its certificates show what was signed.
#[test]
fn a_record_older_than_the_own_log_counts_as_lost() {
    let (mut shell, _, block) = pair();
    let before = shell.record;
    propose(&mut shell, 2_200, 0, &block);
    assert!(shell.record.max_vote1 > before.max_vote1);
    shell.record = before;
    shell.restart_at(6_000);
    let standing = shell.machine.voter().unwrap().record.standing;
    assert_eq!(standing, Standing::Abstains(None));
}

/// A4: the vote file was kept and the log was lost. The lock is the highest certificate that
/// the others show, also when it is lower: else the other one could never agree with this key.
#[test]
fn after_the_loss_of_the_log_the_lock_is_the_highest_certificate() {
    let (mut shell, genesis, block) = pair();
    propose(&mut shell, 2_200, 0, &block);
    assert_eq!(shell.record.lock.id, block.block.id);
    shell.log.clear();
    shell.certificates.clear();
    shell.restart_at(6_000);
    shell.tick(6_000);
    join(&mut shell, 6_010);
    let told = genesis_final(&shell);
    tell(&mut shell, 6_020, told, Yours::default());
    assert!(matches!(shell.record.standing, Standing::Recovering(_)));
    assert_eq!(shell.record.lock, Proposed::genesis(genesis.id));
}

/// C3: a clock that was wrong before the start would bar the key until that time has come.
#[test]
fn nobody_votes_before_any_clock_is_known() {
    let genesis = Network::ready(2).found();
    let mut shell = Shell::unsigned(&genesis, Some(0));
    shell.tick(10);
    let joined = Input::PeerJoined {
        peer: OTHER,
        validator: Some(1),
        height: height(1),
    };
    shell.input(20, joined);
    let txns = [pay(&genesis, 2, 1)];
    let block = child(&genesis, &genesis.applied(), miner(1), 2_100, &txns);
    shell.block(2_150, &block.block);
    propose(&mut shell, 2_200, 0, &block);
    assert!(shell.votes.is_empty());
    let offset_ms = 3;
    let peer = OTHER;
    shell.input(2_210, Input::ClockOffset { peer, offset_ms });
    propose(&mut shell, 2_220, 1, &block);
    assert!(!shell.votes.is_empty());
    // What was known of a peer that has left says nothing about another one.
    let votes = shell.votes.len();
    shell.input(2_230, Input::PeerLeft { peer });
    let joined = Input::PeerJoined {
        peer: OTHER + 1,
        validator: Some(1),
        height: height(2),
    };
    shell.input(2_240, joined);
    propose(&mut shell, 2_250, 2, &block);
    assert_eq!(shell.votes.len(), votes);
}

/// A2: a certificate shows for which ballot the key has voted, though the clock says less.
#[test]
fn the_floor_of_an_abstention_is_above_the_votes_in_certificates() {
    let (mut shell, _, block) = pair();
    shell.record.standing = Standing::Abstains(None);
    shell.restart_at(2_200);
    shell.tick(2_200);
    let ahead = proposed(ballot(&shell, 100_000, 9), &block);
    let joined = Input::PeerJoined {
        peer: OTHER,
        validator: Some(1),
        height: height(2),
    };
    shell.input(2_210, joined);
    let shown = certificate(Phase::Two, ahead);
    tell(&mut shell, 2_220, shown, Yours::default());
    let offset_ms = 3;
    let peer = OTHER;
    shell.input(2_230, Input::ClockOffset { peer, offset_ms });
    assert!(shell.record.max_vote1 >= ahead.ballot, "{:?}", shell.record);
}

/// STA: after a restart the certificates of the log show what the other key has signed.
#[test]
fn a_status_shows_the_votes_of_certificates() {
    let (mut shell, _, block) = pair();
    let certified = proposed(ballot(&shell, 2_200, 0), &block);
    let shown = certificate(Phase::One, certified);
    tell(&mut shell, 2_200, shown, Yours::default());
    shell.restart_at(6_000);
    shell.tick(6_000);
    shell.published.clear();
    join(&mut shell, 6_010);
    let yours = shell.published.iter().find_map(|publish| match publish {
        Publish::SendStatus { status, .. } => status.yours.vote1.as_ref(),
        _ => None,
    });
    let expected = vote(Phase::One, 1, certified);
    assert_eq!(yours, Some(expected.signed()));
}

/// A4: a stranger that has less does not end the wait while another peer shows more.
#[test]
fn a_lone_validator_without_its_record_waits_for_the_peer_that_has_more() {
    let (mut shell, _) = ccoin_sim::node(&Network::ready(1));
    shell.record.standing = Standing::Abstains(None);
    shell.restart_at(4_100);
    shell.tick(4_100);
    for (peer, claimed) in [(1, 5), (2, 1)] {
        let (validator, height) = (None, height(claimed));
        let joined = Input::PeerJoined {
            peer,
            validator,
            height,
        };
        shell.input(4_200, joined);
    }
    let (peer, blocks, more) = (2, Vec::new(), false);
    shell.input(4_300, Input::Blocks { peer, blocks, more });
    shell.tick(4_310);
    assert_eq!(shell.machine.state(), NodeState::Boot);
    // It claims more and yields nothing of it: it does not count.
    let (peer, blocks, more) = (1, Vec::new(), false);
    shell.input(4_400, Input::Blocks { peer, blocks, more });
    shell.tick(4_410);
    assert_eq!(shell.machine.state(), NodeState::Ready);
}
