//! The handle of a running network, and the one place that starts its tasks.

use crate::{
    address_book::AddressBook,
    admission::Admission,
    connection::{Connection, PeerId},
    peer::Peer,
    peer_info::PeerInfo,
    seats::Seats,
    setup::NetworkSetup,
    shared::{Shared, agent},
    signer::Signer,
    state::State,
    tls::Tls,
    traffic::MessageTraffic,
    work_budget::WorkBudget,
};
use bytes::Bytes;
use ccoin_core::message::{ByeReason, MAX_SHARED_PEERS, PeerAddress};
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::{
    sync::{Notify, mpsc, watch},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long stopping may take.
const STOP: Duration = Duration::from_secs(1);

/// All connections of a node. Clones share them; they last until [`Network::stop`].
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
    /// gives a [`Connection`]; it is not read before the caller takes it.
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
        // room for every connection: none waits for another one
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
            state: Mutex::new(State::new(
                Admission::new(limits, &setup.miners),
                Seats::new(limits),
                book,
                WorkBudget::new(limits),
            )),
            connections,
            known: watch::Sender::default(),
            count: watch::Sender::default(),
            twin: watch::Sender::default(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            totals: Arc::default(),
            changed: Notify::new(),
            public_key: setup.key.public_key().clone(),
            tls: Tls::new(),
            signer: Signer::new(setup.key, &setup.limits),
            limits: setup.limits,
        });
        shared.known.send_replace(shared.state().book.proven());
        if let Some(listener) = setup.listener {
            shared.tasks.spawn(Arc::clone(&shared).listen(listener));
        }
        shared.tasks.spawn(Arc::clone(&shared).dial());
        shared.tasks.spawn(Arc::clone(&shared).maintain());
        (Self { shared }, taken)
    }

    fn peer(&self, id: PeerId) -> Option<Arc<Peer>> {
        self.shared.state().peers.get(&id).cloned()
    }

    /// Queues a whole frame without waiting. False: the connection has ended, or ends now
    /// because its outbox is full.
    pub fn send(&self, id: PeerId, frame: Bytes) -> bool {
        self.peer(id).is_some_and(|peer| peer.send(frame))
    }

    /// Waits until little is queued, then queues the frame. False: the connection has
    /// ended.
    pub async fn send_when_room(&self, id: PeerId, frame: Bytes) -> bool {
        match self.peer(id) {
            Some(peer) => peer.outbox.push_when_room(frame).await,
            None => false,
        }
    }

    /// Waits until little is queued for a peer: an answer is made when it can be written.
    /// False: the connection has ended.
    pub async fn room(&self, id: PeerId) -> bool {
        match self.peer(id) {
            Some(peer) => peer.outbox.has_room().await,
            None => false,
        }
    }

    /// Charges a peer for CPU time that it has cost for nothing. A peer that costs more than
    /// its share of a core, or than that of its address group, is read later. Miners and
    /// configured peers are not charged.
    pub fn charge(&self, id: PeerId, cost: Duration) {
        if let Some(peer) = self.peer(id) {
            self.shared.charge(&peer, cost);
        }
    }

    /// Queues a frame that goes before the others, without waiting. One for which there is no
    /// room, or that has waited too long, is dropped: votes are sent again in other words.
    pub fn send_urgent(&self, id: PeerId, frame: Bytes) {
        if let Some(peer) = self.peer(id) {
            peer.outbox.push_urgent(frame);
        }
    }

    /// Queues a frame for all peers except one, without waiting or copying.
    pub fn broadcast(&self, frame: Bytes, except: Option<PeerId>) {
        let state = self.shared.state();
        for peer in state.peers.values().filter(|p| Some(p.id) != except) {
            peer.send(frame.clone());
        }
    }

    /// Queues a large frame for all peers except one. A peer that is behind with reading
    /// gets the small frame `instead`, and can request the large one later.
    pub fn offer(&self, frame: &Bytes, instead: &Bytes, except: Option<PeerId>) {
        let state = self.shared.state();
        for peer in state.peers.values().filter(|p| Some(p.id) != except) {
            if !peer.offer(frame) {
                peer.send(instead.clone());
            }
        }
    }

    /// Ends a connection with a `BYE`.
    pub fn disconnect(&self, id: PeerId, reason: ByeReason, text: &str) {
        if let Some(peer) = self.peer(id) {
            peer.end(reason, text);
        }
    }

    /// Ends a connection and bans its address for a while, unless it is a miner's. The ban
    /// also works shortly after the connection has ended. Other connections stay.
    pub fn ban(&self, id: PeerId, reason: ByeReason, text: &str) {
        match self.peer(id) {
            Some(peer) => self.shared.ban(&peer, reason, text),
            None => self.shared.ban_ended(id, reason, text),
        }
    }

    /// Adds candidates: places that another party names. They are dialled while few peers
    /// are connected.
    pub fn suggest(&self, peers: Vec<PeerAddress>) {
        self.shared.suggest(peers);
    }

    /// Places that this node has reached and whose peers have proven their addresses, the
    /// newest first. The node stores them and passes them to [`NetworkSetup::remembered`].
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

    /// What went over all connections since the start.
    #[must_use]
    pub fn traffic(&self) -> Vec<MessageTraffic> {
        self.shared.totals.read()
    }

    /// The number of connected peers.
    #[must_use]
    pub fn count(&self) -> watch::Receiver<usize> {
        self.shared.count.subscribe()
    }

    /// Where another process has proven to use this node's key, told at each meeting.
    #[must_use]
    pub fn twin(&self) -> watch::Receiver<Option<SocketAddr>> {
        self.shared.twin.subscribe()
    }

    /// Sends `BYE` to all peers and ends all tasks, within a second.
    pub async fn stop(&self) {
        self.shared.stop.cancel();
        self.shared.tasks.close();
        if timeout(STOP, self.shared.tasks.wait()).await.is_err() {
            tracing::warn!(
                "{} network tasks did not end in time",
                self.shared.tasks.len()
            );
        }
    }
}

/// The places that are known before the first connection.
fn address_book(setup: &NetworkSetup) -> AddressBook {
    let own = setup.key.public_key().address();
    let now = Instant::now();
    let mut book = AddressBook::new(&setup.limits, own, &setup.miners);
    for text in &setup.configured {
        match text.trim().parse() {
            Ok(place) => book.configure(place, now),
            Err(_) => tracing::warn!("configured peer {text:?} is skipped: write it as HOST:PORT"),
        }
    }
    // the list has the newest first; the book takes the last one added as the newest
    for peer in setup.remembered.iter().take(MAX_SHARED_PEERS).rev() {
        book.remember(peer.clone(), now);
    }
    book
}
