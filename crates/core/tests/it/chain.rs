//! Which leaf of the tree is the head, how the head moves, what is forgotten, and
//! that a restart forgets nothing that counts. Blocks here are executed, not judged.

use crate::cases::cases;
use ccoin_core::{
    Address, BlockId,
    applied::Applied,
    chain::{Chain, Origin, Reorg, Score, Window},
    encoding::{decode, encode},
    genesis::Genesis,
};
use ccoin_sim::{Network, START, at, child, header, key, miner, record, seal};
use core::cmp::Reverse;
use proptest::prelude::*;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

fn network(slot: u64) -> Arc<Genesis> {
    Network {
        miners: 3,
        slot,
        guard: slot / 5,
        difficulty: 0,
        max_bound: 100,
        min_bound: 1,
        max_data: 65_536,
        ..Network::default()
    }
    .found()
}

/// A chain of genesis alone, and its root.
fn start(genesis: &Arc<Genesis>) -> (Chain, Arc<Applied>) {
    let root = Arc::new(genesis.applied());
    (Chain::new(Arc::clone(&root), None, genesis), root)
}

/// Empty blocks one after another on `parent`, at these ms after the start.
fn branch(genesis: &Genesis, parent: &Arc<Applied>, times: &[u64]) -> Vec<Arc<Applied>> {
    let slot = genesis.config.consensus.slot_ms;
    let mut blocks = vec![Arc::clone(parent)];
    for after in times {
        let coinbase = miner(((after / slot) % 3) as usize);
        let next = child(genesis, &blocks[blocks.len() - 1], coinbase, *after, &[]);
        blocks.push(next);
    }
    blocks.split_off(1)
}

/// The head after both branches have been inserted, in both orders.
fn better(first: &[u64], second: &[u64]) -> usize {
    let genesis = network(2_000);
    let made = [first, second].map(|times| branch(&genesis, &genesis.applied().into(), times));
    let winner = |order: [usize; 2]| {
        let (mut chain, _) = start(&genesis);
        for block in order.iter().flat_map(|index| &made[*index]) {
            chain.insert(Arc::clone(block), true, Origin::Fetched);
        }
        let mut tips = made.iter().map(|blocks| blocks.last().unwrap().block.id);
        tips.position(|tip| tip == chain.head().block.id)
            .expect("a tip is head")
    };
    assert_eq!(
        winner([0, 1]),
        winner([1, 0]),
        "the order of arrival decides nothing"
    );
    winner([0, 1])
}

#[test]
fn fork_choice_goes_by_slots_number_and_time() {
    assert_eq!(better(&[100, 200, 300], &[100, 2_000]), 1, "slots");
    assert_eq!(better(&[100, 200], &[50]), 0, "number");
    assert_eq!(better(&[100], &[99]), 1, "earlier");
}

#[test]
fn the_smaller_id_wins_when_all_else_is_equal() {
    let genesis = network(2_000);
    let (_, root) = start(&genesis);
    let twin = |data: &str| {
        let mut header = header(&genesis, &root, miner(0), at(100), &[]);
        header.data = data.into();
        Arc::new(Applied {
            block: seal(&genesis, header, None, vec![]),
            ..Applied::clone(&root)
        })
    };
    let twins = [twin("a"), twin("b")];
    let smaller = twins.iter().map(|block| block.block.id).min();
    for order in [[0usize, 1], [1, 0]] {
        let (mut chain, _) = start(&genesis);
        for index in order {
            chain.insert(Arc::clone(&twins[index]), true, Origin::Fetched);
        }
        assert_eq!(Some(chain.head().block.id), smaller);
    }
}

#[test]
fn a_reorg_names_all_blocks_reverted_and_applied() {
    let genesis = network(2_000);
    let (mut chain, root) = start(&genesis);
    let old = branch(&genesis, &root, &[100, 200, 300]);
    for block in &old {
        let reorg = chain
            .insert(Arc::clone(block), true, Origin::Fetched)
            .unwrap();
        assert!(reorg.reverted.is_empty() && reorg.applied.len() == 1);
    }
    let new = branch(&genesis, &old[0], &[250, 350, 2_000]);
    let unmoved = |block: &Arc<Applied>, chain: &mut Chain| {
        chain
            .insert(Arc::clone(block), true, Origin::Fetched)
            .is_none()
    };
    assert!(unmoved(&new[0], &mut chain) && unmoved(&new[1], &mut chain));
    let reorg = chain
        .insert(Arc::clone(&new[2]), true, Origin::Fetched)
        .unwrap();
    let ids = |blocks: &[Arc<Applied>]| {
        blocks
            .iter()
            .map(|block| block.block.id)
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(&reorg.reverted), [old[2].block.id, old[1].block.id]);
    assert_eq!(ids(&reorg.applied), ids(&new));
    assert!(
        chain
            .insert(Arc::clone(&new[2]), true, Origin::Fetched)
            .is_none()
    );
    assert_eq!(chain.canonical().len(), 5);
}

#[test]
fn a_block_without_parent_is_not_taken() {
    let genesis = network(2_000);
    let (mut chain, root) = start(&genesis);
    let blocks = branch(&genesis, &root, &[100, 200]);
    assert!(
        chain
            .insert(Arc::clone(&blocks[1]), true, Origin::Fetched)
            .is_none()
    );
    assert!(chain.get(&blocks[1].block.id).is_none());
}

/// Fork choice as specified, without increments: walk the ancestors and count.
struct Block {
    applied: Arc<Applied>,
    parent: Option<usize>,
}

type Rank = (usize, u64, Reverse<u64>, Reverse<BlockId>);

fn naive_rank(tree: &[Block], index: usize, slot_ms: u64) -> Rank {
    let (mut slots, mut cursor) = (BTreeSet::new(), index);
    while let Some(parent) = tree[cursor].parent {
        let slot = tree[cursor].applied.block.header().time.get() / slot_ms;
        slots.insert(slot);
        cursor = parent;
    }
    let header = tree[index].applied.block.header();
    let id = tree[index].applied.block.id;
    (
        slots.len(),
        header.number.get(),
        Reverse(header.time.get()),
        Reverse(id),
    )
}

fn naive_last(tree: &[Block], index: usize, signer: Address) -> Option<u64> {
    let mut cursor = index;
    while let Some(parent) = tree[cursor].parent {
        let header = tree[cursor].applied.block.header();
        if header.coinbase == signer {
            return Some(header.time.get());
        }
        cursor = parent;
    }
    None
}

/// Follows the reorgs as the node's index does.
fn follow(ids: &mut Vec<BlockId>, reorg: &Reorg) {
    for reverted in &reorg.reverted {
        assert_eq!(ids.pop(), Some(reverted.block.id));
    }
    for applied in &reorg.applied {
        assert_eq!(ids.last(), Some(&applied.block.header().hash_parent));
        ids.push(applied.block.id);
    }
}

proptest! {
    #![proptest_config(cases(96))]

    #[test]
    fn chain_is_the_naive_tree(
        steps in prop::collection::vec((any::<prop::sample::Index>(), 0u64..4, 50u64..2_000), 1..40),
        restart in any::<prop::sample::Index>(),
    ) {
        let genesis = network(2_000);
        let (mut chain, root) = start(&genesis);
        let mut tree = vec![Block { applied: root, parent: None }];
        let mut followed = vec![genesis.id];
        for (parent, slots, ms) in steps {
            // Mostly the newest blocks, so that branches grow long.
            let parent = tree.len() - 1 - parent.index(tree.len().min(4));
            let after = tree[parent].applied.block.header().time.get() - START + slots * 2_000 + ms;
            let coinbase = miner((after / 2_000 % 3) as usize);
            let applied = child(&genesis, &tree[parent].applied, coinbase, after, &[]);
            if chain.get(&applied.block.id).is_some() {
                continue;
            }
            tree.push(Block { applied: Arc::clone(&applied), parent: Some(parent) });
            if let Some(reorg) = chain.insert(applied, true, Origin::Fetched) {
                follow(&mut followed, &reorg);
            }
            let best = (0..tree.len()).max_by_key(|index| naive_rank(&tree, *index, 2_000)).unwrap();
            prop_assert_eq!(chain.head().block.id, tree[best].applied.block.id);
            prop_assert_eq!(&followed, &chain.canonical().iter().map(|block| block.block.id).collect::<Vec<_>>());
            let newest = tree.len() - 1;
            let id = tree[newest].applied.block.id;
            prop_assert_eq!(chain.slots(&id), naive_rank(&tree, newest, 2_000).0 as u64);
            for signer in [miner(0), miner(1), miner(2), miner(3)] {
                let context = chain.parent_context(&id, &signer).unwrap();
                prop_assert_eq!(context.last_by_signer.map(|time| time.get()), naive_last(&tree, newest, signer));
            }
        }
        restarted(&genesis, &chain, &tree, restart.index(chain.canonical().len()))?;
    }
}

/// A chain that starts at a checkpoint of the head's branch agrees on all that follows.
fn restarted(
    genesis: &Arc<Genesis>,
    chain: &Chain,
    tree: &[Block],
    at: usize,
) -> Result<(), TestCaseError> {
    let root = Arc::clone(&chain.canonical()[at]);
    let score = chain.score(&root.block.id).unwrap();
    let stored: Score = decode("score", &encode(score)).unwrap();
    prop_assert_eq!(&stored, score);
    let mut again = Chain::new(Arc::clone(&root), Some(stored), genesis);
    for block in tree {
        let applied = &block.applied;
        if chain.get(&applied.block.id).is_some() && applied.block.id != root.block.id {
            again.insert(Arc::clone(applied), true, Origin::Fetched);
        }
    }
    prop_assert_eq!(again.head().block.id, chain.head().block.id);
    for block in tree {
        let id = &block.applied.block.id;
        if let Some(score) = again.score(id) {
            prop_assert_eq!(Some(score), chain.score(id));
        }
    }
    Ok(())
}

#[test]
fn large_blocks_shorten_the_window() {
    let genesis = network(600_000);
    let (mut chain, mut tip) = start(&genesis);
    let data = "x".repeat(65_536);
    let mut sizes = BTreeMap::new();
    for number in 0..56 {
        let txns: Vec<_> = (1..=43)
            .map(|index| {
                record(
                    &genesis,
                    key(0).public_key(),
                    number * 43 + index,
                    miner(1),
                    0,
                    &data,
                )
            })
            .collect();
        tip = child(&genesis, &tip, miner(0), (number + 1) * 50, &txns);
        sizes.insert(tip.block.header().number, tip.block.encode().len());
        chain.insert(Arc::clone(&tip), true, Origin::Fetched);
    }
    let bytes = Window::default().bytes;
    let kept: usize = chain
        .canonical()
        .iter()
        .filter_map(|block| sizes.get(&block.block.header().number))
        .sum();
    assert!(kept <= bytes && kept > bytes - (8 << 20), "{kept}");
    assert_eq!(chain.head().block.id, tip.block.id);
}
