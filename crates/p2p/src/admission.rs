//! Decides which connections may begin a handshake: bans, and the queue before the
//! handshake. Pure: time is an argument, and the caller ends the connections that are
//! returned.

use crate::{address_group::AddressGroup, connection::PeerId, limits::Limits};
use ccoin_core::Address;
use std::{
    collections::{HashMap, HashSet, VecDeque},
    hash::Hash,
    net::IpAddr,
    time::Instant,
};

/// Most addresses and hosts refused at a time; beyond them the one that is free first is
/// forgotten.
const MAX_REFUSED: usize = 10_000;

/// An incoming connection before the end of its handshake.
#[derive(Clone, Copy, Debug)]
struct Early {
    id: PeerId,
    /// `None`: loopback.
    group: Option<AddressGroup>,
    /// A proven peer listens at this host.
    known: bool,
}

#[derive(Debug)]
pub(crate) struct Admission {
    limits: Limits,
    miners: HashSet<Address>,
    /// Oldest first.
    early: VecDeque<Early>,
    delayed: HashMap<AddressGroup, Instant>,
    banned: HashMap<Address, Instant>,
}

impl Admission {
    pub(crate) fn new(limits: &Limits, miners: &[Address]) -> Self {
        Self {
            limits: limits.clone(),
            miners: miners.iter().copied().collect(),
            early: VecDeque::new(),
            delayed: HashMap::new(),
            banned: HashMap::new(),
        }
    }

    /// Whether the genesis block lists this address.
    pub(crate) fn is_miner(&self, address: &Address) -> bool {
        self.miners.contains(address)
    }

    /// Lets an incoming connection begin its handshake and returns the older ones that
    /// must end for it. `None`: this host must wait. `known`: a proven peer listens there.
    pub(crate) fn begin_handshake(
        &mut self,
        id: PeerId,
        ip: IpAddr,
        known: bool,
        now: Instant,
    ) -> Option<Vec<PeerId>> {
        let group = AddressGroup::of(ip);
        let until = group.and_then(|group| self.delayed.get(&group));
        if until.is_some_and(|until| now < *until) {
            return None;
        }
        let mut ended = Vec::new();
        if group.is_some() && self.early_of(group) >= self.limits.early_per_host {
            let oldest = self.early.iter().position(|early| early.group == group);
            ended.extend(self.drop_early(oldest));
        }
        if self.early.len() >= self.limits.early {
            ended.extend(self.drop_early(self.least_wanted()));
        }
        self.early.push_back(Early { id, group, known });
        Some(ended)
    }

    fn early_of(&self, group: Option<AddressGroup>) -> usize {
        let same = self.early.iter().filter(|early| early.group == group);
        same.count()
    }

    /// The oldest connection of the group that has most of them; those from hosts of known
    /// peers come last.
    fn least_wanted(&self) -> Option<usize> {
        let early = self.early.iter().enumerate();
        let worst = early.max_by_key(|(at, early)| {
            let age = std::cmp::Reverse(*at);
            (!early.known, self.early_of(early.group), age)
        });
        worst.map(|(at, _)| at)
    }

    fn drop_early(&mut self, at: Option<usize>) -> Option<PeerId> {
        self.early.remove(at?).map(|early| early.id)
    }

    /// The handshake has succeeded or failed.
    pub(crate) fn end_handshake(&mut self, id: PeerId) {
        self.early.retain(|early| early.id != id);
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
            early: 10,
            ..Limits::default()
        };
        Admission::new(&limits, &[A])
    }

    #[test]
    fn before_the_handshake_the_oldest_goes_first() {
        let (mut admission, now) = (admission(), Instant::now());
        for id in 0..8 {
            assert_eq!(
                admission.begin_handshake(id, ELSEWHERE, false, now),
                Some(vec![])
            );
        }
        assert_eq!(
            admission.begin_handshake(8, ELSEWHERE, false, now),
            Some(vec![0])
        );
        admission.end_handshake(3);
        assert_eq!(
            admission.begin_handshake(9, ELSEWHERE, false, now),
            Some(vec![])
        );
        let mut admission = self::admission();
        for id in 0..10 {
            assert_eq!(
                admission.begin_handshake(id, LOOPBACK, false, now),
                Some(vec![])
            );
        }
        assert_eq!(
            admission.begin_handshake(10, ELSEWHERE, false, now),
            Some(vec![0])
        );
    }

    #[test]
    fn a_crowd_of_hosts_ends_its_own_connections_and_not_those_of_others() {
        let (mut admission, now) = (admission(), Instant::now());
        let host = |n: u8| IpAddr::from([192, 0, 2, n]);
        assert_eq!(
            admission.begin_handshake(0, host(0), false, now),
            Some(vec![])
        );
        // fewer hosts than connections: the one from host 0 stays
        for n in 1..=200 {
            let crowd = host(1 + (n % 5) as u8);
            let ended = admission.begin_handshake(n, crowd, false, now);
            assert!(!ended.unwrap().contains(&0), "{n}");
        }
        // and one of a known peer outlasts any crowd
        let mut admission = self::admission();
        assert_eq!(
            admission.begin_handshake(0, host(0), true, now),
            Some(vec![])
        );
        for n in 1..=200 {
            let ended = admission.begin_handshake(n, host(n as u8), false, now);
            assert!(!ended.unwrap().contains(&0), "{n}");
        }
    }

    #[test]
    fn malformed_bytes_delay_their_host_but_never_loopback() {
        let (mut admission, now) = (admission(), Instant::now());
        admission.delay(ELSEWHERE, now);
        admission.delay(LOOPBACK, now);
        assert_eq!(admission.begin_handshake(1, ELSEWHERE, false, now), None);
        assert_eq!(
            admission.begin_handshake(2, LOOPBACK, false, now),
            Some(vec![])
        );
        let later = now + admission.limits.delay;
        assert_eq!(
            admission.begin_handshake(3, ELSEWHERE, false, later),
            Some(vec![])
        );
    }

    #[test]
    fn a_ban_is_for_ten_minutes_and_never_for_miners() {
        let (mut admission, now) = (admission(), Instant::now());
        assert!(!admission.ban(A, now));
        assert!(admission.ban(B, now));
        assert_eq!(admission.banned(&A, now), None);
        let end = now + Duration::from_secs(600);
        let last = end.checked_sub(Duration::from_secs(1)).unwrap();
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
