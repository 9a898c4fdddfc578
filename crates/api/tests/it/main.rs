//! A whole node behind its API: most tests call the router, some go through sockets.

mod accounts;
mod blocks;
mod connections;
mod events;
mod fixtures;
mod legacy;
mod payments;
mod problems;
mod submissions;
