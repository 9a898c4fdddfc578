//! Decides which connections may begin a handshake and which may stay: seats, bans, and
//! the queue before the handshake. Pure: time is an argument, and the caller ends the
//! connections that are returned.

use crate::{address_group::AddressGroup, connection::PeerId, limits::Limits};
use ccoin_core::{Address, message::ByeReason};
use std::{
    collections::{HashMap, HashSet, VecDeque, hash_map::Entry},
    hash::Hash,
    net::IpAddr,
    time::Instant,
};

/// Most addresses and hosts refused at a time; beyond them the one that is free first is
/// forgotten.
const MAX_REFUSED: usize = 10_000;

/// One connection of a proven address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seat {
    pub(crate) id: PeerId,
    /// Address of the side that dialled.
    pub(crate) dialler: Address,
    /// A miner or a configured peer: may take a reserved seat.
    pub(crate) privileged: bool,
}

#[derive(Debug)]
pub(crate) struct Admission {
    limits: Limits,
    miners: HashSet<Address>,
    /// Oldest first.
    early: VecDeque<(PeerId, Option<AddressGroup>)>,
    delayed: HashMap<AddressGroup, Instant>,
    banned: HashMap<Address, Instant>,
    seats: HashMap<Address, Seat>,
}

impl Admission {
    pub(crate) fn new(limits: &Limits, miners: &[Address]) -> Self {
        Self {
            limits: limits.clone(),
            miners: miners.iter().copied().collect(),
            early: VecDeque::new(),
            delayed: HashMap::new(),
            banned: HashMap::new(),
            seats: HashMap::new(),
        }
    }

    /// Whether the genesis block lists this address.
    pub(crate) fn is_miner(&self, address: &Address) -> bool {
        self.miners.contains(address)
    }

    /// Lets an incoming connection begin its handshake and returns the older ones that
    /// must end for it. `None`: this host must wait.
    pub(crate) fn begin_handshake(
        &mut self,
        id: PeerId,
        ip: IpAddr,
        now: Instant,
    ) -> Option<Vec<PeerId>> {
        let group = AddressGroup::of(ip);
        let until = group.and_then(|group| self.delayed.get(&group));
        if until.is_some_and(|until| now < *until) {
            return None;
        }
        let mut ended = Vec::new();
        let of_group = self.early.iter().filter(|(_, other)| *other == group);
        if group.is_some() && of_group.count() >= self.limits.early_per_host {
            ended.extend(self.drop_early(|other| other == group));
        }
        if self.early.len() >= self.limits.early {
            ended.extend(self.drop_early(|_| true));
        }
        self.early.push_back((id, group));
        Some(ended)
    }

    fn drop_early(&mut self, which: impl Fn(Option<AddressGroup>) -> bool) -> Option<PeerId> {
        let at = self.early.iter().position(|(_, group)| which(*group))?;
        self.early.remove(at).map(|(id, _)| id)
    }

    /// The handshake has succeeded or failed.
    pub(crate) fn end_handshake(&mut self, id: PeerId) {
        self.early.retain(|(other, _)| *other != id);
    }

    /// Refuses a host for a while: it sent malformed bytes before it proved an address.
    pub(crate) fn delay(&mut self, ip: IpAddr, now: Instant) {
        if let Some(group) = AddressGroup::of(ip) {
            remember(&mut self.delayed, group, now, now + self.limits.delay);
        }
    }

    /// Refuses an address for a while. False for a miner: miners are never banned.
    pub(crate) fn ban(&mut self, address: Address, now: Instant) -> bool {
        let ordinary = !self.is_miner(&address);
        if ordinary {
            remember(&mut self.banned, address, now, now + self.limits.ban);
        }
        ordinary
    }

    /// The end of the ban on an address, if there is one.
    pub(crate) fn banned(&self, address: &Address, now: Instant) -> Option<Instant> {
        let until = self.banned.get(address).copied();
        until.filter(|until| now < *until)
    }

    /// Whether there is a connection to this address.
    pub(crate) fn is_seated(&self, address: &Address) -> bool {
        self.seats.contains_key(address)
    }

    /// The number of connected addresses.
    pub(crate) fn seated(&self) -> usize {
        self.seats.len()
    }

    /// Whether one more address without privilege would find a seat.
    pub(crate) fn has_ordinary_seat(&self) -> bool {
        let ordinary = self.seats.values().filter(|seat| !seat.privileged).count();
        self.seats.len() < self.limits.connections
            && ordinary < self.limits.connections.saturating_sub(self.limits.reserved)
    }

    fn has_seat(&self, privileged: bool) -> bool {
        if privileged {
            self.seats.len() < self.limits.connections
        } else {
            self.has_ordinary_seat()
        }
    }

    /// Takes a seat for a proven address and returns the connection that it replaces.
    /// Of two crossing connections the one dialled by the smaller address stays; of two
    /// that the same side dialled, the newer one.
    ///
    /// # Errors
    /// Why the new connection has to end.
    pub(crate) fn take_seat(
        &mut self,
        address: Address,
        seat: Seat,
        now: Instant,
    ) -> Result<Option<PeerId>, ByeReason> {
        if self.banned(&address, now).is_some() {
            return Err(ByeReason::Banned);
        }
        let free = self.has_seat(seat.privileged);
        match self.seats.entry(address) {
            Entry::Occupied(old) if old.get().dialler < seat.dialler => Err(ByeReason::Duplicate),
            Entry::Occupied(mut old) => {
                // the privilege stays: the place it came from is still configured
                let privileged = seat.privileged || old.get().privileged;
                let seat = Seat { privileged, ..seat };
                Ok(Some(old.insert(seat).id))
            }
            Entry::Vacant(_) if !free => Err(ByeReason::Full),
            Entry::Vacant(empty) => {
                empty.insert(seat);
                Ok(None)
            }
        }
    }

    /// Frees the seat, unless another connection has taken it over.
    pub(crate) fn leave_seat(&mut self, address: &Address, id: PeerId) {
        if self.seats.get(address).is_some_and(|seat| seat.id == id) {
            self.seats.remove(address);
        }
    }
}

fn remember<K: Copy + Eq + Hash>(
    refused: &mut HashMap<K, Instant>,
    key: K,
    now: Instant,
    until: Instant,
) {
    if refused.len() >= MAX_REFUSED {
        refused.retain(|_, until| now < *until);
    }
    if refused.len() >= MAX_REFUSED
        && let Some(first) = refused.iter().min_by_key(|(_, until)| **until)
    {
        let first = *first.0;
        refused.remove(&first);
    }
    refused.insert(key, until);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const A: Address = Address::new([1; 20]);
    const B: Address = Address::new([2; 20]);
    const ELSEWHERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn admission() -> Admission {
        let limits = Limits {
            connections: 4,
            reserved: 2,
            early: 10,
            ..Limits::default()
        };
        Admission::new(&limits, &[A])
    }

    fn seat(id: PeerId, dialler: Address) -> Seat {
        Seat {
            id,
            dialler,
            privileged: false,
        }
    }

    #[test]
    fn of_crossing_connections_the_one_of_the_smaller_dialler_stays() {
        let now = Instant::now();
        // on the side of either address, and in either order
        for other in [A, B] {
            let mut admission = admission();
            assert_eq!(admission.take_seat(other, seat(1, A), now), Ok(None));
            let refused = admission.take_seat(other, seat(2, B), now);
            assert_eq!(refused, Err(ByeReason::Duplicate));
            let mut admission = self::admission();
            assert_eq!(admission.take_seat(other, seat(1, B), now), Ok(None));
            assert_eq!(admission.take_seat(other, seat(2, A), now), Ok(Some(1)));
            admission.leave_seat(&other, 1);
            assert!(admission.is_seated(&other));
            assert_eq!(admission.take_seat(other, seat(3, A), now), Ok(Some(2)));
            admission.leave_seat(&other, 3);
            assert!(!admission.is_seated(&other));
        }
    }

    #[test]
    fn some_seats_are_reserved() {
        let (mut admission, now) = (admission(), Instant::now());
        let address = |n: u8| Address::new([n; 20]);
        for n in 10..12 {
            let seat = seat(n.into(), B);
            assert_eq!(admission.take_seat(address(n), seat, now), Ok(None));
        }
        assert!(!admission.has_ordinary_seat());
        let refused = admission.take_seat(address(12), seat(12, B), now);
        assert_eq!(refused, Err(ByeReason::Full));
        for n in 20..22 {
            let privileged = true;
            let seat = Seat {
                privileged,
                ..seat(n.into(), B)
            };
            assert_eq!(admission.take_seat(address(n), seat, now), Ok(None));
        }
        let last = Seat {
            privileged: true,
            ..seat(30, B)
        };
        let refused = admission.take_seat(address(30), last, now);
        assert_eq!(refused, Err(ByeReason::Full));
        assert_eq!(admission.seated(), 4);
        // a connected address needs no second seat
        assert_eq!(
            admission.take_seat(address(10), seat(40, B), now),
            Ok(Some(10))
        );
    }

    #[test]
    fn before_the_handshake_the_oldest_goes_first() {
        let (mut admission, now) = (admission(), Instant::now());
        for id in 0..8 {
            assert_eq!(admission.begin_handshake(id, ELSEWHERE, now), Some(vec![]));
        }
        assert_eq!(admission.begin_handshake(8, ELSEWHERE, now), Some(vec![0]));
        admission.end_handshake(3);
        assert_eq!(admission.begin_handshake(9, ELSEWHERE, now), Some(vec![]));
        let mut admission = self::admission();
        for id in 0..10 {
            assert_eq!(admission.begin_handshake(id, LOOPBACK, now), Some(vec![]));
        }
        assert_eq!(admission.begin_handshake(10, ELSEWHERE, now), Some(vec![0]));
    }

    #[test]
    fn malformed_bytes_delay_their_host_but_never_loopback() {
        let (mut admission, now) = (admission(), Instant::now());
        admission.delay(ELSEWHERE, now);
        admission.delay(LOOPBACK, now);
        assert_eq!(admission.begin_handshake(1, ELSEWHERE, now), None);
        assert_eq!(admission.begin_handshake(2, LOOPBACK, now), Some(vec![]));
        let later = now + admission.limits.delay;
        assert_eq!(admission.begin_handshake(3, ELSEWHERE, later), Some(vec![]));
    }

    #[test]
    fn a_ban_is_for_ten_minutes_and_never_for_miners() {
        let (mut admission, now) = (admission(), Instant::now());
        assert!(!admission.ban(A, now));
        assert!(admission.ban(B, now));
        assert_eq!(admission.take_seat(A, seat(1, A), now), Ok(None));
        let refused = admission.take_seat(B, seat(2, B), now);
        assert_eq!(refused, Err(ByeReason::Banned));
        let end = now + Duration::from_secs(600);
        let last = end - Duration::from_secs(1);
        assert_eq!(admission.banned(&B, last), Some(end));
        assert_eq!(admission.banned(&B, end), None);
    }

    #[test]
    fn bans_are_bounded_and_the_oldest_goes() {
        let mut banned = HashMap::new();
        let now = Instant::now();
        for n in 0..=MAX_REFUSED as u64 {
            let until = now + Duration::from_secs(1 + n);
            remember(&mut banned, n, now, until);
        }
        assert_eq!(banned.len(), MAX_REFUSED);
        assert!(!banned.contains_key(&0));
    }
}
