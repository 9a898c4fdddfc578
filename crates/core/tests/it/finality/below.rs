//! Certificates of older final blocks come with fetched blocks (Y1).

use super::*;

fn below(shell: &mut Shell, after: u64, phase: Phase, block: &Applied) {
    let proposal = proposed(ballot(shell, after, 0), block);
    let certificate = certificate(phase, proposal);
    shell.input(after, Input::FinalBelow { certificate });
}

fn last_final(shell: &Shell) -> BlockId {
    shell.machine.chain().last_final().1
}

#[test]
fn final_moves_along_with_the_blocks_that_are_fetched() {
    let (mut shell, genesis, second) = pair();
    let third = next(&genesis, &second, 6_100);
    below(&mut shell, 2_200, Phase::One, &second);
    assert_eq!(
        last_final(&shell),
        genesis.id,
        "phase 1 proves nothing final"
    );
    below(&mut shell, 2_300, Phase::Two, &second);
    assert_eq!(last_final(&shell), second.block.id);
    // it may come before its block
    below(&mut shell, 6_150, Phase::Two, &third);
    assert_eq!(last_final(&shell), second.block.id);
    shell.block(6_200, &third.block);
    assert_eq!(last_final(&shell), third.block.id);
    let logged = shell.certificates.iter().map(|(_, logged)| logged.id);
    let logged: Vec<_> = logged.collect();
    assert!(logged.contains(&second.block.id) && logged.contains(&third.block.id));
}

/// The newest final block is known from a status long before the blocks below it come.
#[test]
fn older_certificates_are_taken_before_the_newest() {
    let (mut shell, genesis, second) = pair();
    let third = next(&genesis, &second, 6_100);
    let fourth = child(
        &genesis,
        &third,
        miner(1),
        10_100,
        &[give_from(&genesis, &ghost(99), 2)],
    );
    let newest = certificate(Phase::Two, proposed(ballot(&shell, 10_150, 0), &fourth));
    tell(&mut shell, 10_200, newest, Yours::default());
    below(&mut shell, 6_150, Phase::Two, &third);
    shell.block(10_300, &third.block);
    assert_eq!(last_final(&shell), third.block.id);
    shell.block(10_400, &fourth.block);
    assert_eq!(last_final(&shell), fourth.block.id);
}
