//! Dials the places that the address book names, when they are due.

use crate::{HostPort, handshake_error::HandshakeError, link::Link, shared::Shared};
use ccoin_core::message::ByeReason;
use ccoin_crypto::random_u32;
use std::{sync::Arc, time::Instant};
use tokio::{
    net::TcpStream,
    select,
    time::{sleep_until, timeout},
};

impl Shared {
    /// The task `dialler`.
    pub(crate) async fn dial(self: Arc<Self>) {
        loop {
            let (places, next) = self.due();
            for place in places {
                self.tasks.spawn(Arc::clone(&self).outgoing(place));
            }
            // a peer is dialled for ever, also without a wake-up
            let longest = Instant::now() + self.limits.longest_pause;
            let next = next.map_or(longest, |next| next.min(longest));
            select! {
                biased;
                () = self.stop.cancelled() => return,
                () = self.changed.notified() => {}
                () = sleep_until(next.into()) => {}
            }
        }
    }

    /// The task of a connection that this node dials.
    pub(crate) async fn outgoing(self: Arc<Self>, place: HostPort) {
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
        let deadline = Instant::now() + self.limits.handshake;
        let tls = self.before(deadline, Link::connect(&self.tls, stream));
        let mut link = match tls.await {
            Ok(link) => link,
            Err(error) => {
                self.dial_failed(&place, Some(&error));
                return self.refused(None, &error, place.to_string()).await;
            }
        };
        let hello = self
            .before(deadline, link.call(&self, &place, remote))
            .await;
        let admitted = hello.and_then(|hello| {
            let (id, place) = (self.next_id(), Some(place.clone()));
            self.admitted(id, hello, remote, place, &link)
        });
        match admitted {
            Ok(peer) => {
                self.state().book.reached(&place);
                // the next place may be dialled now
                self.changed.notify_one();
                self.run(peer, link).await;
            }
            Err(error) => {
                self.dial_failed(&place, Some(&error));
                self.refused(Some(link), &error, place.to_string()).await;
            }
        }
    }

    fn dial_failed(&self, place: &HostPort, error: Option<&HandshakeError>) {
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
}
