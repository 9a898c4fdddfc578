//! What is wrong with the answers and blocks of a dishonest node.

use crate::{node::serve_from, verified, vote_lies::VoteLie};
use ccoin_core::{
    BlockId, StateHash,
    applied::Applied,
    block::{SealedBlock, VerifiedBlock},
    genesis::Genesis,
    message::BlockRequest,
};
use std::sync::Arc;

/// Blocks, and whether the chain goes on behind them.
pub(crate) type Answer = (Vec<VerifiedBlock>, bool);

/// What is wrong with a node's answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lie {
    /// None ever comes.
    Stall,
    /// The two last blocks change places.
    Order,
    /// The first block is left out.
    Beginning,
    /// One more than asked for.
    TooMany,
    /// This block has another state, and ends the answer.
    State(u64),
    /// Nothing, and more of it.
    EmptyMore,
    /// It says that it is so high, and has nothing of it.
    Claims(u64),
    /// Always the first few blocks of the chain, which everybody has.
    Stale,
    /// One block at a time.
    Single,
    /// Just before the asker stops waiting.
    Late,
    /// Its answers and blocks are honest; its votes are not.
    Votes(VoteLie),
    /// Its answers are honest; a miner's blocks are not.
    Miner(Misdeed),
}

/// What a dishonest miner does, now and then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misdeed {
    /// Keeps its blocks to itself for a while.
    Withhold,
    /// The same, and hears nothing of others meanwhile.
    Hide,
    /// Signs two blocks for one turn and shows them to different peers.
    Twins,
    /// Signs a branch into its own idle turns of the past.
    Backdate,
    /// Signs many large blocks on the same parent, two and more for each turn it ever had.
    Flood,
    /// Shows blocks before their time.
    Early,
    /// Signs blocks that break a rule.
    Wrong,
}

impl Lie {
    /// What comes instead of an honest answer.
    pub(crate) fn twist(
        &self,
        honest: Answer,
        request: &BlockRequest,
        own: &[SealedBlock],
        genesis: &BlockId,
    ) -> Option<Answer> {
        let (mut blocks, mut more) = honest;
        match self {
            Self::Stall => return None,
            Self::Order if blocks.len() > 1 => {
                let last = blocks.len() - 1;
                blocks.swap(last, last - 1);
            }
            Self::Beginning if blocks.len() > 1 => drop(blocks.remove(0)),
            Self::TooMany => blocks = chain(own, 2, usize::from(request.most) + 1),
            Self::State(number) => {
                let hit = |block: &VerifiedBlock| block.header().number.get() == *number;
                if let Some(place) = blocks.iter().position(hit) {
                    let mut block = SealedBlock::clone(&blocks[place]);
                    block.signed.header.hash_state = StateHash::ZERO;
                    block.id = block.signed.id(genesis);
                    blocks[place] = verified(&block);
                    more |= place + 1 < blocks.len();
                    blocks.truncate(place + 1);
                }
            }
            Self::EmptyMore => (blocks, more) = (Vec::new(), true),
            Self::Stale => (blocks, more) = (chain(own, 2, 5), true),
            Self::Single => {
                more |= blocks.len() > 1;
                blocks.truncate(1);
            }
            Self::Claims(_) => (blocks, more) = (Vec::new(), false),
            Self::Order | Self::Beginning | Self::Late | Self::Miner(_) | Self::Votes(_) => {}
        }
        Some((blocks, more))
    }
}

/// Blocks of a chain that begins with block 1.
fn chain(own: &[SealedBlock], first: usize, most: usize) -> Vec<VerifiedBlock> {
    let blocks = own.iter().skip(first - 1).take(most);
    blocks.map(verified).collect()
}

/// What an honest node with this chain, block 1 not counted, answers.
#[must_use]
pub fn answer(
    genesis: &Genesis,
    chain: &[Arc<Applied>],
    request: &BlockRequest,
) -> (Vec<VerifiedBlock>, bool) {
    let mut whole = vec![genesis.applied().block];
    whole.extend(chain.iter().map(|applied| applied.block.clone()));
    serve_from(&whole, &genesis.id, request)
}
