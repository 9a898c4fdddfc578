//! The places at which peers may listen, and which of them a handshake has proven.
//! Pure: time and randomness are arguments; it dials no place and resolves no name.

mod candidate_index;
mod candidates;
mod dial_policy;
mod entry;

pub(crate) use dial_policy::DialContext;

use crate::{HostPort, limits::Limits};
use candidate_index::CandidateIndex;
use ccoin_core::{
    Address,
    message::{MAX_SHARED_PEERS, PeerAddress},
};
use entry::{Entry, Origin};
use std::{
    collections::{BTreeMap, HashSet},
    net::IpAddr,
    time::{Duration, Instant},
};

/// Most places that are remembered as proven: one `PEX` holds as many.
const MAX_PROVEN: usize = MAX_SHARED_PEERS;

/// Most proven places of one address. More than one, or a relay that a peer was reached
/// through would displace the place of the peer itself.
const MAX_PROVEN_OF_ADDRESS: usize = 3;

/// Failures in a row after which a candidate is forgotten that the peer itself named. One
/// that a third party named is dialled once.
const CANDIDATE_TRIES: u32 = 5;

#[derive(Debug)]
pub(crate) struct AddressBook {
    limits: Limits,
    own: Address,
    miners: HashSet<Address>,
    entries: BTreeMap<HostPort, Entry>,
    /// The unproven ones of them.
    candidates: CandidateIndex,
    proofs: u64,
    /// Before this time no candidate of a third party is dialled.
    candidates_not_before: Option<Instant>,
}

impl AddressBook {
    pub(crate) fn new(limits: &Limits, own: Address, miners: &[Address]) -> Self {
        Self {
            limits: limits.clone(),
            own,
            miners: miners.iter().copied().collect(),
            entries: BTreeMap::new(),
            candidates: CandidateIndex::default(),
            proofs: 0,
            candidates_not_before: None,
        }
    }

    /// Adds a place that the operator names; it is dialled for ever.
    pub(crate) fn configure(&mut self, place: HostPort, now: Instant) {
        self.keep(place, Origin::Configured, None, now);
    }

    /// Adds a place proven in an earlier run; it is dialled for ever. The last one added
    /// counts as the newest.
    pub(crate) fn remember(&mut self, peer: PeerAddress, now: Instant) {
        if peer.address != self.own && self.remembered() < MAX_PROVEN {
            let place = HostPort::from(&peer);
            self.proofs += 1;
            let proofs = self.proofs;
            let entry = self.keep(place, Origin::Remembered, Some(peer.address), now);
            entry.proven = proofs;
        }
    }

    /// Adds a place that is more than a candidate.
    fn keep(
        &mut self,
        place: HostPort,
        origin: Origin,
        address: Option<Address>,
        now: Instant,
    ) -> &mut Entry {
        self.unmark_candidate(&place);
        let entry = self.entries.entry(place);
        let entry = entry.or_insert_with(|| Entry::new(origin, address, now));
        entry.origin = entry.origin.min(origin);
        entry.address = entry.address.or(address);
        entry
    }

    fn remembered(&self) -> usize {
        self.of(Origin::Remembered).count()
    }

    fn of(&self, origin: Origin) -> impl Iterator<Item = (&HostPort, &Entry)> {
        self.entries
            .iter()
            .filter(move |(_, entry)| entry.origin == origin)
    }

    /// Whether this address was proven at a place that the operator names.
    pub(crate) fn is_configured(&self, address: &Address) -> bool {
        self.of(Origin::Configured)
            .any(|(_, entry)| entry.proven > 0 && entry.address.as_ref() == Some(address))
    }

    /// Whether a handshake has proven this address at some place.
    pub(crate) fn is_proven(&self, address: &Address) -> bool {
        let mut entries = self.entries.values();
        entries.any(|entry| entry.proven > 0 && entry.address.as_ref() == Some(address))
    }

    /// Whether a handshake has proven an address at this host.
    pub(crate) fn is_proven_host(&self, ip: IpAddr) -> bool {
        let host = ip.to_canonical().to_string();
        let from = HostPort {
            host: host.clone(),
            port: 0,
        };
        let ports = self.entries.range(from..);
        let mut ports = ports.take_while(|(place, _)| place.host == host);
        ports.any(|(_, entry)| entry.proven > 0)
    }

    /// Whether the operator names this place.
    pub(crate) fn is_configured_place(&self, place: &HostPort) -> bool {
        let entry = self.entries.get(place);
        entry.is_some_and(|entry| entry.origin == Origin::Configured)
    }

    fn is_miner(&self, entry: &Entry) -> bool {
        let address = entry.address.as_ref();
        address.is_some_and(|address| self.miners.contains(address))
    }

    /// A handshake has proven the address at this place; returns whether that is new.
    pub(crate) fn prove(&mut self, place: &HostPort, address: Address) -> bool {
        self.unmark_candidate(place);
        let Some(entry) = self.entries.get_mut(place) else {
            return false;
        };
        let news = entry.proven == 0 || entry.address != Some(address);
        self.proofs += 1;
        entry.address = Some(address);
        entry.proven = self.proofs;
        entry.origin = entry.origin.min(Origin::Remembered);
        if news {
            self.demote_surplus(place, address);
            self.forget_oldest();
        }
        news
    }

    /// Makes a candidate of one proven place of this address, if there are too many besides
    /// `new`: the one that fails most, and of equals the one proven last.
    fn demote_surplus(&mut self, new: &HostPort, address: Address) {
        let others = || {
            let proven = self.of(Origin::Remembered);
            proven.filter(|(place, entry)| entry.address == Some(address) && *place != new)
        };
        if others().count() >= MAX_PROVEN_OF_ADDRESS {
            let worst = others().max_by_key(|(_, entry)| (entry.failures, entry.proven));
            if let Some(worst) = worst.map(|(place, _)| place.clone()) {
                self.demote(&worst);
            }
        }
    }

    fn forget_oldest(&mut self) {
        if self.remembered() <= MAX_PROVEN {
            return;
        }
        let oldest = self
            .of(Origin::Remembered)
            .filter(|(_, entry)| !self.is_miner(entry))
            .min_by_key(|(_, entry)| entry.proven)
            .map(|(place, _)| place.clone());
        if let Some(oldest) = oldest {
            self.demote(&oldest);
        }
    }

    /// A dial or handshake has failed: backs off.
    pub(crate) fn fail(&mut self, place: &HostPort, now: Instant, chance: u32) {
        let Some(entry) = self.entries.get_mut(place) else {
            return;
        };
        entry.dialling = false;
        entry.failures = entry.failures.saturating_add(1);
        let recent = |lost| now.saturating_duration_since(lost) < self.limits.recent;
        let unproven = entry.origin == Origin::Candidate && !entry.first_hand;
        let longest = match entry.lost.is_some_and(recent) {
            true => self.limits.reconnect,
            false if unproven => self.limits.unproven_pause,
            false => self.limits.longest_pause,
        };
        entry.not_before = now + self.limits.pause(entry.failures, longest, chance);
        let tries = if unproven { 1 } else { CANDIDATE_TRIES };
        let useless = entry.origin == Origin::Candidate && entry.failures >= tries;
        if useless && !self.must_stay(place) {
            self.forget(place);
        }
    }

    /// Miners are dialled for ever: at the place that they name themselves, and at the last
    /// known one.
    fn must_stay(&self, place: &HostPort) -> bool {
        let Some(entry) = self.entries.get(place).filter(|entry| self.is_miner(entry)) else {
            return false;
        };
        let same = |other: &&Entry| other.address == entry.address;
        entry.first_hand || self.entries.values().filter(same).count() == 1
    }

    /// The dial has led to a connection.
    pub(crate) fn reached(&mut self, place: &HostPort) {
        if let Some(entry) = self.entries.get_mut(place) {
            entry.dialling = false;
        }
    }

    /// A connection to this place has ended after `lasted`.
    pub(crate) fn lost(&mut self, place: &HostPort, lasted: Duration, now: Instant, chance: u32) {
        let long = lasted > self.limits.lived;
        if long && let Some(entry) = self.entries.get_mut(place) {
            entry.failures = 0;
            entry.lost = Some(now);
        }
        self.fail(place, now, chance);
    }

    /// A connection to this address has fallen silent: all of its places are dialled now,
    /// and the place of the silent connection a little later.
    pub(crate) fn suspect(
        &mut self,
        address: &Address,
        silent: Option<&HostPort>,
        lasted: Duration,
        now: Instant,
    ) {
        if lasted <= self.limits.lived {
            return;
        }
        let entries = self.entries.iter_mut();
        for (place, entry) in entries.filter(|(_, entry)| entry.address == Some(*address)) {
            entry.lost = Some(now);
            entry.failures = 0;
            entry.not_before = match silent == Some(place) {
                true => now + self.limits.first_pause,
                false => now,
            };
        }
    }

    /// This node has reached itself at this place.
    pub(crate) fn is_own(&mut self, place: &HostPort, now: Instant) {
        let until = now + self.limits.own_address;
        if let Some(entry) = self.entries.get_mut(place) {
            entry.dialling = false;
            entry.not_before = until;
        }
    }

    /// The proven places, the newest first.
    pub(crate) fn proven(&self) -> Vec<PeerAddress> {
        let mut proven: Vec<(u64, PeerAddress)> = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.proven > 0)
            .filter_map(|(place, entry)| {
                let peer = PeerAddress {
                    address: entry.address?,
                    host: place.host.clone(),
                    port: place.port,
                };
                // a host name that only the local resolver knows is not handed on
                peer.out_of_range()
                    .is_none()
                    .then_some((entry.proven, peer))
            })
            .collect();
        proven.sort_by_key(|(proven, _)| std::cmp::Reverse(*proven));
        let peers = proven.into_iter().map(|(_, peer)| peer);
        peers.take(MAX_PROVEN).collect()
    }
}

impl Limits {
    /// The back-off after so many failures in a row: doubled each time, with a quarter of
    /// jitter, so that nodes which failed together do not come back together.
    fn pause(&self, failures: u32, longest: Duration, chance: u32) -> Duration {
        let doubled = 2u32.saturating_pow(failures.saturating_sub(1).min(20));
        let pause = self.first_pause.saturating_mul(doubled).min(longest);
        (pause * 3 / 4).saturating_add(pause.mul_f64(f64::from(chance) / f64::from(u32::MAX) / 2.0))
    }
}

#[cfg(test)]
mod tests;
