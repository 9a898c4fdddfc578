//! Whole networks in virtual time.

mod bandwidth;
mod deep;
mod fuzz_node;
mod gossip;
mod network;
mod options;
mod reunion;
mod rivals;
mod scenario;
mod soak;
mod sync;
