//! Everything that can come into the machine.

use super::{PeerId, VerifiedStatus};
use crate::{
    BlockId, Height, PowNonce,
    block::VerifiedBlock,
    consensus::{
        certificate::VerifiedCertificate,
        evidence::Evidence,
        vote::{VerifiedVote, VoterIndex},
    },
    transaction::VerifiedTransaction,
};
use ccoin_crypto::Signature;
use core::net::SocketAddr;

/// Lets the shell match an answer with its question.
pub type Ticket = u64;
/// Lets the shell match a found nonce or a signature with what it was asked for.
pub type JobId = u64;

/// What can happen to a node.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "blocks are rare and moved once")]
pub enum Input {
    /// Time has passed.
    Tick,
    /// Transactions from a user or a peer, their signatures checked.
    Submit {
        /// Comes back in [`Publish::Reply`](super::Publish::Reply).
        ticket: Ticket,
        /// The transactions, judged one by one in this order.
        txns: Vec<VerifiedTransaction>,
        /// The peer that sent them; `None`: a user.
        from: Option<PeerId>,
    },
    /// The disk has come to what is kept for blocks, or it has room again.
    DiskReserve {
        /// Whether users' transactions are refused now.
        reached: bool,
    },
    /// Transactions of left blocks that memory did not hold, in the order of the branch: the
    /// shell has read them from the block log.
    Returned {
        /// The transactions.
        txns: Vec<VerifiedTransaction>,
        /// Whether they are the last ones of a
        /// [`Reorg::older_reverted`](crate::chain::Reorg::older_reverted).
        last: bool,
    },
    /// One block is wanted, as soon as the rules allow it. Of no use unless blocks are made
    /// [by hand](super::Machine::make_by_hand); asked for again before it is made, it stays one.
    MakeBlock,
    /// The miner found a nonce.
    Mined {
        /// Of [`Publish::Mine`](super::Publish::Mine).
        job: JobId,
        /// Meets the difficulty.
        nonce: PowNonce,
    },
    /// The key signed a block id.
    Signed {
        /// Of [`Publish::Sign`](super::Publish::Sign).
        job: JobId,
        /// Over the id.
        signature: Signature,
    },
    /// The key's signer did not sign a block id: the block is given up.
    NotSigned {
        /// Of [`Publish::Sign`](super::Publish::Sign).
        job: JobId,
    },
    /// A vote was not signed: the signer does not work, or a newer vote waited behind it.
    VoteNotSigned {
        /// Whether it was this leader's proposal.
        proposal: bool,
    },
    /// Whether the program that holds the key signs has changed.
    SignerFault {
        /// What keeps it from signing; `None`: it signs.
        fault: Option<String>,
    },
    /// A peer has proven who it is.
    PeerJoined {
        /// Number of its connection.
        peer: PeerId,
        /// Its position among the miners, if it says that it makes blocks.
        validator: Option<VoterIndex>,
        /// What it says that it has.
        height: Height,
    },
    /// A connection has ended.
    PeerLeft {
        /// Its number.
        peer: PeerId,
    },
    /// How a peer's clock differs from this node's, measured again.
    ClockOffset {
        /// The peer.
        peer: PeerId,
        /// Its clock minus this node's, in ms.
        offset_ms: i64,
    },
    /// Another process has proven to use this node's key (A6).
    Twin {
        /// Where it is.
        place: SocketAddr,
    },
    /// A peer tells its height.
    Heights {
        /// The peer.
        peer: PeerId,
        /// What it says that it has.
        height: Height,
    },
    /// A peer shows a new block; header and signatures are checked.
    Block {
        /// The peer.
        peer: PeerId,
        /// The block.
        block: VerifiedBlock,
    },
    /// A peer shows a block of which this node has checked a copy before. The machine may have
    /// it or not.
    KnownBlock {
        /// The peer.
        peer: PeerId,
        /// The block's id.
        id: BlockId,
        /// Its number.
        height: Height,
    },
    /// A peer answers [`Ask::Blocks`](super::Ask::Blocks); headers and signatures are checked.
    Blocks {
        /// The peer.
        peer: PeerId,
        /// The blocks, the oldest first.
        blocks: Vec<VerifiedBlock>,
        /// Whether its chain goes on behind the last.
        more: bool,
    },
    /// With an answer to [`Ask::Blocks`](super::Ask::Blocks) came the certificate of a final
    /// block at or below its last (Y1); its signatures are checked.
    FinalBelow {
        /// The certificate.
        certificate: VerifiedCertificate,
    },
    /// Bytes of an answer to [`Ask::Blocks`](super::Ask::Blocks) go on arriving. The shell
    /// says so at most once a second.
    Receiving {
        /// The peer.
        peer: PeerId,
    },
    /// A peer shows a vote; its signature is checked.
    Vote {
        /// The peer.
        peer: PeerId,
        /// The vote.
        vote: VerifiedVote,
    },
    /// A peer shows a leader's proposal; all signatures are checked.
    Proposal {
        /// The peer.
        peer: PeerId,
        /// The leader's vote 1.
        vote: VerifiedVote,
        /// Its justification.
        justify: VerifiedCertificate,
    },
    /// A peer tells what it knows about final blocks.
    Status {
        /// The peer.
        peer: PeerId,
        /// What it tells.
        status: Box<VerifiedStatus>,
    },
    /// A peer shows a fault of a validator; both signatures are checked.
    Evidence {
        /// The peer.
        peer: PeerId,
        /// The fault.
        evidence: Evidence,
    },
    /// The key signed a vote.
    VoteSigned {
        /// The vote of [`Publish::SignVote`](super::Publish::SignVote).
        vote: VerifiedVote,
        /// The justification, if it is a proposal.
        justify: Option<VerifiedCertificate>,
    },
    /// The node ends: nothing is mined any more.
    Stop,
}
