//! How a node reaches others and is reached: its connections and its registration.

use super::discovery_task::{DiscoveryTask, Registered};
use crate::{clock, error::NodeError};
use ccoin_core::{
    Address, BlockId,
    genesis::Genesis,
    message::{NodeType, PeerAddress},
};
use ccoin_crypto::KeySigner;
use ccoin_discovery::{Claim, DiscoveryClient};
use ccoin_p2p::{ChainStatus, Connection, Limits, Network, NetworkSetup};
use std::sync::Arc;
use tokio::sync::{mpsc, watch};

/// Name and version of this program, for the other side's log.
const AGENT: &str = concat!("ccoin/", env!("CARGO_PKG_VERSION"));

/// Bytes of one peer that wait to be understood: little, so that a block is not kept
/// waiting by what was sent before it. A single larger frame may pass.
const INBOUND: usize = 512 << 10;

/// How a node reaches others and is reached.
#[derive(Clone)]
pub struct PeerSetup {
    /// Where it listens; `None`: it only calls.
    pub listener: Option<Arc<std::net::TcpListener>>,
    /// Host and port under which others reach it, if that is known.
    pub advertise: Option<(String, u16)>,
    /// Host and port of the discovery service, if one is used.
    pub discovery: Option<(String, u16)>,
    /// Nodes to connect to in any case, `host:port`.
    pub configured: Vec<String>,
    /// Addresses of the accounts that may connect; empty: all.
    pub allow: watch::Receiver<Vec<Address>>,
    /// The network to join, for a node without a chain.
    pub wanted_genesis: Option<BlockId>,
}

/// What a network tells of its node.
pub(super) struct Identity {
    pub(super) key: Arc<dyn KeySigner>,
    pub(super) node_type: NodeType,
    pub(super) miners: Vec<Address>,
    pub(super) local: watch::Receiver<ChainStatus>,
}

impl PeerSetup {
    /// Opens the connections of a node; must be called inside a tokio runtime.
    pub(super) fn open(
        &self,
        identity: Identity,
        remembered: Vec<PeerAddress>,
    ) -> Result<(Network, mpsc::Receiver<Connection>), NodeError> {
        let listener = self.listener.as_ref().map(|listener| {
            let listener = listener.try_clone()?;
            listener.set_nonblocking(true)?;
            tokio::net::TcpListener::from_std(listener)
        });
        let listener = listener.transpose().map_err(NodeError::Socket)?;
        Ok(Network::start(NetworkSetup {
            key: identity.key,
            node_type: identity.node_type,
            agent: AGENT.into(),
            clock: clock::wall,
            listener,
            advertise: self.advertise.clone(),
            local: identity.local,
            wanted_genesis: self.wanted_genesis,
            configured: self.configured.clone(),
            miners: identity.miners,
            remembered,
            allow: self.allow.clone(),
            limits: Limits {
                inbound: INBOUND,
                ..Limits::default()
            },
        }))
    }

    /// Keeps a node with a chain listed, or one without a chain informed.
    pub(super) fn register(
        &self,
        network: &Network,
        key: &Arc<dyn KeySigner>,
        chain: Option<&Genesis>,
    ) -> Option<Registered> {
        let (host, port) = self.discovery.clone()?;
        let listens = self.listener.as_ref().and_then(|l| l.local_addr().ok());
        let place = match (&self.advertise, listens) {
            (Some(place), _) => Some(place.clone()),
            (None, Some(at)) if at.ip().is_unspecified() => Some((String::new(), at.port())),
            (None, Some(at)) => Some((at.ip().to_string(), at.port())),
            (None, None) => None,
        };
        let claim = place.zip(chain).map(|((ip, port), genesis)| Claim {
            ip,
            port,
            network_id: genesis.config.network_id,
            genesis_id: genesis.id,
        });
        let registration = DiscoveryTask {
            client: DiscoveryClient::new(host, port),
            key: Arc::clone(key),
            claim,
            genesis: chain.map(|genesis| genesis.id).or(self.wanted_genesis),
            miners: chain.map_or_else(Vec::new, |genesis| genesis.config.miners.clone()),
            network: network.clone(),
        };
        Some(registration.keep())
    }
}
