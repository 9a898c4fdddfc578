//! An answer to a request decides how much is asked for next, and which blocks go on waiting.

use ccoin_core::{
    Height,
    applied::Applied,
    machine::{Ask, Input, PeerId},
    message::BlockRequest,
};
use ccoin_sim::{Network, Shell, branch, verified};
use std::sync::Arc;

/// A moment at which all blocks are old.
const LATER: u64 = 1_000_000;

fn join(shell: &mut Shell, peer: PeerId, claimed: u64) {
    let height = Height::new(claimed).expect("within the range");
    let validator = false;
    let joined = Input::PeerJoined {
        peer,
        validator: validator.then_some(0),
        height,
    };
    shell.input(LATER, joined);
}

fn answer(shell: &mut Shell, peer: PeerId, blocks: &[Arc<Applied>], more: bool) {
    let blocks = blocks.iter().map(|block| verified(&block.block)).collect();
    shell.input(LATER, Input::Blocks { peer, blocks, more });
}

fn show(shell: &mut Shell, peer: PeerId, block: &Applied) {
    let block = verified(&block.block);
    shell.input(LATER, Input::Block { peer, block });
}

/// The requests to a peer since the last call.
fn asked(shell: &mut Shell, of: PeerId) -> Vec<BlockRequest> {
    let mut requests = Vec::new();
    shell.asks.retain(|ask| match ask {
        Ask::Blocks { peer, request } if *peer == of => {
            requests.push(request.clone());
            false
        }
        _ => true,
    });
    requests
}

#[test]
fn a_peer_that_tells_a_greater_height_is_asked() {
    let genesis = Network::ready(1).found();
    let mut shell = Shell::unsigned(&genesis, None);
    join(&mut shell, 1, 0);
    for (claimed, asks) in [(1, 0), (2, 1)] {
        let height = Height::new(claimed).expect("small");
        shell.input(LATER, Input::Heights { peer: 1, height });
        assert_eq!(asked(&mut shell, 1).len(), asks, "{claimed}");
    }
}

/// Answers end at 2 MiB: how many blocks that is, shows in the answer.
#[test]
fn as_many_blocks_are_asked_for_as_answers_hold() {
    let genesis = Network::ready(1).found();
    let chain = branch(&genesis, &Arc::new(genesis.applied()), 100, 50);
    let mut shell = Shell::unsigned(&genesis, None);
    join(&mut shell, 1, 1_000);
    let mut most = vec![asked(&mut shell, 1)[0].most];
    for part in [0..10, 10..20, 20..40, 40..41] {
        answer(&mut shell, 1, &chain[part], true);
        most.push(asked(&mut shell, 1)[0].most);
    }
    assert_eq!(most, [256, 10, 20, 40, 1]);
}

/// The peer has no blocks there; others may have some.
#[test]
fn a_peer_without_blocks_ahead_is_not_asked_again_at_once() {
    let genesis = Network::ready(1).found();
    let mut shell = Shell::unsigned(&genesis, None);
    join(&mut shell, 1, 1_000);
    join(&mut shell, 2, 1_000);
    assert_eq!(asked(&mut shell, 2).len(), 1);
    answer(&mut shell, 2, &[], false);
    assert_eq!(asked(&mut shell, 2).len(), 0);
}

#[test]
fn an_orphan_is_forgotten_after_the_last_answer() {
    let genesis = Network::ready(1).found();
    let chain = branch(&genesis, &Arc::new(genesis.applied()), 2, 50);
    let mut shell = Shell::unsigned(&genesis, None);
    join(&mut shell, 1, 0);
    show(&mut shell, 1, &chain[1]);
    assert_eq!(asked(&mut shell, 1).len(), 1);
    answer(&mut shell, 1, &[], false);
    show(&mut shell, 2, &chain[0]);
    assert_eq!(shell.log.len(), 1);
}

/// Two peers are on different branches. Blocks that the second sent ahead never fit on
/// those of the first, and do not wait for ever.
#[test]
fn parts_of_another_branch_are_forgotten() {
    for length in [256, 200] {
        let genesis = Network::ready(1).found();
        let root = Arc::new(genesis.applied());
        let (one, other) = (
            branch(&genesis, &root, 600, 50),
            branch(&genesis, &root, 600, 51),
        );
        let mut shell = Shell::unsigned(&genesis, None);
        join(&mut shell, 1, 601);
        join(&mut shell, 2, 601);
        answer(&mut shell, 2, &other[256..512], true);
        answer(&mut shell, 1, &one[..256], true);
        answer(&mut shell, 1, &one[256..256 + length], true);
        let taken = |shell: &Shell, blocks: &[Arc<Applied>]| {
            let chain = shell.machine.chain();
            let here = blocks
                .iter()
                .filter(|block| chain.contains(&block.block.id));
            here.count()
        };
        assert_eq!(taken(&shell, &one), 256 + length);
        for block in &other[..256] {
            show(&mut shell, 3, block);
        }
        assert_eq!(taken(&shell, &other), 256, "{length}: the rest is gone");
    }
}

/// An answer ahead that is the last of its sender says nothing about what waits.
#[test]
fn the_end_of_a_chain_that_comes_early_waits() {
    let genesis = Network::ready(1).found();
    let chain = branch(&genesis, &Arc::new(genesis.applied()), 400, 50);
    let mut shell = Shell::unsigned(&genesis, None);
    join(&mut shell, 1, 401);
    join(&mut shell, 2, 401);
    answer(&mut shell, 2, &chain[256..], false);
    answer(&mut shell, 1, &chain[..256], true);
    assert_eq!(shell.log.len(), 400);
}
