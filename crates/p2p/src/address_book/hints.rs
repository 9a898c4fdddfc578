//! The places that were only heard of: how many they are, whose they are said to be, and
//! a few at random. Names alone; what is known of a place stands in the book.

use crate::place::Place;
use ccoin_core::Address;
use std::collections::{BTreeMap, HashMap};

/// How many are looked at to find one that may go.
const FEW: usize = 8;

/// An index of the hints.
#[derive(Debug, Default)]
pub(super) struct Hints {
    last: u64,
    places: BTreeMap<u64, Place>,
    of: HashMap<Address, Vec<u64>>,
}

impl Hints {
    /// How many they are.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// One more; its number.
    pub(super) fn insert(&mut self, address: Address, place: Place) -> u64 {
        self.last += 1;
        self.places.insert(self.last, place);
        self.of.entry(address).or_default().push(self.last);
        self.last
    }

    /// It is a hint no more.
    pub(super) fn remove(&mut self, address: &Address, number: u64) {
        self.places.remove(&number);
        if let Some(numbers) = self.of.get_mut(address) {
            numbers.retain(|other| *other != number);
            if numbers.is_empty() {
                self.of.remove(address);
            }
        }
    }

    /// All places of one address, beginning anywhere.
    pub(super) fn of(&self, address: &Address, chance: u32) -> impl Iterator<Item = &Place> {
        let numbers = self.of.get(address).map_or(&[][..], Vec::as_slice);
        let from = chance as usize % numbers.len().max(1);
        let (before, after) = numbers.split_at(from);
        after
            .iter()
            .chain(before)
            .filter_map(|n| self.places.get(n))
    }

    /// A few of all, beginning anywhere.
    pub(super) fn few(&self, chance: u32) -> impl Iterator<Item = &Place> {
        let first = self.places.keys().next().copied().unwrap_or_default();
        let span = u128::from(self.last.saturating_sub(first).saturating_add(1));
        let offset = (span * u128::from(chance)) >> 32;
        let from = first.saturating_add(u64::try_from(offset).unwrap_or(u64::MAX));
        let (after, before) = (self.places.range(from..), self.places.range(..from));
        after.chain(before).take(FEW).map(|(_, place)| place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(n: u16) -> Place {
        let host = "h".into();
        Place { host, port: n }
    }

    #[test]
    fn they_are_found_by_address_and_by_chance() {
        let (one, two) = (Address::new([1; 20]), Address::new([2; 20]));
        let mut hints = Hints::default();
        assert_eq!((hints.few(7).count(), hints.of(&one, 7).count()), (0, 0));
        let numbers: Vec<_> = (0..4).map(|n| hints.insert(one, place(n))).collect();
        for n in 4..100 {
            hints.insert(two, place(n));
        }
        let ports = |hints: &Hints, chance| -> Vec<u16> {
            hints.of(&one, chance).map(|place| place.port).collect()
        };
        assert_eq!(ports(&hints, 0), [0, 1, 2, 3]);
        assert_eq!(ports(&hints, 5), [1, 2, 3, 0]);
        hints.remove(&one, numbers[1]);
        assert_eq!(ports(&hints, 5), [3, 0, 2]);
        assert_eq!(hints.len(), 99);
        let first = |chance| hints.few(chance).next().map(|place| place.port);
        assert_eq!(first(0), Some(0));
        assert_eq!(first(u32::MAX / 2), Some(49));
        assert_eq!(first(u32::MAX), Some(99));
        for chance in [0, u32::MAX / 3, u32::MAX] {
            assert_eq!(hints.few(chance).count(), FEW);
        }
        for number in [numbers[0], numbers[2], numbers[3]] {
            hints.remove(&one, number);
        }
        assert!(ports(&hints, 5).is_empty());
        assert_eq!(hints.of.len(), 1);
    }
}
