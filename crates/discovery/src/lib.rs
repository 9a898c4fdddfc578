//! The discovery service: nodes of a network find each other here. Records are signed
//! by the account they are about, live for 90 s and survive a restart of the server.
//!
//! Server, store and client are here; nothing of the chain, no command line, no clock.
//! Long-lived tasks: [`serve`] with one task for each connection, [`keep`], and [`prove`].

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod client;
mod host;
mod metrics;
mod prover;
mod record;
mod registry;
mod server;
mod service;
mod store;

pub use client::{ClientError, DiscoveryClient};
pub use host::{Host, HostError};
pub use prover::prove;
pub use record::{Claim, Command, Record, RecordError, Verified};
pub use registry::{
    CLOCK_WINDOW_MS, Filter, LIFE_MS, Listed, MAX_ANSWER, MAX_ENTRIES, MAX_ENTRIES_PER_BLOCK,
    MAX_ENTRIES_PER_CALLER, Member, Registry, RegistryError, Unproven, Vantage,
};
pub use server::{router, serve};
pub use service::{Clock, Service};
pub use store::{Store, StoreError, keep};
