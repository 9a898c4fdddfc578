//! Everything that the machine can ask for.

use super::{Fault, JobId, NodeState, PeerId, SealMark, Ticket};
use crate::{
    Height, Timestamp,
    chain::Switch,
    message::BlockRequest,
    pool::{Accepted, PoolError},
    rules::Applied,
    transaction::VerifiedTransaction,
};
use ccoin_crypto::Hash;
use std::sync::Arc;

/// What the node must do, in this order.
#[derive(Debug)]
pub enum Effect {
    /// Make accepted transactions durable.
    PersistTransactions {
        /// When they arrived.
        arrived: Timestamp,
        /// The new ones.
        txns: Vec<VerifiedTransaction>,
    },
    /// Make durable what is about to be signed, beside the key.
    PersistSeal(SealMark),
    /// Make a block durable.
    PersistBlock {
        /// The block and what it does.
        applied: Arc<Applied>,
        /// Fork choice needs it again after a restart.
        timely: bool,
    },
    /// Answer a submission.
    Reply {
        /// Of [`Input::Submit`](super::Input::Submit).
        ticket: Ticket,
        /// One per transaction, in its order.
        results: Vec<Result<Accepted, PoolError>>,
    },
    /// Hand accepted transactions on to all peers but one.
    Relay {
        /// New here.
        txns: Vec<VerifiedTransaction>,
        /// Where they came from.
        except: Option<PeerId>,
    },
    /// Show the new head to all peers but one.
    Announce {
        /// The block.
        applied: Arc<Applied>,
        /// Where it came from.
        except: Option<PeerId>,
    },
    /// Tell a peer how far this node is.
    Tell {
        /// Whom.
        peer: PeerId,
    },
    /// Ask a peer for blocks.
    Ask {
        /// Whom.
        peer: PeerId,
        /// For which.
        request: BlockRequest,
    },
    /// Ask all peers for their heights.
    AskHeights,
    /// A peer has broken a rule: end its connection. To the machine it has left.
    Blame {
        /// Who.
        peer: PeerId,
        /// Which rule.
        fault: Fault,
    },
    /// A peer owes an answer for too long: end its connection, without blame. To the
    /// machine it has left.
    Leave {
        /// Who.
        peer: PeerId,
    },
    /// A peer's branch leaves this node's too far back to be followed.
    Apart {
        /// Who.
        peer: PeerId,
    },
    /// Tell how far catching up has got.
    Progress {
        /// Own height.
        height: Height,
        /// The greatest height that a peer claims.
        target: Height,
    },
    /// Look for a nonce.
    Mine {
        /// Comes back in [`Input::Mined`](super::Input::Mined).
        job: JobId,
        /// What the nonce is appended to.
        mining_hash: Hash,
        /// Zero hex digits wanted.
        difficulty: u8,
    },
    /// Stop looking.
    CancelMining(JobId),
    /// Sign a block id with the node's key.
    Sign {
        /// Comes back in [`Input::Signed`](super::Input::Signed).
        job: JobId,
        /// The block id.
        message: Hash,
    },
    /// The head has changed.
    Head {
        /// Blocks left and entered.
        switch: Switch,
        /// Transactions that can never be included any more, and why.
        dropped: Vec<(VerifiedTransaction, PoolError)>,
    },
    /// The node's state has changed.
    State {
        /// What it was.
        from: NodeState,
        /// What it is.
        to: NodeState,
    },
}
