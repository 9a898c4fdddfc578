//! Connections to other nodes: frames, proof of identity, limits, finding peers again.
//!
//! | long-lived task | what it owns | ends when |
//! |---|---|---|
//! | `listener` | the listening socket | told to stop |
//! | `dialler` | nothing; asks the address book whom to call | told to stop |
//! | `upkeep` | nothing; follows the allow-list and our chain, shares peers | told to stop |
//! | session, one per connection | the reading half of its socket | the connection ends |
//! | writer, one per connection | the writing half of its socket | its outbox is closed |
//!
//! It knows who is on the other side and that a frame has an allowed size. It never
//! decodes blocks or transactions, holds no ledger state, and decides about neither.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod address_book;
mod address_group;
mod admission;
mod connection;
mod dialler;
mod entrance;
mod frame;
mod frame_reader;
mod handshake;
mod limits;
mod listener;
mod message_limits;
mod network;
mod notices;
mod outbox;
mod peer;
mod peer_info;
mod place;
mod pulse;
mod rate_limit;
mod refusal;
mod session;
mod setup;
mod shared;
mod signer;
mod state;
mod upkeep;
mod writer;

pub use connection::{Connection, Frames, PeerId};
pub use frame::Frame;
pub use limits::Limits;
pub use network::Network;
pub use peer_info::PeerInfo;
pub use setup::{Local, NetworkSetup};
