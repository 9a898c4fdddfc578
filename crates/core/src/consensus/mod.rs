//! Who may make blocks when. Pure functions of the clock and the genesis block.

pub mod schedule;
