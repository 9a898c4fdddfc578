//! A machine whose branch and that of its peer left each other far below what is kept whole:
//! what users may send meanwhile, and how often the peer is asked.

use crate::requests::meet_with;
use ccoin_core::{
    chain::Window,
    machine::{Ask, Input, Publish},
    pool::{Accepted, PoolError},
};
use ccoin_sim::{Network, Shell, answer, branch, ghost, give_from};
use std::sync::Arc;

const SMALL: Window = Window {
    blocks: 8,
    bytes: usize::MAX,
    milestone: 1_000,
    side_blocks: 1_000,
};

/// A moment at which all blocks are old.
const LATER: u64 = 1_000_000;

fn verdict(shell: &mut Shell, at: u64) -> Result<Accepted, PoolError> {
    let txn = give_from(&shell.genesis, &ghost(9), 62);
    shell.published.clear();
    shell.submit(at, &[txn]);
    let mut results = shell.published.iter().filter_map(|publish| match publish {
        Publish::Reply { results, .. } => results.first().cloned(),
        _ => None,
    });
    results.next().expect("an answer")
}

/// Else a number that a left transaction has would be given to another one.
#[test]
fn new_transactions_wait_until_those_of_a_deep_left_branch_are_back() {
    let genesis = Network::ready(1).found();
    let root = Arc::new(genesis.applied());
    let own = branch(&genesis, &root, 60, 50);
    let other = branch(&genesis, &root, 61, 51);
    let (_, mut shell) = meet_with(&genesis, SMALL, LATER, &own, &other);
    assert_eq!(shell.machine.chain().head().block.id, other[60].block.id);
    assert_eq!(verdict(&mut shell, LATER + 10), Err(PoolError::Returning));
    for last in [false, true] {
        let txns = Vec::new();
        shell.input(LATER + 20, Input::Returned { txns, last });
        let taken = verdict(&mut shell, LATER + 30).is_ok();
        assert_eq!(taken, last);
    }
}

/// Its blocks are executed again with each answer, and yet bring nothing new.
#[test]
fn a_worse_branch_from_far_below_is_not_fetched_again_and_again() {
    let genesis = Network::ready(1).found();
    let root = Arc::new(genesis.applied());
    // More slots weigh more than more blocks.
    let own = branch(&genesis, &root, 40, 1_000);
    let other = branch(&genesis, &root, 60, 50);
    let (_, mut shell) = meet_with(&genesis, SMALL, LATER, &own, &other);
    assert_eq!(shell.machine.chain().head().block.id, own[39].block.id);
    let mut asked = 0;
    for at in (LATER..LATER + 20_000).step_by(100) {
        shell.tick(at);
        for ask in core::mem::take(&mut shell.asks) {
            if let Ask::Blocks { peer, request } = ask {
                asked += 1;
                let (blocks, more) = answer(&genesis, &other, &request);
                shell.input(at + 1, Input::Blocks { peer, blocks, more });
            }
        }
    }
    assert!((1..=8).contains(&asked), "{asked} requests");
}
