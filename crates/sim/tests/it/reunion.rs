//! Two sides whose branches left the same block become one chain, however long the branches
//! and however large the blocks are, with as many requests as the blocks between need.
//!
//! The locator is sparse, so the first answers may hold blocks of the asker's own branch only:
//! the next request must go on behind them. The random networks never found that, because
//! their branches are a few dozen small blocks long and one answer holds all of them.

use crate::options::number;
use ccoin_core::{
    applied::Applied,
    chain::{Chain, Origin, Score},
    genesis::Genesis,
    message::{MAX_ANSWER_BLOCKS, MAX_ANSWER_BYTES},
};
use ccoin_sim::{Network, Random, World, child, ghost, ghost_miner, record};
use std::sync::{Arc, OnceLock};

/// The longest branch above the fork.
const DEEPEST: u64 = 5_000;
/// A slot, and the time between two blocks of a branch, in ms.
const SLOT: u64 = 2_000;
const GAP: u64 = 50;
/// The sides meet at the latest so long after they start.
const PATIENCE: u64 = 60_000;

/// A common chain and the branches on its last block, all of which start at genesis.
struct Fork {
    genesis: Arc<Genesis>,
    common: Vec<(Arc<Applied>, Score)>,
    /// Forty blocks in each slot of the first miner.
    dense: Vec<Arc<Applied>>,
    /// Forty blocks in each slot of the second miner.
    rival: Vec<Arc<Applied>>,
    /// One block in each slot of the second miner: better than more blocks in fewer slots.
    sparse: Vec<Arc<Applied>>,
    /// Bytes of a block.
    block_bytes: usize,
}

/// The slots in which the blocks of a branch are made.
#[derive(Clone, Copy)]
enum Slots {
    All,
    Of(u64),
    OncePer(u64),
}

/// So many blocks on `parent`, in slots from `from` ms after the start on, each with so many
/// transactions and so much data in each.
fn grow(
    genesis: &Genesis,
    parent: &Arc<Applied>,
    from: u64,
    count: u64,
    slots: Slots,
    (txns, data): (u64, &str),
) -> Vec<Arc<Applied>> {
    let payer = ghost(99);
    let mut made: Vec<Arc<Applied>> = Vec::new();
    let mut time = from;
    while (made.len() as u64) < count {
        time += GAP;
        let slot = time / SLOT % 2;
        let fits = match slots {
            Slots::All => true,
            Slots::Of(miner) => slot == miner,
            Slots::OncePer(miner) => slot == miner && time % SLOT == GAP,
        };
        if !fits {
            continue;
        }
        let tip = made.last().unwrap_or(parent);
        let first = tip.state.account(&payer.address()).nonce.get() + 1;
        let to = ghost_miner(0);
        let txns: Vec<_> = (first..first + txns)
            .map(|number| record(genesis, &payer, number, to, 0, data))
            .collect();
        made.push(child(genesis, tip, ghost_miner(slot as usize), time, &txns));
    }
    made
}

fn fork(common: u64, deepest: u64, (txns, data): (u64, usize)) -> Fork {
    let genesis = Network {
        ghosts: true,
        max_data: 65_536,
        ..Network::ready(2)
    }
    .found();
    let data = "x".repeat(data);
    let body = (txns, data.as_str());
    let root = Arc::new(genesis.applied());
    let blocks = grow(&genesis, &root, 0, common, Slots::All, body);
    let mut chain = Chain::new(root, None, &genesis);
    let common: Vec<_> = blocks
        .into_iter()
        .map(|block| {
            let id = block.block.id;
            chain.insert(Arc::clone(&block), true, Origin::Fetched);
            let score = chain.score(&id).expect("it has just been inserted");
            (block, score.clone())
        })
        .collect();
    let (tip, _) = common.last().expect("there is a common chain");
    // Both branches begin with a slot of the first miner.
    let from = (common.len() as u64 * GAP).next_multiple_of(2 * SLOT);
    let branch = |count, slots| grow(&genesis, tip, from, count, slots, body);
    let dense = branch(deepest, Slots::Of(0));
    let rival = branch(deepest + 1, Slots::Of(1));
    let sparse = branch(deepest / 40 + 2, Slots::OncePer(1));
    let block_bytes = tip.block.encode().len();
    Fork {
        genesis,
        common,
        dense,
        rival,
        sparse,
        block_bytes,
    }
}

/// Blocks of a chain below the last common block that the first pair of a locator of a
/// side with so long a branch may stand behind.
fn back(depth: usize) -> usize {
    depth.next_power_of_two() - depth
}

impl Fork {
    /// A side with `depth` blocks of the first branch meets one with the better branch.
    fn reunite(&self, depth: usize, better: &[Arc<Applied>]) {
        let sides = [&self.dense[..depth], better];
        let mut world = World::new(&self.genesis, 2, 2);
        world.link(0, 1, 20);
        for (node, side) in sides.into_iter().enumerate() {
            // The window reaches a bit further back than the locator.
            let anchor = self.common.len().saturating_sub(back(side.len()) + 8);
            let shell = &mut world.nodes[node].shell;
            let common = self.common.iter().map(|(block, _)| block);
            let log = common.chain(side).map(|block| block.block.clone());
            shell.log = log.collect();
            shell.checkpoint = anchor.checked_sub(1).map(|last| {
                let (block, score) = &self.common[last];
                (Arc::clone(block), score.clone(), last + 1)
            });
        }
        let longest = self.dense.len().max(self.rival.len()) as u64;
        let start = (self.common.len() as u64 + 4 * longest + 400) * GAP
            + 2 * SLOT * self.sparse.len() as u64;
        world.run_until(start);
        (0..2).for_each(|node| world.start(node));
        let head = |node: usize| sides[node].last().map(|block| block.block.id);
        assert_eq!([0, 1].map(|node| Some(world.head(node))), [0, 1].map(head));
        world.agree(world.now + PATIENCE);
        assert_eq!(Some(world.head(0)), head(1), "the better branch wins");
        let [own, other] = sides.map(<[_]>::len);
        let most = self.answers(back(own) + other) + self.answers(back(other) + own) + 8;
        let asked = world.asks_since(0);
        assert!(
            asked <= most,
            "{own} and {other} above the fork: {asked} requests, not {most}"
        );
        assert!(world.nodes.iter().all(|node| node.stuck.is_empty()));
        world.assert_no_false_blame();
    }

    /// Answers that hold so many blocks, if each is at least half full.
    fn answers(&self, blocks: usize) -> usize {
        let fit = (MAX_ANSWER_BYTES / self.block_bytes).clamp(1, MAX_ANSWER_BLOCKS);
        2 * blocks.div_ceil(fit)
    }

    /// Both directions: the shorter side lacks the better branch, and the longer one does.
    fn reunite_at(&self, depth: usize) {
        self.reunite(depth, &self.rival[..=depth]);
        // One block cannot be worse than a shorter branch.
        if depth > 2 {
            self.reunite(depth, &self.sparse[..depth / 40 + 2]);
        }
    }
}

fn small() -> &'static Fork {
    static SMALL: OnceLock<Fork> = OnceLock::new();
    SMALL.get_or_init(|| fork(DEEPEST, DEEPEST, (1, 0)))
}

/// `CCOIN_DEPTHS` random depths beside the powers of two and their neighbours; 5000 or
/// more: every depth.
#[test]
fn branches_of_any_depth_become_one_chain() {
    let count = number("CCOIN_DEPTHS", 20);
    let mut random = Random(number("CCOIN_SEED", 7));
    let powers = (0..13).map(|power| 1 << power);
    let mut depths: Vec<u64> = powers.flat_map(|power| power - 1..=power + 1).collect();
    if count >= DEEPEST {
        depths = (1..=DEEPEST).collect();
    } else {
        depths.extend((0..count).map(|_| random.between(1, DEEPEST)));
    }
    depths.retain(|depth| (1..=DEEPEST).contains(depth));
    depths.sort_unstable();
    depths.dedup();
    for depth in depths {
        println!("depth {depth}");
        small().reunite_at(depth as usize);
    }
}

/// Two blocks of 1.2 MB or one of 2.9 MB fill an answer.
#[test]
fn branches_of_large_blocks_become_one_chain() {
    for txns in [18, 44] {
        let fork = fork(16, 8, (txns, 65_500));
        assert!(
            fork.block_bytes > MAX_ANSWER_BYTES / 2,
            "{}",
            fork.block_bytes
        );
        for depth in 1..=8 {
            println!("depth {depth}, {} bytes", fork.block_bytes);
            fork.reunite_at(depth);
        }
    }
}
