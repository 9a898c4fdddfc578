//! Which peer is asked for which blocks: parts of one chain from several peers, within bounds of blocks
//! and bytes, along side branches, and not below the window.

use ccoin_core::{
    BlockId, MonoTime, Now,
    applied::Applied,
    chain::{Chain, Window},
    genesis::Genesis,
    machine::{Ask, Input, Publish},
    message::BlockRequest,
    sync::block_fetcher::BlockFetcher,
};
use ccoin_sim::{Network, Shell, answer, at, branch, height, verified};
use std::sync::Arc;

/// A moment at which all blocks are old.
const LATER: u64 = 1_000_000;

/// The requests to an idle network of so many peers with so many blocks.
fn planned(peers: u64, claimed: u64, waiting_bytes: usize) -> Vec<(u64, BlockRequest)> {
    let genesis = Network::ready(1).found();
    let chain = Chain::new(Arc::new(genesis.applied()), None, &genesis);
    let mut fetch = BlockFetcher::default();
    (0..peers).for_each(|peer| fetch.on_peer_joined(peer, false, height(claimed)));
    fetch.plan(MonoTime(0), &chain, waiting_bytes).requests
}

fn ahead(request: &BlockRequest) -> Option<(u64, u16)> {
    let (number, id) = request.locator[0];
    (id == BlockId::ZERO).then_some((number.get(), request.most))
}

#[test]
fn several_peers_are_asked_for_parts_of_one_chain() {
    let asks: Vec<_> = planned(4, 700, 0)
        .iter()
        .map(|(_, request)| ahead(request))
        .collect();
    assert_eq!(
        asks,
        [None, Some((257, 256)), Some((513, 256))],
        "the end is near"
    );
}

#[test]
fn blocks_that_wait_for_execution_are_bounded() {
    assert_eq!(planned(40, 1 << 50, 0).len(), 16, "by blocks");
    let bytes = |waiting: usize| planned(40, 1 << 50, waiting).len();
    assert_eq!(
        bytes(32 << 20),
        1,
        "by bytes that wait, and asked for along the locator"
    );
    assert_eq!(bytes(26 << 20), 3, "by bytes that are expected");
}

/// The leader is slow; the other peer is asked for no more than 4,096 blocks beyond the head.
#[test]
fn requests_stay_within_the_lookahead() {
    let genesis = Network::ready(1).found();
    let chain = Chain::new(Arc::new(genesis.applied()), None, &genesis);
    let pattern = branch(&genesis, &Arc::new(genesis.applied()), 1, 50)[0]
        .block
        .clone();
    let mut fetch = BlockFetcher::default();
    (0..2).for_each(|peer| fetch.on_peer_joined(peer, false, height(1 << 50)));
    let mut furthest = 0;
    loop {
        let asks = fetch.plan(MonoTime(0), &chain, 0).requests;
        let Some((first, most)) = asks.iter().find_map(|(_, request)| ahead(request)) else {
            break;
        };
        furthest = first + u64::from(most);
        assert!(furthest < 10_000, "it never ends");
        let _ = fetch.take_request(1).expect("it was asked");
        let numbered = |number| {
            let mut block = pattern.clone();
            block.signed.header.number = height(number);
            verified(&block)
        };
        fetch.keep_part(1, &[numbered(first + 1), numbered(furthest)]);
    }
    assert!((4_097..4_097 + 256).contains(&furthest), "{furthest}");
}

/// Runs a node that has `own` against a peer that has `other`; the requests and what came of it.
fn meet(
    genesis: &Arc<Genesis>,
    now: u64,
    own: &[Arc<Applied>],
    other: &[Arc<Applied>],
) -> (Vec<BlockRequest>, Shell) {
    meet_with(genesis, Window::default(), now, own, other)
}

/// The same with so much memory.
pub(crate) fn meet_with(
    genesis: &Arc<Genesis>,
    window: Window,
    now: u64,
    own: &[Arc<Applied>],
    other: &[Arc<Applied>],
) -> (Vec<BlockRequest>, Shell) {
    let mut shell = Shell::unsigned(genesis, None);
    shell.set_window(window);
    shell.log = own.iter().map(|block| block.block.clone()).collect();
    shell.restart();
    let number = other.last().expect("it has some").block.header().number;
    let (peer, validator) = (1, false);
    shell.input(
        now,
        Input::PeerJoined {
            peer,
            validator: validator.then_some(0),
            height: number,
        },
    );
    let mut requests = Vec::new();
    while let Some(place) = shell
        .asks
        .iter()
        .position(|ask| matches!(ask, Ask::Blocks { .. }))
    {
        let Ask::Blocks { request, .. } = shell.asks.remove(place) else {
            unreachable!()
        };
        assert!(requests.len() < 50, "it never ends");
        let (blocks, more) = answer(genesis, other, &request);
        requests.push(request);
        shell.input(now + 1, Input::Blocks { peer, blocks, more });
    }
    (requests, shell)
}

/// The better branch is longer than three answers, and only its last block makes it better.
#[test]
fn a_side_branch_is_followed_to_its_end() {
    let genesis = Network::ready(1).found();
    let root = Arc::new(genesis.applied());
    let own = branch(&genesis, &root, 900, 50);
    let other = branch(&genesis, &root, 901, 51);
    let (requests, shell) = meet(&genesis, LATER, &own, &other);
    assert_eq!(shell.machine.chain().head().block.id, other[900].block.id);
    assert_eq!(requests.len(), 4);
    let locator = &requests[1].locator;
    let resumed = (height(257), other[255].block.id);
    assert!(locator.contains(&resumed), "it goes on where it was");
    assert!(locator.is_sorted_by(|a, b| a.0 > b.0), "{locator:?}");
}

/// A handful of pairs reaches from the head to block 1, densely at first.
#[test]
fn a_locator_reaches_back_in_growing_steps() {
    let genesis = Network::ready(1).found();
    let own = branch(&genesis, &Arc::new(genesis.applied()), 900, 50);
    let (requests, _) = meet(&genesis, LATER, &own, &own);
    let numbers: Vec<_> = requests[0]
        .locator
        .iter()
        .map(|pair| pair.0.get())
        .collect();
    assert_eq!(
        numbers,
        [901, 900, 899, 897, 893, 885, 869, 837, 773, 645, 389, 1]
    );
}

#[test]
fn a_branch_from_below_the_reach_is_told_and_left_alone_for_a_minute() {
    let genesis = Network::ready(1).found();
    let root = Arc::new(genesis.applied());
    let window = Window {
        blocks: 16,
        milestone: 32,
        ..Window::default()
    };
    let most = window.reach() + 64;
    let own = branch(&genesis, &root, most + 10, 50);
    let other = branch(&genesis, &root, most + 20, 60);
    let now = LATER + most * 60;
    let (requests, mut shell) = meet_with(&genesis, window, now, &own, &other);
    assert_eq!(requests.len(), 1);
    let asks = core::mem::take(&mut shell.asks);
    let apart = |ask: &&Ask| matches!(ask, Ask::BranchTooOld { peer: 1 });
    assert_eq!(asks.iter().filter(apart).count(), 1);
    let (peer, block) = (1, verified(&other[other.len() - 1].block));
    shell.input(now + 100, Input::Block { peer, block });
    let height = height(most + 9_000);
    shell.input(now + 200, Input::Heights { peer, height });
    shell.tick(now + 20_000);
    let ask = |ask: &Ask| matches!(ask, Ask::Blocks { .. });
    assert!(!shell.asks.iter().any(ask));
    // It may have come over to this branch.
    shell.tick(now + 60_001);
    assert!(shell.asks.iter().any(ask));
}

/// A fresh head is announced at once, but not to its sender; an old one when no more are
/// to come; none twice.
#[test]
fn a_new_head_is_shown_once() {
    let genesis = Network::ready(1).found();
    let root = Arc::new(genesis.applied());
    let chain = branch(&genesis, &root, 600, 50);
    let (requests, shell) = meet(&genesis, LATER, &[], &chain);
    assert!(requests.len() > 2);
    let shown = |shell: &Shell| -> Vec<(u64, Option<u64>)> {
        let announced = shell.published.iter().filter_map(|publish| match publish {
            Publish::AnnounceBlock {
                applied, except, ..
            } => Some((applied.block.header().number.get(), *except)),
            _ => None,
        });
        announced.collect()
    };
    assert_eq!(shown(&shell), [(601, Some(1))]);
    let mut shell = Shell::unsigned(&genesis, None);
    shell.tick(0);
    for (after, peer) in [(100, 3), (100, 4)] {
        let block = verified(&chain[0].block);
        shell.input(after, Input::Block { peer, block });
    }
    let (validator, claimed) = (false, height(50));
    shell.input(
        200,
        Input::PeerJoined {
            peer: 5,
            validator: validator.then_some(0),
            height: claimed,
        },
    );
    let block = verified(&chain[1].block);
    shell.input(300, Input::Block { peer: 4, block });
    shell.tick(400);
    assert_eq!(
        shown(&shell),
        [(2, Some(3)), (3, Some(4))],
        "even while an answer is awaited"
    );
}

/// To a clock that is a minute behind, the next block of a quiet network is far ahead.
#[test]
fn blocks_of_the_far_future_are_not_asked_for_again_and_again() {
    let genesis = Network::ready(1).found();
    let chain = branch(&genesis, &Arc::new(genesis.applied()), 2, 60_000);
    let (requests, shell) = meet(&genesis, 1_000, &[], &chain);
    assert_eq!(requests.len(), 1);
    let faults = shell.asks.iter();
    let faults = faults.filter(|ask| matches!(ask, Ask::Penalize { .. }));
    assert_eq!(faults.count(), 0);
}

/// A request waits by the monotonic clock: a peer is silent for a minute of it, whatever the
/// wall clock shows.
#[test]
fn time_outs_follow_the_monotonic_clock_alone() {
    for jump in [-900_000, 0, 900_000] {
        let mut shell = Shell::unsigned(&Network::ready(1).found(), None);
        let now = |after: u64, jump: i64| Now {
            wall: at((LATER + after).saturating_add_signed(jump)),
            mono: MonoTime(after),
        };
        let (peer, validator, height) = (1, false, height(50));
        let joined = Input::PeerJoined {
            peer,
            validator: validator.then_some(0),
            height,
        };
        shell.input_at(now(0, 0), joined);
        let left = |shell: &Shell| {
            let mut asks = shell.asks.iter();
            asks.any(|ask| matches!(ask, Ask::Disconnect { peer: 1 }))
        };
        for after in (1_000..60_000).step_by(1_000) {
            shell.input_at(now(after, jump), Input::Tick);
        }
        shell.input_at(now(59_999, jump), Input::Tick);
        assert!(!left(&shell), "{jump}");
        shell.input_at(now(60_000, jump), Input::Tick);
        assert!(left(&shell), "{jump}");
    }
}
