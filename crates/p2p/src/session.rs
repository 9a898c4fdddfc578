//! One connection from the end of its handshake to its end. Frames for the node are handed
//! on undecoded; the others are answered here.

use crate::{
    connection::{Connection, Inbox, inbox},
    frame::{Frame, Step},
    frame_reader::ReadError,
    link::{Link, Reader},
    message_limits::{MessageLimits, is_for_the_node},
    peer::Peer,
    scope::may_name,
    shared::Shared,
    writer,
};
use ccoin_core::message::{Bye, ByeReason, Header, Message, PeerAddress};
use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};
use tokio::{select, time::timeout};

/// Why a connection ends.
enum Ending {
    /// The socket was closed or failed.
    Gone(String),
    /// The peer sent a `BYE`.
    Said(Bye),
    /// The peer broke a rule.
    Violation(String),
    /// This node ends it without blame.
    Enough(ByeReason, String),
}

impl Shared {
    /// From the handshake to the end.
    pub(crate) async fn run(&self, peer: Arc<Peer>, link: Link) {
        let Link {
            mut reader, writer, ..
        } = link;
        let seat = SeatGuard {
            shared: self,
            peer: &peer,
        };
        if self.allows_connected_line(&peer) {
            tracing::info!(
                peer = %peer.hello.address,
                remote = %peer.remote,
                outgoing = peer.place.is_some(),
                agent = ?peer.hello.agent,
                height = %peer.hello.height,
                "connected"
            );
        } else {
            peer.quiet.store(true, Relaxed);
        }
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
                caller: peer.listens_at(),
                frames,
            };
            let reads = async {
                if self.connections.send(connection).await.is_err() {
                    return not_read();
                }
                self.read(&peer, &mut reader, &inbox).await
            };
            select! {
                biased;
                () = self.stop.cancelled() => {
                    Some(Ending::Enough(ByeReason::Stopping, "this node stops".into()))
                }
                () = peer.outbox.closed() => None,
                () = self.keep_alive(&peer) => None,
                () = inbox.closed() => Some(not_read()),
                ending = reads => Some(ending),
            }
        };
        self.finish(&peer, ending);
        drop(seat);
        let closing = async {
            let _ = (&mut writes).await;
            reader.drain().await;
        };
        if timeout(self.limits.closing, closing).await.is_err() {
            writes.abort();
        }
    }

    fn finish(&self, peer: &Peer, ending: Option<Ending>) {
        match ending {
            // the caller that closed the outbox has logged the reason
            None => {}
            Some(Ending::Gone(text)) => {
                peer.gone(&format!("connection lost: {text}"));
            }
            Some(Ending::Said(bye)) => {
                let text = bye.text();
                peer.gone(&format!(
                    "connection ended by the other side ({:?}): {text}",
                    bye.reason()
                ));
            }
            Some(Ending::Violation(text)) => self.ban(peer, ByeReason::Malformed, &text),
            Some(Ending::Enough(reason, text)) => peer.end(reason, &text),
        }
    }

    /// Reads until the connection has to end.
    async fn read(&self, peer: &Peer, reader: &mut Reader, inbox: &Inbox) -> Ending {
        let rates = MessageLimits::new(&self.limits);
        let mut room = None;
        loop {
            self.afford(peer).await;
            peer.liveness().waits(Instant::now());
            let step = timeout(self.limits.silence, reader.step()).await;
            peer.liveness().heard();
            peer.traffic.bytes_in.store(reader.arrived(), Relaxed);
            let frame = match step {
                Err(_) => return silent(self.limits.silence),
                Ok(Err(ReadError::Frame(error))) => return Ending::Violation(error.to_string()),
                Ok(Err(error)) => return Ending::Gone(error.to_string()),
                Ok(Ok(None)) => continue,
                Ok(Ok(Some(Step::Announced { header, length }))) => {
                    if is_for_the_node(header) {
                        room = inbox.room(length).await;
                    }
                    continue;
                }
                Ok(Ok(Some(Step::Skipped(header)))) => {
                    peer.traffic.messages_in.fetch_add(1, Relaxed);
                    peer.traffic.totals.received(header, 0);
                    if let Some(ending) = skipped(peer, header, &rates) {
                        return ending;
                    }
                    continue;
                }
                Ok(Ok(Some(Step::Whole(frame)))) => frame,
            };
            peer.traffic.messages_in.fetch_add(1, Relaxed);
            let totals = &peer.traffic.totals;
            totals.received(frame.header, frame.body.len());
            rates.wait(frame.header).await;
            if let Some(cost) = rates.cost(&frame) {
                self.charge(peer, cost);
            }
            let ignored = frame.header == *b"PEX" && !rates.allows_peer_list();
            let ours = !is_for_the_node(frame.header);
            if (ours || frame.header == *b"BLH")
                && !ignored
                && let Some(ending) = self.handle(peer, &frame)
            {
                return ending;
            }
            if let Some(room) = room.take() {
                inbox.put(frame, room).await;
            }
        }
    }

    /// Handles a message that is not for the node.
    fn handle(&self, peer: &Peer, frame: &Frame) -> Option<Ending> {
        match Message::decode(frame.header, &frame.body) {
            Ok(Message::Ping(_)) => {
                peer.answer(&Message::Pong((self.clock)()));
            }
            Ok(Message::Pong(clock)) => {
                peer.pong(clock);
                self.end_redundant(peer);
            }
            Ok(Message::AskHeights) => {
                peer.answer(&Message::Heights(self.heights()));
            }
            Ok(Message::Heights(heights)) => peer.set_heights(heights),
            Ok(Message::Peers(peers)) => {
                let (teller, ip) = (peer.hello.address, peer.remote.ip());
                let named =
                    |named: &PeerAddress| may_name(ip, &named.host, named.address == teller);
                self.suggest(peers.into_iter().filter(named));
            }
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

/// A newer program may send kinds that this version does not know, but not all the time.
fn skipped(peer: &Peer, header: Header, rates: &MessageLimits) -> Option<Ending> {
    let header = header.escape_ascii();
    tracing::debug!(peer = %peer.hello.address, "unknown header {header}");
    (!rates.allows_unknown()).then(|| {
        let text = format!("too many unknown headers within a minute, the last is {header}");
        Ending::Enough(ByeReason::Malformed, text)
    })
}

fn silent(limit: Duration) -> Ending {
    let text = format!("no byte within {} s", limit.as_secs_f32());
    Ending::Enough(ByeReason::Silent, text)
}

fn not_read() -> Ending {
    Ending::Enough(ByeReason::Stopping, "this node reads it no more".into())
}
