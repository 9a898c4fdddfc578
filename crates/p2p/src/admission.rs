//! Decides which connections may begin a handshake and which may stay: seats, bans, and
//! the queue before the handshake. Pure: time is an argument, and the caller ends the
//! connections that are returned.

use crate::{address_group::AddressGroup, connection::PeerId, limits::Limits};
use ccoin_core::{Address, message::ByeReason};
use std::{
    collections::{HashMap, HashSet, VecDeque},
    hash::Hash,
    net::IpAddr,
    time::Instant,
};

/// Most addresses and hosts refused at a time; beyond them the one that is free first is
/// forgotten.
const MAX_REFUSED: usize = 10_000;

/// Most connections to one address: one that works, and one beside it.
const MAX_PER_ADDRESS: usize = 2;

/// The connections to one proven address.
#[derive(Debug)]
struct Seat {
    /// Oldest first; never empty.
    connections: Vec<PeerId>,
    /// A miner or a configured peer: may take a reserved seat.
    privileged: bool,
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

    /// Whether a proven address may have one more connection, apart from how many it has.
    ///
    /// # Errors
    /// Why the new connection must end.
    pub(crate) fn check_seat(
        &self,
        address: &Address,
        privileged: bool,
        now: Instant,
    ) -> Result<(), ByeReason> {
        if self.banned(address, now).is_some() {
            return Err(ByeReason::Banned);
        }
        match self.is_seated(address) || self.has_seat(privileged) {
            true => Ok(()),
            false => Err(ByeReason::Full),
        }
    }

    /// Adds a connection to a proven address that [`Admission::check_seat`] allows.
    ///
    /// # Errors
    /// [`ByeReason::Duplicate`] if the address has enough connections.
    pub(crate) fn take_seat(
        &mut self,
        address: Address,
        id: PeerId,
        privileged: bool,
    ) -> Result<(), ByeReason> {
        let seat = self.seats.entry(address).or_insert_with(|| Seat {
            connections: Vec::new(),
            privileged,
        });
        // the privilege stays: the place it came from is still configured
        seat.privileged |= privileged;
        if seat.connections.len() >= MAX_PER_ADDRESS {
            return Err(ByeReason::Duplicate);
        }
        seat.connections.push(id);
        Ok(())
    }

    /// The connections to this address, the oldest first.
    pub(crate) fn connections_to(&self, address: &Address) -> &[PeerId] {
        let seat = self.seats.get(address);
        seat.map_or(&[], |seat| &seat.connections)
    }

    /// Removes a connection, and the seat with the last one.
    pub(crate) fn leave_seat(&mut self, address: &Address, id: PeerId) {
        if let Some(seat) = self.seats.get_mut(address) {
            seat.connections.retain(|other| *other != id);
            if seat.connections.is_empty() {
                self.seats.remove(address);
            }
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

    fn address(n: u8) -> Address {
        Address::new([n; 20])
    }

    impl Admission {
        fn seat(
            &mut self,
            address: Address,
            id: PeerId,
            privileged: bool,
        ) -> Result<(), ByeReason> {
            self.check_seat(&address, privileged, Instant::now())?;
            self.take_seat(address, id, privileged)
        }
    }

    #[test]
    fn a_second_connection_stands_beside_the_first_and_a_third_is_refused() {
        let mut admission = admission();
        for id in 1..=2 {
            assert_eq!(admission.seat(A, id, false), Ok(()));
        }
        assert_eq!(admission.seat(A, 3, false), Err(ByeReason::Duplicate));
        assert_eq!(admission.connections_to(&A), [1, 2]);
        assert_eq!(admission.seated(), 1);
        admission.leave_seat(&A, 1);
        admission.leave_seat(&A, 7);
        assert_eq!(admission.connections_to(&A), [2]);
        admission.leave_seat(&A, 2);
        assert!(!admission.is_seated(&A));
    }

    #[test]
    fn some_seats_are_reserved() {
        let mut admission = admission();
        for n in 10..12 {
            assert_eq!(admission.seat(address(n), n.into(), false), Ok(()));
        }
        assert!(!admission.has_ordinary_seat());
        let refused = admission.seat(address(12), 12, false);
        assert_eq!(refused, Err(ByeReason::Full));
        for n in 20..22 {
            assert_eq!(admission.seat(address(n), n.into(), true), Ok(()));
        }
        assert_eq!(admission.seat(address(30), 30, true), Err(ByeReason::Full));
        assert_eq!(admission.seated(), 4);
        // a connected address needs no second seat
        assert_eq!(admission.seat(address(10), 40, false), Ok(()));
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
        assert_eq!(admission.check_seat(&A, false, now), Ok(()));
        let refused = admission.check_seat(&B, false, now);
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
