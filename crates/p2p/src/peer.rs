//! One connection as the rest of the crate sees it: its outbox and its figures.
//! Reads and writes no socket.

use crate::{
    connection::PeerId,
    outbox::{Outbox, Pushed},
    peer_info::PeerInfo,
    place::Place,
    pulse::Pulse,
};
use bytes::Bytes;
use ccoin_core::{
    Timestamp,
    message::{Bye, ByeReason, Heights, Hello, Message, PeerAddress},
};
use std::{
    net::SocketAddr,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

/// Bytes and frames in both directions.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    pub(crate) bytes_in: AtomicU64,
    pub(crate) bytes_out: AtomicU64,
    pub(crate) messages_in: AtomicU64,
    pub(crate) messages_out: AtomicU64,
}

/// A connection with a finished handshake.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) id: PeerId,
    pub(crate) hello: Hello,
    pub(crate) remote: SocketAddr,
    /// What we dialled.
    pub(crate) place: Option<Place>,
    pub(crate) since: Timestamp,
    pub(crate) began: Instant,
    pub(crate) outbox: Outbox,
    pub(crate) traffic: Traffic,
    pub(crate) pulse: Mutex<Pulse>,
    pub(crate) heights: Mutex<Heights>,
}

impl Peer {
    /// Where one that has called says that it listens.
    pub(crate) fn calls_from(&self) -> Option<PeerAddress> {
        let Hello {
            address,
            listen_port,
            ..
        } = self.hello;
        let place = Place::beside(self.remote, listen_port);
        (self.place.is_none() && listen_port > 0).then_some(PeerAddress {
            address,
            host: place.host,
            port: place.port,
        })
    }

    /// Queues a frame without waiting; a peer that has no room for it is too slow, and
    /// its connection ends.
    pub(crate) fn send(&self, frame: Bytes) -> bool {
        match self.outbox.push(frame) {
            Pushed::Queued => true,
            Pushed::Closed => false,
            Pushed::Full => {
                self.end(
                    ByeReason::Slow,
                    "too much waits to be read by the other side",
                );
                false
            }
        }
    }

    /// Queues a frame if the peer keeps up.
    pub(crate) fn offer(&self, frame: &Bytes) -> bool {
        self.outbox.offer(frame.clone()) != Pushed::Full
    }

    /// Whether this cannot be the process at the other end of `other`: it is on another host,
    /// or listens elsewhere.
    pub(crate) fn is_elsewhere(&self, other: &Self) -> bool {
        let ip = |peer: &Self| peer.remote.ip().to_canonical();
        ip(self) != ip(other) || self.hello.listen_port != other.hello.listen_port
    }

    /// Ends the connection with a last word; only the first call counts.
    pub(crate) fn end(&self, reason: ByeReason, text: &str) {
        let last = Message::Bye(Bye::new(reason, text)).frame();
        if self.outbox.close(Some(last.into())) {
            tracing::info!(
                peer = %self.hello.address,
                remote = %self.remote,
                ?reason,
                "connection ended by this node: {text}"
            );
        }
    }

    /// The other side is gone: nothing more can be said, but to the log.
    pub(crate) fn gone(&self, text: &str) {
        if self.outbox.close(None) {
            tracing::info!(peer = %self.hello.address, remote = %self.remote, "{text}");
        }
    }

    /// Asks for a sign of life and the other clock.
    pub(crate) fn ping(&self, clock: Timestamp) {
        let mut pulse = self.pulse.lock().unwrap_or_else(PoisonError::into_inner);
        if self.send(Message::Ping(clock).frame().into()) {
            pulse.asked(Instant::now(), clock);
        }
    }

    /// Takes the answer to the oldest question.
    pub(crate) fn pong(&self, theirs: Timestamp) {
        let mut pulse = self.pulse.lock().unwrap_or_else(PoisonError::into_inner);
        pulse.answered(Instant::now(), theirs);
    }

    /// Remembers where it stands.
    pub(crate) fn stands(&self, heights: Heights) {
        *self.heights.lock().unwrap_or_else(PoisonError::into_inner) = heights;
    }

    /// A snapshot.
    pub(crate) fn info(&self) -> PeerInfo {
        let pulse = self.pulse.lock().unwrap_or_else(PoisonError::into_inner);
        let best = pulse.best();
        PeerInfo {
            id: self.id,
            address: self.hello.address,
            remote: self.remote,
            agent: self.hello.agent.clone(),
            node_type: self.hello.node_type,
            outgoing: self.place.is_some(),
            since: self.since,
            heights: *self.heights.lock().unwrap_or_else(PoisonError::into_inner),
            bytes_in: self.traffic.bytes_in.load(Relaxed),
            bytes_out: self.traffic.bytes_out.load(Relaxed),
            messages_in: self.traffic.messages_in.load(Relaxed),
            messages_out: self.traffic.messages_out.load(Relaxed),
            clock_offset_ms: best.map(|sample| sample.offset_ms),
            round_trip: best.map(|sample| sample.round_trip),
        }
    }
}
