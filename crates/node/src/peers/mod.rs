//! Between the connections and the machine: what peers send is parsed and verified here
//! before the machine sees it, and what the machine asks or publishes becomes frames. The
//! rules of gossip are `ccoin_core::gossip`'s.

mod discovery_task;
mod end;
mod genesis_sync;
mod key_store;
pub(crate) mod outbound;
mod peer_store;
mod peer_task;
mod setup;
mod tx_gossip;
mod tx_inbound;
mod verify;
mod votes_inbound;

pub(crate) use discovery_task::Registered;
pub use genesis_sync::fetch_genesis;
pub use setup::PeerSetup;

use crate::{
    NodeError, chain_thread::ChainHandle, reader::ChainReader, tx_status::TxTracker,
    verifier::VerifierPool,
};
use ccoin_core::{
    consensus::vote::VoterIndex,
    genesis::Genesis,
    gossip::{Gossip, MinerKeys},
    machine::Input,
    message::NodeType,
};
use ccoin_crypto::KeySigner;
use ccoin_p2p::{ChainStatus, Network};
use key_store::KeyStore;
use outbound::SharedGossip;
use peer_store::PeerStore;
use setup::Identity;
use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};
use tokio::sync::{Semaphore, watch};
use verify::Checker;
use votes_inbound::VoteChecker;

/// What the tasks of all peers share.
pub(crate) struct PeerContext {
    genesis: Arc<Genesis>,
    network: Network,
    checker: Checker,
    votes: VoteChecker,
    gossip: SharedGossip,
    key_store: KeyStore,
    peer_store: PeerStore,
    reader: ChainReader,
    tx_tracker: Arc<TxTracker>,
    chain: ChainHandle,
    /// Places of answers that are on their way.
    answers: Semaphore,
}

/// What peers need of their node.
pub(crate) struct PeerParts {
    pub(crate) genesis: Arc<Genesis>,
    pub(crate) key: Arc<dyn KeySigner>,
    pub(crate) validator: bool,
    pub(crate) local: watch::Receiver<ChainStatus>,
    pub(crate) verifiers: VerifierPool,
    pub(crate) vote_verifier: VerifierPool,
    pub(crate) reader: ChainReader,
    pub(crate) gossip: SharedGossip,
    pub(crate) chain: ChainHandle,
}

/// The miners' keys in the file of a chain directory.
pub(crate) fn stored_keys(directory: &Path, genesis: &Genesis) -> MinerKeys {
    let mut keys = MinerKeys::new(genesis.config.miners.clone());
    KeyStore::new(directory.join("keys")).load(&mut keys);
    keys
}

/// Writes the file of miners' keys; they can be asked for again.
pub(crate) fn save_keys(directory: &Path, keys: &MinerKeys) {
    KeyStore::new(directory.join("keys")).save(&keys.all());
}

/// The gossip of a node that knows the keys of its file and its own.
pub(crate) fn open_gossip(
    directory: &Path,
    genesis: &Genesis,
    own: &dyn KeySigner,
) -> SharedGossip {
    let mut keys = stored_keys(directory, genesis);
    keys.learn(core::slice::from_ref(own.public_key()));
    SharedGossip::new(Gossip::new(keys))
}

/// Opens the network and talks to all peers until the network stops. Must run inside
/// a tokio runtime.
pub(crate) fn spawn(
    setup: &PeerSetup,
    directory: &Path,
    parts: PeerParts,
) -> Result<(Network, Option<Registered>), NodeError> {
    let PeerParts {
        genesis,
        key,
        validator,
        local,
        verifiers,
        vote_verifier,
        reader,
        gossip,
        chain,
    } = parts;
    let peer_store = PeerStore::new(directory);
    let node_type = if validator {
        NodeType::Validator
    } else {
        NodeType::Basic
    };
    let identity = Identity {
        key: Arc::clone(&key),
        node_type,
        miners: genesis.config.miners.clone(),
        local,
    };
    let (network, mut connections) = setup.open(identity, peer_store.load_proven())?;
    network.suggest(peer_store.load_claimed());
    peer_store.keep(network.known());
    let registered = setup.register(&network, &key, Some(&genesis));
    let tx_tracker = Arc::clone(&reader.tx_tracker);
    let checker = Checker {
        genesis: Arc::clone(&genesis),
        verifiers,
        gossip: gossip.clone(),
        tx_tracker: Arc::clone(&tx_tracker),
    };
    let own = genesis.schedule.index(&key.public_key().address());
    let own = own.filter(|_| validator);
    let votes = VoteChecker {
        genesis: Arc::clone(&genesis),
        verifier: vote_verifier,
        gossip: gossip.clone(),
        cache: Arc::default(),
        own: own.and_then(|index| VoterIndex::try_from(index).ok()),
    };
    let context = Arc::new(PeerContext {
        genesis,
        network: network.clone(),
        checker,
        votes,
        gossip,
        key_store: KeyStore::new(directory.join("keys")),
        peer_store,
        reader,
        tx_tracker,
        chain,
        answers: Semaphore::new(peer_task::ANSWERS),
    });
    tokio::spawn(watch_clocks(network.clone(), context.chain.clone()));
    tokio::spawn(watch_twin(network.twin(), context.chain.clone()));
    tokio::spawn(async move {
        while let Some(connection) = connections.recv().await {
            tokio::spawn(peer_task::run(Arc::clone(&context), connection));
        }
    });
    Ok((network, registered))
}

/// Tells the machine of other processes that use this node's key.
async fn watch_twin(mut twin: watch::Receiver<Option<SocketAddr>>, chain: ChainHandle) {
    while twin.changed().await.is_ok() {
        let place = *twin.borrow_and_update();
        if let Some(place) = place
            && !chain.input(Input::Twin { place }).await
        {
            return;
        }
    }
}

/// How often the machine hears of clock offsets.
const CLOCK_INTERVAL: Duration = Duration::from_secs(2);

/// Tells the machine how the clocks of peers differ, until the node stops. It tells again what
/// it has told: the machine may have forgotten all offsets.
async fn watch_clocks(network: Network, chain: ChainHandle) {
    let mut open = network.known();
    loop {
        let stopped = async { while open.changed().await.is_ok() {} };
        if tokio::time::timeout(CLOCK_INTERVAL, stopped).await.is_ok() {
            return;
        }
        for info in network.peers() {
            let (peer, Some(offset_ms)) = (info.id, info.clock_offset_ms) else {
                continue;
            };
            if !chain.input(Input::ClockOffset { peer, offset_ms }).await {
                return;
            }
        }
    }
}
