//! What the chain thread hands to the storage thread: records to write, and what becomes
//! visible when they are on disk.

use crate::view::QueueSize;
use ccoin_core::{
    applied::Applied,
    chain::Score,
    consensus::certificate::Certificate,
    machine::{Hindrance, Publish, Ticket, Write},
    pool::{Accepted, PoolError},
};
use std::sync::Arc;
use tokio::sync::oneshot;

/// Batches that may wait for the disk; then the chain thread waits.
pub(crate) const WAITING_COMMITS: usize = 32;

/// Answer to submitted transactions, one for each.
pub(crate) type Results = Vec<Result<Accepted, PoolError>>;

/// What the machine decided in one go: the steps of several inputs, in their order.
#[derive(Default)]
pub(crate) struct CommitBatch {
    pub(crate) write: Vec<Write>,
    pub(crate) publish: Vec<Publish>,
    /// The callers that wait for a `Publish::Reply`.
    pub(crate) answers: Vec<(Ticket, oneshot::Sender<Results>)>,
    pub(crate) queue: QueueSize,
    /// What keeps the node from being ready, when that has changed.
    pub(crate) hindrances: Option<Vec<Hindrance>>,
    /// Where a restart begins, when the head has moved.
    pub(crate) anchor: Option<RestartPoint>,
}

/// Where a restart begins, and the certificates that lie before it in the block log.
pub(crate) struct RestartPoint {
    pub(crate) block: Arc<Applied>,
    pub(crate) score: Score,
    pub(crate) certificates: Vec<Certificate>,
}

impl CommitBatch {
    pub(crate) fn is_empty(&self) -> bool {
        self.write.is_empty()
            && self.publish.is_empty()
            && self.answers.is_empty()
            && self.hindrances.is_none()
    }

    pub(crate) fn moves_head(&self) -> bool {
        self.publish
            .iter()
            .any(|publish| matches!(publish, Publish::Head { .. }))
    }
}

/// Kinds of records in the block log.
pub(crate) mod kind {
    /// Block 1.
    pub(crate) const GENESIS: u8 = 1;
    /// A block that was accepted before the end of its slot plus the tolerated skew.
    pub(crate) const TIMELY_BLOCK: u8 = 2;
    /// Any other block.
    pub(crate) const LATE_BLOCK: u8 = 3;
    /// A certificate of votes.
    pub(crate) const CERTIFICATE: u8 = 4;
    /// Proof of a validator's fault.
    pub(crate) const EVIDENCE: u8 = 5;
    /// Public keys of miners; only in files that carry a chain elsewhere.
    pub(crate) const KEYS: u8 = 6;
}
