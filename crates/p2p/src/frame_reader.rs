//! Reads frames from a socket through one small buffer.
//! Sets no deadline: that is the caller's task.

use crate::frame::{Decoder, Frame, FrameError, Step};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt};

/// Bytes read at once.
const BUFFER: usize = 16 << 10;

/// Why there is no next frame.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("the connection was closed")]
    Closed,
    #[error(transparent)]
    Socket(#[from] io::Error),
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// The reading side of a connection.
pub(crate) struct FrameReader<R> {
    source: R,
    decoder: Decoder,
    buffer: Box<[u8]>,
    /// Start and end of the unused bytes of the buffer.
    unused: (usize, usize),
    arrived: u64,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    pub(crate) fn new(source: R) -> Self {
        Self {
            source,
            decoder: Decoder::new(),
            buffer: vec![0; BUFFER].into(),
            unused: (0, 0),
            arrived: 0,
        }
    }

    /// Allows every kind: the handshake is finished.
    pub(crate) fn allow_all(&mut self) {
        self.decoder.allow_all();
    }

    /// Bytes received so far.
    pub(crate) fn arrived(&self) -> u64 {
        self.arrived
    }

    /// The next step, or `None` when bytes have arrived that complete none. Cancel safe.
    pub(crate) async fn step(&mut self) -> Result<Option<Step>, ReadError> {
        if let Some(step) = self.buffered()? {
            return Ok(Some(step));
        }
        let count = match self.source.read(&mut self.buffer).await {
            // closed without the close message of TLS
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => 0,
            read => read?,
        };
        if count == 0 {
            return Err(ReadError::Closed);
        }
        self.unused = (0, count);
        self.arrived = self.arrived.saturating_add(count as u64);
        Ok(self.buffered()?)
    }

    fn buffered(&mut self) -> Result<Option<Step>, FrameError> {
        let (start, end) = self.unused;
        let mut input = &self.buffer[start..end];
        let step = self.decoder.take(&mut input)?;
        self.unused.0 = end - input.len();
        Ok(step)
    }

    /// The next whole frame of a known kind.
    pub(crate) async fn frame(&mut self) -> Result<Frame, ReadError> {
        loop {
            if let Some(Step::Whole(frame)) = self.step().await? {
                return Ok(frame);
            }
        }
    }

    /// Reads and drops bytes until the other side closes. Closing with unread bytes would
    /// reset the connection, and the other side could lose the `BYE`.
    pub(crate) async fn drain(&mut self) {
        while self
            .source
            .read(&mut self.buffer)
            .await
            .is_ok_and(|count| count > 0)
        {}
    }
}
