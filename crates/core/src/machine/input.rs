//! Everything that can come into the machine.

use super::PeerId;
use crate::{BlockId, Height, PowNonce, block::VerifiedBlock, transaction::VerifiedTransaction};
use ccoin_crypto::Signature;

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
    /// A peer has proven who it is.
    PeerJoined {
        /// Number of its connection.
        peer: PeerId,
        /// Whether it makes blocks: a miner of the genesis block that says so.
        validator: bool,
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
    /// The node ends: nothing is mined any more.
    Stop,
}
