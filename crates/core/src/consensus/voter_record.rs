//! What a key must remember across crashes of its votes, and whether that can be trusted.

use super::{ballot::Ballot, schedule::Slot, vote::Proposed};
use crate::BlockId;

/// The durable part of a voter (D1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VoterRecord {
    /// The greatest ballot of a vote 1.
    pub max_vote1: Ballot,
    /// The highest certificate for which this key gave vote 2, or final if that is higher (R4).
    pub lock: Proposed,
    /// Whether it may vote.
    pub standing: Standing,
}

impl VoterRecord {
    /// The last ballot for which a key may have voted whose record is lost in `slot`: that of
    /// the next slot, whose leader's clock may be ahead (A2).
    #[must_use]
    pub fn floor_after(slot: Slot) -> Ballot {
        Ballot::last(slot.saturating_add(1))
    }

    /// The record of a key that has never voted on a network.
    #[must_use]
    pub fn never_voted(genesis: BlockId) -> Self {
        Self {
            max_vote1: Ballot::GENESIS,
            lock: Proposed::genesis(genesis),
            standing: Standing::Intact,
        }
    }
}

/// Whether the record of a key can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// It is whole.
    Intact,
    /// It was lost. The key gives no vote until a certificate above this ballot is final (A3);
    /// `None`: the ballot waits for a trusted clock (C5).
    Abstains(Option<Ballot>),
    /// It was lost, and all others have shown theirs: the key votes again, but others do not
    /// count it as intact until a certificate above this ballot is final (A4).
    Recovering(Ballot),
}
