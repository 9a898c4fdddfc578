//! The handle of a running network, and the one place that starts its tasks.

use crate::{
    address_book::AddressBook,
    admission::Admission,
    connection::{Connection, PeerId},
    peer::Peer,
    peer_info::PeerInfo,
    place::Place,
    setup::NetworkSetup,
    shared::{Shared, agent},
    signer::Signer,
    state::State,
};
use bytes::Bytes;
use ccoin_core::message::{ByeReason, MAX_SHARED_PEERS, PeerAddress};
use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::{
    sync::{Notify, mpsc, watch},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long stopping may take: the last words, and the tasks that notice.
const STOP: Duration = Duration::from_secs(1);

/// All connections of a node. Cloning shares them; they go on until [`Network::stop`].
#[derive(Clone)]
pub struct Network {
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let address = self.shared.address;
        write!(
            f,
            "Network({address}, {} peers)",
            self.shared.state().peers.len()
        )
    }
}

impl Network {
    /// Starts to listen and to dial on the current runtime. Every finished handshake
    /// gives a [`Connection`]; one that nobody takes is not read.
    #[must_use]
    pub fn start(setup: NetworkSetup) -> (Self, mpsc::Receiver<Connection>) {
        let address = setup.key.public_key().address();
        let (limits, book) = (&setup.limits, address_book(&setup));
        let advertise = setup.advertise.map(|(host, port)| PeerAddress {
            address,
            host,
            port,
        });
        let listening = setup.listener.as_ref().and_then(|l| l.local_addr().ok());
        // one for each connection there can be: none of them has to wait for another
        let (connections, taken) = mpsc::channel(limits.connections.max(1));
        let shared = Arc::new(Shared {
            address,
            node_type: setup.node_type,
            agent: agent(&setup.agent),
            clock: setup.clock,
            listen_port: listening.map_or(0, |listening| listening.port()),
            advertise: advertise.filter(|peer| peer.out_of_range().is_none()),
            local: setup.local,
            wanted_genesis: setup.wanted_genesis,
            allow: setup.allow,
            state: Mutex::new(State::new(Admission::new(limits, &setup.miners), book)),
            connections,
            known: watch::Sender::default(),
            count: watch::Sender::default(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            changed: Notify::new(),
            public_key: setup.key.public_key().clone(),
            signer: Signer::new(setup.key, &setup.limits),
            limits: setup.limits,
        });
        shared.known.send_replace(shared.state().book.proven());
        if let Some(listener) = setup.listener {
            shared.tasks.spawn(Arc::clone(&shared).listen(listener));
        }
        shared.tasks.spawn(Arc::clone(&shared).dial());
        shared.tasks.spawn(Arc::clone(&shared).keep());
        (Self { shared }, taken)
    }

    fn peer(&self, id: PeerId) -> Option<Arc<Peer>> {
        self.shared.state().peers.get(&id).cloned()
    }

    /// Queues a whole frame without waiting; false: the connection has ended, or does so
    /// now because too much is waiting already.
    pub fn send(&self, id: PeerId, frame: Bytes) -> bool {
        self.peer(id).is_some_and(|peer| peer.send(frame))
    }

    /// Waits until little is queued, then queues the frame; false: the connection has
    /// ended.
    pub async fn send_when_room(&self, id: PeerId, frame: Bytes) -> bool {
        match self.peer(id) {
            Some(peer) => peer.outbox.push_when_room(frame).await,
            None => false,
        }
    }

    /// Queues a frame for everybody but one, without waiting or copying.
    pub fn broadcast(&self, frame: Bytes, except: Option<PeerId>) {
        let state = self.shared.state();
        for peer in state.peers.values().filter(|p| Some(p.id) != except) {
            peer.send(frame.clone());
        }
    }

    /// Queues a large frame for every peer but one; whoever is behind with reading gets
    /// a small one `instead`, from which it can ask when it has time.
    pub fn offer(&self, frame: &Bytes, instead: &Bytes, except: Option<PeerId>) {
        let state = self.shared.state();
        for peer in state.peers.values().filter(|p| Some(p.id) != except) {
            if !peer.offer(frame) {
                peer.send(instead.clone());
            }
        }
    }

    /// Ends a connection with a last word.
    pub fn disconnect(&self, id: PeerId, reason: ByeReason, text: &str) {
        if let Some(peer) = self.peer(id) {
            peer.end(reason, text);
        }
    }

    /// Ends a connection, and refuses its address for a while unless it is a miner's; also
    /// if the connection has just ended by itself. Other connections stay.
    pub fn ban(&self, id: PeerId, reason: ByeReason, text: &str) {
        match self.peer(id) {
            Some(peer) => self.shared.ban(&peer, reason, text),
            None => self.shared.ban_ended(id, reason, text),
        }
    }

    /// Places that somebody says; they are dialled while connections are few.
    pub fn suggest(&self, peers: Vec<PeerAddress>) {
        self.shared.suggest(peers);
    }

    /// Peers that this node has reached and that have proven their address, the last
    /// one first; to be given back as [`NetworkSetup::remembered`].
    #[must_use]
    pub fn known(&self) -> watch::Receiver<Vec<PeerAddress>> {
        self.shared.known.subscribe()
    }

    /// All connections, the oldest first.
    #[must_use]
    pub fn peers(&self) -> Vec<PeerInfo> {
        let state = self.shared.state();
        state.peers.values().map(|peer| peer.info()).collect()
    }

    /// How many connections there are.
    #[must_use]
    pub fn count(&self) -> watch::Receiver<usize> {
        self.shared.count.subscribe()
    }

    /// Says goodbye to everybody and ends all tasks, within a second.
    pub async fn stop(&self) {
        self.shared.stop.cancel();
        self.shared.tasks.close();
        if timeout(STOP, self.shared.tasks.wait()).await.is_err() {
            tracing::warn!(
                "{} network tasks had no time to end",
                self.shared.tasks.len()
            );
        }
    }
}

/// What is known before the first connection.
fn address_book(setup: &NetworkSetup) -> AddressBook {
    let own = setup.key.public_key().address();
    let now = Instant::now();
    let mut book = AddressBook::new(&setup.limits, own, &setup.miners);
    for text in &setup.configured {
        match Place::parse(text) {
            Some(place) => book.configure(place, now),
            None => tracing::warn!("peer {text:?} is skipped: it is not HOST:PORT"),
        }
    }
    // the last one first, as it was said; the last one remembered counts as the freshest
    for peer in setup.remembered.iter().take(MAX_SHARED_PEERS).rev() {
        book.remember(peer.clone(), now);
    }
    book
}
