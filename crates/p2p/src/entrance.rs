//! The beginning of a connection: dialled or accepted, then the handshake, then a seat.
//! Whoever gets none is told why, and so is the log.

use crate::{
    connection::PeerId,
    frame_reader::FrameReader,
    handshake::{HandshakeError, Link},
    outbox::Outbox,
    peer::{Peer, Traffic},
    place::Place,
    shared::{Shared, name},
};
use ccoin_core::message::{ByeReason, Heights, Hello};
use ccoin_crypto::random_u32;
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Instant,
};
use tokio::{net::TcpStream, select, sync::OwnedSemaphorePermit, time::timeout};
use tokio_util::sync::CancellationToken;

/// A connection that somebody dialled, before its handshake.
pub(crate) struct Arrival {
    pub(crate) id: PeerId,
    pub(crate) stream: TcpStream,
    pub(crate) remote: SocketAddr,
    /// Drops it before its handshake is over.
    pub(crate) ended: CancellationToken,
    /// Free again when it has a seat, or when its socket is closed.
    pub(crate) room: OwnedSemaphorePermit,
}

impl Shared {
    /// A connection that somebody dialled: until it has a seat it counts as an early one,
    /// also while it is told why it gets none. One that ends for a newer one is told
    /// nothing: last words take time and a socket.
    pub(crate) async fn incoming(self: Arc<Self>, arrival: Arrival) {
        let Arrival {
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
            state.admission.leave_early(id);
        }
        drop(arrival.room);
        if let Some((peer, link)) = admitted {
            self.run(peer, link).await;
        }
    }

    /// The handshake of a connection that somebody dialled, and its seat or the refusal.
    async fn receive(
        &self,
        id: PeerId,
        stream: TcpStream,
        remote: SocketAddr,
    ) -> Option<(Arc<Peer>, Link)> {
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
        if error.is_rubbish() {
            self.state().admission.delay(remote.ip(), Instant::now());
        }
        self.refused(link, &error, name(remote, None)).await;
        None
    }

    /// A connection that we dial.
    pub(crate) async fn outgoing(self: Arc<Self>, place: Place) {
        let target = (place.host.as_str(), place.port);
        let stream = select! {
            biased;
            () = self.stop.cancelled() => return,
            stream = timeout(self.limits.connect, TcpStream::connect(target)) => stream,
        };
        let stream = stream.unwrap_or_else(|late| Err(late.into()));
        let (stream, remote) = match stream.and_then(|s| s.peer_addr().map(|remote| (s, remote))) {
            Ok(connected) => connected,
            Err(error) => {
                tracing::debug!(%place, "no connection: {error}");
                return self.dial_failed(&place, None);
            }
        };
        let mut link = Link::new(stream);
        let result = select! {
            biased;
            () = self.stop.cancelled() => Err(stopping()),
            result = timeout(self.limits.handshake, link.call(&self, &place)) => {
                result.unwrap_or(Err(HandshakeError::Late))
            }
        };
        let result = match result {
            Ok(hello) => self.admitted(self.next_id(), hello, remote, Some(place.clone())),
            Err(error) => Err(error),
        };
        match result {
            Ok(peer) => {
                self.state().book.reached(&place);
                // another one may be dialled instead
                self.changed.notify_one();
                self.run(peer, link).await;
            }
            Err(error) => {
                self.dial_failed(&place, Some(&error));
                self.refused(link, &error, place.to_string()).await;
            }
        }
    }

    fn dial_failed(&self, place: &Place, error: Option<&HandshakeError>) {
        let reason = match error {
            Some(HandshakeError::Refused(bye)) => Some(bye.reason()),
            Some(error) => error.reason(),
            None => None,
        };
        let now = Instant::now();
        let mut state = self.state();
        match reason {
            Some(ByeReason::OwnAddress) => state.book.is_own(place, now),
            _ => state.book.fail(place, now, random_u32()),
        }
        self.changed.notify_one();
    }

    /// Tells both sides why there is no connection.
    async fn refused(&self, link: Link, error: &HandshakeError, peer: String) {
        let reason = error.reason();
        let cause = match error {
            HandshakeError::Refused(bye) => bye.reason(),
            _ => reason.unwrap_or(ByeReason::Other(0)),
        };
        // crossing connections and connections that come to nothing are everyday
        let quiet = matches!(
            cause,
            ByeReason::Duplicate | ByeReason::Stopping | ByeReason::Other(_)
        );
        if !quiet && self.worth_a_line(cause, peer.clone()) {
            tracing::warn!(%peer, reason = ?cause, "no connection: {error}");
        } else {
            tracing::debug!(%peer, reason = ?cause, "no connection: {error}");
        }
        if let Some(reason) = reason {
            let text = error.to_string();
            // nobody is waited for longer than for the last words
            let _ = timeout(self.limits.closing, link.refuse(reason, &text)).await;
        }
    }

    fn admitted(
        &self,
        id: PeerId,
        hello: Hello,
        remote: SocketAddr,
        place: Option<Place>,
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
            pulse: Mutex::default(),
            heights: Mutex::new(heights),
        });
        self.admit(&peer)?;
        Ok(peer)
    }
}

impl Link {
    fn new(stream: TcpStream) -> Self {
        // without it small messages would wait for the answer to the one before
        let _ = stream.set_nodelay(true);
        let (reader, writer) = stream.into_split();
        Self {
            reader: FrameReader::new(reader),
            writer,
        }
    }
}

fn stopping() -> HandshakeError {
    HandshakeError::Unwelcome(ByeReason::Stopping, "this node stops".into())
}
