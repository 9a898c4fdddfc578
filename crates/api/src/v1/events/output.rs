//! What one reader of events has not taken yet: a chunk in the making and one that waits.

use axum::body::Bytes;
use std::time::Duration;
use tokio::{
    sync::mpsc,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

/// Bytes that are sent in one go.
const CHUNK: usize = 32 << 10;

/// Longest time in which a reader takes one chunk; then its stream ends.
const PATIENCE: Duration = Duration::from_secs(10);

/// The stream has ended: the reader has left or the node is stopping.
pub(super) struct Ended;

/// Where a stream is written.
pub(super) struct EventOutput {
    pub(super) buffer: Vec<u8>,
    pub(super) last_sent: Instant,
    chunks: mpsc::Sender<Bytes>,
    stop: CancellationToken,
}

impl EventOutput {
    /// The chunks, each when the reader has taken the one before.
    pub(super) fn new(stop: CancellationToken) -> (Self, mpsc::Receiver<Bytes>) {
        let (chunks, taken) = mpsc::channel(1);
        let output = Self {
            buffer: b"retry: 1000\n\n".to_vec(),
            last_sent: Instant::now(),
            chunks,
            stop,
        };
        (output, taken)
    }

    /// Until the reader leaves or the node stops.
    pub(super) async fn ended(&self) {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => {}
            () = self.chunks.closed() => {}
        }
    }

    /// Bytes of any number.
    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), Ended> {
        for part in bytes.chunks(CHUNK) {
            self.buffer.extend_from_slice(part);
            self.flush_full().await?;
        }
        Ok(())
    }

    pub(super) async fn flush_full(&mut self) -> Result<(), Ended> {
        if self.buffer.len() < CHUNK {
            return Ok(());
        }
        self.flush().await
    }

    /// Waits for a reader that takes its time, but not for one that takes next to nothing.
    pub(super) async fn flush(&mut self) -> Result<(), Ended> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let bytes = std::mem::take(&mut self.buffer).into();
        self.last_sent = Instant::now();
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Err(Ended),
            sent = timeout(PATIENCE, self.chunks.send(bytes)) => match sent {
                Ok(Ok(())) => Ok(()),
                _ => Err(Ended),
            },
        }
    }
}
