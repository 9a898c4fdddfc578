//! Another process that uses this node's key (A6): met at the other end of a connection, or
//! known by what it has signed since this machine began.

use super::SealMark;
use crate::{
    MonoTime,
    consensus::{ballot::Ballot, schedule::Slot},
};
use core::{fmt, net::SocketAddr};

/// How long a meeting keeps the node from being ready: nodes that have met do not dial each
/// other for half of this time.
const MEMORY_MS: u64 = 1_200_000;

/// How another process with this key was noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meeting {
    /// It has proven the key at this place.
    At(SocketAddr),
    /// A peer shows what the key has signed since this node's start.
    Signed,
}

impl fmt::Display for Meeting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(place) => write!(
                f,
                "another node at {place} uses this node's key: end one of the two, they could \
                 make different blocks of one number final"
            ),
            Self::Signed => f.write_str(
                "a peer shows signatures of this node's key that are newer than this start: \
                 another node uses the key, end one of the two (or the clock of this machine was \
                 ahead in an earlier run)",
            ),
        }
    }
}

/// The last meeting, and since when signatures of this key are this process's own.
#[derive(Debug, Default)]
pub(super) struct Twin {
    began: Option<Slot>,
    last: Option<(MonoTime, Meeting)>,
}

impl Twin {
    /// The machine's first step.
    pub(super) fn begin(&mut self, slot: Slot) {
        self.began = Some(slot);
    }

    /// The wall clock was set: it may have been behind when the machine began.
    pub(super) fn clock_set(&mut self, slot: Slot) {
        self.began = self.began.max(Some(slot));
    }

    pub(super) fn met(&mut self, now: MonoTime, place: SocketAddr) {
        self.last = Some((now, Meeting::At(place)));
    }

    /// A peer shows signatures of this key that its record does not know. An earlier run has
    /// made none for slots behind the next one at the start, unless its clock was ahead.
    pub(super) fn signed(&mut self, now: MonoTime, vote: Ballot, block: SealMark) {
        let newest = vote.slot().max(block.slot);
        if self
            .began
            .is_some_and(|began| newest > began.saturating_add(1))
        {
            self.last = Some((now, Meeting::Signed));
        }
    }

    /// The last meeting, until it is forgotten.
    pub(super) fn now(&self, now: MonoTime) -> Option<Meeting> {
        let (at, meeting) = self.last?;
        (now.since(at) < MEMORY_MS).then_some(meeting)
    }
}
