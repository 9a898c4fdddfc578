//! Who may make blocks when, and which blocks are final. Pure functions and plain structs:
//! no clock, no machine, no signature check.
//!
//! `schedule` names the leader of a moment. Validators vote twice for the leader's head;
//! `voter` holds the rules by which one key votes, `tally` counts the votes of all, and a
//! `certificate` of phase 2 makes a block final.

pub mod ballot;
pub mod certificate;
pub mod evidence;
pub mod schedule;
pub mod status;
pub mod tally;
pub mod vote;
pub mod voter;
pub mod voter_record;

/// Why a message of consensus is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConsensusError {
    /// A vote or a certificate in it.
    #[error(transparent)]
    Vote(#[from] vote::VoteError),
    /// A header in it.
    #[error(transparent)]
    Header(#[from] crate::rules::BlockError),
    /// An object that the key it is shown for cannot have signed.
    #[error("it shows objects of another key")]
    Stranger,
    /// Evidence whose objects an honest key may sign both.
    #[error("the two objects do not conflict")]
    NoConflict,
}
