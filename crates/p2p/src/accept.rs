//! Incoming connections from the first byte to a seat, or to a rejection that both sides
//! can read in their logs.

use crate::{
    HostPort,
    connection::PeerId,
    first_bytes::{Foreign, foreign_protocol},
    handshake_error::HandshakeError,
    link::Link,
    outbox::Outbox,
    peer::{Peer, Traffic},
    shared::{Shared, name},
};
use ccoin_core::message::{ByeReason, Heights, Hello, PROTOCOL};
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, atomic::AtomicBool},
    time::Instant,
};
use tokio::{
    net::TcpStream,
    select,
    sync::OwnedSemaphorePermit,
    time::{timeout, timeout_at},
};
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
        let deadline = Instant::now() + self.limits.handshake;
        let other = self.before(deadline, foreign_protocol(&stream)).await;
        if let Ok(Some(protocol)) = other {
            self.reject_foreign(protocol, &mut stream, remote).await;
            return None;
        }
        let tls = self.before(deadline, Link::accept(&self.tls, stream));
        let (error, link) = match tls.await {
            Ok(mut link) => {
                let answer = self.before(deadline, link.answer(self, remote));
                let hello = answer.await;
                match hello.and_then(|hello| self.admitted(id, hello, remote, None, &link)) {
                    Ok(peer) => return Some((peer, link)),
                    Err(error) => (error, Some(link)),
                }
            }
            Err(error) => (error, None),
        };
        if error.is_malformed() {
            self.state().admission.delay(remote.ip(), Instant::now());
        }
        self.refused(link, &error, name(remote, None)).await;
        None
    }

    /// Runs one step of a handshake, until its deadline or the end of the node.
    pub(crate) async fn before<T>(
        &self,
        deadline: Instant,
        step: impl Future<Output = Result<T, HandshakeError>>,
    ) -> Result<T, HandshakeError> {
        select! {
            biased;
            () = self.stop.cancelled() => Err(stopping()),
            result = timeout_at(deadline.into(), step) => result.unwrap_or(Err(HandshakeError::Late)),
        }
    }

    /// Answers a caller that speaks another protocol, and logs it once a minute.
    async fn reject_foreign(&self, protocol: Foreign, stream: &mut TcpStream, remote: SocketAddr) {
        let peer = name(remote, None);
        if self.state().log_throttle.allows("foreign", peer.clone()) {
            let port = self.listen_port;
            match protocol {
                Foreign::Http => tracing::warn!(
                    %peer,
                    "HTTP was sent to the peer port {port}: the HTTP API listens on another port"
                ),
                Foreign::PlainFrames => tracing::warn!(
                    %peer,
                    "no connection: this node speaks version {PROTOCOL}, the other an older \
                     one without TLS; update it"
                ),
            }
        }
        let _ = timeout(self.limits.closing, protocol.answer(stream)).await;
    }

    /// Sends the reason to the other side and writes it to the log.
    pub(crate) async fn refused(&self, link: Option<Link>, error: &HandshakeError, peer: String) {
        let cause = error.cause();
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
        if let (Some(reason), Some(link)) = (error.reason(), link) {
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
        link: &Link,
    ) -> Result<Arc<Peer>, HandshakeError> {
        let heights = Heights {
            height: hello.height,
            final_number: hello.final_number,
        };
        let peer = Arc::new(Peer {
            id,
            hello,
            remote,
            process: link.process.clone(),
            place,
            since: (self.clock)(),
            began: Instant::now(),
            quiet: AtomicBool::new(false),
            outbox: Outbox::new(self.limits.outbound),
            traffic: Traffic::new(&self.totals),
            latency: Mutex::default(),
            liveness: Mutex::default(),
            heights: Mutex::new(heights),
            twin_told: AtomicBool::default(),
        });
        self.admit(&peer)?;
        Ok(peer)
    }
}

pub(crate) fn stopping() -> HandshakeError {
    HandshakeError::Unwelcome(ByeReason::Stopping, "this node stops".into())
}
