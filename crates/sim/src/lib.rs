//! Whole networks of shipped machines in virtual time, seeded: links, faults, liars, and the
//! checkers that say what must hold. The code that decides is `ccoin-core`'s, restart,
//! gossip and serving of blocks included; a run is repeated by its seed.
//!
//! Tests of `core` take keys, small networks, blocks and a machine with a disk from here. It
//! never reads a clock, opens a socket or draws a random number of its own.

mod adversaries;
mod blocks;
mod checkers;
mod coverage;
mod delivery;
mod finality;
mod keys;
mod latency;
mod lies;
mod links;
mod network;
mod node;
mod outbound;
mod past;
mod payments;
mod process;
mod random;
mod refusals;
pub mod scenario;
mod shell;
mod shell_log;
mod time;
mod timeline;
mod trace;
mod txns;
mod vote_attacks;
mod vote_lies;
mod votes;
mod world;

pub use blocks::{NOWHERE, arrived, branch, child, header, seal, total, verified};
pub use coverage::Coverage;
pub use keys::{ghost, ghost_miner, key, miner};
pub use latency::Latency;
pub use lies::{Lie, Misdeed, answer};
pub use network::{Network, account, coins, height, open_network};
pub use node::{Node, Process};
pub use payments::FIRST_USER;
pub use random::Random;
pub use shell::{STRANGER, Shell, node};
pub use time::{START, at, now};
pub use timeline::{Entry, Timeline, What};
pub use txns::{give, give_from, pay, pays, ready, record, signed, transfer};
pub use vote_lies::VoteLie;
pub use world::World;
