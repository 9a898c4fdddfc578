//! Reads a socket through the frame decoder, with one small buffer.
//! Waits as long as it takes: deadlines are the business of the caller.

use crate::frame::{Decoder, Frame, FrameError, Step};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt};

/// Bytes read at once; bodies are copied out of it.
const BUFFER: usize = 16 << 10;

/// Why there is no next frame.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// The other side has closed the connection.
    #[error("the connection was closed")]
    Closed,
    /// The socket failed.
    #[error(transparent)]
    Socket(#[from] io::Error),
    /// The bytes break the rules.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// The reading side of a connection.
pub(crate) struct FrameReader<R> {
    source: R,
    decoder: Decoder,
    buffer: Box<[u8]>,
    /// Where the unused bytes of the buffer begin and end.
    unused: (usize, usize),
    arrived: u64,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    /// At the start of a connection.
    pub(crate) fn new(source: R) -> Self {
        Self {
            source,
            decoder: Decoder::new(),
            buffer: vec![0; BUFFER].into(),
            unused: (0, 0),
            arrived: 0,
        }
    }

    /// The handshake is finished.
    pub(crate) fn allow_all(&mut self) {
        self.decoder.allow_all();
    }

    /// Bytes received so far.
    pub(crate) fn arrived(&self) -> u64 {
        self.arrived
    }

    /// The next step; nothing is lost if the future is dropped.
    pub(crate) async fn step(&mut self) -> Result<Step, ReadError> {
        loop {
            let (start, end) = self.unused;
            let mut input = &self.buffer[start..end];
            let step = self.decoder.take(&mut input)?;
            self.unused.0 = end - input.len();
            if let Some(step) = step {
                return Ok(step);
            }
            let count = self.source.read(&mut self.buffer).await?;
            if count == 0 {
                return Err(ReadError::Closed);
            }
            self.unused = (0, count);
            self.arrived = self.arrived.saturating_add(count as u64);
        }
    }

    /// The next whole frame of a known kind.
    pub(crate) async fn frame(&mut self) -> Result<Frame, ReadError> {
        loop {
            if let Step::Whole(frame) = self.step().await? {
                return Ok(frame);
            }
        }
    }

    /// Reads and forgets until the other side closes: closing with unread bytes would
    /// reset the connection and could destroy our last word on its way.
    pub(crate) async fn drain(&mut self) {
        while self
            .source
            .read(&mut self.buffer)
            .await
            .is_ok_and(|count| count > 0)
        {}
    }
}
