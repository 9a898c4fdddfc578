//! The accept loop and the client over real sockets, mostly in virtual time: it passes
//! as soon as every task waits.

mod client;
mod fixtures;
mod fuzz_body;
mod server;
mod timers;
