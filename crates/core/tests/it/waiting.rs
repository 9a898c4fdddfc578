//! Blocks that wait for their parents or for their time, and unrequested blocks: kept
//! within bounds, taken when they fit, forgotten with their sender.

use ccoin_core::{
    Height, StateHash,
    applied::Applied,
    block::SealedBlock,
    genesis::Genesis,
    machine::{Ask, Fault, Input, PeerId},
    rules::BlockError,
};
use ccoin_sim::{
    NOWHERE, Network, Shell, at, child, ghost, give_from, header, miner, record, seal, verified,
};
use std::sync::Arc;

fn network() -> Arc<Genesis> {
    Network {
        miners: 2,
        min_bound: 1,
        max_bound: 100,
        max_data: 65_536,
        allow_empty: false,
        difficulty: 0,
        ..Network::default()
    }
    .found()
}

/// A node that only follows, with two peers that have nothing.
fn follower(genesis: &Arc<Genesis>) -> Shell {
    let mut shell = Shell::unsigned(genesis, None);
    for peer in [1, 2] {
        let (validator, height) = (false, Height::ZERO);
        shell.input(
            0,
            Input::PeerJoined {
                peer,
                validator: validator.then_some(0),
                height,
            },
        );
    }
    shell
}

fn show(shell: &mut Shell, after: u64, peer: PeerId, block: &SealedBlock) {
    let block = verified(block);
    shell.input(after, Input::Block { peer, block });
}

fn chain(genesis: &Genesis, times: &[u64]) -> Vec<Arc<Applied>> {
    let mut tip = Arc::new(genesis.applied());
    let mut made = Vec::new();
    for (index, after) in times.iter().enumerate() {
        let txn = give_from(genesis, &ghost(9), index as u64 + 1);
        let coinbase = miner((after / 2_000 % 2) as usize);
        tip = child(genesis, &tip, coinbase, *after, &[txn]);
        made.push(Arc::clone(&tip));
    }
    made
}

fn number(shell: &Shell) -> u64 {
    shell.machine.chain().head().block.header().number.get()
}

fn faults(shell: &Shell) -> usize {
    shell
        .asks
        .iter()
        .filter(|ask| matches!(ask, Ask::Penalize { .. }))
        .count()
}

#[test]
fn blocks_in_any_order_become_one_chain() {
    let genesis = network();
    let mut blocks = chain(&genesis, &[100, 200, 300, 400, 500]);
    let mut shell = follower(&genesis);
    blocks.rotate_left(2);
    blocks.reverse();
    for block in &blocks {
        show(&mut shell, 600, 1, &block.block);
    }
    assert_eq!((number(&shell), faults(&shell)), (6, 0));
}

/// How many of so many blocks without parents are taken when the parent comes.
fn kept(count: u64, data: usize, peers: u64) -> usize {
    let genesis = network();
    let mut shell = follower(&genesis);
    let parent = &chain(&genesis, &[100])[0];
    let data = "x".repeat(data);
    let bulk: Vec<_> = (1..=40)
        .map(|number| record(&genesis, &ghost(8), number, miner(0), 0, &data))
        .collect();
    let txns = if data.is_empty() {
        &bulk[..1]
    } else {
        &bulk[..]
    };
    let mut shown = Vec::new();
    for index in 0..count {
        let block = child(
            &genesis,
            parent,
            miner((index + 1) as usize % 2),
            200 + 2_000 * (index + 1),
            txns,
        );
        show(&mut shell, 400_000, 1 + index % peers, &block.block);
        shown.push(block.block.id);
    }
    show(&mut shell, 400_000, 2, &parent.block);
    let chain = shell.machine.chain();
    shown.iter().filter(|id| chain.contains(id)).count()
}

#[test]
fn a_flood_of_blocks_without_parents_is_bounded() {
    assert_eq!(kept(64, 0, 1), 64);
    assert_eq!(kept(80, 0, 1), 64, "of each peer");
    assert_eq!(kept(140, 0, 2), 128);
    let bytes = 40 * 65_536;
    let large = kept(64, 65_536, 1);
    assert!(
        large * bytes <= (32 << 20) + 2 * bytes && large > 10,
        "{large}"
    );
}

#[test]
fn blocks_that_wait_are_forgotten_with_their_peer() {
    let genesis = network();
    let blocks = chain(&genesis, &[100, 200]);
    let mut shell = follower(&genesis);
    show(&mut shell, 300, 1, &blocks[1].block);
    shell.input(310, Input::PeerLeft { peer: 1 });
    show(&mut shell, 320, 2, &blocks[0].block);
    assert_eq!(number(&shell), 2);
}

/// The tolerated skew is 500 ms: a block is taken when it lies no further ahead.
#[test]
fn a_block_of_the_future_waits_for_its_time() {
    let genesis = network();
    let block = &chain(&genesis, &[10_000])[0];
    let mut shell = follower(&genesis);
    show(&mut shell, 5_000, 1, &block.block);
    let wait = shell.machine.wake_in(shell.now(9_000));
    assert_eq!(wait, Some(500));
    shell.tick(9_499);
    assert_eq!(number(&shell), 1);
    shell.tick(9_500);
    assert_eq!((number(&shell), faults(&shell)), (2, 0));
}

#[test]
fn a_block_of_the_far_future_is_dropped_and_few_are_held() {
    let genesis = network();
    let mut shell = follower(&genesis);
    let far = &chain(&genesis, &[20_001])[0];
    show(&mut shell, 0, 1, &far.block);
    assert!(
        shell
            .machine
            .wake_in(shell.now(19_000))
            .is_none_or(|wait| wait > 1_000)
    );
    let near = &chain(&genesis, &[20_000])[0];
    show(&mut shell, 0, 1, &near.block);
    (0..20_001).step_by(500).for_each(|after| shell.tick(after));
    assert_eq!(number(&shell), 2);
    assert!(shell.machine.chain().get(&far.block.id).is_none());
    let mut shell = follower(&genesis);
    let all: Vec<_> = (1_000..1_100)
        .rev()
        .map(|after| chain(&genesis, &[after])[0].block.clone())
        .collect();
    all.iter().for_each(|block| show(&mut shell, 0, 1, block));
    // The first 64 that came; of one turn, the earliest two are kept.
    shell.tick(1_000);
    let is_here = |block: &&_| {
        shell
            .machine
            .chain()
            .contains(&SealedBlock::clone(block).id)
    };
    assert_eq!(all.iter().filter(is_here).count(), 2);
    assert_eq!(shell.log[0].header().time, at(1_100 - 64));
}

#[test]
fn an_unrequested_answer_changes_nothing() {
    let genesis = network();
    let blocks = chain(&genesis, &[100]);
    let mut shell = follower(&genesis);
    for peer in [1, 77] {
        let blocks = vec![verified(&blocks[0].block)];
        let more = true;
        shell.input(200, Input::Blocks { peer, blocks, more });
    }
    assert_eq!((number(&shell), faults(&shell)), (1, 0));
}

/// A refused block costs no execution the second time, and its sender is penalized again.
#[test]
fn a_refused_block_and_its_children_stay_refused() {
    let genesis = network();
    let mut shell = follower(&genesis);
    let txn = give_from(&genesis, &ghost(9), 1);
    let mut bad = header(
        &genesis,
        &genesis.applied(),
        miner(0),
        at(100),
        core::slice::from_ref(&txn),
    );
    bad.hash_state = StateHash::ZERO;
    let bad = seal(&genesis, bad, None, vec![txn.clone()]);
    let mut heir = bad.signed.header.clone();
    (heir.hash_parent, heir.number, heir.time) = (bad.id, Height::new(3).unwrap(), at(200));
    let heir = seal(&genesis, heir, None, vec![txn]);
    for (peer, block) in [(1, &bad), (2, &bad), (2, &heir)] {
        let before = faults(&shell);
        show(&mut shell, 300, peer, block);
        assert_eq!(faults(&shell), before + 1);
    }
    let asks = shell
        .asks
        .iter()
        .filter(|ask| matches!(ask, Ask::Blocks { .. }))
        .count();
    assert_eq!((number(&shell), asks), (1, 0));
}

/// The newest 1,024 are remembered; older ones are judged again.
#[test]
fn the_memory_of_refused_blocks_is_bounded() {
    let genesis = network();
    let mut shell = follower(&genesis);
    let txn = give_from(&genesis, &ghost(9), 1);
    let good = header(
        &genesis,
        &genesis.applied(),
        miner(0),
        at(100),
        core::slice::from_ref(&txn),
    );
    let bad = |index: u64| {
        let mut header = good.clone();
        (header.hash_state, header.data) = (StateHash::ZERO, index.to_string());
        seal(&genesis, header, None, vec![txn.clone()])
    };
    for index in 0..1_025 {
        show(&mut shell, 300, 1, &bad(index));
    }
    for (index, known) in [(1, true), (0, false)] {
        show(&mut shell, 300, 1, &bad(index));
        let Some(Ask::Penalize { fault, .. }) = shell.asks.last() else {
            panic!("it is refused")
        };
        let refused = matches!(fault, Fault::Block(BlockError::Refused(_)));
        assert_eq!(refused, known, "{index}: {fault}");
    }
}

#[test]
fn a_block_without_parent_is_asked_about_once() {
    let genesis = network();
    let mut shell = follower(&genesis);
    let mut lost = chain(&genesis, &[100])[0].block.clone();
    lost.signed.header.hash_parent = NOWHERE;
    lost.id = lost.signed.id(&genesis.id);
    for after in 200..220 {
        show(&mut shell, after, 1, &lost);
    }
    let asks = shell
        .asks
        .iter()
        .filter(|ask| matches!(ask, Ask::Blocks { peer: 1, .. }))
        .count();
    assert_eq!(asks, 1);
}
