//! Places that are only heard of: which of them are kept, and which one goes for another.
//! Anybody may say anything, so nothing that is said hides what is known.

use super::{AddressBook, Entry, Origin};
use crate::place::Place;
use ccoin_core::Address;
use std::time::Instant;

/// Most places that are heard of for one address: a liar must not fill the book with
/// places of a miner.
const PLACES_OF_ONE: usize = 4;

impl AddressBook {
    /// A place that somebody says; nothing known is changed by it.
    pub(crate) fn suggest(&mut self, address: Address, place: Place, now: Instant, chance: u32) {
        self.hear(address, place, false, now, chance);
    }

    /// A peer that has called and proven its address says that it listens here: what
    /// others say does not displace it, until it says something else.
    pub(crate) fn came(&mut self, address: Address, place: Place, now: Instant, chance: u32) {
        for other in self.hints.of(&address, 0) {
            if let Some(entry) = self.entries.get_mut(other) {
                entry.first_hand = false;
            }
        }
        self.hear(address, place, true, now, chance);
    }

    fn hear(
        &mut self,
        address: Address,
        place: Place,
        first_hand: bool,
        now: Instant,
        chance: u32,
    ) {
        if address == self.own {
            return;
        }
        if let Some(entry) = self.entries.get_mut(&place) {
            if entry.address == Some(address) {
                entry.first_hand |= first_hand && entry.origin == Origin::Hint;
                return;
            }
            if !self.may_take(&place, &address, first_hand) {
                return;
            }
            self.forget(&place);
        }
        if !self.make_room(&address, chance) {
            return;
        }
        let mut entry = Entry::new(Origin::Hint, Some(address), now);
        entry.first_hand = first_hand;
        entry.hint = self.hints.insert(address, place.clone());
        self.entries.insert(place, entry);
    }

    /// Whether a place that is said to be another's becomes this one's: a lie about the
    /// place of a miner must not hide it.
    fn may_take(&self, place: &Place, address: &Address, first_hand: bool) -> bool {
        let miner = self.miners.contains(address);
        self.entries.get(place).is_some_and(|entry| {
            let free = entry.origin == Origin::Hint && !entry.dialling;
            let of_miner = self.is_miner(entry);
            free && match first_hand {
                true => miner || !of_miner,
                false => miner && !of_miner && !entry.first_hand,
            }
        })
    }

    /// Lets a hint go if there is no room for another one of this address: the worst one,
    /// and of equals any. False: none may go.
    fn make_room(&mut self, address: &Address, chance: u32) -> bool {
        if self.hints.of(address, chance).count() >= PLACES_OF_ONE {
            let worst = self
                .hints
                .of(address, chance)
                .filter_map(|place| self.entries.get_key_value(place))
                .filter(|(_, entry)| !entry.dialling && !entry.first_hand)
                .max_by_key(|(_, entry)| entry.failures);
            let Some(worst) = worst.map(|(place, _)| place.clone()) else {
                return false;
            };
            self.forget(&worst);
        }
        if self.hints.len() >= self.limits.hints {
            let worst = self
                .hints
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

    pub(super) fn forget(&mut self, place: &Place) {
        self.end_hint(place);
        self.entries.remove(place);
    }

    pub(super) fn end_hint(&mut self, place: &Place) {
        if let Some(entry) = self.entries.get_mut(place) {
            if let Some(address) = &entry.address {
                self.hints.remove(address, entry.hint);
            }
            entry.hint = 0;
            entry.first_hand = false;
        }
    }

    /// A place that was proven is no more than a hint now, if there is room for one.
    pub(super) fn demote(&mut self, place: &Place) {
        let Some(entry) = self.entries.get_mut(place) else {
            return;
        };
        entry.origin = Origin::Hint;
        entry.proven = 0;
        match entry.address {
            Some(address)
                if self.hints.len() < self.limits.hints
                    && self.hints.of(&address, 0).count() < PLACES_OF_ONE =>
            {
                entry.hint = self.hints.insert(address, place.clone());
            }
            _ => self.forget(place),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{HINT_TRIES, tests::*};
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
    fn hints_are_bounded_and_forgotten_and_change_nothing_known() {
        let (mut book, now) = (book(), Instant::now());
        book.suggest(OWN, place(0), now, 0);
        book.configure(place(1), now);
        book.suggest(address(5), place(1), now, 0);
        assert_eq!(book.entries[&place(1)].address, None);
        for n in 0..3 {
            book.suggest(address(5 + n as u8), place(10 + n), now, 0);
        }
        assert_eq!(book.hints.len(), 3);
        // the one that failed goes for a new one
        book.fail(&place(11), now, 0);
        book.suggest(address(20), place(20), now, 0);
        assert!(has(&book, 20) && !has(&book, 11) && book.hints.len() == 3);
        for _ in 0..HINT_TRIES {
            book.fail(&place(20), now, 0);
            book.fail(&place(1), now, 0);
        }
        assert!(!has(&book, 20) && has(&book, 1) && book.hints.len() == 2);
    }

    #[test]
    fn a_book_full_of_untried_hints_takes_new_ones() {
        let now = Instant::now();
        let limits = Limits::default();
        let mut book = AddressBook::new(&limits, OWN, &[MINER]);
        book.suggest(MINER, place(0), now, 0);
        for n in 1..limits.hints {
            book.suggest(address(10 + (n / 4) as u8 % 200), place(n), now, 0);
        }
        for n in 0..2 * limits.hints {
            let (address, chance) = (address(10 + (n % 200) as u8), scattered(n));
            book.suggest(address, place(5000 + n), now, chance);
            assert!(has(&book, 5000 + n) && book.hints.len() <= limits.hints);
        }
        // nobody says so often where others are that a miner is forgotten
        assert!(has(&book, 0));
    }

    #[test]
    fn lies_about_a_miner_do_not_hide_where_it_says_itself() {
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
            book.came(MINER, place(99), now, 0);
            lie(&mut book);
            assert_eq!(book.entries.len(), PLACES_OF_ONE);
            assert_eq!(due(&mut book, now, true), [place(99)]);
            // it has moved: what it said before is worth no more than other hints
            book.reached(&place(99));
            book.came(MINER, place(100), now, 0);
            lie(&mut book);
            assert_eq!(due(&mut book, now, true), [place(100)]);
        }
    }

    #[test]
    fn what_is_said_later_is_heard_too() {
        let (mut book, now) = (
            AddressBook::new(&Limits::default(), OWN, &[]),
            Instant::now(),
        );
        for n in 0..5 {
            book.suggest(address(2), place(n), now, 0);
        }
        assert!(has(&book, 4) && book.entries.len() == PLACES_OF_ONE);
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
        book.came(address(2), place(1), now, 0);
        assert_eq!(whose(&book), MINER);
        assert_eq!(book.hints.len(), 1);
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
        assert_eq!(book.hints.len(), 1);
        let longest = now + book.limits.longest_pause;
        assert_eq!(due(&mut book, longest, true).len(), 1);
        // nor the one that it says itself, whatever else is said
        book.came(MINER, place(9), now, 0);
        book.suggest(MINER, place(3), now, 0);
        for _ in 0..HINT_TRIES {
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
            for (what, who, at, chance) in steps {
                let (who, at) = (address(who), place(at));
                match what {
                    0 | 1 => book.suggest(who, at, now, chance),
                    2 => book.came(who, at, now, chance),
                    3 => book.configure(at, now),
                    4 => book.remember(remembered(chance as u8 % 12, 3), now),
                    5 => drop(book.prove(&at, who)),
                    6 => book.fail(&at, now, chance),
                    7 => book.reached(&at),
                    _ => drop(due(&mut book, now, true)),
                }
                now += Duration::from_millis(500);
                for (place, entry) in &book.entries {
                    let of = entry.address.is_some_and(|address| {
                        book.hints.of(&address, chance).any(|other| other == place)
                    });
                    prop_assert_eq!(entry.origin == Origin::Hint, of);
                    prop_assert_eq!(entry.hint > 0, of);
                    prop_assert!(of || !entry.first_hand);
                    prop_assert_eq!(entry.proven > 0 && of, false);
                }
                let hints = book.of(Origin::Hint).count();
                prop_assert_eq!(book.hints.len(), hints);
                prop_assert!(hints <= book.limits.hints);
            }
        }
    }
}
