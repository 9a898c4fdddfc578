//! What is known of one place.

use ccoin_core::Address;
use std::time::Instant;

/// How a place came into the book, the most important first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Origin {
    Configured,
    /// A peer has proven its address there, now or in an earlier run.
    Remembered,
    Hint,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) origin: Origin,
    /// Proven, or as somebody said.
    pub(super) address: Option<Address>,
    /// A hint by the peer itself: it has called, and says that it listens here.
    pub(super) first_hand: bool,
    /// Number among the hints; 0: it is none.
    pub(super) hint: u64,
    /// When the address was proven, as a number that grows; 0: never.
    pub(super) proven: u64,
    pub(super) failures: u32,
    pub(super) not_before: Instant,
    pub(super) dialling: bool,
}

impl Entry {
    /// Never tried.
    pub(super) fn new(origin: Origin, address: Option<Address>, now: Instant) -> Self {
        Self {
            origin,
            address,
            first_hand: false,
            hint: 0,
            proven: 0,
            failures: 0,
            not_before: now,
            dialling: false,
        }
    }
}
