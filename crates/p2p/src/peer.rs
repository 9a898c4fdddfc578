//! One connection as the rest of the crate sees it: its outbox and its figures.
//! Reads and writes no socket.

use crate::{
    HostPort,
    connection::PeerId,
    latency::Latency,
    liveness::Liveness,
    outbox::{Outbox, Pushed},
    peer_info::PeerInfo,
    traffic::Totals,
};
use bytes::Bytes;
use ccoin_core::{
    Timestamp,
    message::{Bye, ByeReason, Heights, Hello, Message, PeerAddress},
};
use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

/// Bytes and frames in both directions.
#[derive(Debug)]
pub(crate) struct Traffic {
    pub(crate) bytes_in: AtomicU64,
    pub(crate) bytes_out: AtomicU64,
    pub(crate) messages_in: AtomicU64,
    pub(crate) messages_out: AtomicU64,
    /// Of all connections.
    pub(crate) totals: Arc<Totals>,
}

impl Traffic {
    pub(crate) fn new(totals: &Arc<Totals>) -> Self {
        Self {
            bytes_in: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
            messages_in: AtomicU64::new(0),
            messages_out: AtomicU64::new(0),
            totals: Arc::clone(totals),
        }
    }
}

/// A connection with a finished handshake.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) id: PeerId,
    pub(crate) hello: Hello,
    pub(crate) remote: SocketAddr,
    /// The TLS key of its process: each start of a node has another one.
    pub(crate) process: Vec<u8>,
    /// The place that this node dialled; `None`: the peer dialled.
    pub(crate) place: Option<HostPort>,
    pub(crate) since: Timestamp,
    pub(crate) began: Instant,
    /// Its begin was not logged, so its end is not either.
    pub(crate) quiet: AtomicBool,
    pub(crate) outbox: Outbox,
    pub(crate) traffic: Traffic,
    pub(crate) latency: Mutex<Latency>,
    pub(crate) liveness: Mutex<Liveness>,
    pub(crate) heights: Mutex<Heights>,
    /// Whether the log tells that another process uses its key.
    pub(crate) twin_told: AtomicBool,
}

impl Peer {
    /// Where a peer that dialled this node claims to listen.
    pub(crate) fn listens_at(&self) -> Option<PeerAddress> {
        let Hello {
            address,
            listen_port,
            ..
        } = self.hello;
        let place = HostPort::beside(self.remote, listen_port);
        (self.place.is_none() && listen_port > 0).then_some(PeerAddress {
            address,
            host: place.host,
            port: place.port,
        })
    }

    /// Queues a frame without waiting. A full outbox means that the peer is too slow, and
    /// ends the connection.
    pub(crate) fn send(&self, frame: Bytes) -> bool {
        match self.outbox.push(frame) {
            Pushed::Queued => true,
            Pushed::Closed => false,
            Pushed::Full => {
                self.end(
                    ByeReason::Slow,
                    "the other side reads too slowly: its send queue is full",
                );
                false
            }
        }
    }

    /// Queues the answer to a question, unless many frames wait: a peer that asks and does
    /// not read gets no more answers.
    pub(crate) fn answer(&self, message: &Message) {
        self.outbox.answer(message.frame().into());
    }

    /// Queues a frame unless the peer is behind with reading.
    pub(crate) fn offer(&self, frame: &Bytes) -> bool {
        self.outbox.offer(frame.clone()) != Pushed::Full
    }

    /// Ends the connection with a `BYE`; only the first call has an effect.
    pub(crate) fn end(&self, reason: ByeReason, text: &str) {
        let last = Message::Bye(Bye::new(reason, text)).frame();
        if self.outbox.close(Some(last.into())) {
            self.log(&format!(
                "connection ended by this node ({reason:?}): {text}"
            ));
        }
    }

    /// The other side is gone: ends the connection without a `BYE`.
    pub(crate) fn gone(&self, text: &str) {
        if self.outbox.close(None) {
            self.log(text);
        }
    }

    fn log(&self, text: &str) {
        let (peer, remote) = (self.hello.address, self.remote);
        if self.quiet.load(Relaxed) {
            tracing::debug!(%peer, %remote, "{text}");
        } else {
            tracing::info!(%peer, %remote, "{text}");
        }
    }

    pub(crate) fn liveness(&self) -> MutexGuard<'_, Liveness> {
        self.liveness.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the connection is not suspect.
    pub(crate) fn works(&self) -> bool {
        !self.liveness().is_suspect()
    }

    fn latency(&self) -> MutexGuard<'_, Latency> {
        self.latency.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a `PNG`, unless too many are unanswered.
    pub(crate) fn ping(&self, clock: Timestamp) {
        let mut latency = self.latency();
        if latency.may_ping() && self.send(Message::Ping(clock).frame().into()) {
            latency.sent(Instant::now(), clock);
        }
    }

    /// Whether it has answered a ping that was sent at `start` or later.
    pub(crate) fn answered_since(&self, start: Instant) -> bool {
        self.latency().answered() >= Some(start)
    }

    /// Address, place and age, for the log.
    pub(crate) fn describe(&self, now: Instant) -> String {
        let lasts = now.saturating_duration_since(self.began).as_secs();
        let (address, remote) = (self.hello.address, self.remote);
        format!("{address} is connected already from {remote}, for {lasts} s: this connection")
    }

    /// Takes the answer to the oldest `PNG`.
    pub(crate) fn pong(&self, theirs: Timestamp) {
        self.latency().take_pong(Instant::now(), theirs);
    }

    /// Remembers the heights that the peer reports.
    pub(crate) fn set_heights(&self, heights: Heights) {
        *self.heights.lock().unwrap_or_else(PoisonError::into_inner) = heights;
    }

    pub(crate) fn info(&self) -> PeerInfo {
        let best = self.latency().best();
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
