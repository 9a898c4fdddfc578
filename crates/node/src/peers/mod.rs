//! Between the connections and the machine: what peers send is parsed and verified
//! here before the machine sees it, and what the machine wants said becomes frames.
//! No rule of the chain is decided here.

pub(crate) mod answers;
mod checker;
mod conversation;
mod feeder;
mod intake;
pub(crate) mod keys;
pub(crate) mod memory;
mod places;
pub(crate) mod registration;
pub(crate) mod seeker;
pub(crate) mod voice;

use crate::{
    actor::{Batch, Event},
    board::Board,
    error::NodeError,
    history::History,
    verifier::VerifierPool,
};
use ccoin_core::{Address, BlockId, genesis::Genesis, message::NodeType};
use ccoin_crypto::SecretKey;
use ccoin_discovery::{Claim, DiscoveryClient};
use ccoin_p2p::{ChainStatus, Connection, Limits, Network, NetworkSetup};
use checker::Checker;
use keys::KeyBook;
use memory::Memory;
use places::Places;
use registration::{Registered, Registration};
use std::{path::PathBuf, sync::Arc};
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

/// What a network is started with besides.
struct Who {
    key: Arc<SecretKey>,
    node_type: NodeType,
    miners: Vec<Address>,
    local: watch::Receiver<ChainStatus>,
}

impl PeerSetup {
    /// Opens the connections of a node; must be called inside a tokio runtime.
    fn open(
        &self,
        who: Who,
        remembered: Vec<ccoin_core::message::PeerAddress>,
    ) -> Result<(Network, mpsc::Receiver<Connection>), NodeError> {
        let listener = self.listener.as_ref().map(|listener| {
            let listener = listener.try_clone()?;
            listener.set_nonblocking(true)?;
            tokio::net::TcpListener::from_std(listener)
        });
        let listener = listener.transpose().map_err(NodeError::Socket)?;
        Ok(Network::start(NetworkSetup {
            key: who.key,
            node_type: who.node_type,
            agent: AGENT.into(),
            clock: crate::clock::now,
            listener,
            advertise: self.advertise.clone(),
            local: who.local,
            wanted_genesis: self.wanted_genesis,
            configured: self.configured.clone(),
            miners: who.miners,
            remembered,
            allow: self.allow.clone(),
            limits: Limits {
                inbound: INBOUND,
                ..Limits::default()
            },
        }))
    }
}

impl PeerSetup {
    /// Keeps a node with a chain listed, or one without a chain informed.
    fn register(
        &self,
        network: &Network,
        key: &Arc<SecretKey>,
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
        let registration = Registration {
            client: DiscoveryClient::new(host, port),
            key: Arc::clone(key),
            claim,
            genesis: chain.map(|genesis| genesis.id).or(self.wanted_genesis),
            network: network.clone(),
        };
        Some(registration.keep())
    }
}

/// What a running node's conversations share.
pub(crate) struct Hub {
    genesis: Arc<Genesis>,
    network: Network,
    checker: Checker,
    keys: Arc<KeyBook>,
    memory: Arc<Memory>,
    places: Places,
    history: History,
    board: Arc<Board>,
    events: mpsc::Sender<Event>,
    batches: mpsc::Sender<Batch>,
}

/// What a hub needs of its node.
pub(crate) struct HubSetup {
    pub(crate) genesis: Arc<Genesis>,
    pub(crate) key: Arc<SecretKey>,
    pub(crate) validator: bool,
    pub(crate) chain: PathBuf,
    pub(crate) local: watch::Receiver<ChainStatus>,
    pub(crate) verifiers: VerifierPool,
    pub(crate) history: History,
    pub(crate) board: Arc<Board>,
    pub(crate) memory: Arc<Memory>,
    pub(crate) events: mpsc::Sender<Event>,
    pub(crate) batches: mpsc::Sender<Batch>,
}

impl Hub {
    /// Opens the network and talks to whoever is there until the network stops.
    pub(crate) fn start(
        peers: &PeerSetup,
        setup: HubSetup,
    ) -> Result<(Network, Option<Registered>), NodeError> {
        let HubSetup {
            genesis,
            key,
            validator,
            chain,
            local,
            verifiers,
            history,
            board,
            memory,
            events,
            batches,
        } = setup;
        let miners = genesis.config.miners.clone();
        let keys = KeyBook::open(chain.join("keys"), miners.clone(), key.public_key());
        let keys = Arc::new(keys);
        let places = Places::new(chain.join("peers"));
        let node_type = if validator {
            NodeType::Validator
        } else {
            NodeType::Basic
        };
        let who = Who {
            key: Arc::clone(&key),
            node_type,
            miners,
            local,
        };
        let (network, mut connections) = peers.open(who, places.load())?;
        places.keep(network.known());
        let registered = peers.register(&network, &key, Some(&genesis));
        let checker = Checker {
            genesis: Arc::clone(&genesis),
            verifiers,
            keys: Arc::clone(&keys),
            board: Arc::clone(&board),
        };
        let hub = Arc::new(Self {
            genesis,
            network: network.clone(),
            checker,
            keys,
            memory,
            places,
            history,
            board,
            events,
            batches,
        });
        tokio::spawn(async move {
            while let Some(connection) = connections.recv().await {
                tokio::spawn(conversation::converse(Arc::clone(&hub), connection));
            }
        });
        Ok((network, registered))
    }
}
