//! Everything that the machine can ask for, in the three kinds that keep what is visible
//! behind what is durable.
//!
//! The shell carries out `ask` at once. It brings `write` to disk and only then shows
//! `publish`, in order. A vote or an answer that leaves before its fsync cannot be written
//! down here.

use super::{Fault, JobId, NodeState, PeerId, SealMark, Ticket};
use crate::{
    Height, Timestamp, TxId,
    applied::Applied,
    chain::Reorg,
    consensus::{
        certificate::VerifiedCertificate, evidence::Evidence, vote::Vote, voter_record::VoterRecord,
    },
    message::{BlockRequest, Message, Status},
    pool::{Accepted, PoolError},
    transaction::VerifiedTransaction,
};
use bytes::Bytes;
use ccoin_crypto::Hash;
use std::sync::Arc;

/// What one input leads to.
#[derive(Debug, Default)]
pub struct Step {
    /// Reveals nothing that the disk does not hold: carried out at once.
    pub ask: Vec<Ask>,
    /// Goes to disk, in order.
    pub write: Vec<Write>,
    /// Becomes visible, in order, once all of `write` is on disk.
    pub publish: Vec<Publish>,
}

/// A question, a complaint, or a line for the operator.
#[derive(Debug)]
pub enum Ask {
    /// Ask a peer for blocks.
    Blocks {
        /// The peer.
        peer: PeerId,
        /// Which blocks.
        request: BlockRequest,
    },
    /// Ask all peers for their heights.
    Heights,
    /// A peer has broken a rule: end its connection. The machine counts it as left.
    Penalize {
        /// The peer.
        peer: PeerId,
        /// The rule.
        fault: Fault,
    },
    /// A peer owes an answer and has sent no byte of it for a minute: end its connection, without penalty. The
    /// machine counts it as left.
    Disconnect {
        /// The peer.
        peer: PeerId,
    },
    /// Send peers a message that proves itself: votes and proposals.
    Tell {
        /// The peers.
        peers: Vec<PeerId>,
        /// What they hear.
        message: Box<Message>,
    },
    /// The branch of a peer leaves this node's below the window.
    BranchTooOld {
        /// The peer.
        peer: PeerId,
    },
    /// A peer has shown a better chain for half a minute, and no block of it has come.
    Stuck {
        /// The peer.
        peer: PeerId,
        /// The height that it claims.
        claimed: Height,
        /// Own height.
        height: Height,
    },
    /// How far catching up has got.
    Progress {
        /// Own height.
        height: Height,
        /// The greatest height that a peer claims.
        target: Height,
    },
}

/// A record for the disk.
#[derive(Debug)]
pub enum Write {
    /// Accepted transactions, into the pool log.
    Transactions {
        /// When they arrived.
        arrived: Timestamp,
        /// The transactions.
        txns: Vec<VerifiedTransaction>,
    },
    /// Transactions that can never be included, and why, into the pool log: a restart must
    /// not bring back what was reported as dropped, and still knows the reason.
    Dropped(Vec<(VerifiedTransaction, PoolError)>),
    /// What the key is about to sign, beside the key.
    SealMark(SealMark),
    /// What the key has voted, beside the key. The certificates before it go into the block
    /// log, synced, first (D2).
    VoterRecord(VoterRecord),
    /// A certificate, into the block log. One that only raises `high` need not be synced.
    Certificate(VerifiedCertificate),
    /// Proof of a validator's fault, into the block log.
    Evidence(Evidence),
    /// An executed block, into the block log.
    Block {
        /// The block and what it does.
        applied: Arc<Applied>,
        /// Its canonical encoding.
        bytes: Bytes,
        /// Whether it came in time; fork choice needs that again after a restart.
        timely: bool,
    },
}

/// What users, peers, the miner and the key may see now.
#[derive(Debug)]
pub enum Publish {
    /// The answer to a submission.
    Reply {
        /// Of [`Input::Submit`](super::Input::Submit).
        ticket: Ticket,
        /// One per transaction, in its order.
        results: Vec<Result<Accepted, PoolError>>,
    },
    /// Transactions that wait now, behind a gap or not.
    Queued {
        /// When they arrived.
        arrived: Timestamp,
        /// The transactions.
        txns: Vec<VerifiedTransaction>,
        /// The peer that sent them; `None`: a user, or a reverted block.
        from: Option<PeerId>,
    },
    /// Waiting transactions that no gap holds back any more, for the peers. It may name
    /// some again.
    GossipTransactions(Vec<TxId>),
    /// The head, for all peers but one.
    AnnounceBlock {
        /// The block.
        applied: Arc<Applied>,
        /// Its canonical encoding.
        bytes: Bytes,
        /// The peer that sent it.
        except: Option<PeerId>,
    },
    /// The own height, for one peer.
    SendHeights {
        /// The peer.
        peer: PeerId,
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
    /// Sign a vote with the node's key.
    SignVote {
        /// Comes back in [`Input::VoteSigned`](super::Input::VoteSigned).
        vote: Vote,
        /// Comes back too.
        justify: Option<VerifiedCertificate>,
    },
    /// Send one peer what this node knows about final blocks.
    SendStatus {
        /// The peer.
        peer: PeerId,
        /// What it hears.
        status: Box<Status>,
    },
    /// The block of this certificate is final, and so are its ancestors.
    Final(VerifiedCertificate),
    /// A validator has broken a rule.
    Evidence(Evidence),
    /// Two certificates prove that more validators than the network tolerates broke the
    /// rules: this node signs nothing any more.
    SafetyAlarm {
        /// Of the final block.
        last_final: VerifiedCertificate,
        /// Of a block that conflicts with it.
        conflicting: VerifiedCertificate,
    },
    /// A peer has shown that the record of this key is older than what the key has signed: it
    /// gives no votes until that is safe.
    RecordLost,
    /// Transactions of a left branch that do not come back, and why. Blocks of the new branch
    /// that memory does not hold may include them.
    Dropped(Vec<(VerifiedTransaction, PoolError)>),
    /// The head has changed.
    Head {
        /// Blocks reverted and applied.
        reorg: Reorg,
        /// Transactions that can never be included, and why.
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
