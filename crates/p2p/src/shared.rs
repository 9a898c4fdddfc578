//! What all tasks of a network share: who we are, and one lock around the pure parts.
//! Nothing waits while it holds the lock.

use crate::{
    address_book::Situation,
    admission::Seat,
    connection::{Connection, PeerId},
    limits::Limits,
    peer::Peer,
    place::Place,
    refusal::Refusal,
    setup::Local,
    signer::Signer,
    state::State,
};
use bytes::Bytes;
use ccoin_core::{
    Address, BlockId, Hash, Timestamp,
    message::{ByeReason, Heights, Hello, Message, NodeType, PROTOCOL, PeerAddress},
};
use ccoin_crypto::{PublicKey, random_bytes, random_u32};
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Bytes of an agent text that fit a hello.
const MOST_AGENT: usize = 64;

/// The network behind its handle.
pub(crate) struct Shared {
    pub(crate) signer: Signer,
    pub(crate) public_key: PublicKey,
    pub(crate) address: Address,
    pub(crate) node_type: NodeType,
    pub(crate) agent: String,
    pub(crate) clock: fn() -> Timestamp,
    pub(crate) listen_port: u16,
    pub(crate) advertise: Option<PeerAddress>,
    pub(crate) local: watch::Receiver<Local>,
    pub(crate) wanted_genesis: Option<BlockId>,
    pub(crate) allow: watch::Receiver<Vec<Address>>,
    pub(crate) limits: Limits,
    pub(crate) state: Mutex<State>,
    pub(crate) connections: mpsc::Sender<Connection>,
    pub(crate) known: watch::Sender<Vec<PeerAddress>>,
    pub(crate) count: watch::Sender<usize>,
    pub(crate) tasks: TaskTracker,
    pub(crate) stop: CancellationToken,
    /// Wakes the dialler.
    pub(crate) changed: Notify,
}

impl Shared {
    /// The lock. A panic elsewhere has left whole values behind, so it is ignored.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What this node says of itself, with a fresh challenge.
    pub(crate) fn hello(&self) -> Hello {
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
            height: local.height,
            final_number: local.final_number,
            clock: (self.clock)(),
            challenge: Hash::new(random_bytes()),
        }
    }

    /// Where we stand, for `BLH`.
    pub(crate) fn heights(&self) -> Heights {
        let local = self.local.borrow();
        Heights {
            height: local.height,
            final_number: local.final_number,
        }
    }

    /// Makes a proven peer one of ours, ending the connection that it replaces.
    pub(crate) fn admit(&self, peer: &Arc<Peer>) -> Result<(), Refusal> {
        let address = peer.hello.address;
        let mut state = self.state();
        let seat = Seat {
            id: peer.id,
            dialler: if peer.place.is_some() {
                self.address
            } else {
                address
            },
            privileged: state.is_privileged(&address, peer.place.as_ref()),
        };
        let now = Instant::now();
        state.notice_twin(peer, now);
        let replaced = state.admission.take_seat(address, seat, now);
        let replaced = replaced.map_err(|reason| state.refusal(reason, &address, now))?;
        if let Some(old) = replaced.and_then(|old| state.remove(old)) {
            let text = format!(
                "replaced by the connection of {address} from {}",
                peer.remote
            );
            old.end(ByeReason::Duplicate, &text);
        }
        state.peers.insert(peer.id, Arc::clone(peer));
        if let Some(PeerAddress { host, port, .. }) = peer.calls_from() {
            let place = Place { host, port };
            state.book.came(address, place, now, random_u32());
        }
        self.count.send_replace(state.admission.seated());
        Ok(())
    }

    /// The connection has ended.
    pub(crate) fn leave(&self, peer: &Peer) {
        let mut state = self.state();
        state.remove(peer.id);
        state.admission.leave_seat(&peer.hello.address, peer.id);
        if let Some(place) = &peer.place {
            let lived = peer.began.elapsed();
            state.book.lost(place, lived, Instant::now(), random_u32());
        }
        self.count.send_replace(state.admission.seated());
        self.changed.notify_one();
    }

    /// The next number of a connection.
    pub(crate) fn next_id(&self) -> PeerId {
        self.state().next_id()
    }

    /// A peer that has proven its address has broken a rule.
    pub(crate) fn ban(&self, peer: &Peer, reason: ByeReason, text: &str) {
        self.state()
            .admission
            .ban(peer.hello.address, Instant::now());
        peer.end(reason, text);
    }

    /// A peer whose connection has ended meanwhile had broken a rule.
    pub(crate) fn ban_ended(&self, id: PeerId, reason: ByeReason, text: &str) {
        let mut state = self.state();
        if let Some(address) = state.ended(id)
            && state.admission.ban(address, Instant::now())
        {
            tracing::info!(peer = %address, ?reason, "refused from now on: {text}");
        }
    }

    /// The handshake has proven who listens at a place that we dialled.
    pub(crate) fn prove(&self, place: &Place, address: Address) {
        let mut state = self.state();
        if address != self.address && state.book.prove(place, address) {
            self.known.send_replace(state.book.proven());
        }
    }

    /// Takes places that somebody says into the book.
    pub(crate) fn suggest(&self, peers: impl IntoIterator<Item = PeerAddress>) {
        let (now, chance) = (Instant::now(), random_u32());
        let mut state = self.state();
        for peer in peers {
            if peer.out_of_range().is_none() {
                let place = Place {
                    host: peer.host,
                    port: peer.port,
                };
                state.book.suggest(peer.address, place, now, chance);
            }
        }
        self.changed.notify_one();
    }

    /// Whom to dial now, and when to ask again.
    pub(crate) fn due(&self) -> (Vec<Place>, Option<Instant>) {
        let now = Instant::now();
        let mut state = self.state();
        let State {
            admission, book, ..
        } = &mut *state;
        let settled = |address: &Address| {
            admission.is_seated(address) || self.judge_address(address).is_err()
        };
        let refused = |address: &Address| admission.banned(address, now);
        let situation = Situation {
            settled: &settled,
            refused: &refused,
            few: admission.seated() < self.limits.wanted,
            seats: admission.has_ordinary_seat(),
        };
        book.due(now, &situation)
    }

    /// Whether a refusal is worth a line in the log.
    pub(crate) fn worth_a_line(&self, reason: ByeReason, peer: String) -> bool {
        let mut state = self.state();
        state.notices.worth(reason.code(), peer, Instant::now())
    }

    /// `PEX`: ourselves, if it is known where, whom we have reached, and who has called and
    /// says that it listens beside where it called from; as many as fit.
    pub(crate) fn shared_peers(&self) -> Option<Bytes> {
        let mut peers: Vec<PeerAddress> = self.advertise.iter().cloned().collect();
        peers.extend(self.known.borrow().iter().cloned());
        let callers: Vec<_> = self
            .state()
            .peers
            .values()
            .filter_map(|peer| peer.calls_from())
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
    agent.truncate(text.floor_char_boundary(MOST_AGENT));
    agent
}

/// The other end as people should see it.
pub(crate) fn name(remote: SocketAddr, place: Option<&Place>) -> String {
    place.map_or_else(|| remote.ip().to_canonical().to_string(), Place::to_string)
}
