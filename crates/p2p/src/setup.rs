//! What a network needs to start, and the values that it follows while it runs.

use crate::limits::Limits;
use ccoin_core::{
    Address, BlockId, Height, Timestamp,
    message::{NodeType, PeerAddress},
};
use ccoin_crypto::KeySigner;
use std::sync::Arc;
use tokio::{net::TcpListener, sync::watch};

/// Network and heights of this node's chain; all zero without a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainStatus {
    /// Of the genesis configuration.
    pub network_id: u32,
    /// Id of block 1.
    pub genesis_id: BlockId,
    /// Number of the head.
    pub height: Height,
    /// Number of the newest final block.
    pub final_number: Height,
}

impl Default for ChainStatus {
    fn default() -> Self {
        Self {
            network_id: 0,
            genesis_id: BlockId::ZERO,
            height: Height::ZERO,
            final_number: Height::ZERO,
        }
    }
}

/// Everything that [`Network::start`](crate::Network::start) needs.
#[derive(Debug)]
pub struct NetworkSetup {
    /// The account key that proves this node's address.
    pub key: Arc<dyn KeySigner>,
    /// What this node tells peers that it does.
    pub node_type: NodeType,
    /// Name and version of the program; at most 64 bytes.
    pub agent: String,
    /// The wall clock.
    pub clock: fn() -> Timestamp,
    /// Where peers connect to; `None`: this node only dials.
    pub listener: Option<TcpListener>,
    /// Host and port under which others reach the listener, if that is known.
    pub advertise: Option<(String, u16)>,
    /// The state of this node's chain.
    pub local: watch::Receiver<ChainStatus>,
    /// For a node without a chain: the only chain whose nodes it connects to.
    pub wanted_genesis: Option<BlockId>,
    /// `HOST:PORT` of peers that are dialled for ever.
    pub configured: Vec<String>,
    /// Addresses that have reserved seats and are never banned.
    pub miners: Vec<Address>,
    /// The last value of [`Network::known`](crate::Network::known) in an earlier run.
    pub remembered: Vec<PeerAddress>,
    /// Addresses that may connect; empty: all. A change ends the connections that are not
    /// on it.
    pub allow: watch::Receiver<Vec<Address>>,
    /// All bounds.
    pub limits: Limits,
}
