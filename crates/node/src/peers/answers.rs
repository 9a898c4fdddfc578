//! What this node tells others: blocks from memory or from the log, as they lie there.

use crate::{
    history::{History, HistoryError},
    peers::keys::KeyBook,
};
use ccoin_core::{
    BlockId, Height,
    message::{BlockAnswer, BlockRequest, MAX_ANSWER_BLOCKS, MAX_ANSWER_BYTES},
};
use serde_bytes::ByteBuf;

/// The blocks behind the first pair of a request that is on this node's chain.
pub(crate) async fn answer(
    history: &History,
    keys: &KeyBook,
    request: BlockRequest,
) -> Result<BlockAnswer, HistoryError> {
    let most = usize::from(request.most).min(MAX_ANSWER_BLOCKS);
    let after = match request.locator.is_empty() {
        true => Some(Height::ZERO),
        false => history.common(request.locator).await?,
    };
    let Some(after) = after else {
        return Ok(BlockAnswer {
            blocks: Vec::new(),
            keys: Vec::new(),
            more: 0,
        });
    };
    let (blocks, more) = history
        .encoded_blocks(after, most, MAX_ANSWER_BYTES)
        .await?;
    Ok(BlockAnswer {
        keys: keys.all(),
        blocks: blocks.into_iter().map(ByteBuf::from).collect(),
        more: more.into(),
    })
}

/// A pair of a locator: zeros as id stand for any block with the number.
pub(crate) fn fits(wanted: &BlockId, have: &BlockId) -> bool {
    *wanted == BlockId::ZERO || wanted == have
}
