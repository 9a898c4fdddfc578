//! What this node tells others: blocks from memory or from the log, as they lie there.

use crate::{
    reader::{ChainReader, ReadError},
    peers::miner_keys::MinerKeys,
};
use ccoin_core::{
    BlockId, Height,
    block::Block,
    message::{BlockAnswer, BlockRequest, MAX_ANSWER_BLOCKS, MAX_ANSWER_BYTES},
};
use serde_bytes::ByteBuf;

/// The blocks behind the first pair of a request that is on this node's chain. Whoever
/// asked waits for the answer, so there is always one: without blocks if none is at hand.
pub(crate) async fn answer(
    reader: &ChainReader,
    keys: &MinerKeys,
    request: BlockRequest,
) -> BlockAnswer {
    let found = blocks(reader, request).await.unwrap_or_else(|error| {
        // The asker turns to others; the index catches up or the node ends.
        tracing::warn!("cannot answer a peer's request for blocks: {error}");
        (Vec::new(), false)
    });
    let (blocks, more) = found;
    BlockAnswer {
        keys: keys.all(),
        blocks: blocks.into_iter().map(ByteBuf::from).collect(),
        more: more.into(),
    }
}

async fn blocks(
    reader: &ChainReader,
    request: BlockRequest,
) -> Result<(Vec<Vec<u8>>, bool), ReadError> {
    let most = usize::from(request.most).min(MAX_ANSWER_BLOCKS);
    let common = match request.locator.is_empty() {
        true => Some((Height::ZERO, BlockId::ZERO)),
        false => reader.common(request.locator).await?,
    };
    let Some((after, parent)) = common else {
        return Ok((Vec::new(), false));
    };
    let (blocks, more) = reader
        .encoded_blocks(after, most, MAX_ANSWER_BYTES)
        .await?;
    // The branch may have been left while it was read.
    let whole = after == Height::ZERO || follow(parent, &blocks, &reader.genesis.id);
    Ok(if whole {
        (blocks, more)
    } else {
        (Vec::new(), false)
    })
}

/// Whether these blocks follow each other, and the first one `parent`, unless that is zeros.
fn follow(mut parent: BlockId, blocks: &[Vec<u8>], genesis: &BlockId) -> bool {
    blocks.iter().all(|bytes| {
        Block::peek(bytes).is_some_and(|signed| {
            let fits = fits(&parent, &signed.header.hash_parent);
            parent = signed.id(genesis);
            fits
        })
    })
}

/// A pair of a locator: zeros as id stand for any block with the number.
pub(crate) fn fits(wanted: &BlockId, have: &BlockId) -> bool {
    *wanted == BlockId::ZERO || wanted == have
}
