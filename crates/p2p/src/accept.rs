//! Incoming connections from the first byte to a seat, or to a rejection that both sides
//! can read in their logs.

use crate::{
    HostPort,
    connection::PeerId,
    first_bytes::{answer_http, is_http},
    frame_reader::FrameReader,
    handshake::{HandshakeError, Link},
    outbox::Outbox,
    peer::{Peer, Traffic},
    shared::{Shared, name},
};
use ccoin_core::message::{ByeReason, Heights, Hello};
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Instant,
};
use tokio::{net::TcpStream, select, sync::OwnedSemaphorePermit, time::timeout};
use tokio_util::sync::CancellationToken;

/// An accepted connection before its handshake.
pub(crate) struct Incoming {
    pub(crate) id: PeerId,
    pub(crate) stream: TcpStream,
    pub(crate) remote: SocketAddr,
    /// Ends it before its handshake is over.
    pub(crate) ended: CancellationToken,
    /// Returned when the connection has a seat or its socket is closed.
    pub(crate) room: OwnedSemaphorePermit,
}

impl Shared {
    /// The task of an accepted connection. It counts as an early one until it has a seat,
    /// also while the rejection is sent. One that ends for a newer one gets no message:
    /// that would take time and a socket.
    pub(crate) async fn incoming(self: Arc<Self>, arrival: Incoming) {
        let Incoming {
            id, remote, ended, ..
        } = arrival;
        let admitted = select! {
            biased;
            () = ended.cancelled() => {
                tracing::debug!(%remote, "no connection: newer ones wait");
                None
            }
            admitted = self.receive(id, arrival.stream, remote) => admitted,
        };
        {
            let mut state = self.state();
            state.early.remove(&id);
            state.admission.end_handshake(id);
        }
        drop(arrival.room);
        if let Some((peer, link)) = admitted {
            self.run(peer, link).await;
        }
    }

    /// The handshake, then a seat or a rejection.
    async fn receive(
        &self,
        id: PeerId,
        mut stream: TcpStream,
        remote: SocketAddr,
    ) -> Option<(Arc<Peer>, Link)> {
        let http = select! {
            biased;
            () = self.stop.cancelled() => return None,
            http = timeout(self.limits.handshake, is_http(&stream)) => matches!(http, Ok(Ok(true))),
        };
        if http {
            self.reject_http(&mut stream, remote).await;
            return None;
        }
        let mut link = Link::new(stream);
        let result = select! {
            biased;
            () = self.stop.cancelled() => Err(stopping()),
            result = timeout(self.limits.handshake, link.answer(self, remote.ip())) => {
                result.unwrap_or(Err(HandshakeError::Late))
            }
        };
        let error = match result.and_then(|hello| self.admitted(id, hello, remote, None)) {
            Ok(peer) => return Some((peer, link)),
            Err(error) => error,
        };
        if error.is_malformed() {
            self.state().admission.delay(remote.ip(), Instant::now());
        }
        self.refused(link, &error, name(remote, None)).await;
        None
    }

    async fn reject_http(&self, stream: &mut TcpStream, remote: SocketAddr) {
        let peer = name(remote, None);
        if self.state().log_throttle.allows("http", peer.clone()) {
            tracing::warn!(
                %peer,
                "HTTP was sent to the peer port {}: the HTTP API listens on another port",
                self.listen_port
            );
        }
        let _ = timeout(self.limits.closing, answer_http(stream)).await;
    }

    /// Sends the reason to the other side and writes it to the log.
    pub(crate) async fn refused(&self, link: Link, error: &HandshakeError, peer: String) {
        let reason = error.reason();
        let cause = match error {
            HandshakeError::Refused(bye) => bye.reason(),
            _ => reason.unwrap_or(ByeReason::Other(0)),
        };
        // crossing connections and broken handshakes are normal operation
        let quiet = matches!(
            cause,
            ByeReason::Duplicate | ByeReason::Stopping | ByeReason::Other(_)
        );
        if !quiet && self.allows_log_line(cause, &peer) {
            tracing::warn!(%peer, reason = ?cause, "no connection: {error}");
        } else {
            tracing::debug!(%peer, reason = ?cause, "no connection: {error}");
        }
        if let Some(reason) = reason {
            let text = error.to_string();
            let _ = timeout(self.limits.closing, link.refuse(reason, &text)).await;
        }
    }

    pub(crate) fn admitted(
        &self,
        id: PeerId,
        hello: Hello,
        remote: SocketAddr,
        place: Option<HostPort>,
    ) -> Result<Arc<Peer>, HandshakeError> {
        let heights = Heights {
            height: hello.height,
            final_number: hello.final_number,
        };
        let peer = Arc::new(Peer {
            id,
            hello,
            remote,
            place,
            since: (self.clock)(),
            began: Instant::now(),
            outbox: Outbox::new(self.limits.outbound),
            traffic: Traffic::default(),
            latency: Mutex::default(),
            liveness: Mutex::default(),
            heights: Mutex::new(heights),
        });
        self.admit(&peer)?;
        Ok(peer)
    }
}

impl Link {
    pub(crate) fn new(stream: TcpStream) -> Self {
        // without it a small message waits for the acknowledgement of the one before
        let _ = stream.set_nodelay(true);
        let (reader, writer) = stream.into_split();
        Self {
            reader: FrameReader::new(reader),
            writer,
        }
    }
}

pub(crate) fn stopping() -> HandshakeError {
    HandshakeError::Unwelcome(ByeReason::Stopping, "this node stops".into())
}
