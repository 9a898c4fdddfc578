//! Follows the canonical chain of a node by its height: each block that the node applies,
//! and each one that it leaves in a reorg. It never decides which chain is right.

use std::time::Instant;

use ccoin_core::BlockId;

use crate::{BlockIds, Connection, HttpError, NodeUrl, StatusAnswer};

/// Blocks below the head whose ids are kept; a node does not revert more.
const MAX_REORG: usize = 20_000;

/// A step of the node's chain.
#[derive(Debug)]
pub(crate) enum Change {
    /// The block on top of the last one.
    Applied(BlockIds),
    /// The block with this number was reverted: it was the last one.
    Reverted(u64),
}

/// The chain of a node, as far as it was read.
#[derive(Debug)]
pub(crate) struct BlockFollower {
    connection: Connection,
    /// `None` before the first answer.
    height: Option<u64>,
    ids: Vec<BlockId>,
}

impl BlockFollower {
    /// Follows the node at `url` from its head at the first [`poll`](Self::poll) on.
    pub(crate) fn new(url: NodeUrl) -> Self {
        Self {
            connection: Connection::new(url),
            height: None,
            ids: Vec::new(),
        }
    }

    /// Goes on with another node; if its chain differs, the difference is reverted first.
    pub(crate) fn switch(&mut self, url: NodeUrl) {
        self.connection = Connection::new(url);
    }

    /// Number of the last block that was read; 0 before the first answer.
    pub(crate) fn height(&self) -> u64 {
        self.height.unwrap_or_default()
    }

    /// Reads up to the node's head; `heard` gets each change, and the time at which the node
    /// had answered with that head. Returns that answer.
    ///
    /// # Errors
    /// [`HttpError`] if the node does not answer.
    pub(crate) async fn poll(
        &mut self,
        mut heard: impl FnMut(Change, Instant),
    ) -> Result<StatusAnswer, HttpError> {
        let status = self.connection.status().await?;
        let answered = Instant::now();
        let newest = status.height.get();
        let mut height = self.height.unwrap_or(newest);
        // A whole network can be set back, as by `devnet revert`.
        while height > newest {
            heard(Change::Reverted(height), answered);
            height -= 1;
            self.ids.pop();
        }
        self.height = Some(height);
        while height < newest {
            let path = format!("/v1/blocks/{}?body=ids", height + 1);
            let block: BlockIds = match self.connection.get(&path).await {
                Ok(block) => block,
                // In a reorg the node's chain can be shorter for a moment.
                Err(HttpError::Refused(refusal)) if refusal.status == 404 => break,
                Err(error) => return Err(error),
            };
            if self.ids.last().is_none_or(|id| *id == block.hash_parent) {
                height += 1;
                self.ids.push(block.id);
                heard(Change::Applied(block), answered);
            } else {
                heard(Change::Reverted(height), answered);
                height -= 1;
                self.ids.pop();
            }
            self.height = Some(height);
        }
        if self.ids.len() > 2 * MAX_REORG {
            self.ids.drain(..MAX_REORG);
        }
        Ok(status)
    }
}
