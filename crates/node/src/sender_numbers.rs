//! The numbers of one sender's waiting transactions, ascending. Questions of readers cost a few
//! steps, however many wait: they are asked under the lock of the storage thread.

use ccoin_core::AccountNonce;
use std::collections::VecDeque;

/// No number twice.
#[derive(Debug, Default)]
pub(crate) struct SenderNumbers(VecDeque<u64>);

impl SenderNumbers {
    pub(crate) fn insert(&mut self, number: AccountNonce) {
        if let Err(index) = self.0.binary_search(&number.get()) {
            self.0.insert(index, number.get());
        }
    }

    pub(crate) fn remove(&mut self, number: AccountNonce) {
        if let Ok(index) = self.0.binary_search(&number.get()) {
            self.0.remove(index);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many are above a nonce, and the number behind those that follow it without a gap.
    pub(crate) fn above(&self, nonce: AccountNonce) -> (usize, u64) {
        let nonce = nonce.get();
        let first = self.0.partition_point(|number| *number <= nonce);
        let (mut low, mut high) = (first, self.0.len());
        // Numbers ascend: one that is as far from the nonce as its place has no gap below it.
        while low < high {
            let middle = low + (high - low) / 2;
            if self.0[middle] - nonce == (middle - first) as u64 + 1 {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        (self.0.len() - first, nonce + (low - first) as u64 + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nonce(number: u64) -> AccountNonce {
        AccountNonce::new(number).unwrap()
    }

    #[test]
    fn the_next_number_is_behind_those_without_a_gap() {
        let mut numbers = SenderNumbers::default();
        assert_eq!(numbers.above(nonce(7)), (0, 8));
        for (number, expected) in [
            (9, (1, 8)),
            (12, (2, 8)),
            (8, (3, 10)),
            (10, (4, 11)),
            (11, (5, 13)),
            (11, (5, 13)),
        ] {
            numbers.insert(nonce(number));
            assert_eq!(numbers.above(nonce(7)), expected, "with {number}");
        }
        assert_eq!(numbers.above(nonce(9)), (3, 13));
        assert_eq!(numbers.above(nonce(12)), (0, 13));
        assert_eq!(numbers.above(nonce(20)), (0, 21));
        numbers.remove(nonce(10));
        assert_eq!(numbers.above(nonce(7)), (4, 10));
        for number in [8, 9, 11, 12] {
            numbers.remove(nonce(number));
        }
        assert!(numbers.is_empty());
    }
}
