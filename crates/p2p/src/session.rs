//! The life of one connection, from the socket to the last word.
//! Frames for the node are handed on unread; the rest is answered here.

use crate::{
    connection::{Connection, Inbox, PeerId, inbox},
    frame::{Frame, Step},
    frame_reader::ReadError,
    handshake::{HandshakeError, Link},
    outbox::Outbox,
    peer::{Peer, Traffic},
    place::Place,
    shared::{Shared, name},
    writer,
};
use ccoin_core::message::{Bye, ByeReason, Header, Heights, Hello, Message};
use rand_core::{OsRng, RngCore};
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};
use tokio::{
    net::TcpStream,
    select,
    time::{MissedTickBehavior, interval, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;

/// Unknown headers are counted within this time.
const MINUTE: Duration = Duration::from_secs(60);

/// Why a connection ends.
enum Ending {
    /// The other side has gone without a word.
    Gone(String),
    /// It has said why.
    Said(Bye),
    /// It has broken a rule.
    Violation(String),
    /// We end it, and it is nobody's fault.
    Enough(ByeReason, String),
}

impl Shared {
    /// A connection that somebody dialled; `ended` drops it before its handshake is over.
    pub(crate) async fn incoming(
        self: Arc<Self>,
        id: PeerId,
        stream: TcpStream,
        remote: SocketAddr,
        ended: CancellationToken,
    ) {
        let mut link = Link::new(stream);
        let result = select! {
            biased;
            () = self.stop.cancelled() => Err(stopping()),
            () = ended.cancelled() => {
                Err(HandshakeError::Unwelcome(ByeReason::Full, "newer connections wait".into()))
            }
            result = timeout(self.limits.handshake, link.answer(&self)) => {
                result.unwrap_or(Err(HandshakeError::Late))
            }
        };
        let result = match result {
            Ok(hello) => self.admitted(id, hello, remote, None),
            Err(error) => Err(error),
        };
        {
            let mut state = self.state();
            state.early.remove(&id);
            state.admission.leave_early(id);
            if result.as_ref().is_err_and(HandshakeError::is_rubbish) {
                state.admission.delay(remote.ip(), Instant::now());
            }
        }
        match result {
            Ok(peer) => self.run(peer, link).await,
            Err(error) => self.refused(link, &error, name(remote, None)).await,
        }
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
            _ => state.book.fail(place, now, OsRng.next_u32()),
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

    /// From the handshake to the end.
    async fn run(&self, peer: Arc<Peer>, link: Link) {
        let Link { mut reader, writer } = link;
        let seat = SeatGuard {
            shared: self,
            peer: &peer,
        };
        tracing::info!(
            peer = %peer.hello.address,
            remote = %peer.remote,
            outgoing = peer.place.is_some(),
            agent = ?peer.hello.agent,
            height = %peer.hello.height,
            "connected"
        );
        reader.allow_all();
        let mut writes = self.tasks.spawn(writer::write(
            Arc::clone(&peer),
            writer,
            self.limits.progress,
        ));
        if let Some(peers) = self.shared_peers() {
            peer.send(peers);
        }
        let ending = {
            let (inbox, frames) = inbox(self.limits.inbound);
            let connection = Connection {
                id: peer.id,
                hello: peer.hello.clone(),
                remote: peer.remote,
                outgoing: peer.place.is_some(),
                frames,
            };
            let reads = async {
                if self.connections.send(connection).await.is_err() {
                    return unwanted();
                }
                self.read(&peer, &mut reader, &inbox).await
            };
            select! {
                biased;
                () = self.stop.cancelled() => {
                    Some(Ending::Enough(ByeReason::Stopping, "this node stops".into()))
                }
                () = peer.outbox.closed() => None,
                () = self.beat(&peer) => None,
                () = inbox.unwanted() => Some(unwanted()),
                ending = reads => Some(ending),
            }
        };
        self.finish(&peer, ending);
        drop(seat);
        let closing = async {
            // a writer that panicked has closed its half as well
            let _ = (&mut writes).await;
            reader.drain().await;
        };
        if timeout(self.limits.closing, closing).await.is_err() {
            writes.abort();
        }
    }

    /// Asks again and again for a sign of life: so both sides hear of each other.
    async fn beat(&self, peer: &Peer) {
        let mut beats = interval(self.limits.ping);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            beats.tick().await;
            peer.ping((self.clock)());
        }
    }

    fn finish(&self, peer: &Peer, ending: Option<Ending>) {
        match ending {
            // whoever closed the outbox has said why
            None => {}
            Some(Ending::Gone(text)) => {
                if peer.outbox.close(None) {
                    tracing::info!(peer = %peer.hello.address, remote = %peer.remote, "connection lost: {text}");
                }
            }
            Some(Ending::Said(bye)) => {
                if peer.outbox.close(None) {
                    tracing::info!(
                        peer = %peer.hello.address,
                        remote = %peer.remote,
                        reason = ?bye.reason(),
                        "connection ended by the other side: {}",
                        bye.text()
                    );
                }
            }
            Some(Ending::Violation(text)) => self.ban(peer, ByeReason::Malformed, &text),
            Some(Ending::Enough(reason, text)) => peer.end(reason, &text),
        }
    }

    /// Reads until the connection has to end.
    async fn read(
        &self,
        peer: &Peer,
        reader: &mut crate::frame_reader::FrameReader<tokio::net::tcp::OwnedReadHalf>,
        inbox: &Inbox,
    ) -> Ending {
        let mut heard = tokio::time::Instant::now();
        let mut unknown = Unknown::default();
        let mut room = None;
        loop {
            let step = timeout_at(heard + self.limits.silence, reader.step()).await;
            peer.traffic.bytes_in.store(reader.arrived(), Relaxed);
            let frame = match step {
                Err(_) => {
                    let silence = self.limits.silence.as_secs_f32();
                    let text = format!("no whole message within {silence} s");
                    return Ending::Enough(ByeReason::Silent, text);
                }
                Ok(Err(ReadError::Frame(error))) => return Ending::Violation(error.to_string()),
                Ok(Err(error)) => return Ending::Gone(error.to_string()),
                Ok(Ok(Step::Announced { header, length })) => {
                    if is_for_the_node(header) {
                        room = inbox.room(length).await;
                        // while we did not read, the other side was not silent
                        heard = tokio::time::Instant::now();
                    }
                    continue;
                }
                Ok(Ok(Step::Skipped(header))) => {
                    heard = tokio::time::Instant::now();
                    peer.traffic.messages_in.fetch_add(1, Relaxed);
                    tracing::debug!(peer = %peer.hello.address, "unknown header {}", header.escape_ascii());
                    if unknown.count(Instant::now()) >= self.limits.unknown_a_minute {
                        let text = format!(
                            "{} unknown headers within a minute, the last is {}",
                            unknown.seen,
                            header.escape_ascii()
                        );
                        return Ending::Enough(ByeReason::Malformed, text);
                    }
                    continue;
                }
                Ok(Ok(Step::Whole(frame))) => frame,
            };
            heard = tokio::time::Instant::now();
            peer.traffic.messages_in.fetch_add(1, Relaxed);
            if (!is_for_the_node(frame.header) || frame.header == *b"BLH")
                && let Some(ending) = self.handle(peer, &frame)
            {
                return ending;
            }
            if let Some(room) = room.take() {
                inbox.put(frame, room).await;
            }
        }
    }

    /// What the network itself answers.
    fn handle(&self, peer: &Peer, frame: &Frame) -> Option<Ending> {
        match Message::decode(frame.header, &frame.body) {
            Ok(Message::Ping(_)) => {
                peer.send(Message::Pong((self.clock)()).frame().into());
            }
            Ok(Message::Pong(clock)) => peer.pong(clock),
            Ok(Message::AskHeights) => {
                peer.send(Message::Heights(self.heights()).frame().into());
            }
            Ok(Message::Heights(heights)) => peer.stands(heights),
            Ok(Message::Peers(peers)) => self.suggest(peers),
            Ok(Message::Bye(bye)) => return Some(Ending::Said(bye)),
            Ok(other) => {
                let header = other.header();
                let text = format!("{} after the handshake", header.escape_ascii());
                return Some(Ending::Violation(text));
            }
            Err(error) => return Some(Ending::Violation(error.to_string())),
        }
        None
    }
}

impl Link {
    fn new(stream: TcpStream) -> Self {
        // without it small messages would wait for the answer to the one before
        let _ = stream.set_nodelay(true);
        let (reader, writer) = stream.into_split();
        Self {
            reader: crate::frame_reader::FrameReader::new(reader),
            writer,
        }
    }
}

/// Frees the seat however the session ends.
struct SeatGuard<'a> {
    shared: &'a Shared,
    peer: &'a Peer,
}

impl Drop for SeatGuard<'_> {
    fn drop(&mut self) {
        self.shared.leave(self.peer);
    }
}

/// Unknown headers of the running minute.
#[derive(Default)]
struct Unknown {
    since: Option<Instant>,
    seen: u32,
}

impl Unknown {
    fn count(&mut self, now: Instant) -> u32 {
        let running = |since: Instant| now.saturating_duration_since(since) < MINUTE;
        if !self.since.is_some_and(running) {
            *self = Self {
                since: Some(now),
                seen: 0,
            };
        }
        self.seen = self.seen.saturating_add(1);
        self.seen
    }
}

/// Everything that is not handled here.
fn is_for_the_node(header: Header) -> bool {
    !matches!(
        &header,
        b"HEY" | b"ACK" | b"OKY" | b"BYE" | b"PNG" | b"POG" | b"RBH" | b"PEX"
    )
}

fn stopping() -> HandshakeError {
    HandshakeError::Unwelcome(ByeReason::Stopping, "this node stops".into())
}

fn unwanted() -> Ending {
    Ending::Enough(ByeReason::Stopping, "this node wants no more of it".into())
}
