//! A snapshot of a peer for the HTTP API and for the clock rule.

use crate::connection::PeerId;
use ccoin_core::{
    Address, Timestamp,
    message::{Heights, NodeType},
};
use std::{net::SocketAddr, time::Duration};

/// A snapshot of one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerInfo {
    /// Number of its connection.
    pub id: PeerId,
    /// Proven address of its account.
    pub address: Address,
    /// The other end of the socket.
    pub remote: SocketAddr,
    /// The program name and version that it claims.
    pub agent: String,
    /// What it claims to do.
    pub node_type: NodeType,
    /// Whether this node dialled.
    pub outgoing: bool,
    /// When the handshake was finished, by this node's clock.
    pub since: Timestamp,
    /// The heights that it reported last.
    pub heights: Heights,
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes written.
    pub bytes_out: u64,
    /// Frames received.
    pub messages_in: u64,
    /// Frames written.
    pub messages_out: u64,
    /// Its clock minus this node's in milliseconds, from the quickest of the last eight
    /// pings.
    pub clock_offset_ms: Option<i64>,
    /// Round trip of that ping.
    pub round_trip: Option<Duration>,
}
