//! Whole networks in virtual time.

mod network;
mod options;
mod rivals;
mod soak;
mod sync;
