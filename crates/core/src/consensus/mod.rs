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
pub mod tally;
pub mod vote;
pub mod voter;
