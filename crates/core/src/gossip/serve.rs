//! Which blocks answer a request: those behind the first pair of its locator that is on this
//! node's chain. Blocks come from memory or from the log; the caller fetches them.

use crate::{
    BlockId, Height,
    block::Block,
    consensus::certificate::Certificate,
    message::{BlockAnswer, BlockRequest, MAX_ANSWER_BLOCKS},
};
use bytes::Bytes;
use ccoin_crypto::PublicKey;
use serde_bytes::ByteBuf;

/// What is known of a number on the head's branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Canonical {
    /// The block with this id.
    Block(BlockId),
    /// There is no such block.
    Absent,
    /// Memory does not reach so far back: storage knows.
    InStorage,
}

/// Where an answer starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// Behind this block; zeros as id stand for any block with that number.
    Behind(Height, BlockId),
    /// No pair is on the chain.
    Nowhere,
    /// Storage must be asked about these pairs.
    AskStorage(Vec<(Height, BlockId)>),
}

/// The first pair of a locator that is on the chain. An empty locator asks from block 1 on.
pub fn find_start(
    locator: &[(Height, BlockId)],
    mut canonical: impl FnMut(Height) -> Canonical,
) -> Start {
    if locator.is_empty() {
        return Start::Behind(Height::ZERO, BlockId::ZERO);
    }
    for (index, (number, wanted)) in locator.iter().enumerate() {
        match canonical(*number) {
            Canonical::Block(id) if *wanted == id || *wanted == BlockId::ZERO => {
                return Start::Behind(*number, *wanted);
            }
            Canonical::Block(_) | Canonical::Absent => {}
            Canonical::InStorage => {
                let older = locator.get(index..).unwrap_or_default();
                return Start::AskStorage(older.to_vec());
            }
        }
    }
    Start::Nowhere
}

/// Numbers that an answer may hold: behind `after`, up to `height`, as many as wanted.
pub fn numbers(
    after: Height,
    height: Height,
    request: &BlockRequest,
) -> impl Iterator<Item = Height> {
    let most = usize::from(request.most).min(MAX_ANSWER_BLOCKS);
    let first = after.get().saturating_add(1);
    let numbers = (first..=height.get()).take(most);
    numbers.filter_map(|number| Height::new(number).ok())
}

/// The blocks of an answer: at least one, then as many as fit `most` bytes. They are read
/// one by one.
///
/// # Errors
/// What reading a block says.
pub fn take_blocks<E>(
    blocks: impl IntoIterator<Item = Result<Bytes, E>>,
    most: usize,
) -> Result<Vec<Bytes>, E> {
    let (mut taken, mut size) = (Vec::new(), 0usize);
    for block in blocks {
        let block = block?;
        size = size.saturating_add(block.len());
        if size > most && !taken.is_empty() {
            break;
        }
        taken.push(block);
    }
    Ok(taken)
}

/// The answer with these blocks, which start behind `after`; `height` is that of the head
/// when they were chosen; the last pair goes with them. A branch that was left while they were read gives an empty answer.
#[must_use]
pub fn answer(
    start: (Height, BlockId),
    blocks: Vec<Bytes>,
    height: Height,
    genesis: &BlockId,
    (keys, last_final): (Vec<PublicKey>, Certificate),
) -> BlockAnswer {
    let (after, parent) = start;
    let whole = after == Height::ZERO || is_chain(parent, &blocks, genesis);
    let blocks = if whole { blocks } else { Vec::new() };
    let end = after.get().saturating_add(blocks.len() as u64);
    BlockAnswer {
        more: (whole && end < height.get()).into(),
        blocks: blocks
            .into_iter()
            .map(|block| ByteBuf::from(block.to_vec()))
            .collect(),
        keys,
        last_final,
    }
}

/// Whether these blocks follow each other, and the first one `parent`, unless that is zeros.
fn is_chain(mut parent: BlockId, blocks: &[Bytes], genesis: &BlockId) -> bool {
    blocks.iter().all(|bytes| {
        Block::peek(bytes).is_some_and(|signed| {
            let fits = parent == BlockId::ZERO || parent == signed.header.hash_parent;
            parent = signed.id(genesis);
            fits
        })
    })
}
