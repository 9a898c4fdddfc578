//! Every number of the network's rules in one place, so that tests can be quick.
//! Holds no state and enforces nothing itself.

use std::time::Duration;

/// The bounds that a node puts on its peers and on itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most connections with a finished handshake.
    pub connections: usize,
    /// How many of them only miners and configured peers may take.
    pub reserved: usize,
    /// Most incoming connections before the end of the handshake; one that is refused
    /// counts until its socket is closed.
    pub early: usize,
    /// Most of these from one IP address; loopback has no such limit.
    pub early_per_host: usize,
    /// Most connections that are accepted in a second; the others wait.
    pub accepts_a_second: u32,
    /// Most handshakes of strangers that are signed in a second; the others wait.
    pub signatures_a_second: u32,
    /// Most of these for one IP address; loopback has no such limit.
    pub signatures_a_second_per_host: u32,
    /// How long an IP address is not listened to after it sent rubbish.
    pub delay: Duration,
    /// Within this time the handshake must be finished.
    pub handshake: Duration,
    /// A peer that sends no whole frame for so long is gone.
    pub silence: Duration,
    /// Time between two `PNG`.
    pub ping: Duration,
    /// A peer that takes no byte for so long is gone.
    pub progress: Duration,
    /// Time for the last words of a connection.
    pub closing: Duration,
    /// Bytes of one peer that may wait for the node.
    pub inbound: usize,
    /// Bytes that may wait for one peer.
    pub outbound: usize,
    /// So many frames with unknown headers within a minute end a connection.
    pub unknown_a_minute: u32,
    /// A peer that asks or tells more often (`PNG`, `RBH`, `BLH`, ...) is not read for the
    /// rest of the second.
    pub answers_a_second: u32,
    /// The same for `KEY`, which is relayed to everybody.
    pub keys_a_second: u32,
    /// The same for `RBL`, whose answer may be large.
    pub requests_a_second: u32,
    /// How long a proven address is refused after a violation.
    pub ban: Duration,
    /// How long a place that turned out to be ourselves is not dialled.
    pub own_address: Duration,
    /// Most dials at a time; half of them to places that were only heard of.
    pub dials: usize,
    /// Within this time a dial must be answered.
    pub connect: Duration,
    /// Peers that were only heard of are dialled while there are fewer connections.
    pub wanted: usize,
    /// Pause after the first failure; it doubles.
    pub first_pause: Duration,
    /// Longest pause.
    pub longest_pause: Duration,
    /// A connection that lived longer makes the pauses start again.
    pub lived: Duration,
    /// Time between two `PEX`, if something has changed.
    pub share: Duration,
    /// Most places that were only heard of.
    pub hints: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 128,
            reserved: 32,
            early: 64,
            early_per_host: 8,
            accepts_a_second: 500,
            signatures_a_second: 200,
            signatures_a_second_per_host: 20,
            delay: Duration::from_secs(10),
            handshake: Duration::from_secs(10),
            silence: Duration::from_secs(30),
            ping: Duration::from_secs(10),
            progress: Duration::from_secs(30),
            closing: Duration::from_millis(500),
            inbound: 4 << 20,
            outbound: 8 << 20,
            unknown_a_minute: 10,
            answers_a_second: 1000,
            keys_a_second: 10,
            requests_a_second: 100,
            ban: Duration::from_secs(600),
            own_address: Duration::from_secs(600),
            dials: 8,
            connect: Duration::from_secs(5),
            wanted: 16,
            first_pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(30),
            lived: Duration::from_secs(10),
            share: Duration::from_secs(10),
            hints: 1000,
        }
    }
}
