//! The state behind the one lock of a network: the pure parts and the live connections.

use crate::{
    HostPort,
    address_book::AddressBook,
    address_group::AddressGroup,
    admission::Admission,
    connection::PeerId,
    log_throttle::LogThrottle,
    peer::Peer,
    seats::{Claim, Seats},
    work_budget::WorkBudget,
};
use ccoin_core::Address;
use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    net::IpAddr,
    sync::Arc,
};
use tokio_util::sync::CancellationToken;

/// Ended connections that are remembered, so that a peer can be banned for a frame that is
/// decoded after it has left.
const MAX_ENDED: usize = 256;

pub(crate) struct State {
    pub(crate) admission: Admission,
    pub(crate) seats: Seats,
    pub(crate) book: AddressBook,
    pub(crate) peers: BTreeMap<PeerId, Arc<Peer>>,
    /// Incoming connections before the end of their handshake.
    pub(crate) early: HashMap<PeerId, CancellationToken>,
    pub(crate) log_throttle: LogThrottle,
    pub(crate) work: WorkBudget,
    ended: VecDeque<(PeerId, Address)>,
    last_id: PeerId,
}

impl State {
    pub(crate) fn new(
        admission: Admission,
        seats: Seats,
        book: AddressBook,
        work: WorkBudget,
    ) -> Self {
        Self {
            admission,
            seats,
            book,
            peers: BTreeMap::new(),
            early: HashMap::new(),
            log_throttle: LogThrottle::default(),
            work,
            ended: VecDeque::new(),
            last_id: 0,
        }
    }

    /// The next number of a connection.
    pub(crate) fn next_id(&mut self) -> PeerId {
        self.last_id = self.last_id.saturating_add(1);
        self.last_id
    }

    /// Removes a connection and remembers its address.
    pub(crate) fn remove(&mut self, id: PeerId) -> Option<Arc<Peer>> {
        let peer = self.peers.remove(&id)?;
        if self.ended.len() >= MAX_ENDED {
            self.ended.pop_front();
        }
        self.ended.push_back((id, peer.hello.address));
        Some(peer)
    }

    /// The address of a connection that has ended lately.
    pub(crate) fn ended(&self, id: PeerId) -> Option<Address> {
        let mut ended = self.ended.iter();
        ended
            .find(|(ended, _)| *ended == id)
            .map(|(_, address)| *address)
    }

    /// What decides on the seat of this address, at `ip` and at the place dialled.
    pub(crate) fn claim(&self, address: &Address, place: Option<&HostPort>, ip: IpAddr) -> Claim {
        let configured = place.is_some_and(|place| self.book.is_configured_place(place));
        Claim {
            privileged: configured
                || self.admission.is_miner(address)
                || self.book.is_configured(address),
            known: self.book.is_proven(address),
            group: AddressGroup::of(ip),
        }
    }
}
