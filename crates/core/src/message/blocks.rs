//! How blocks are asked for and handed over.

use crate::{BlockId, Height, consensus::certificate::Certificate};
use ccoin_crypto::PublicKey;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

/// Most pairs of a locator.
pub const MAX_LOCATOR: usize = 40;

/// Most blocks of an answer.
pub const MAX_ANSWER_BLOCKS: usize = 256;

/// Bytes of blocks at which an answer ends, unless it has none yet.
pub const MAX_ANSWER_BYTES: usize = 2 << 20;

/// Where a node stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heights {
    /// Number of its head.
    pub height: Height,
    /// Number of its newest final block.
    pub final_number: Height,
}

/// "Send me the blocks after the first of these that you have on your chain".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockRequest {
    /// (number, id), the best first; empty: from block 1 on. Zeros as id stand for any
    /// block with that number: so several peers can be asked for parts of one chain.
    pub locator: Vec<(Height, BlockId)>,
    /// Most blocks wanted, 1 to [`MAX_ANSWER_BLOCKS`].
    pub most: u16,
}

impl BlockRequest {
    pub(super) fn out_of_range(&self) -> Option<String> {
        let pairs = self.locator.len();
        if pairs > MAX_LOCATOR {
            return Some(format!("{pairs} pairs, at most {MAX_LOCATOR} are allowed"));
        }
        (!(1..=MAX_ANSWER_BLOCKS).contains(&usize::from(self.most))).then(|| {
            format!(
                "{} blocks wanted, 1 to {MAX_ANSWER_BLOCKS} are allowed",
                self.most
            )
        })
    }
}

/// Blocks that follow each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockAnswer {
    /// Encoded blocks, the oldest first; block 1 has its own shape. Empty: the asker
    /// has everything that the answerer has.
    pub blocks: Vec<ByteBuf>,
    /// Public keys of their miners.
    pub keys: Vec<PublicKey>,
    /// Of the newest final block that the answerer knows at or below the last of them (Y1).
    pub last_final: Certificate,
    /// 1: the answerer's chain goes on behind the last of them; else 0.
    pub more: u8,
}

impl BlockAnswer {
    pub(super) fn out_of_range(&self) -> Option<String> {
        if self.blocks.len() > MAX_ANSWER_BLOCKS {
            let got = self.blocks.len();
            return Some(format!(
                "{got} blocks, at most {MAX_ANSWER_BLOCKS} are allowed"
            ));
        }
        (self.more > 1).then(|| format!("more is {}, not 0 or 1", self.more))
    }
}
