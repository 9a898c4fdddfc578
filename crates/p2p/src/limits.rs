//! Every number of the network's rules in one place, so that tests can shorten them.
//! Holds no state.

use std::time::Duration;

/// The bounds that a node sets for its peers and for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most connected peers; miners and configured ones may be more.
    pub connections: usize,
    /// How many of them are reserved for miners and configured peers.
    pub reserved: usize,
    /// Most ordinary seats of one IPv4 address or IPv6 /64 network; loopback has no limit.
    pub seats_per_group: usize,
    /// When all ordinary seats are taken, the newest one of an unknown peer is given on
    /// after this time.
    pub rotate: Duration,
    /// Most incoming connections before the end of the handshake; a rejected one counts
    /// until its socket is closed.
    pub early: usize,
    /// Most of these from one IPv4 address or IPv6 /64 network; loopback has no limit.
    pub early_per_host: usize,
    /// Most connections that are accepted in a second; the others wait.
    pub accepts_a_second: u32,
    /// Most handshakes of callers that are signed in a second; the others wait.
    pub signatures_a_second: u32,
    /// Most of these for one IPv4 address or IPv6 /64 network; loopback has no limit.
    pub signatures_a_second_per_host: u32,
    /// How long an IP address is refused after it sent malformed bytes in a handshake.
    pub delay: Duration,
    /// Deadline of a handshake.
    pub handshake: Duration,
    /// A connection ends when no byte arrives for so long.
    pub silence: Duration,
    /// Time between two `PNG`.
    pub ping: Duration,
    /// A connection is suspect when no byte arrives for so long: its peer is dialled again.
    pub pong: Duration,
    /// How long two working connections to one address through different hosts stand.
    pub beside: Duration,
    /// A connection ends when the peer takes no byte for so long.
    pub progress: Duration,
    /// Time for the last message of a connection.
    pub closing: Duration,
    /// Bytes of one peer that may wait for the node.
    pub inbound: usize,
    /// Bytes that may wait for one peer.
    pub outbound: usize,
    /// This many frames with unknown headers within a minute end a connection.
    pub unknown_a_minute: u32,
    /// Most `PNG`, `POG`, `RBH`, `BLH` and `PEX` of a peer in a second; a peer that sends
    /// more is read more slowly.
    pub answers_a_second: u32,
    /// The same for `KEY`, which is relayed to all peers.
    pub keys_a_second: u32,
    /// The same for `RBL`, whose answer may be large.
    pub requests_a_second: u32,
    /// Statuses and evidence that one peer may send in a second: each may cost several
    /// signature checks, and an honest peer sends one in four rho.
    pub statuses_a_second: u32,
    /// A peer may cost one core of so many for nothing; one that costs more is read later.
    pub peer_share: u32,
    /// The same for all peers of an IPv4 address, IPv6 /64 network, or loopback, but miners
    /// and configured peers.
    pub group_share: u32,
    /// How far ahead of its share a peer or group may be.
    pub debt: Duration,
    /// How long a proven address is banned after a violation.
    pub ban: Duration,
    /// How long a place at which this node has reached itself is not dialled.
    pub own_address: Duration,
    /// Most dials at a time; at most half of them to candidates.
    pub dials: usize,
    /// Deadline of a TCP connection attempt.
    pub connect: Duration,
    /// Time between two dials to candidates that third parties name.
    pub candidate_pause: Duration,
    /// Longest back-off for a place that was never proven.
    pub unproven_pause: Duration,
    /// Candidates are dialled while fewer peers than this are connected.
    pub wanted: usize,
    /// Back-off after the first failed dial; it doubles.
    pub first_pause: Duration,
    /// Longest back-off.
    pub longest_pause: Duration,
    /// Longest back-off for a peer that was connected within [`Limits::recent`].
    pub reconnect: Duration,
    /// How long a lost peer is dialled at the pace of [`Limits::reconnect`].
    pub recent: Duration,
    /// A connection that lasted longer resets the back-off and counts as recent.
    pub lived: Duration,
    /// Time between two `PEX`, if something has changed.
    pub share: Duration,
    /// Most candidates: places that no handshake has proven.
    pub candidates: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 128,
            reserved: 32,
            seats_per_group: 8,
            rotate: Duration::from_secs(120),
            early: 64,
            early_per_host: 8,
            accepts_a_second: 500,
            signatures_a_second: 200,
            signatures_a_second_per_host: 20,
            delay: Duration::from_secs(10),
            handshake: Duration::from_secs(10),
            silence: Duration::from_secs(30),
            ping: Duration::from_secs(2),
            pong: Duration::from_secs(5),
            beside: Duration::from_secs(60),
            progress: Duration::from_secs(30),
            closing: Duration::from_millis(500),
            inbound: 4 << 20,
            outbound: 8 << 20,
            unknown_a_minute: 10,
            answers_a_second: 1000,
            keys_a_second: 10,
            requests_a_second: 100,
            statuses_a_second: 100,
            peer_share: 10,
            group_share: 5,
            debt: Duration::from_secs(1),
            ban: Duration::from_secs(600),
            own_address: Duration::from_secs(600),
            dials: 8,
            connect: Duration::from_secs(3),
            candidate_pause: Duration::from_millis(100),
            unproven_pause: Duration::from_secs(600),
            wanted: 16,
            first_pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(30),
            reconnect: Duration::from_millis(1500),
            recent: Duration::from_secs(3600),
            lived: Duration::from_secs(10),
            share: Duration::from_secs(10),
            candidates: 1000,
        }
    }
}
