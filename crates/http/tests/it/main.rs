//! The accept loop and the client over real sockets, mostly in virtual time: it passes
//! as soon as every task waits.

mod client;
mod fixtures;
mod server;
mod timers;
