//! What the address book knows of one place.

use ccoin_core::Address;
use std::time::Instant;

/// How a place came into the book; the most important first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Origin {
    Configured,
    /// A handshake has proven an address there, now or in an earlier run.
    Remembered,
    Candidate,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) origin: Origin,
    /// Proven, or claimed for a candidate.
    pub(super) address: Option<Address>,
    /// A candidate named by the peer itself: it has called and claims to listen here.
    pub(super) first_hand: bool,
    /// Its number in the [`CandidateIndex`](super::CandidateIndex); 0: it is no candidate.
    pub(super) candidate_number: u64,
    /// Position in the order of proofs; 0: not proven.
    pub(super) proven: u64,
    pub(super) failures: u32,
    pub(super) not_before: Instant,
    /// When a connection that lasted was seen to end or to fall silent.
    pub(super) lost: Option<Instant>,
    pub(super) dialling: bool,
}

impl Entry {
    pub(super) fn new(origin: Origin, address: Option<Address>, now: Instant) -> Self {
        Self {
            origin,
            address,
            first_hand: false,
            candidate_number: 0,
            proven: 0,
            failures: 0,
            not_before: now,
            lost: None,
            dialling: false,
        }
    }
}
