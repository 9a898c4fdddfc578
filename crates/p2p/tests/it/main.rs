//! The network over real sockets on loopback: nodes, and raw peers that may do anything.

mod accepting;
mod back_pressure;
mod bans;
mod dialling;
mod duplicates;
mod fixtures;
mod frames;
mod handshake;
mod liveness;
mod log;
mod rates;
mod relay;
mod sharing;
mod tls;
mod useless_work;
