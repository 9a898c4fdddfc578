//! What the node gets for every finished handshake: the peer's identity and its frames.
//! The node writes to a connection through [`Network`](crate::Network) and its id.

use crate::frame::Frame;
use ccoin_core::message::{Hello, PeerAddress};
use std::{net::SocketAddr, sync::Arc};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// Number of a connection; no number is used twice in a run.
pub type PeerId = u64;

/// What a frame costs in the budget besides its body: an entry of the queue.
const FRAME_COST: usize = 64;

/// Bytes that a frame as long as the whole bound leaves free. A request that is being
/// answered takes less: it must not keep the frame from being read, or two nodes could wait
/// for each other.
const REQUEST: u32 = 8 << 10;

/// A connection to a node that has proven its address.
#[derive(Debug)]
pub struct Connection {
    /// Its number.
    pub id: PeerId,
    /// Address and key in it are proven, the rest is a claim.
    pub hello: Hello,
    /// The other end of the socket.
    pub remote: SocketAddr,
    /// Whether this node dialled.
    pub outgoing: bool,
    /// Where a peer that dialled this node claims to listen: its remote host and its port.
    pub caller: Option<PeerAddress>,
    /// Dropping them ends the connection.
    pub frames: Frames,
}

/// The frames of one connection, in order.
#[derive(Debug)]
pub struct Frames {
    queue: mpsc::Receiver<(Frame, OwnedSemaphorePermit)>,
    /// The budget of the frame returned last.
    handed: Option<OwnedSemaphorePermit>,
}

impl Frames {
    /// The next frame; `None`: the connection has ended. At most
    /// [`Limits::inbound`](crate::Limits::inbound) bytes are read ahead from the socket;
    /// the frame returned last counts until the next call.
    pub async fn recv(&mut self) -> Option<Frame> {
        self.handed = None;
        let (frame, room) = self.queue.recv().await?;
        self.handed = Some(room);
        Some(frame)
    }
}

/// The other end of [`Frames`].
pub(crate) struct Inbox {
    queue: mpsc::Sender<(Frame, OwnedSemaphorePermit)>,
    budget: Arc<Semaphore>,
    /// The most that a single frame reserves.
    most: u32,
}

/// Both ends of a queue for at most `bound` bytes.
pub(crate) fn inbox(bound: usize) -> (Inbox, Frames) {
    let bound = u32::try_from(bound).unwrap_or(u32::MAX);
    let permits = usize::try_from(bound).map_or(Semaphore::MAX_PERMITS, |bound| {
        bound.min(Semaphore::MAX_PERMITS)
    });
    // the budget is the bound: this many frames without a body use it up
    let (queue, frames) = mpsc::channel(permits / FRAME_COST + 1);
    let inbox = Inbox {
        queue,
        budget: Arc::new(Semaphore::new(permits)),
        most: bound - (bound / 2).min(REQUEST),
    };
    let handed = None;
    let queue = frames;
    (inbox, Frames { queue, handed })
}

impl Inbox {
    /// Waits until there is room for a body of this length. A body longer than the whole
    /// bound waits until it is alone, except for a request.
    pub(crate) async fn room(&self, length: usize) -> Option<OwnedSemaphorePermit> {
        let cost = u32::try_from(length.saturating_add(FRAME_COST)).unwrap_or(u32::MAX);
        let budget = Arc::clone(&self.budget);
        let room = budget.acquire_many_owned(cost.min(self.most)).await;
        room.ok()
    }

    /// Queues a frame together with the room reserved for it.
    pub(crate) async fn put(&self, frame: Frame, room: OwnedSemaphorePermit) {
        // without a receiver the session ends
        let _ = self.queue.send((frame, room)).await;
    }

    /// Resolves when [`Frames`] is dropped.
    pub(crate) async fn closed(&self) {
        self.queue.closed().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use std::time::Duration;
    use tokio::time::timeout;

    async fn put(inbox: &Inbox, length: usize) {
        let body = Bytes::from(vec![0; length]);
        let room = inbox.room(length).await.unwrap();
        let header = *b"TXN";
        inbox.put(Frame { header, body }, room).await;
    }

    async fn is_room(inbox: &Inbox, length: usize) -> bool {
        timeout(Duration::ZERO, inbox.room(length)).await.is_ok()
    }

    #[tokio::test]
    async fn a_frame_counts_until_the_next_one_is_requested() {
        let (inbox, mut frames) = inbox(100_000);
        put(&inbox, 60_000).await;
        assert!(!is_room(&inbox, 50_000).await);
        assert!(frames.recv().await.is_some());
        assert!(!is_room(&inbox, 50_000).await);
        put(&inbox, 30_000).await;
        assert!(frames.recv().await.is_some());
        assert!(is_room(&inbox, 50_000).await);
        assert!(!is_room(&inbox, 90_000).await);
        drop(frames);
        assert!(is_room(&inbox, 90_000).await);
    }

    #[tokio::test]
    async fn the_longest_frame_waits_for_all_but_a_request() {
        let (inbox, mut frames) = inbox(100_000);
        put(&inbox, 4096).await;
        assert!(is_room(&inbox, 3_000_000).await);
        put(&inbox, 5000).await;
        assert!(!is_room(&inbox, 3_000_000).await);
        for _ in 0..2 {
            assert!(frames.recv().await.is_some());
        }
        assert!(is_room(&inbox, 3_000_000).await);
    }
}
