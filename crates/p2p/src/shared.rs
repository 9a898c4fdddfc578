//! What all tasks of a network share: this node's identity, and one lock around the pure
//! parts. No task awaits while it holds the lock.

use crate::{
    HostPort,
    address_book::DialContext,
    address_group::AddressGroup,
    connection::{Connection, PeerId},
    limits::Limits,
    peer::Peer,
    reject::Rejection,
    scope::may_name,
    setup::ChainStatus,
    signer::Signer,
    state::State,
    tls::Tls,
    traffic::Totals,
};
use bytes::Bytes;
use ccoin_core::{
    Address, BlockId, Hash, Timestamp,
    message::{ByeReason, Heights, Hello, Message, NodeType, PROTOCOL, PeerAddress},
};
use ccoin_crypto::{PublicKey, random_bytes, random_u32};
use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::{
    sync::{Notify, mpsc, watch},
    time::sleep_until,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Bytes of an agent text that fit a hello.
const MAX_AGENT: usize = 64;

/// Bytes of a place that fit a hello.
const MAX_PLACE: usize = 259;

/// The network behind its handle.
pub(crate) struct Shared {
    pub(crate) tls: Tls,
    pub(crate) signer: Signer,
    pub(crate) public_key: PublicKey,
    pub(crate) address: Address,
    pub(crate) node_type: NodeType,
    pub(crate) agent: String,
    pub(crate) clock: fn() -> Timestamp,
    pub(crate) listen_port: u16,
    pub(crate) advertise: Option<PeerAddress>,
    pub(crate) local: watch::Receiver<ChainStatus>,
    pub(crate) wanted_genesis: Option<BlockId>,
    pub(crate) allow: watch::Receiver<Vec<Address>>,
    pub(crate) limits: Limits,
    pub(crate) state: Mutex<State>,
    pub(crate) connections: mpsc::Sender<Connection>,
    pub(crate) known: watch::Sender<Vec<PeerAddress>>,
    pub(crate) count: watch::Sender<usize>,
    /// See [`Network::twin`](crate::Network::twin).
    pub(crate) twin: watch::Sender<Option<SocketAddr>>,
    pub(crate) tasks: TaskTracker,
    pub(crate) stop: CancellationToken,
    pub(crate) totals: Arc<Totals>,
    /// Wakes the dialler.
    pub(crate) changed: Notify,
}

impl Shared {
    /// The lock. Poisoning is ignored: a panic leaves whole values behind.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// This node's hello with a fresh challenge; see [`Hello::place`] for `place`.
    pub(crate) fn hello(&self, mut place: String) -> Hello {
        // a name that no hello can hold stays out of it
        if place.len() > MAX_PLACE || !place.bytes().all(|byte| byte.is_ascii_graphic()) {
            place.clear();
        }
        let local = *self.local.borrow();
        Hello {
            version: PROTOCOL,
            agent: self.agent.clone(),
            network_id: local.network_id,
            genesis_id: local.genesis_id,
            address: self.address,
            public_key: self.public_key.clone(),
            node_type: self.node_type,
            listen_port: self.listen_port,
            place,
            height: local.height,
            final_number: local.final_number,
            clock: (self.clock)(),
            challenge: Hash::new(random_bytes()),
        }
    }

    /// The advertised place of this node, or an empty text.
    pub(crate) fn own_place(&self) -> String {
        let own = self.advertise.iter();
        own.map(|own| HostPort::from(own).to_string()).collect()
    }

    /// This node's heights, for `BLH`.
    pub(crate) fn heights(&self) -> Heights {
        let local = self.local.borrow();
        Heights {
            height: local.height,
            final_number: local.final_number,
        }
    }

    /// Gives a proven peer its seat and ends the suspect connections of its address.
    pub(crate) fn admit(&self, peer: &Arc<Peer>) -> Result<(), Rejection> {
        let address = peer.hello.address;
        let mut state = self.state();
        let claim = state.claim(&address, peer.place.as_ref(), peer.remote.ip());
        let (id, now) = (peer.id, Instant::now());
        if state.admission.banned(&address, now).is_some() {
            return Err(state.rejection(ByeReason::Banned, &address, now));
        }
        let leaves = state.seats.check(&address, claim, now);
        let leaves = leaves.map_err(|reason| state.rejection(reason, &address, now))?;
        if let Some(leaves) = leaves {
            let text = format!("the seat is given to {address}");
            state.end_all(&leaves, ByeReason::Full, &text);
        }
        state.end_suspects(peer);
        let seated = state.seats.take(address, id, claim, now);
        seated.map_err(|reason| state.rejection(reason, &address, now))?;
        for old in state.connections_to(&address) {
            // its answer decides whether the new connection is redundant
            old.ping((self.clock)());
        }
        state.peers.insert(id, Arc::clone(peer));
        if let Some(listens) = peer.listens_at() {
            let place = HostPort::from(&listens);
            state.book.add_caller(address, place, now, random_u32());
        }
        self.count.send_replace(state.seats.len());
        Ok(())
    }

    /// The connection has ended.
    pub(crate) fn leave(&self, peer: &Peer) {
        let mut state = self.state();
        state.remove(peer.id);
        state.seats.leave(&peer.hello.address, peer.id);
        if let Some(place) = &peer.place {
            let lived = peer.began.elapsed();
            state.book.lost(place, lived, Instant::now(), random_u32());
        }
        self.count.send_replace(state.seats.len());
        self.changed.notify_one();
    }

    /// Charges a peer for work that was of no use.
    pub(crate) fn charge(&self, peer: &Peer, cost: Duration) {
        let mut state = self.state();
        if !state.seats.is_privileged(&peer.hello.address) {
            let group = AddressGroup::of(peer.remote.ip());
            state.work.charge(peer.id, group, cost, Instant::now());
        }
    }

    /// Waits until the peer and its group owe little; miners and configured peers do not pay
    /// for their neighbours.
    pub(crate) async fn afford(&self, peer: &Peer) {
        if self.state().seats.is_privileged(&peer.hello.address) {
            return;
        }
        let group = AddressGroup::of(peer.remote.ip());
        let due = || self.state().work.read_at(peer.id, group, Instant::now());
        while let Some(due) = due() {
            sleep_until(due.into()).await;
        }
    }

    /// Whether the begin of a connection may be logged: those of strangers once a minute for
    /// each address group.
    pub(crate) fn allows_connected_line(&self, peer: &Peer) -> bool {
        let state = self.state();
        let stranger = peer.place.is_none() && state.seats.is_stranger(&peer.hello.address);
        let group = AddressGroup::of(peer.remote.ip());
        !stranger || state.log_throttle.allows("connected", format!("{group:?}"))
    }

    /// The next number of a connection.
    pub(crate) fn next_id(&self) -> PeerId {
        self.state().next_id()
    }

    /// Bans a peer that broke a rule and ends its connection.
    pub(crate) fn ban(&self, peer: &Peer, reason: ByeReason, text: &str) {
        self.state()
            .admission
            .ban(peer.hello.address, Instant::now());
        peer.end(reason, text);
    }

    /// Bans the peer of a connection that has ended.
    pub(crate) fn ban_ended(&self, id: PeerId, reason: ByeReason, text: &str) {
        let mut state = self.state();
        if let Some(address) = state.ended(id)
            && state.admission.ban(address, Instant::now())
            && state
                .log_throttle
                .allows("banned", reason.code().to_string())
        {
            tracing::info!(peer = %address, ?reason, "banned: {text}");
        }
    }

    /// A handshake has proven the address at a place that this node dialled.
    pub(crate) fn prove(&self, place: &HostPort, address: Address) {
        let mut state = self.state();
        if address != self.address && state.book.prove(place, address) {
            self.known.send_replace(state.book.proven());
        }
    }

    /// A peer that this node has dialled names the place at which it is reached. If that is
    /// another one, a relay may stand between: the named place is a way around it.
    pub(crate) fn add_own_claim(&self, theirs: &Hello, ip: IpAddr) {
        let place = theirs.place.parse::<HostPort>().ok();
        if let Some(place) = place.filter(|place| may_name(ip, &place.host, true)) {
            let (now, chance) = (Instant::now(), random_u32());
            let mut state = self.state();
            state.book.add_caller(theirs.address, place, now, chance);
        }
    }

    /// Adds candidates to the address book.
    pub(crate) fn suggest(&self, peers: impl IntoIterator<Item = PeerAddress>) {
        let (now, chance) = (Instant::now(), random_u32());
        let mut state = self.state();
        for peer in peers {
            if peer.out_of_range().is_none() {
                let place = HostPort::from(&peer);
                state.book.suggest(peer.address, place, now, chance);
            }
        }
        self.changed.notify_one();
    }

    /// The places to dial now, and when the next one is due.
    pub(crate) fn due(&self) -> (Vec<HostPort>, Option<Instant>) {
        let now = Instant::now();
        let mut state = self.state();
        let State {
            admission,
            seats,
            book,
            peers,
            ..
        } = &mut *state;
        let settled = |address: &Address| {
            let mut connections = seats.connections_to(address).iter();
            let works = |id| peers.get(id).is_some_and(|peer: &Arc<Peer>| peer.works());
            connections.any(works) || self.judge_address(address).is_err()
        };
        let refused = |address: &Address| admission.banned(address, now);
        let context = DialContext {
            settled: &settled,
            refused: &refused,
            few: seats.len() < self.limits.wanted,
            seats: seats.has_ordinary(),
            known_seats: seats.has_for_known(),
        };
        book.due(now, &context)
    }

    /// Whether a rejection may be logged now.
    pub(crate) fn allows_log_line(&self, reason: ByeReason, peer: &str) -> bool {
        let key = format!("{} {peer}", reason.code());
        self.state().log_throttle.allows("rejected", key)
    }

    /// The `PEX` frame: this node's advertised place, the proven places, and the places at
    /// which callers claim to listen; as many as fit.
    pub(crate) fn shared_peers(&self) -> Option<Bytes> {
        let mut peers: Vec<PeerAddress> = self.advertise.iter().cloned().collect();
        peers.extend(self.known.borrow().iter().cloned());
        let callers: Vec<_> = self
            .state()
            .peers
            .values()
            .filter_map(|peer| peer.listens_at())
            .filter(|caller| !peers.contains(caller))
            .collect();
        peers.extend(callers);
        peers.truncate(ccoin_core::message::MAX_SHARED_PEERS);
        while !peers.is_empty() {
            let frame = Message::Peers(peers.clone()).frame();
            if Message::decode(*b"PEX", frame.get(7..)?).is_ok() {
                return Some(frame.into());
            }
            peers.truncate(peers.len() / 2);
        }
        None
    }
}

/// An agent text cut to what a hello may hold.
pub(crate) fn agent(text: &str) -> String {
    let mut agent = text.to_owned();
    agent.truncate(text.floor_char_boundary(MAX_AGENT));
    agent
}

/// The other end as the log shows it.
pub(crate) fn name(remote: SocketAddr, place: Option<&HostPort>) -> String {
    place.map_or_else(
        || remote.ip().to_canonical().to_string(),
        HostPort::to_string,
    )
}
