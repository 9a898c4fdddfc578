//! Where peers may be found, what is proven of it, and whom to dial next.
//! Pure: time and chance come in; it dials nobody and looks nothing up.

use crate::{limits::Limits, place::Place};
use ccoin_core::{
    Address,
    message::{MAX_SHARED_PEERS, PeerAddress},
};
use std::{
    collections::{BTreeMap, HashSet},
    time::{Duration, Instant},
};

/// Most places that are remembered as proven: what fits one message.
const MOST_PROVEN: usize = MAX_SHARED_PEERS;

/// Failures in a row after which a place that was only heard of is forgotten.
const HINT_TRIES: u32 = 5;

/// Most places that are heard of for one address: a liar must not fill the book with
/// places of a miner.
const PLACES_OF_ONE: usize = 4;

/// How a place came into the book, the most important first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Origin {
    Configured,
    /// A peer has proven its address there, now or in an earlier run.
    Remembered,
    Hint,
}

#[derive(Debug)]
struct Entry {
    origin: Origin,
    /// Proven, or as somebody said.
    address: Option<Address>,
    /// When the address was proven, as a number that grows; 0: never.
    proven: u64,
    failures: u32,
    not_before: Instant,
    dialling: bool,
}

/// What the book has to know of the connections.
pub(crate) struct Situation<'a> {
    /// Whether there is a connection to this address, or none is wanted.
    pub(crate) settled: &'a dyn Fn(&Address) -> bool,
    /// Until when this address is refused, if it is.
    pub(crate) refused: &'a dyn Fn(&Address) -> Option<Instant>,
    /// Whether connections are so few that hints are worth a try.
    pub(crate) few: bool,
    /// Whether a peer without privilege would find a seat.
    pub(crate) seats: bool,
}

/// All places.
#[derive(Debug)]
pub(crate) struct AddressBook {
    limits: Limits,
    own: Address,
    miners: HashSet<Address>,
    entries: BTreeMap<Place, Entry>,
    proofs: u64,
}

impl AddressBook {
    /// Of the node with the address `own`.
    pub(crate) fn new(limits: &Limits, own: Address, miners: &[Address]) -> Self {
        Self {
            limits: limits.clone(),
            own,
            miners: miners.iter().copied().collect(),
            entries: BTreeMap::new(),
            proofs: 0,
        }
    }

    fn add(&mut self, place: Place, origin: Origin, address: Option<Address>, now: Instant) {
        let entry = self.entries.entry(place).or_insert(Entry {
            origin,
            address,
            proven: 0,
            failures: 0,
            not_before: now,
            dialling: false,
        });
        entry.origin = entry.origin.min(origin);
        entry.address = entry.address.or(address);
    }

    /// A place that the operator names: dialled for ever.
    pub(crate) fn configure(&mut self, place: Place, now: Instant) {
        self.add(place, Origin::Configured, None, now);
    }

    /// A place proven in an earlier run: dialled for ever.
    pub(crate) fn remember(&mut self, peer: PeerAddress, now: Instant) {
        if peer.address != self.own && self.remembered() < MOST_PROVEN {
            let place = Place {
                host: peer.host,
                port: peer.port,
            };
            self.add(place.clone(), Origin::Remembered, Some(peer.address), now);
            self.proofs += 1;
            if let Some(entry) = self.entries.get_mut(&place) {
                entry.proven = self.proofs;
            }
        }
    }

    fn remembered(&self) -> usize {
        self.of(Origin::Remembered).count()
    }

    fn of(&self, origin: Origin) -> impl Iterator<Item = (&Place, &Entry)> {
        self.entries
            .iter()
            .filter(move |(_, entry)| entry.origin == origin)
    }

    /// A place that somebody says; nothing known is changed by it.
    pub(crate) fn suggest(&mut self, address: Address, place: Place, now: Instant) {
        if address == self.own || self.entries.contains_key(&place) {
            return;
        }
        let same = |(_, entry): &(&Place, &Entry)| entry.address == Some(address);
        if self.of(Origin::Hint).filter(same).count() >= PLACES_OF_ONE {
            return;
        }
        if self.of(Origin::Hint).count() >= self.limits.hints {
            let worst = self
                .of(Origin::Hint)
                .filter(|(_, entry)| !entry.dialling && entry.failures > 0)
                .max_by_key(|(_, entry)| entry.failures)
                .map(|(place, _)| place.clone());
            match worst {
                Some(worst) => self.entries.remove(&worst),
                None => return,
            };
        }
        self.add(place, Origin::Hint, Some(address), now);
    }

    /// Whether the operator has named a place of this address.
    pub(crate) fn is_configured(&self, address: &Address) -> bool {
        self.of(Origin::Configured)
            .any(|(_, entry)| entry.proven > 0 && entry.address.as_ref() == Some(address))
    }

    /// Whether the operator has named this place.
    pub(crate) fn is_configured_place(&self, place: &Place) -> bool {
        let entry = self.entries.get(place);
        entry.is_some_and(|entry| entry.origin == Origin::Configured)
    }

    fn is_miner(&self, entry: &Entry) -> bool {
        let address = entry.address.as_ref();
        address.is_some_and(|address| self.miners.contains(address))
    }

    /// Configured first, then miners, proven ones, hints.
    fn rank(&self, entry: &Entry) -> u8 {
        match entry.origin {
            Origin::Configured => 0,
            _ if self.is_miner(entry) => 1,
            Origin::Remembered => 2,
            Origin::Hint => 3,
        }
    }

    /// Whom to dial now; they count as being dialled from here on. And when to ask again
    /// if nothing else happens.
    pub(crate) fn due(
        &mut self,
        now: Instant,
        situation: &Situation<'_>,
    ) -> (Vec<Place>, Option<Instant>) {
        let dialling = self.entries.values().filter(|entry| entry.dialling);
        let mut busy: HashSet<Address> = dialling.clone().filter_map(|e| e.address).collect();
        let mut free = self.limits.dials.saturating_sub(dialling.count());
        let mut wanted: Vec<(u8, Instant, Place)> = self
            .entries
            .iter()
            .filter(|(_, entry)| !entry.dialling)
            .filter(|(_, entry)| !entry.address.as_ref().is_some_and(situation.settled))
            .map(|(place, entry)| {
                let refused = entry.address.as_ref().and_then(situation.refused);
                let not_before = refused.unwrap_or(now).max(entry.not_before);
                (self.rank(entry), not_before, place.clone())
            })
            .filter(|(rank, ..)| match rank {
                0 | 1 => true,
                2 => situation.seats,
                _ => situation.seats && situation.few,
            })
            .collect();
        wanted.sort();
        let mut places = Vec::new();
        let mut next: Option<Instant> = None;
        for (_, not_before, place) in wanted {
            if not_before > now {
                next = Some(next.map_or(not_before, |next| next.min(not_before)));
                continue;
            }
            let Some(entry) = self.entries.get_mut(&place) else {
                continue;
            };
            // one place of a peer at a time
            if free > 0 && entry.address.is_none_or(|address| busy.insert(address)) {
                free -= 1;
                entry.dialling = true;
                places.push(place);
            }
        }
        (places, next)
    }

    /// The handshake has proven who is there; says whether that is news.
    pub(crate) fn prove(&mut self, place: &Place, address: Address) -> bool {
        let Some(entry) = self.entries.get_mut(place) else {
            return false;
        };
        let news = entry.proven == 0 || entry.address != Some(address);
        self.proofs += 1;
        entry.address = Some(address);
        entry.proven = self.proofs;
        entry.origin = entry.origin.min(Origin::Remembered);
        if news {
            // it has moved: its older places are no more than hints now
            for (other, entry) in &mut self.entries {
                let moved = entry.origin == Origin::Remembered && entry.address == Some(address);
                if moved && other != place {
                    entry.origin = Origin::Hint;
                    entry.proven = 0;
                }
            }
            self.forget_oldest();
        }
        news
    }

    fn forget_oldest(&mut self) {
        if self.remembered() <= MOST_PROVEN {
            return;
        }
        let oldest = self
            .of(Origin::Remembered)
            .filter(|(_, entry)| !self.is_miner(entry))
            .min_by_key(|(_, entry)| entry.proven)
            .map(|(place, _)| place.clone());
        if let Some(entry) = oldest.and_then(|place| self.entries.get_mut(&place)) {
            entry.origin = Origin::Hint;
            entry.proven = 0;
        }
    }

    /// A dial or handshake has failed.
    pub(crate) fn fail(&mut self, place: &Place, now: Instant, chance: u32) {
        let pause = |failures| self.limits.pause(failures, chance);
        let Some(entry) = self.entries.get_mut(place) else {
            return;
        };
        entry.dialling = false;
        entry.failures = entry.failures.saturating_add(1);
        entry.not_before = now + pause(entry.failures);
        if entry.origin == Origin::Hint && entry.failures >= HINT_TRIES {
            self.entries.remove(place);
        }
    }

    /// The dial has led to a connection, or to a peer that is connected already.
    pub(crate) fn reached(&mut self, place: &Place) {
        if let Some(entry) = self.entries.get_mut(place) {
            entry.dialling = false;
        }
    }

    /// A connection to this place has ended after `lived`.
    pub(crate) fn lost(&mut self, place: &Place, lived: Duration, now: Instant, chance: u32) {
        let long = lived > self.limits.lived;
        if long && let Some(entry) = self.entries.get_mut(place) {
            entry.failures = 0;
        }
        self.fail(place, now, chance);
    }

    /// Whoever is there is ourselves.
    pub(crate) fn is_own(&mut self, place: &Place, now: Instant) {
        let until = now + self.limits.own_address;
        if let Some(entry) = self.entries.get_mut(place) {
            entry.dialling = false;
            entry.not_before = until;
        }
    }

    /// Peers that we have reached and that have proven who they are, the last one first.
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
                // a host that only our own resolver understands is nothing to hand on
                peer.out_of_range()
                    .is_none()
                    .then_some((entry.proven, peer))
            })
            .collect();
        proven.sort_by_key(|(proven, _)| std::cmp::Reverse(*proven));
        let peers = proven.into_iter().map(|(_, peer)| peer);
        peers.take(MOST_PROVEN).collect()
    }
}

impl Limits {
    /// The pause after so many failures in a row: doubled each time, and up to a quarter
    /// more or less, so that nodes which failed together do not come back together.
    fn pause(&self, failures: u32, chance: u32) -> Duration {
        let doubled = 2u32.saturating_pow(failures.saturating_sub(1).min(20));
        let pause = self
            .first_pause
            .saturating_mul(doubled)
            .min(self.longest_pause);
        (pause * 3 / 4).saturating_add(pause.mul_f64(f64::from(chance) / f64::from(u32::MAX) / 2.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: Address = Address::new([9; 20]);
    const MINER: Address = Address::new([1; 20]);

    fn place(n: usize) -> Place {
        Place {
            host: format!("h{n}"),
            port: 4001,
        }
    }

    fn address(n: u8) -> Address {
        Address::new([n; 20])
    }

    fn book() -> AddressBook {
        let limits = Limits {
            hints: 3,
            ..Limits::default()
        };
        AddressBook::new(&limits, OWN, &[MINER])
    }

    fn due(book: &mut AddressBook, now: Instant, few: bool) -> Vec<Place> {
        let situation = Situation {
            settled: &|_| false,
            refused: &|_| None,
            few,
            seats: true,
        };
        book.due(now, &situation).0
    }

    #[test]
    fn the_important_ones_come_first_and_eight_at_once() {
        let (mut book, now) = (book(), Instant::now());
        book.suggest(address(2), place(30), now);
        book.suggest(MINER, place(20), now);
        for n in 0..8 {
            book.configure(place(n), now);
        }
        assert_eq!(
            due(&mut book, now, true),
            (0..8).map(place).collect::<Vec<_>>()
        );
        assert_eq!(due(&mut book, now, true), []);
        book.reached(&place(3));
        book.prove(&place(3), MINER);
        // the miner is being dialled nowhere else: its configured place comes first
        assert_eq!(due(&mut book, now, true), [place(3)]);
        book.reached(&place(0));
        book.reached(&place(1));
        book.is_own(&place(0), now);
        book.is_own(&place(1), now);
        assert_eq!(due(&mut book, now, false), []);
        assert_eq!(due(&mut book, now, true), [place(30)]);
        let later = now + book.limits.own_address;
        assert_eq!(due(&mut book, later, true), [place(0)]);
    }

    #[test]
    fn nobody_connected_is_dialled_and_whoever_is_banned_when_the_ban_is_over() {
        let (mut book, now) = (book(), Instant::now());
        book.suggest(MINER, place(1), now);
        let mut situation = Situation {
            settled: &|address| *address == MINER,
            refused: &|_| None,
            few: true,
            seats: true,
        };
        assert_eq!(book.due(now, &situation), (vec![], None));
        situation.settled = &|_| false;
        let later = now + Duration::from_secs(600);
        let refused = |_: &Address| Some(later);
        situation.refused = &refused;
        assert_eq!(book.due(now, &situation), (vec![], Some(later)));
        assert_eq!(book.due(later, &situation), (vec![place(1)], None));
    }

    #[test]
    fn pauses_double_up_to_the_longest_and_begin_again() {
        let (mut book, now) = (book(), Instant::now());
        book.configure(place(1), now);
        let mut pauses = Vec::new();
        for _ in 0..9 {
            book.fail(&place(1), now, u32::MAX / 2);
            pauses.push((book.entries[&place(1)].not_before - now).as_secs_f32());
        }
        let expected = [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0];
        for (pause, expected) in pauses.iter().zip(expected) {
            assert!((pause - expected).abs() < 0.01, "{pauses:?}");
        }
        let pause = |book: &AddressBook| book.entries[&place(1)].not_before - now;
        book.lost(&place(1), Duration::from_secs(9), now, u32::MAX / 2);
        assert!(pause(&book) > Duration::from_secs(29));
        book.lost(&place(1), Duration::from_secs(11), now, u32::MAX / 2);
        assert!(pause(&book) < Duration::from_secs(1));
        book.fail(&place(1), now, 0);
        let least = pause(&book);
        assert_eq!(least, Duration::from_millis(750));
        assert_eq!(due(&mut book, now + least / 2, true), []);
        assert_eq!(due(&mut book, now + least, true), [place(1)]);
    }

    #[test]
    fn hints_are_bounded_and_forgotten_and_change_nothing_known() {
        let (mut book, now) = (book(), Instant::now());
        book.suggest(OWN, place(0), now);
        book.configure(place(1), now);
        book.suggest(address(5), place(1), now);
        assert_eq!(book.entries[&place(1)].address, None);
        for n in 0..5 {
            book.suggest(address(5 + n as u8), place(10 + n), now);
        }
        assert_eq!(book.of(Origin::Hint).count(), 3);
        book.fail(&place(10), now, 0);
        book.suggest(address(20), place(20), now);
        assert!(book.entries.contains_key(&place(20)) && !book.entries.contains_key(&place(10)));
        for _ in 0..HINT_TRIES {
            book.fail(&place(20), now, 0);
            book.fail(&place(1), now, 0);
        }
        assert!(!book.entries.contains_key(&place(20)));
        assert!(book.entries.contains_key(&place(1)));
        let mut book = AddressBook::new(&Limits::default(), OWN, &[MINER]);
        for n in 0..50 {
            book.suggest(MINER, place(n), now);
        }
        assert_eq!(book.entries.len(), PLACES_OF_ONE);
    }

    #[test]
    fn only_what_is_proven_is_handed_on_and_the_newest_place_of_each() {
        let (mut book, now) = (book(), Instant::now());
        book.suggest(address(2), place(1), now);
        book.suggest(address(2), place(2), now);
        assert_eq!(book.proven(), []);
        assert!(book.prove(&place(1), address(3)));
        assert!(!book.prove(&place(1), address(3)));
        assert!(book.prove(&place(2), address(3)));
        let proven = book.proven();
        assert_eq!(proven.len(), 1);
        assert_eq!(
            (proven[0].host.as_str(), proven[0].address),
            ("h2", address(3))
        );
        for n in 0..2 * MOST_PROVEN {
            let host = format!("r{n}");
            let address = address(10);
            book.remember(
                PeerAddress {
                    address,
                    host,
                    port: 1,
                },
                now,
            );
        }
        assert_eq!(book.remembered(), MOST_PROVEN);
        book.configure(place(3), now);
        book.prove(&place(3), address(4));
        assert_eq!(book.proven()[0].address, address(4));
        assert_eq!(book.proven().len(), MOST_PROVEN);
    }
}
