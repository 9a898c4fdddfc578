//! What readers may see: published whole after it is on disk, never changed.

use ccoin_core::{
    BlockId, Height, MonoTime, Timestamp,
    applied::Applied,
    block::Header,
    consensus::{certificate::Certificate, evidence::Evidence},
    machine::{Hindrance, NodeState},
};
use ccoin_storage::Position;
use std::{collections::VecDeque, sync::Arc};

/// A block of the head's branch and where its record lies.
#[derive(Clone, Debug)]
pub struct Recent {
    /// The block, the state after it, and what it changed.
    pub applied: Arc<Applied>,
    /// Its record in the block log.
    pub position: Position,
}

impl Recent {
    /// The block's header.
    #[must_use]
    pub fn header(&self) -> &Header {
        self.applied.block.header()
    }

    /// The block's id.
    #[must_use]
    pub fn id(&self) -> BlockId {
        self.applied.block.id
    }

    /// Bytes of its encoded transactions.
    pub(crate) fn transaction_bytes(&self) -> usize {
        self.applied
            .block
            .transactions
            .iter()
            .map(|txn| txn.size())
            .sum()
    }
}

/// Size of the pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueSize {
    /// Waiting transactions.
    pub txns: usize,
    /// Bytes of their encodings.
    pub bytes: usize,
    /// When the first of those that a block could take arrived.
    pub oldest: Option<Timestamp>,
}

/// The node as of its last durable step.
#[derive(Clone, Debug)]
pub struct View {
    /// Newest blocks of the head's branch, oldest first, no gaps, never empty.
    pub recent: Arc<VecDeque<Recent>>,
    /// Where the node is in its life.
    pub state: NodeState,
    /// Size of the pool.
    pub queue: QueueSize,
    /// What keeps the node from being ready; empty: it is ready.
    pub hindrances: Arc<[Hindrance]>,
    /// The final block.
    pub last_final: Arc<FinalBlock>,
    /// Proofs of validators' faults.
    pub evidence: Arc<[Evidence]>,
    /// Two certificates conflict: this node signs nothing any more.
    pub alarm: bool,
}

/// The newest block that no node will ever take back.
#[derive(Clone, Debug)]
pub struct FinalBlock {
    /// Proves it.
    pub certificate: Certificate,
    /// When this node has seen it become final; at a start, when it started.
    pub since: MonoTime,
}

impl View {
    /// The head.
    #[must_use]
    pub fn head(&self) -> &Recent {
        self.recent.back().expect("a view always holds its head")
    }

    /// Number of the head.
    #[must_use]
    pub fn height(&self) -> Height {
        self.head().header().number
    }

    /// Number of the final block.
    #[must_use]
    pub fn last_final(&self) -> Height {
        self.last_final.certificate.number
    }

    /// A recent block of the head's branch by number.
    #[must_use]
    pub fn at(&self, number: Height) -> Option<&Recent> {
        let first = self.recent.front()?.header().number.get();
        self.recent
            .get(usize::try_from(number.get().checked_sub(first)?).ok()?)
    }

    /// A recent block of the head's branch by id.
    #[must_use]
    pub fn by_id(&self, id: &BlockId) -> Option<&Recent> {
        self.recent.iter().rev().find(|recent| recent.id() == *id)
    }
}
