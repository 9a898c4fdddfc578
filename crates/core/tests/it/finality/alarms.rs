//! Two certificates that conflict, in any order, and over a restart.

use super::*;

/// R5: after an alarm the key signs nothing, not even the block that it was working on.
#[test]
fn a_block_in_the_making_is_dropped_by_an_alarm() {
    let (mut shell, _, block) = pair();
    let job = open_job(&mut shell, 12_100);
    let final_block = proposed(ballot(&shell, 2_200, 0), &block);
    let rival = Proposed {
        ballot: ballot(&shell, 2_200, 3),
        id: BlockId::new([9; 32]),
        ..final_block
    };
    for block in [final_block, rival] {
        let shown = certificate(Phase::Two, block);
        tell(&mut shell, 12_110, shown, Yours::default());
    }
    assert!(shell.alarmed);
    assert!(!signs(&mut shell, 12_120, job));
}

/// I2: the certificate of a higher ballot beside the final block came first.
#[test]
fn a_final_block_beside_the_highest_certificate_is_an_alarm_too() {
    let (mut shell, genesis, block) = pair();
    let rival = rival(&genesis, 2_160);
    shell.block(2_180, &rival.block);
    let higher = proposed(ballot(&shell, 2_200, 5), &rival);
    let lower = proposed(ballot(&shell, 2_200, 3), &block);
    tell(
        &mut shell,
        2_200,
        certificate(Phase::One, higher),
        Yours::default(),
    );
    tell(
        &mut shell,
        2_210,
        certificate(Phase::Two, lower),
        Yours::default(),
    );
    assert!(shell.alarmed, "final {:?}", shell.finals);
    let head = shell.machine.chain().head().block.id;
    let last_final = shell.machine.last_final().block();
    assert!(shell.machine.chain().extends(&head, &last_final));
}

/// R5: an alarm about a block below the restart point survives, and moves nothing.
#[test]
fn a_restart_from_a_checkpoint_forgets_no_alarm_below_it() {
    let (mut shell, genesis, block) = pair();
    let next = next(&genesis, &block, 2_250);
    let txns = [give_from(&genesis, &ghost(99), 2)];
    let last = child(&genesis, &next, miner(1), 2_350, &txns);
    for block in [&next, &last] {
        shell.block(2_400, &block.block);
    }
    let final_block = proposed(ballot(&shell, 2_400, 0), &last);
    let rival = Proposed {
        ballot: ballot(&shell, 2_400, 3),
        id: BlockId::new([9; 32]),
        number: height(2),
    };
    for block in [final_block, rival] {
        let shown = certificate(Phase::Two, block);
        tell(&mut shell, 2_410, shown, Yours::default());
    }
    assert!(shell.alarmed);
    let score = shell.machine.chain().score(&next.block.id).unwrap().clone();
    let start = Start {
        genesis: Arc::clone(&genesis),
        checkpoint: Some((Arc::clone(&next), score)),
        miner: Some(miner(0)),
        last_sealed: SealMark::default(),
        voter_record: Some(shell.record),
        block_text: PlaceholderText::Fixed(String::new()),
    };
    let mut again = Machine::new(start);
    for found in shell.machine.certificates() {
        again.replay_certificate((**found).clone());
    }
    again.replay_alarm((**shell.machine.alarm().unwrap()).clone());
    again.replay(last.block.clone(), true).unwrap();
    again.requeue(shell.now(6_000), Vec::new());
    assert_eq!(again.last_final().block(), final_block);
    assert!(again.is_alarmed(), "a restart does not forget it");
}
