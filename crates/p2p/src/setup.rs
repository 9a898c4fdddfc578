//! What a network needs to begin, and what it is told while it runs.

use crate::limits::Limits;
use ccoin_core::{
    Address, BlockId, Height, Timestamp,
    message::{NodeType, PeerAddress},
};
use ccoin_crypto::SecretKey;
use std::sync::Arc;
use tokio::{net::TcpListener, sync::watch};

/// Where this node's chain stands; all zero without a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Local {
    /// Of the genesis configuration.
    pub network_id: u32,
    /// Id of block 1.
    pub genesis_id: BlockId,
    /// Number of the head.
    pub height: Height,
    /// Number of the newest final block.
    pub final_number: Height,
}

impl Default for Local {
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
    /// Proves who we are.
    pub key: Arc<SecretKey>,
    /// What this node does.
    pub node_type: NodeType,
    /// Name and version of the program; at most 64 bytes.
    pub agent: String,
    /// The wall clock.
    pub clock: fn() -> Timestamp,
    /// Where peers connect to; `None`: this node only dials.
    pub listener: Option<TcpListener>,
    /// Host and port under which others reach the listener, if that is known.
    pub advertise: Option<(String, u16)>,
    /// Where our chain stands; read whenever somebody asks.
    pub local: watch::Receiver<Local>,
    /// While we have no chain: connect only to nodes of this one, or without one.
    pub wanted_genesis: Option<BlockId>,
    /// `HOST:PORT` of peers that are dialled for ever.
    pub configured: Vec<String>,
    /// Addresses that are never banned and have reserved seats.
    pub miners: Vec<Address>,
    /// What [`Network::known`](crate::Network::known) said in an earlier run.
    pub remembered: Vec<PeerAddress>,
    /// Addresses that may connect, empty: all. Connections that are not on it end when
    /// it changes.
    pub allow: watch::Receiver<Vec<Address>>,
    /// All bounds.
    pub limits: Limits,
}
