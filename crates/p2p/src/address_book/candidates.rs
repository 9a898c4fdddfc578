//! Candidates, the unproven places: bounded storage and eviction. A claim never replaces a
//! proven place, because any peer can claim any place.

use super::{AddressBook, Entry, Origin};
use crate::HostPort;
use ccoin_core::Address;
use std::time::Instant;

/// Most candidates of one address: a liar must not fill the book with places of a miner.
const MAX_PER_ADDRESS: usize = 4;

impl AddressBook {
    /// Adds a place that a third party names.
    pub(crate) fn suggest(&mut self, address: Address, place: HostPort, now: Instant, chance: u32) {
        self.add(address, place, false, now, chance);
    }

    /// Adds the place at which a caller with a proven address claims to listen. Third
    /// parties cannot displace it; a new claim of the caller does.
    pub(crate) fn add_caller(
        &mut self,
        address: Address,
        place: HostPort,
        now: Instant,
        chance: u32,
    ) {
        for other in self.candidates.of(&address, 0) {
            if let Some(entry) = self.entries.get_mut(other) {
                entry.first_hand = false;
            }
        }
        self.add(address, place, true, now, chance);
    }

    fn add(
        &mut self,
        address: Address,
        place: HostPort,
        first_hand: bool,
        now: Instant,
        chance: u32,
    ) {
        if address == self.own {
            return;
        }
        if let Some(entry) = self.entries.get_mut(&place) {
            if entry.address == Some(address) {
                entry.first_hand |= first_hand && entry.origin == Origin::Candidate;
                return;
            }
            if !self.may_reassign(&place, &address, first_hand) {
                return;
            }
            self.forget(&place);
        }
        if !self.make_room(&address, chance) {
            return;
        }
        let mut entry = Entry::new(Origin::Candidate, Some(address), now);
        entry.first_hand = first_hand;
        entry.candidate_number = self.candidates.insert(address, place.clone());
        self.entries.insert(place, entry);
    }

    /// Whether a candidate of another address becomes one of this address. A lie about the
    /// place of a miner must not hide the miner.
    fn may_reassign(&self, place: &HostPort, address: &Address, first_hand: bool) -> bool {
        let miner = self.miners.contains(address);
        self.entries.get(place).is_some_and(|entry| {
            let free = entry.origin == Origin::Candidate && !entry.dialling;
            let of_miner = self.is_miner(entry);
            free && match first_hand {
                true => miner || !of_miner,
                false => miner && !of_miner && !entry.first_hand,
            }
        })
    }

    /// Evicts the worst candidate if there is no room for one more of this address, chosen
    /// at random among equals. False: none may be evicted.
    fn make_room(&mut self, address: &Address, chance: u32) -> bool {
        if self.candidates.of(address, chance).count() >= MAX_PER_ADDRESS {
            let worst = self
                .candidates
                .of(address, chance)
                .filter_map(|place| self.entries.get_key_value(place))
                .filter(|(_, entry)| !entry.dialling && !entry.first_hand)
                .max_by_key(|(_, entry)| entry.failures);
            let Some(worst) = worst.map(|(place, _)| place.clone()) else {
                return false;
            };
            self.forget(&worst);
        }
        if self.candidates.len() >= self.limits.candidates {
            let worst = self
                .candidates
                .few(chance)
                .filter_map(|place| self.entries.get_key_value(place))
                .filter(|(_, entry)| !entry.dialling && !self.is_miner(entry))
                .max_by_key(|(_, entry)| (!entry.first_hand, entry.failures));
            let Some(worst) = worst.map(|(place, _)| place.clone()) else {
                return false;
            };
            self.forget(&worst);
        }
        true
    }

    pub(super) fn forget(&mut self, place: &HostPort) {
        self.unmark_candidate(place);
        self.entries.remove(place);
    }

    pub(super) fn unmark_candidate(&mut self, place: &HostPort) {
        if let Some(entry) = self.entries.get_mut(place) {
            if let Some(address) = &entry.address {
                self.candidates.remove(address, entry.candidate_number);
            }
            entry.candidate_number = 0;
            entry.first_hand = false;
        }
    }

    /// A proven place becomes a candidate, if there is room for one.
    pub(super) fn demote(&mut self, place: &HostPort) {
        let Some(entry) = self.entries.get_mut(place) else {
            return;
        };
        entry.origin = Origin::Candidate;
        entry.proven = 0;
        match entry.address {
            Some(address)
                if self.candidates.len() < self.limits.candidates
                    && self.candidates.of(&address, 0).count() < MAX_PER_ADDRESS =>
            {
                entry.candidate_number = self.candidates.insert(address, place.clone());
            }
            _ => self.forget(place),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{CANDIDATE_TRIES, tests::*};
    use super::*;
    use crate::limits::Limits;
    use proptest::{collection::vec, prelude::*};
    use std::time::Duration;

    fn scattered(n: usize) -> u32 {
        (n as u32).wrapping_mul(0x9e37_79b9)
    }

    fn has(book: &AddressBook, n: usize) -> bool {
        book.entries.contains_key(&place(n))
    }

    #[test]
    fn candidates_are_bounded_and_never_change_known_places() {
        let (mut book, now) = (book(), Instant::now());
        book.suggest(OWN, place(0), now, 0);
        book.configure(place(1), now);
        book.suggest(address(5), place(1), now, 0);
        assert_eq!(book.entries[&place(1)].address, None);
        for n in 0..3 {
            book.suggest(address(5 + n as u8), place(10 + n), now, 0);
        }
        assert_eq!(book.candidates.len(), 3);
        // the one that failed goes for a new one
        book.fail(&place(11), now, 0);
        book.suggest(address(20), place(20), now, 0);
        assert!(has(&book, 20) && !has(&book, 11) && book.candidates.len() == 3);
        for _ in 0..CANDIDATE_TRIES {
            book.fail(&place(20), now, 0);
            book.fail(&place(1), now, 0);
        }
        assert!(!has(&book, 20) && has(&book, 1) && book.candidates.len() == 2);
    }

    #[test]
    fn a_book_full_of_untried_candidates_takes_new_ones() {
        let now = Instant::now();
        let limits = Limits::default();
        let mut book = AddressBook::new(&limits, OWN, &[MINER]);
        book.suggest(MINER, place(0), now, 0);
        for n in 1..limits.candidates {
            book.suggest(address(10 + (n / 4) as u8 % 200), place(n), now, 0);
        }
        for n in 0..2 * limits.candidates {
            let (address, chance) = (address(10 + (n % 200) as u8), scattered(n));
            book.suggest(address, place(5000 + n), now, chance);
            assert!(has(&book, 5000 + n) && book.candidates.len() <= limits.candidates);
        }
        // no number of claims makes the book forget a miner
        assert!(has(&book, 0));
    }

    #[test]
    fn lies_about_a_miner_do_not_hide_its_own_claim() {
        let now = Instant::now();
        for told_before in [true, false] {
            let mut book = AddressBook::new(&Limits::default(), OWN, &[MINER]);
            let lie = |book: &mut AddressBook| {
                for n in 0..50 {
                    book.suggest(MINER, place(n), now, scattered(n));
                }
            };
            if told_before {
                lie(&mut book);
            }
            book.add_caller(MINER, place(99), now, 0);
            lie(&mut book);
            assert_eq!(book.entries.len(), MAX_PER_ADDRESS);
            assert_eq!(due(&mut book, now, true), [place(99)]);
            // it has moved: its earlier claim counts as any other candidate
            book.reached(&place(99));
            book.add_caller(MINER, place(100), now, 0);
            lie(&mut book);
            assert_eq!(due(&mut book, now, true), [place(100)]);
        }
    }

    #[test]
    fn a_later_claim_is_added_too() {
        let (mut book, now) = (
            AddressBook::new(&Limits::default(), OWN, &[]),
            Instant::now(),
        );
        for n in 0..5 {
            book.suggest(address(2), place(n), now, 0);
        }
        assert!(has(&book, 4) && book.entries.len() == MAX_PER_ADDRESS);
    }

    #[test]
    fn a_place_of_a_miner_cannot_be_hidden_behind_another_address() {
        let (mut book, now) = (book(), Instant::now());
        let whose = |book: &AddressBook| book.entries[&place(1)].address.unwrap();
        book.suggest(address(2), place(1), now, 0);
        book.suggest(address(3), place(1), now, 0);
        assert_eq!(whose(&book), address(2));
        book.suggest(MINER, place(1), now, 0);
        assert_eq!(whose(&book), MINER);
        book.suggest(address(2), place(1), now, 0);
        book.add_caller(address(2), place(1), now, 0);
        assert_eq!(whose(&book), MINER);
        assert_eq!(book.candidates.len(), 1);
    }

    #[test]
    fn the_last_place_of_a_miner_is_never_forgotten() {
        let (mut book, now) = (
            AddressBook::new(&Limits::default(), OWN, &[MINER]),
            Instant::now(),
        );
        for n in 0..3 {
            book.suggest(MINER, place(n), now, 0);
        }
        for _ in 0..100 {
            for n in 0..3 {
                book.fail(&place(n), now, 0);
            }
        }
        assert_eq!(book.candidates.len(), 1);
        let longest = now + book.limits.unproven_pause;
        assert_eq!(due(&mut book, longest, true).len(), 1);
        // nor the one that it names itself, whatever others claim
        book.add_caller(MINER, place(9), now, 0);
        book.suggest(MINER, place(3), now, 0);
        for _ in 0..CANDIDATE_TRIES {
            book.fail(&place(9), now, 0);
        }
        assert!(has(&book, 9));
    }

    proptest! {
        #[test]
        fn the_index_agrees_with_the_book(
            steps in vec((0..9u8, 0..12u8, 0..12usize, any::<u32>()), 1..200),
        ) {
            let (mut book, mut now) = (book(), Instant::now());
            for (step, of, at, chance) in steps {
                let (of, at) = (address(of), place(at));
                match step {
                    0 | 1 => book.suggest(of, at, now, chance),
                    2 => book.add_caller(of, at, now, chance),
                    3 => book.configure(at, now),
                    4 => book.remember(remembered(chance as u8 % 12, 3), now),
                    5 => drop(book.prove(&at, of)),
                    6 => book.fail(&at, now, chance),
                    7 => book.reached(&at),
                    _ => drop(due(&mut book, now, true)),
                }
                now += Duration::from_millis(500);
                for (place, entry) in &book.entries {
                    let of = entry.address.is_some_and(|address| {
                        book.candidates.of(&address, chance).any(|other| other == place)
                    });
                    prop_assert_eq!(entry.origin == Origin::Candidate, of);
                    prop_assert_eq!(entry.candidate_number > 0, of);
                    prop_assert!(of || !entry.first_hand);
                    prop_assert_eq!(entry.proven > 0 && of, false);
                }
                let candidates = book.of(Origin::Candidate).count();
                prop_assert_eq!(book.candidates.len(), candidates);
                prop_assert!(candidates <= book.limits.candidates);
            }
        }
    }
}
