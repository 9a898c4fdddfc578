//! One key in two processes (A6): the node says so as long as it matters.

use super::*;
use ccoin_core::machine::Meeting;

const MINUTE: u64 = 60_000;

fn twin(shell: &Shell, after: u64) -> Option<Meeting> {
    let found = shell.machine.hindrances(shell.now(after));
    found.into_iter().find_map(|hindrance| match hindrance {
        Hindrance::Twin(meeting) => Some(meeting),
        _ => None,
    })
}

#[test]
fn a_node_that_met_its_key_elsewhere_is_not_ready_until_that_is_long_ago() {
    let (mut shell, _, _) = pair();
    assert_eq!(twin(&shell, 2_200), None);
    let place = "192.0.2.7:4001".parse().unwrap();
    shell.input(2_200, Input::Twin { place });
    assert_eq!(twin(&shell, 2_300), Some(Meeting::At(place)));
    let why = shell.machine.why(shell.now(2_300));
    assert!(matches!(&why, Why::NotReady(Hindrance::Twin(_))));
    assert!(why.to_string().contains("192.0.2.7:4001"), "{why}");
    // they meet every ten minutes
    assert!(twin(&shell, 11 * MINUTE).is_some());
    assert_eq!(twin(&shell, 21 * MINUTE), None);
}

#[test]
fn what_the_key_signed_since_the_start_shows_another_process() {
    let shown = |after| {
        let (mut shell, _, block) = pair();
        let newer = proposed(ballot(&shell, after, 9), &block);
        let yours = Yours {
            vote1: Some(vote(Phase::One, 0, newer).signed().clone()),
            ..Yours::default()
        };
        let told = genesis_final(&shell);
        tell(&mut shell, 12_110, told, yours);
        twin(&shell, 12_120)
    };
    assert_eq!(shown(12_110), Some(Meeting::Signed));
    // it may be from an earlier run with an old vote file
    assert_eq!(shown(2_200), None);
}
