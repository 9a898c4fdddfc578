//! What is told about a peer to whoever asks: the API, and the clock rule.

use crate::connection::PeerId;
use ccoin_core::{
    Address, Timestamp,
    message::{Heights, NodeType},
};
use std::{net::SocketAddr, time::Duration};

/// A snapshot of one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerInfo {
    /// Number of the connection.
    pub id: PeerId,
    /// Proven address of its account.
    pub address: Address,
    /// The other end of the socket.
    pub remote: SocketAddr,
    /// Name and version of its program, as it says.
    pub agent: String,
    /// What it does, as it says.
    pub node_type: NodeType,
    /// Whether we dialled.
    pub outgoing: bool,
    /// When the handshake was finished, by our clock.
    pub since: Timestamp,
    /// Where it stood when it last said so.
    pub heights: Heights,
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes written.
    pub bytes_out: u64,
    /// Frames received.
    pub messages_in: u64,
    /// Frames written.
    pub messages_out: u64,
    /// Its clock minus ours in milliseconds, from the quickest of the last eight questions.
    pub clock_offset_ms: Option<i64>,
    /// Round trip of that question.
    pub round_trip: Option<Duration>,
}
