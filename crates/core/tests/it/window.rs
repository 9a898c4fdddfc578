//! What a chain keeps in memory, and that a branch which leaves far below the whole blocks
//! still joins: it is executed again from a whole block on. Blocks here are executed, not judged.

use ccoin_core::{
    BlockId, Height,
    applied::Applied,
    chain::{Chain, Origin, Reorg, Window},
    consensus::vote::Proposed,
    genesis::Genesis,
};
use ccoin_sim::{Network, child, miner};
use std::sync::Arc;

/// Eight whole blocks on each side, milestones every 20 blocks.
const SMALL: Window = Window {
    blocks: 8,
    bytes: usize::MAX,
    milestone: 20,
    side_blocks: 200,
};

fn network() -> Arc<Genesis> {
    Network {
        miners: 3,
        slot: 600_000,
        guard: 100_000,
        difficulty: 0,
        max_bound: 100,
        min_bound: 1,
        ..Network::default()
    }
    .found()
}

/// So many blocks on `parent`, 50 ms apart from `from` on.
fn run(genesis: &Genesis, parent: &Arc<Applied>, from: u64, count: u64) -> Vec<Arc<Applied>> {
    let mut blocks = vec![Arc::clone(parent)];
    for number in 0..count {
        let after = from + number * 50;
        let coinbase = miner((after / 600_000 % 3) as usize);
        let tip = &blocks[blocks.len() - 1];
        blocks.push(child(genesis, tip, coinbase, after, &[]));
    }
    blocks.split_off(1)
}

/// A chain of block 1 and so many more, and those.
fn grown(count: u64) -> (Arc<Genesis>, Chain, Vec<Arc<Applied>>) {
    grown_within(SMALL, count)
}

fn grown_within(window: Window, count: u64) -> (Arc<Genesis>, Chain, Vec<Arc<Applied>>) {
    let genesis = network();
    let root = Arc::new(genesis.applied());
    let mut chain = Chain::with_window(Arc::clone(&root), None, &genesis, window);
    let blocks = run(&genesis, &root, 50, count);
    for block in &blocks {
        assert!(
            chain
                .insert(Arc::clone(block), true, Origin::Fetched)
                .is_some()
        );
    }
    let all = [root].into_iter().chain(blocks).collect();
    (genesis, chain, all)
}

fn number(block: &Applied) -> u64 {
    block.block.header().number.get()
}

fn numbers<'a>(blocks: impl IntoIterator<Item = &'a Arc<Applied>>) -> Vec<u64> {
    blocks.into_iter().map(|block| number(block)).collect()
}

/// Inserts a block, or makes it whole again, as the machine does with one it asked for.
fn take(chain: &mut Chain, block: &Arc<Applied>) -> Option<Reorg> {
    let parent = block.block.header().hash_parent;
    assert!(
        chain.get(&parent).is_some(),
        "{} lacks a state",
        number(block)
    );
    if chain.contains(&block.block.id) {
        chain.restore(Arc::clone(block));
        return None;
    }
    chain.insert(Arc::clone(block), true, Origin::Fetched)
}

fn proposed(block: &Applied) -> Proposed {
    Proposed {
        number: block.block.header().number,
        id: block.block.id,
        ..Proposed::genesis(BlockId::ZERO)
    }
}

fn final_at(chain: &mut Chain, block: &Applied) {
    let _ = chain.set_high(&proposed(block));
    chain.set_final(&proposed(block));
}

#[test]
fn the_newest_blocks_and_milestones_are_whole() {
    let (_, chain, all) = grown(60);
    assert_eq!(numbers(chain.canonical()), (54..=61).collect::<Vec<_>>());
    let milestones: Vec<_> = chain.milestones().map(|(number, _)| number.get()).collect();
    assert_eq!(milestones, [41, 21, 1]);
    for block in &all {
        let (number, id) = (block.block.header().number, block.block.id);
        assert_eq!(chain.canonical_at(number), Some(id));
        let is_whole = number.get() >= 54 || milestones.contains(&number.get());
        assert_eq!(chain.get(&id).is_some(), is_whole, "{number}");
    }
}

/// Finality may stand still for weeks: the chain then lets go of its oldest blocks.
#[test]
fn memory_is_bounded_without_finality() {
    let (_, chain, all) = grown(500);
    assert!(chain.lowest() > Height::new(500 - SMALL.reach() - 20).unwrap());
    assert!(!chain.contains(&all[100].block.id));
    let (anchor, _) = chain.anchor().expect("there is always one");
    assert_eq!(anchor.block.header().number, chain.lowest());
}

#[test]
fn a_final_block_lets_go_of_what_lies_below() {
    let (_, mut chain, all) = grown(60);
    final_at(&mut chain, &all[49]);
    assert_eq!(
        chain.lowest().get(),
        41,
        "the newest milestone that is not above"
    );
    let (anchor, _) = chain.anchor().expect("there is always one");
    assert_eq!(number(anchor), 41);
    final_at(&mut chain, &all[57]);
    assert_eq!(chain.lowest().get(), 54);
    assert_eq!(chain.milestones().count(), 0);
}

/// The state of the final block stays, whatever comes on top: branches start there.
#[test]
fn the_final_block_stays_whole() {
    let (genesis, mut chain, all) = grown(10);
    final_at(&mut chain, &all[9]);
    let last_final = Arc::clone(&all[9]);
    for block in run(&genesis, &all[10], 600, 50) {
        chain.insert(block, true, Origin::Fetched);
    }
    assert_eq!(chain.lowest(), last_final.block.header().number);
    assert!(chain.get(&last_final.block.id).is_some());
}

/// The fork lies between two milestones: the blocks up to it are executed again.
#[test]
fn a_better_branch_from_far_below_becomes_head() {
    let (genesis, mut chain, all) = grown(60);
    let (fork, head) = (29, Arc::clone(chain.head()));
    let side = run(&genesis, &all[fork], 600_000, 70);
    for block in &all[21..=fork] {
        assert!(take(&mut chain, block).is_none());
    }
    let first = take(&mut chain, &side[0]).expect("it is in another slot, so it weighs more");
    assert_eq!(
        numbers(&first.reverted),
        (54..=61).rev().collect::<Vec<_>>()
    );
    let older: Vec<_> = first
        .older_reverted
        .iter()
        .map(|(number, _)| number.get())
        .collect();
    assert_eq!(older, (31..54).rev().collect::<Vec<_>>());
    assert!(first.older_applied.is_empty());
    assert_eq!(numbers(&first.applied), [31]);
    for block in &side[1..] {
        assert!(take(&mut chain, block).is_some());
    }
    assert_eq!(numbers(chain.canonical()), (93..=100).collect::<Vec<_>>());
    // The old branch is known, so it is head again once it weighs more.
    let slots = [1_200_000, 1_800_000];
    let mut again = run(&genesis, &head, slots[0], 1);
    again.extend(run(&genesis, &again[0], slots[1], 1));
    let last = again
        .iter()
        .filter_map(|block| take(&mut chain, block))
        .last();
    let last = last.expect("two more slots");
    assert_eq!(chain.head().block.id, again[1].block.id);
    let older: Vec<_> = last
        .older_applied
        .iter()
        .map(|(number, _)| number.get())
        .collect();
    assert_eq!(
        [older, numbers(&last.applied)].concat(),
        (31..=63).collect::<Vec<_>>()
    );
    assert_eq!(last.reverted.len() + last.older_reverted.len(), 70);
    for (block, expected) in all[fork..].iter().chain(&again).zip(30..) {
        assert_eq!(
            chain.canonical_at(Height::new(expected).unwrap()),
            Some(block.block.id)
        );
    }
}

/// What is bare goes with the leaf for which it was kept.
#[test]
fn other_branches_are_bounded() {
    let window = Window {
        milestone: 1_000,
        ..SMALL
    };
    let (genesis, mut chain, mut all) = grown_within(window, 60);
    for fork in 54..58 {
        for block in run(&genesis, &all[fork], 10_000, 80) {
            let _ = chain.insert(Arc::clone(&block), false, Origin::Fetched);
            all.push(block);
        }
    }
    let is_side = |block: &&Arc<Applied>| {
        let (number, id) = (block.block.header().number, block.block.id);
        chain.contains(&id) && chain.canonical_at(number) != Some(id)
    };
    let side: Vec<_> = all.iter().filter(is_side).collect();
    assert!(
        (120..=SMALL.side_blocks).contains(&side.len()),
        "{}",
        side.len()
    );
    let whole = side
        .iter()
        .filter(|block| chain.get(&block.block.id).is_some());
    assert!(whole.count() <= SMALL.blocks);
    for block in &side {
        let is_parent = |other: &&Arc<Applied>| other.block.header().hash_parent == block.block.id;
        let leads_on = all
            .iter()
            .filter(is_parent)
            .any(|other| chain.contains(&other.block.id));
        assert!(
            leads_on || chain.get(&block.block.id).is_some(),
            "{}",
            number(block)
        );
    }
}
