//! An index of the candidates: by address, and a few at random. It holds names alone; the
//! book holds what is known of a place.

use crate::host_port::HostPort;
use ccoin_core::Address;
use std::collections::{BTreeMap, HashMap};

/// Candidates compared to find one to evict.
const FEW: usize = 8;

#[derive(Debug, Default)]
pub(super) struct CandidateIndex {
    last: u64,
    places: BTreeMap<u64, HostPort>,
    of: HashMap<Address, Vec<u64>>,
}

impl CandidateIndex {
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// Adds one and returns its number.
    pub(super) fn insert(&mut self, address: Address, place: HostPort) -> u64 {
        self.last += 1;
        self.places.insert(self.last, place);
        self.of.entry(address).or_default().push(self.last);
        self.last
    }

    pub(super) fn remove(&mut self, address: &Address, number: u64) {
        self.places.remove(&number);
        if let Some(numbers) = self.of.get_mut(address) {
            numbers.retain(|other| *other != number);
            if numbers.is_empty() {
                self.of.remove(address);
            }
        }
    }

    /// All candidates of one address, from a random one on.
    pub(super) fn of(&self, address: &Address, chance: u32) -> impl Iterator<Item = &HostPort> {
        let numbers = self.of.get(address).map_or(&[][..], Vec::as_slice);
        let from = chance as usize % numbers.len().max(1);
        let (before, after) = numbers.split_at(from);
        after
            .iter()
            .chain(before)
            .filter_map(|n| self.places.get(n))
    }

    /// A few of all candidates, from a random one on.
    pub(super) fn few(&self, chance: u32) -> impl Iterator<Item = &HostPort> {
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

    fn place(n: u16) -> HostPort {
        let host = "h".into();
        HostPort { host, port: n }
    }

    #[test]
    fn candidates_are_found_by_address_and_at_random() {
        let (one, two) = (Address::new([1; 20]), Address::new([2; 20]));
        let mut index = CandidateIndex::default();
        assert_eq!((index.few(7).count(), index.of(&one, 7).count()), (0, 0));
        let numbers: Vec<_> = (0..4).map(|n| index.insert(one, place(n))).collect();
        for n in 4..100 {
            index.insert(two, place(n));
        }
        let ports = |index: &CandidateIndex, chance| -> Vec<u16> {
            index.of(&one, chance).map(|place| place.port).collect()
        };
        assert_eq!(ports(&index, 0), [0, 1, 2, 3]);
        assert_eq!(ports(&index, 5), [1, 2, 3, 0]);
        index.remove(&one, numbers[1]);
        assert_eq!(ports(&index, 5), [3, 0, 2]);
        assert_eq!(index.len(), 99);
        let first = |chance| index.few(chance).next().map(|place| place.port);
        assert_eq!(first(0), Some(0));
        assert_eq!(first(u32::MAX / 2), Some(49));
        assert_eq!(first(u32::MAX), Some(99));
        for chance in [0, u32::MAX / 3, u32::MAX] {
            assert_eq!(index.few(chance).count(), FEW);
        }
        for number in [numbers[0], numbers[2], numbers[3]] {
            index.remove(&one, number);
        }
        assert!(ports(&index, 5).is_empty());
        assert_eq!(index.of.len(), 1);
    }
}
