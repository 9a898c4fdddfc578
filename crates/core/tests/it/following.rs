//! Peers that are asked for blocks and lack them, now or always: no peer shuts itself or
//! others out for good.

use ccoin_core::{
    BlockId,
    applied::Applied,
    block::SealedBlock,
    chain::Window,
    genesis::Genesis,
    machine::{Ask, Input},
    message::BlockRequest,
};
use ccoin_sim::{
    Lie, Network, Shell, World, answer, branch, child, ghost, give_from, height, miner, verified,
};
use std::sync::Arc;

/// A moment long after the last block.
const LATER: u64 = 1_000_000;

fn own(shell: &Shell) -> u64 {
    shell.machine.chain().head().block.header().number.get()
}

fn join(shell: &mut Shell, now: u64, peer: u64, claimed: u64) {
    let input = Input::PeerJoined {
        peer,
        validator: Some(0),
        height: height(claimed),
    };
    shell.input(now, input);
}

/// The requests since the last call.
fn asks(shell: &mut Shell) -> Vec<(u64, BlockRequest)> {
    let asks = core::mem::take(&mut shell.asks);
    let blocks = |ask| match ask {
        Ask::Blocks { peer, request } => Some((peer, request)),
        _ => None,
    };
    asks.into_iter().filter_map(blocks).collect()
}

/// The peer is behind, so its blocks are old; later it is ahead and is asked like others.
#[test]
fn a_peer_that_was_far_behind_is_followed_when_it_is_ahead() {
    let genesis = Network::ready(1).found();
    let most = Window::default().blocks + 100;
    let all = branch(&genesis, &Arc::new(genesis.applied()), most as u64 + 3, 50);
    let mut shell = Shell::unsigned(&genesis, None);
    shell.log = all[..most].iter().map(|b| b.block.clone()).collect();
    shell.restart();
    join(&mut shell, LATER, 1, 21);
    let asked = asks(&mut shell);
    let (blocks, more) = answer(&genesis, &all[..20], &asked[0].1);
    let old = Input::Blocks {
        peer: 1,
        blocks,
        more,
    };
    shell.input(LATER + 1, old);
    let apart = |ask: &Ask| matches!(ask, Ask::BranchTooOld { .. });
    assert!(!shell.asks.iter().any(apart), "it is not on another branch");
    let ahead = Input::Heights {
        peer: 1,
        height: height(most as u64 + 4),
    };
    shell.input(LATER + 20_000, ahead);
    let asked = asks(&mut shell);
    assert_eq!(asked.len(), 1);
    let (blocks, more) = answer(&genesis, &all, &asked[0].1);
    let new = Input::Blocks {
        peer: 1,
        blocks,
        more,
    };
    shell.input(LATER + 20_010, new);
    assert_eq!(own(&shell), most as u64 + 4);
}

/// How long, in ms, a node takes for a chain of 601 blocks beside two honest peers and so
/// many liars, which have smaller numbers of connection and claim the true height. A
/// liar that is asked along the locator says after so many ms that it has nothing; `None`:
/// never.
fn sync_time(liars: u64, after: Option<u64>) -> u64 {
    let genesis = Network::ready(1).found();
    let chain = branch(&genesis, &Arc::new(genesis.applied()), 600, 50);
    let top = chain.len() as u64 + 1;
    let mut shell = Shell::unsigned(&genesis, None);
    shell.tick(LATER);
    (1..=liars + 2).for_each(|peer| join(&mut shell, LATER, peer, top));
    // When which answer or claim comes: a claim has no request.
    let mut coming: Vec<(u64, u64, Option<BlockRequest>)> = Vec::new();
    let mut now = LATER;
    while own(&shell) < top && now < LATER + 60_000 {
        now += 10;
        shell.tick(now);
        for (peer, request) in asks(&mut shell) {
            let ahead = request.locator[0].1 == BlockId::ZERO;
            let wait = match (peer > liars, ahead) {
                (true, _) => Some(20),
                (false, true) => after.map(|_| 10),
                (false, false) => after,
            };
            coming.extend(wait.map(|wait| (now + wait, peer, Some(request))));
        }
        let (due, later): (Vec<_>, Vec<_>) = coming.into_iter().partition(|(due, ..)| *due <= now);
        coming = later;
        for (_, peer, request) in due {
            let Some(request) = request else {
                let height = height(top);
                shell.input(now, Input::Heights { peer, height });
                continue;
            };
            let (blocks, more) = if peer > liars {
                answer(&genesis, &chain, &request)
            } else {
                coming.push((now + 1_000, peer, None));
                (Vec::new(), false)
            };
            shell.input(now, Input::Blocks { peer, blocks, more });
        }
    }
    assert_eq!(own(&shell), top, "{liars} liars, {after:?}");
    now - LATER
}

/// Other peers answer in a moment: a silent one costs no seconds.
#[test]
fn several_liars_cannot_stall_a_sync() {
    let honest = sync_time(0, None);
    for liars in 1..=3 {
        for after in [None, Some(150), Some(3_900)] {
            let took = sync_time(liars, after);
            println!("{liars} liars {after:?}: {took} ms, without {honest} ms");
            // With three of them every part is asked of a liar first.
            let most = if liars < 3 { 250 } else { 1_250 };
            assert!(took <= honest + most, "{took} ms");
        }
    }
}

/// More blocks in fewer slots are not better, and asking again does not change that.
#[test]
fn a_branch_that_is_longer_and_worse_is_not_asked_for_again_and_again() {
    let genesis = Network::ready(1).found();
    let root = Arc::new(genesis.applied());
    let (mine, other) = (
        branch(&genesis, &root, 3, 2_000),
        branch(&genesis, &root, 30, 50),
    );
    let mut shell = Shell::unsigned(&genesis, None);
    shell.log = mine.iter().map(|block| block.block.clone()).collect();
    shell.restart();
    join(&mut shell, LATER, 1, 31);
    let mut count = 0;
    for now in LATER..LATER + 60_000 {
        if now % 1_000 == 0 {
            shell.tick(now);
        }
        for (peer, request) in asks(&mut shell) {
            count += 1;
            let (blocks, more) = answer(&genesis, &other, &request);
            shell.input(now, Input::Blocks { peer, blocks, more });
        }
    }
    assert!((2..=8).contains(&count), "{count} requests in a minute");
}

/// An honest node whose index had not caught up says nothing once, and is honest again.
#[test]
fn a_peer_that_could_not_answer_once_is_asked_again() {
    let genesis = Network::ready(2).found();
    let mut tip = Arc::new(genesis.applied());
    let mut blocks = Vec::new();
    for number in 1..=300u64 {
        let after = number * 50;
        let leader = miner((after / 2_000 % 2) as usize);
        let txn = give_from(&genesis, &ghost(99), number);
        tip = child(&genesis, &tip, leader, after, &[txn]);
        blocks.push(tip.block.clone());
    }
    let mut world = World::new(&genesis, 2, 2);
    world.link(0, 1, 20);
    world.nodes[0].shell.log = blocks;
    world.nodes[0].lie = Some(Lie::Stall);
    world.run_until(20_000);
    world.start(0);
    world.start(1);
    world.run_until(20_200);
    world.nodes[0].lie = None;
    for round in 0..60 {
        world.run_until(21_000 + round * 2_000);
        world.pay(0, 1);
        world.pay(1, 1);
    }
    world.settle(world.now + 10_000);
}

/// Three blocks in one turn, and three better ones in three.
fn rivals(genesis: &Arc<Genesis>) -> [Vec<Arc<Applied>>; 2] {
    let root = Arc::new(genesis.applied());
    [50, 2_000].map(|gap| branch(genesis, &root, 3, gap))
}

/// Its answer is empty because it could not read its blocks, and no new block comes.
#[test]
fn a_peer_that_showed_a_block_and_could_not_answer_is_asked_again() {
    let genesis = Network::ready(1).found();
    let [mine, other] = rivals(&genesis);
    let mut shell = Shell::unsigned(&genesis, None);
    shell.log = mine.iter().map(|block| block.block.clone()).collect();
    shell.restart();
    join(&mut shell, LATER, 1, 4);
    let (peer, blocks, more) = (1, Vec::new(), false);
    shell.input(LATER + 10, Input::Blocks { peer, blocks, more });
    let block = verified(&other[2].block);
    shell.input(LATER + 20, Input::Block { peer, block });
    let mut count = 0;
    for now in (LATER + 20..LATER + 120_000).step_by(10) {
        shell.tick(now);
        for (peer, request) in asks(&mut shell) {
            count += 1;
            let (blocks, more) = match count {
                1 | 2 => (Vec::new(), false),
                _ => answer(&genesis, &other, &request),
            };
            shell.input(now, Input::Blocks { peer, blocks, more });
        }
    }
    let head = shell.machine.chain().head().block.id;
    assert_eq!(head, other[2].block.id);
    assert!(count <= 5, "{count} requests in two minutes");
}

/// The same, but it has only told its height, and meanwhile the asker has made as many blocks.
#[test]
fn a_peer_that_told_its_height_and_could_not_answer_is_asked_again() {
    let genesis = Network::ready(1).found();
    let [mine, other] = rivals(&genesis);
    let mut shell = Shell::unsigned(&genesis, None);
    shell.tick(LATER);
    join(&mut shell, LATER, 1, 4);
    let asked = asks(&mut shell).len();
    assert_eq!(asked, 1);
    let (peer, blocks, more) = (1, Vec::new(), false);
    shell.input(LATER + 10, Input::Blocks { peer, blocks, more });
    for block in &mine {
        shell.block(LATER + 20, &block.block);
    }
    let mut count = 0;
    for now in (LATER + 20..LATER + 120_000).step_by(10) {
        shell.tick(now);
        for (peer, request) in asks(&mut shell) {
            count += 1;
            let (blocks, more) = answer(&genesis, &other, &request);
            shell.input(now, Input::Blocks { peer, blocks, more });
        }
    }
    let head = shell.machine.chain().head().block.id;
    assert_eq!(head, other[2].block.id);
    assert!(count <= 2, "{count} requests in two minutes");
}

/// A liar is the first to show a block and has nothing that leads to it.
#[test]
fn a_peer_that_shows_a_block_after_a_liar_is_asked_too() {
    let genesis = Network::ready(1).found();
    let [mine, other] = rivals(&genesis);
    let mut shell = Shell::unsigned(&genesis, None);
    shell.log = mine.iter().map(|block| block.block.clone()).collect();
    shell.restart();
    for peer in [1, 2] {
        join(&mut shell, LATER, peer, 4);
        let (blocks, more) = (Vec::new(), false);
        shell.input(LATER, Input::Blocks { peer, blocks, more });
    }
    asks(&mut shell);
    let (peer, block) = (1, verified(&other[2].block));
    let (id, height) = (block.id, block.header().number);
    shell.input(LATER + 20, Input::Block { peer, block });
    let copy = Input::KnownBlock {
        peer: 2,
        id,
        height,
    };
    shell.input(LATER + 30, copy);
    for (peer, request) in asks(&mut shell) {
        let (blocks, more) = match peer {
            1 => (Vec::new(), false),
            _ => answer(&genesis, &other, &request),
        };
        shell.input(LATER + 40, Input::Blocks { peer, blocks, more });
    }
    assert_eq!(shell.machine.chain().head().block.id, id);
}

/// It never has what it shows: after a few times it is left alone.
#[test]
fn a_peer_that_never_has_the_parents_of_its_blocks_is_left_alone() {
    let genesis = Network::ready(1).found();
    let other = branch(&genesis, &Arc::new(genesis.applied()), 3, 2_000);
    let mut shell = Shell::unsigned(&genesis, None);
    shell.tick(LATER);
    join(&mut shell, LATER, 1, 1);
    let mut count = 0;
    for now in (LATER..LATER + 300_000).step_by(10) {
        let (peer, block) = (1, verified(&other[2].block));
        match now % 10_000 {
            0 => shell.input(now, Input::Block { peer, block }),
            _ => shell.tick(now),
        }
        for (peer, _) in asks(&mut shell) {
            count += 1;
            let (blocks, more) = (Vec::new(), false);
            shell.input(now, Input::Blocks { peer, blocks, more });
        }
    }
    assert!(count <= 60, "{count} requests in five minutes");
}

/// Any peer can put another body behind a good header: block and miner are not to blame.
#[test]
fn the_sender_is_penalized_for_a_foreign_body_behind_a_good_header() {
    let genesis = Network::ready(1).found();
    let mut shell = Shell::unsigned(&genesis, None);
    shell.tick(0);
    let txn = give_from(&genesis, &ghost(5), 1);
    let block = child(&genesis, &genesis.applied(), miner(0), 100, &[txn]);
    let mut forged = block.block.clone();
    forged.transactions.clear();
    let show = |peer, block: &SealedBlock| Input::Block {
        peer,
        block: verified(block),
    };
    shell.input(200, show(1, &forged));
    let blamed = |shell: &Shell| -> Vec<u64> {
        let blame = |ask: &Ask| match ask {
            Ask::Penalize { peer, .. } => Some(*peer),
            _ => None,
        };
        shell.asks.iter().filter_map(blame).collect()
    };
    assert_eq!(blamed(&shell), [1]);
    shell.input(210, show(2, &block.block));
    assert_eq!(blamed(&shell), [1], "no other peer is to blame");
    assert_eq!(shell.machine.chain().head().block.id, block.block.id);
}
