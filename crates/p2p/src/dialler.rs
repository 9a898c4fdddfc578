//! Dials the places that the address book names, when they are due.

use crate::{
    HostPort,
    accept::stopping,
    handshake::{HandshakeError, Link},
    shared::Shared,
};
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
                // the next place may be dialled now
                self.changed.notify_one();
                self.run(peer, link).await;
            }
            Err(error) => {
                self.dial_failed(&place, Some(&error));
                self.refused(link, &error, place.to_string()).await;
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
