//! A whole node behind its API: most tests call the router, some go through sockets.

mod accounts;
mod blocks;
mod connections;
mod events;
mod explorer;
mod fixtures;
mod history;
mod legacy;
mod metrics;
mod miners;
mod openapi;
mod payments;
mod problems;
mod proofs;
mod slow_readers;
mod submissions;
