//! Connections to other nodes: frames, proof of identity, limits, finding peers again.
//!
//! | long-lived task | what it owns | ends when |
//! |---|---|---|
//! | `listener` | the listening socket | told to stop |
//! | `dialler` | none; dials what the address book names | told to stop |
//! | `maintenance` | none; follows the allow-list and the own chain, shares peers | told to stop |
//! | session, one per connection | the reading half of its socket | the connection ends |
//! | writer, one per connection | the writing half of its socket | its outbox is closed |
//!
//! This crate proves the peer's identity and checks the size of each frame. It never decodes
//! blocks or transactions and holds no ledger state.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod accept;
mod address_book;
mod address_group;
mod admission;
mod connection;
mod dialler;
mod duplicates;
mod first_bytes;
mod frame;
mod frame_reader;
mod handshake;
mod handshake_error;
mod latency;
mod limits;
mod link;
mod listener;
mod liveness;
mod log_throttle;
mod maintenance;
mod message_limits;
mod network;
mod outbox;
mod peer;
mod peer_info;
mod probe;
mod rate_limit;
mod reject;
mod scope;
mod seats;
mod session;
mod setup;
mod shared;
mod signer;
mod state;
mod tls;
mod traffic;
mod work_budget;
mod writer;

use ccoin_core::HostPort;

pub use connection::{Connection, Frames, PeerId};
pub use frame::{Decoder, Frame, FrameError, Step};
pub use limits::Limits;
pub use log_throttle::LogThrottle;
pub use network::Network;
pub use peer_info::PeerInfo;
pub use probe::{NamedPlace, Probe};
pub use setup::{ChainStatus, NetworkSetup};
pub use traffic::MessageTraffic;
