//! What stands behind the one lock of a network: the pure parts and the live connections.

use crate::{
    address_book::AddressBook, admission::Admission, connection::PeerId, notices::Notices,
    peer::Peer, place::Place,
};
use ccoin_core::Address;
use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
};
use tokio_util::sync::CancellationToken;

/// How many of the connections that ended last are remembered: a peer that sends rubbish
/// and leaves is blamed when the rubbish is read.
const MOST_ENDED: usize = 256;

/// Behind the lock.
pub(crate) struct State {
    pub(crate) admission: Admission,
    pub(crate) book: AddressBook,
    pub(crate) peers: BTreeMap<PeerId, Arc<Peer>>,
    /// Incoming connections before the end of their handshake.
    pub(crate) early: HashMap<PeerId, CancellationToken>,
    pub(crate) notices: Notices,
    ended: VecDeque<(PeerId, Address)>,
    last_id: PeerId,
}

impl State {
    /// Nobody is connected.
    pub(crate) fn new(admission: Admission, book: AddressBook) -> Self {
        Self {
            admission,
            book,
            peers: BTreeMap::new(),
            early: HashMap::new(),
            notices: Notices::default(),
            ended: VecDeque::new(),
            last_id: 0,
        }
    }

    /// The next number of a connection.
    pub(crate) fn next_id(&mut self) -> PeerId {
        self.last_id = self.last_id.saturating_add(1);
        self.last_id
    }

    /// Takes a connection out of the live ones and remembers whose it was.
    pub(crate) fn remove(&mut self, id: PeerId) -> Option<Arc<Peer>> {
        let peer = self.peers.remove(&id)?;
        if self.ended.len() >= MOST_ENDED {
            self.ended.pop_front();
        }
        self.ended.push_back((id, peer.hello.address));
        Some(peer)
    }

    /// Whose connection it was, if it has ended lately.
    pub(crate) fn ended(&self, id: PeerId) -> Option<Address> {
        let mut ended = self.ended.iter();
        ended.find(|(ended, _)| *ended == id).map(|(_, who)| *who)
    }

    /// Whether reserved seats are open to this address, or to whoever is at this place.
    pub(crate) fn is_privileged(&self, address: &Address, place: Option<&Place>) -> bool {
        self.admission.is_miner(address)
            || self.book.is_configured(address)
            || place.is_some_and(|place| self.book.is_configured_place(place))
    }
}
