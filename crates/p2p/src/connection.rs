//! What the node gets for every finished handshake: who it is, and what it sends.
//! Reading is the only thing that can be done with it; everything else goes by its number.

use crate::frame::Frame;
use ccoin_core::message::Hello;
use std::{net::SocketAddr, sync::Arc};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// Number of a connection, never used again within a run.
pub type PeerId = u64;

/// What a frame costs in the budget besides its body: an entry of the queue.
const FRAME_COST: usize = 64;

/// A connection to a node that has proven its address.
#[derive(Debug)]
pub struct Connection {
    /// Its number.
    pub id: PeerId,
    /// What the other side said of itself; address and key are proven, the rest is not.
    pub hello: Hello,
    /// The other end of the socket.
    pub remote: SocketAddr,
    /// Whether we dialled.
    pub outgoing: bool,
    /// What it sends. Dropping them ends the connection.
    pub frames: Frames,
}

/// The frames of one connection, in order.
#[derive(Debug)]
pub struct Frames {
    queue: mpsc::Receiver<(Frame, OwnedSemaphorePermit)>,
}

impl Frames {
    /// The next frame; `None`: the connection has ended. As long as nobody asks, at most
    /// the bound of [`Limits::inbound`](crate::Limits::inbound) is read from the socket.
    pub async fn recv(&mut self) -> Option<Frame> {
        let (frame, _budget) = self.queue.recv().await?;
        Some(frame)
    }
}

/// The other end of [`Frames`].
pub(crate) struct Inbox {
    queue: mpsc::Sender<(Frame, OwnedSemaphorePermit)>,
    budget: Arc<Semaphore>,
    bound: u32,
}

/// Both ends of a queue for at most `bound` bytes.
pub(crate) fn inbox(bound: usize) -> (Inbox, Frames) {
    let bound = u32::try_from(bound).unwrap_or(u32::MAX);
    let permits = usize::try_from(bound).map_or(Semaphore::MAX_PERMITS, |bound| {
        bound.min(Semaphore::MAX_PERMITS)
    });
    // the budget is the bound: so many frames without a body would use it up
    let (queue, frames) = mpsc::channel(permits / FRAME_COST + 1);
    let inbox = Inbox {
        queue,
        budget: Arc::new(Semaphore::new(permits)),
        bound,
    };
    (inbox, Frames { queue: frames })
}

impl Inbox {
    /// Waits until there is room for a body of this length; one that is longer than the
    /// whole bound waits until it is alone.
    pub(crate) async fn room(&self, length: usize) -> Option<OwnedSemaphorePermit> {
        let cost = u32::try_from(length.saturating_add(FRAME_COST)).unwrap_or(u32::MAX);
        let budget = Arc::clone(&self.budget);
        let room = budget.acquire_many_owned(cost.min(self.bound)).await;
        room.ok()
    }

    /// Hands a frame over, with the room it takes.
    pub(crate) async fn put(&self, frame: Frame, room: OwnedSemaphorePermit) {
        // without a receiver the connection is about to end
        let _ = self.queue.send((frame, room)).await;
    }

    /// Resolves when nobody wants the frames any more.
    pub(crate) async fn unwanted(&self) {
        self.queue.closed().await;
    }
}
