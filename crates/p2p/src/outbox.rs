//! The send queue of one connection: bounded in bytes, filled without waiting.
//! Does not know sockets or peers.

use bytes::Bytes;
use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// What a frame costs besides its bytes: an entry of the queue.
const FRAME_COST: usize = 64;

/// Most frames in a batch.
const MAX_BATCH_FRAMES: usize = 256;

/// Bytes at which a batch ends: more would delay the `BYE`.
const MAX_BATCH_BYTES: usize = 256 << 10;

/// [`Outbox::push_when_room`] waits until less than this is queued, so that it does not
/// delay urgent frames.
const ROOM: usize = 128 << 10;

/// Frames that wait before questions get no answer: an honest peer has 16 open pings.
const MAX_ANSWERS: usize = 256;

/// A vote that has waited so long behind a large frame is of no use: its slot is over, and a
/// status tells what came of it.
const STALE: Duration = Duration::from_secs(4);

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    Queued,
    Full,
    /// The connection ends; no frame is taken any more.
    Closed,
}

#[derive(Debug)]
struct Queue {
    frames: VecDeque<Bytes>,
    /// Frames that go before these, and when each was queued.
    urgent: VecDeque<(Instant, Bytes)>,
    /// Cost of these and of the frames that are being written.
    cost: usize,
}

impl Queue {
    /// The urgent frames that are still of use.
    fn take_urgent(&mut self, now: Instant) -> VecDeque<Bytes> {
        let mut fresh = VecDeque::new();
        for (since, frame) in core::mem::take(&mut self.urgent) {
            if now.duration_since(since) < STALE {
                fresh.push_back(frame);
            } else {
                self.cost = self.cost.saturating_sub(cost(&frame));
            }
        }
        fresh
    }
}

/// The queue of one connection.
#[derive(Debug)]
pub(crate) struct Outbox {
    bound: usize,
    queue: Mutex<Queue>,
    filled: Notify,
    room: Notify,
    closed: CancellationToken,
}

fn cost(frame: &Bytes) -> usize {
    frame.len().saturating_add(FRAME_COST)
}

impl Outbox {
    /// For at most `bound` bytes.
    pub(crate) fn new(bound: usize) -> Self {
        Self {
            bound,
            queue: Mutex::new(Queue {
                frames: VecDeque::new(),
                urgent: VecDeque::new(),
                cost: 0,
            }),
            filled: Notify::new(),
            room: Notify::new(),
            closed: CancellationToken::new(),
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a frame if there is room.
    pub(crate) fn push(&self, frame: Bytes) -> Pushed {
        self.push_below(frame, self.bound)
    }

    /// Adds a frame unless more than a quarter of the bound is queued.
    pub(crate) fn offer(&self, frame: Bytes) -> Pushed {
        if self.queue().cost > self.bound / 4 {
            return Pushed::Full;
        }
        self.push(frame)
    }

    /// Adds an answer unless [`MAX_ANSWERS`] frames wait; then it is dropped.
    pub(crate) fn answer(&self, frame: Bytes) {
        if self.queue().frames.len() < MAX_ANSWERS {
            self.push(frame);
        }
    }

    /// Adds a frame that goes before the others, if there is room. It is dropped unsent when
    /// it has waited for [`STALE`].
    pub(crate) fn push_urgent(&self, frame: Bytes) -> Pushed {
        let mut queue = self.queue();
        if self.closed.is_cancelled() {
            return Pushed::Closed;
        }
        let after = queue.cost.saturating_add(cost(&frame));
        if after > self.bound {
            return Pushed::Full;
        }
        queue.cost = after;
        queue.urgent.push_back((Instant::now(), frame));
        self.filled.notify_one();
        Pushed::Queued
    }

    fn push_below(&self, frame: Bytes, bound: usize) -> Pushed {
        let mut queue = self.queue();
        if self.closed.is_cancelled() {
            return Pushed::Closed;
        }
        let after = queue.cost.saturating_add(cost(&frame));
        if after > bound && queue.cost > 0 {
            return Pushed::Full;
        }
        queue.cost = after;
        queue.frames.push_back(frame);
        self.filled.notify_one();
        Pushed::Queued
    }

    /// Waits until little is queued, then adds the frame; false:
    /// the connection has ended.
    pub(crate) async fn push_when_room(&self, frame: Bytes) -> bool {
        self.when_room(|| match self.push(frame.clone()) {
            Pushed::Queued => Some(true),
            Pushed::Closed => Some(false),
            Pushed::Full => None,
        })
        .await
    }

    /// Waits until little is queued; false: the connection has ended.
    pub(crate) async fn has_room(&self) -> bool {
        self.when_room(|| Some(true)).await
    }

    /// The first answer of `attempt` while little is queued; false: the connection has ended.
    async fn when_room(&self, attempt: impl Fn() -> Option<bool>) -> bool {
        loop {
            let room = self.room.notified();
            tokio::pin!(room);
            // from here on no notification is missed
            room.as_mut().enable();
            let waiting = self.queue().cost;
            if self.closed.is_cancelled() {
                return false;
            }
            if waiting < ROOM.min(self.bound / 2)
                && let Some(done) = attempt()
            {
                return done;
            }
            room.await;
        }
    }

    /// Drops what is queued, queues `last` and takes no further frame. False: it was closed
    /// before.
    pub(crate) fn close(&self, last: Option<Bytes>) -> bool {
        let mut queue = self.queue();
        if self.closed.is_cancelled() {
            return false;
        }
        self.closed.cancel();
        queue.urgent.clear();
        queue.frames.clear();
        queue.frames.extend(last);
        self.filled.notify_one();
        self.room.notify_waiters();
        true
    }

    pub(crate) async fn closed(&self) {
        self.closed.cancelled().await;
    }

    /// Waits for the next frames to write; `None`: closed and empty.
    pub(crate) async fn batch(&self) -> Option<VecDeque<Bytes>> {
        loop {
            {
                let mut queue = self.queue();
                let mut bytes = 0usize;
                let mut batch = queue.take_urgent(Instant::now());
                let count = queue
                    .frames
                    .iter()
                    .take(MAX_BATCH_FRAMES)
                    .take_while(|frame| {
                        let before = bytes;
                        bytes = bytes.saturating_add(frame.len());
                        before < MAX_BATCH_BYTES
                    })
                    .count();
                batch.extend(queue.frames.drain(..count));
                if !batch.is_empty() {
                    return Some(batch);
                }
                if self.closed.is_cancelled() {
                    return None;
                }
            }
            self.filled.notified().await;
        }
    }

    /// A frame of a batch has been written.
    pub(crate) fn written(&self, frame: &Bytes) {
        let mut queue = self.queue();
        queue.cost = queue.cost.saturating_sub(cost(frame));
        if queue.cost < self.bound / 2 {
            self.room.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn bytes(length: usize) -> Bytes {
        vec![0; length].into()
    }

    #[tokio::test]
    async fn the_bound_counts_what_is_not_written_yet() {
        let outbox = Outbox::new(1000);
        assert_eq!(outbox.push(bytes(800)), Pushed::Queued);
        assert_eq!(outbox.push(bytes(100)), Pushed::Full);
        let batch = outbox.batch().await.unwrap();
        assert_eq!(outbox.push(bytes(100)), Pushed::Full);
        outbox.written(&batch[0]);
        assert_eq!(outbox.push(bytes(100)), Pushed::Queued);
        assert!(outbox.close(Some(bytes(1))));
        assert!(!outbox.close(Some(bytes(2))));
        assert_eq!(outbox.push(bytes(1)), Pushed::Closed);
        assert_eq!(outbox.batch().await.unwrap(), [bytes(1)]);
        assert_eq!(outbox.batch().await, None);
    }

    #[tokio::test]
    async fn urgent_frames_go_first_and_only_while_they_are_of_use() {
        let outbox = Outbox::new(1000);
        outbox.push(bytes(1));
        outbox.push_urgent(bytes(2));
        outbox.push_urgent(bytes(3));
        let batch = outbox.batch().await.unwrap();
        assert_eq!(batch, [bytes(2), bytes(3), bytes(1)]);
        batch.iter().for_each(|frame| outbox.written(frame));
        outbox.push_urgent(bytes(4));
        let later = Instant::now() + STALE;
        assert!(outbox.queue().take_urgent(later).is_empty());
        assert_eq!(outbox.queue().cost, 0);
        assert_eq!(outbox.push_urgent(bytes(1000)), Pushed::Full);
        assert!(outbox.close(None));
        assert_eq!(outbox.push_urgent(bytes(1)), Pushed::Closed);
    }

    #[tokio::test]
    async fn frames_without_bytes_are_bounded_too() {
        let outbox = Outbox::new(1000);
        let taken = (0..100).take_while(|_| outbox.push(Bytes::new()) == Pushed::Queued);
        assert_eq!(taken.count(), 1000 / FRAME_COST);
    }

    #[tokio::test]
    async fn waiting_for_room_ends_with_room_or_with_the_connection() {
        let outbox = Arc::new(Outbox::new(1000));
        outbox.push(bytes(500));
        let wait = |outbox: Arc<Outbox>| {
            tokio::spawn(async move { outbox.push_when_room(bytes(300)).await })
        };
        let waits = wait(Arc::clone(&outbox));
        tokio::task::yield_now().await;
        assert!(!waits.is_finished());
        outbox.written(&bytes(500));
        assert!(waits.await.unwrap());
        outbox.push(bytes(400));
        let waits = wait(Arc::clone(&outbox));
        tokio::task::yield_now().await;
        assert!(!waits.is_finished());
        outbox.close(None);
        assert!(!waits.await.unwrap());
    }

    #[tokio::test]
    async fn many_small_frames_make_one_batch() {
        let outbox = Outbox::new(1 << 20);
        for _ in 0..100 {
            outbox.push(bytes(10));
        }
        assert_eq!(outbox.batch().await.unwrap().len(), 100);
    }
}
