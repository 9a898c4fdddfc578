//! The seats of connected peers. Miners and configured peers always get one. The others
//! share the ordinary seats: no network address group takes many of them, the oldest ones
//! stay, and one that is new is given on after a while. So strangers from one host can
//! neither take all seats nor keep a returning peer out.
//! Pure: time is an argument, and the caller ends the connections that are returned.

use crate::{address_group::AddressGroup, connection::PeerId, limits::Limits};
use ccoin_core::{Address, message::ByeReason};
use std::{collections::HashMap, time::Instant};

/// Most connections to one address: one that works, and one beside it.
const MAX_PER_ADDRESS: usize = 2;

/// What decides on a seat.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim {
    /// A miner or a configured peer.
    pub(crate) privileged: bool,
    /// This node has reached the address at some place, now or in an earlier run.
    pub(crate) known: bool,
    /// `None`: loopback, which no limit of a group concerns.
    pub(crate) group: Option<AddressGroup>,
}

/// The connections to one proven address.
#[derive(Debug)]
struct Seat {
    /// Oldest first; never empty.
    connections: Vec<PeerId>,
    claim: Claim,
    since: Instant,
}

/// All connected addresses.
#[derive(Debug)]
pub(crate) struct Seats {
    limits: Limits,
    seats: HashMap<Address, Seat>,
}

impl Seats {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            limits: limits.clone(),
            seats: HashMap::new(),
        }
    }

    /// Whether there is a connection to this address.
    pub(crate) fn is_seated(&self, address: &Address) -> bool {
        self.seats.contains_key(address)
    }

    /// Whether this address is connected as a miner or a configured peer.
    pub(crate) fn is_privileged(&self, address: &Address) -> bool {
        let seat = self.seats.get(address);
        seat.is_some_and(|seat| seat.claim.privileged)
    }

    /// Whether this node knew the connected address before, or must know it.
    pub(crate) fn is_stranger(&self, address: &Address) -> bool {
        let seat = self.seats.get(address);
        seat.is_none_or(|seat| !seat.claim.privileged && !seat.claim.known)
    }

    /// The number of connected addresses.
    pub(crate) fn len(&self) -> usize {
        self.seats.len()
    }

    /// Whether one more ordinary peer would find an empty seat.
    pub(crate) fn has_ordinary(&self) -> bool {
        self.seats.len() < self.limits.connections
            && self.ordinary().count() < self.limits.connections - self.reserved()
    }

    /// Whether a known peer would find a seat, or get one of an unknown peer.
    pub(crate) fn has_for_known(&self) -> bool {
        self.has_ordinary() || self.ordinary().any(|(_, seat)| !seat.claim.known)
    }

    fn reserved(&self) -> usize {
        self.limits.reserved.min(self.limits.connections)
    }

    fn ordinary(&self) -> impl Iterator<Item = (&Address, &Seat)> {
        self.seats.iter().filter(|(_, seat)| !seat.claim.privileged)
    }

    fn in_group(&self, group: Option<AddressGroup>) -> usize {
        let members = self
            .ordinary()
            .filter(|(_, seat)| seat.claim.group == group);
        group.map_or(0, |_| members.count())
    }

    /// Checks whether this address may have one more connection, apart from how many it
    /// has, and names the address that must leave for it.
    ///
    /// # Errors
    /// [`ByeReason::Full`] if there is no seat for it.
    pub(crate) fn check(
        &self,
        address: &Address,
        claim: Claim,
        now: Instant,
    ) -> Result<Option<Address>, ByeReason> {
        if self.is_seated(address) {
            return Ok(None);
        }
        if claim.privileged {
            // their number is bounded by the genesis block and the configuration
            let full = self.seats.len() >= self.limits.connections;
            return Ok(self.worst().filter(|_| full).map(|(address, _)| *address));
        }
        if self.in_group(claim.group) >= self.limits.seats_per_group {
            return Err(ByeReason::Full);
        }
        if self.has_ordinary() {
            return Ok(None);
        }
        match self.worst() {
            Some((worst, seat)) if self.yields(seat, claim, now) => Ok(Some(*worst)),
            _ => Err(ByeReason::Full),
        }
    }

    /// The ordinary seat that is given away first: of the largest group, of an unknown
    /// peer, the newest.
    fn worst(&self) -> Option<(&Address, &Seat)> {
        self.ordinary().max_by_key(|(_, seat)| {
            let claim = seat.claim;
            let newest = (seat.since, seat.connections.first());
            (self.in_group(claim.group), !claim.known, newest)
        })
    }

    /// Whether a seat is given to a newcomer: its group has more seats than the newcomer's
    /// would have, only the newcomer is known, or neither is and it is time to rotate.
    fn yields(&self, seat: &Seat, claim: Claim, now: Instant) -> bool {
        let larger = self.in_group(seat.claim.group) > self.in_group(claim.group) + 1;
        let unknown = !seat.claim.known;
        let rotates = now.saturating_duration_since(seat.since) >= self.limits.rotate;
        larger || (unknown && (claim.known || rotates))
    }

    /// Adds a connection that [`Seats::check`] allows.
    ///
    /// # Errors
    /// [`ByeReason::Duplicate`] if the address has enough connections.
    pub(crate) fn take(
        &mut self,
        address: Address,
        id: PeerId,
        claim: Claim,
        now: Instant,
    ) -> Result<(), ByeReason> {
        let seat = self.seats.entry(address).or_insert_with(|| Seat {
            connections: Vec::new(),
            claim,
            since: now,
        });
        // both stay: the place that gave them still does
        seat.claim.privileged |= claim.privileged;
        seat.claim.known |= claim.known;
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
    pub(crate) fn leave(&mut self, address: &Address, id: PeerId) {
        if let Some(seat) = self.seats.get_mut(address) {
            seat.connections.retain(|other| *other != id);
            if seat.connections.is_empty() {
                self.seats.remove(address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const STRANGER: Claim = Claim {
        privileged: false,
        known: false,
        group: None,
    };

    const MINER: Claim = Claim {
        privileged: true,
        ..STRANGER
    };

    fn seats() -> Seats {
        Seats::new(&Limits {
            connections: 12,
            reserved: 4,
            seats_per_group: 3,
            ..Limits::default()
        })
    }

    fn address(n: u8) -> Address {
        Address::new([n; 20])
    }

    fn from(host: u8) -> Claim {
        let group = AddressGroup::of([192, 0, 2, host].into());
        Claim { group, ..STRANGER }
    }

    impl Seats {
        /// Takes a seat, and lets the peer go that must leave for it.
        fn seat(&mut self, n: u8, claim: Claim, now: Instant) -> Result<Option<u8>, ByeReason> {
            let left = self.check(&address(n), claim, now)?;
            if let Some(left) = left {
                for id in self.connections_to(&left).to_vec() {
                    self.leave(&left, id);
                }
            }
            self.take(address(n), n.into(), claim, now)?;
            Ok(left.map(|left| left.as_bytes()[0]))
        }
    }

    #[test]
    fn a_second_connection_stands_beside_the_first_and_a_third_is_refused() {
        let (mut seats, now) = (seats(), Instant::now());
        let a = address(1);
        for id in 1..=2 {
            assert_eq!(seats.take(a, id, STRANGER, now), Ok(()));
        }
        let third = seats.take(a, 3, STRANGER, now);
        assert_eq!(third, Err(ByeReason::Duplicate));
        assert_eq!((seats.connections_to(&a), seats.len()), (&[1, 2][..], 1));
        seats.leave(&a, 1);
        seats.leave(&a, 7);
        assert_eq!(seats.connections_to(&a), [2]);
        seats.leave(&a, 2);
        assert!(!seats.is_seated(&a));
    }

    #[test]
    fn one_group_takes_few_seats() {
        let (mut seats, now) = (seats(), Instant::now());
        for n in 0..3 {
            assert_eq!(seats.seat(n, from(1), now), Ok(None));
        }
        assert_eq!(seats.seat(3, from(1), now), Err(ByeReason::Full));
        assert_eq!(seats.seat(4, from(2), now), Ok(None));
        // loopback has no limit of its own, and 4 of 12 seats stay reserved
        for n in 5..9 {
            assert_eq!(seats.seat(n, STRANGER, now), Ok(None));
        }
        assert!(!seats.has_ordinary());
        // the newest of the largest group makes room for other groups until they are even
        assert_eq!(seats.seat(20, from(3), now), Ok(Some(2)));
        assert_eq!(seats.seat(21, from(4), now), Ok(Some(1)));
        assert_eq!(seats.seat(22, from(5), now), Err(ByeReason::Full));
    }

    #[test]
    fn miners_get_in_however_many_they_are() {
        let (mut seats, now) = (seats(), Instant::now());
        for n in 0..8 {
            assert_eq!(seats.seat(n, from(n), now), Ok(None));
        }
        for n in 100..104 {
            assert_eq!(seats.seat(n, MINER, now), Ok(None));
        }
        // no empty seat is left: strangers leave, and then there are more than 12
        for n in 104..140 {
            let left = seats.seat(n, MINER, now).unwrap();
            assert_eq!(left.is_some(), n < 112, "{left:?}");
        }
        assert_eq!(seats.len(), 40);
    }

    #[test]
    fn a_known_peer_gets_back_and_a_new_one_sits_for_a_while_only() {
        let (mut seats, start) = (seats(), Instant::now());
        let rotate = seats.limits.rotate;
        for n in 0..8 {
            let later = start + Duration::from_secs(n.into());
            assert_eq!(seats.seat(n, from(n), later), Ok(None));
        }
        let full = start + Duration::from_secs(8);
        assert!(seats.has_for_known() && !seats.has_ordinary());
        let known = Claim {
            known: true,
            ..from(50)
        };
        assert_eq!(seats.seat(50, known, full), Ok(Some(7)));
        assert_eq!(seats.seat(51, from(51), full), Err(ByeReason::Full));
        // the newest of the strangers is the next one, and the oldest stay
        let later = full + rotate;
        assert_eq!(seats.seat(52, from(52), later), Ok(Some(6)));
        assert_eq!(seats.seat(53, from(53), later), Err(ByeReason::Full));
        assert_eq!(seats.seat(54, from(54), later + rotate), Ok(Some(52)));
        assert!((0..6).all(|n| seats.is_seated(&address(n))));
    }
}
