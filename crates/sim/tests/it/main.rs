//! Whole networks in virtual time.

mod network;
mod options;
mod reunion;
mod rivals;
mod soak;
mod sync;
