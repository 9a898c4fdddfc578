//! `ccoin bench`: how many signed transfers a node commits, how fast, at what cost.
//!
//! All transfers are signed before the clock starts, so that the generator leaves the
//! processors to the node. It judges no block.

mod inclusions;
mod init;
mod keys;
mod measured;
mod pace;
mod plan;
mod process;
mod report;
mod run;
mod senders;

pub use init::{BenchNetwork, NewBench, init};
pub use report::Report;
pub use run::{BenchRun, run};
