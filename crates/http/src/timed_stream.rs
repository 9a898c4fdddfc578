//! A TCP stream with the two timers that hyper does not have: one for the head of a
//! request from its first byte on, one for a write that makes no progress.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep},
};

/// Longest time from the first byte of a request's head to its last; for the first request
/// of a connection: from the opening of the connection.
const HEAD: Duration = Duration::from_secs(5);

/// Longest time in which the peer takes nothing of an answer.
const WRITE: Duration = Duration::from_secs(10);

/// Counts the starts and ends of requests: odd while one is being answered.
#[derive(Clone, Debug, Default)]
pub(crate) struct RequestCounter(Arc<AtomicUsize>);

/// A request that is being answered, until it is dropped.
pub(crate) struct InRequest(RequestCounter);

impl RequestCounter {
    /// Called when the head of a request is complete.
    pub(crate) fn begin(&self) -> InRequest {
        self.0.fetch_add(1, Ordering::Relaxed);
        InRequest(self.clone())
    }
}

impl Drop for InRequest {
    fn drop(&mut self) {
        self.0.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Runs from its first poll, until it is stopped.
struct Timer {
    limit: Duration,
    sleep: Pin<Box<Sleep>>,
    running: bool,
}

impl Timer {
    fn new(limit: Duration) -> Self {
        Self {
            limit,
            sleep: Box::pin(tokio::time::sleep(limit)),
            running: false,
        }
    }

    fn poll<T>(&mut self, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if !self.running {
            self.running = true;
            self.sleep.as_mut().reset(Instant::now() + self.limit);
        }
        ready!(self.sleep.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    /// Ends a write that is stuck for too long.
    fn bound<T>(
        &mut self,
        written: Poll<io::Result<T>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if written.is_pending() {
            return self.poll(context);
        }
        self.running = false;
        written
    }
}

pub(crate) struct TimedStream {
    stream: TcpStream,
    write: Timer,
    head: Timer,
    /// Whether a part of a head has come since the last request.
    head_begun: bool,
    requests: RequestCounter,
    /// `requests` at the last read.
    seen: usize,
}

impl TimedStream {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            write: Timer::new(WRITE),
            head: Timer::new(HEAD),
            head_begun: true,
            requests: RequestCounter::default(),
            seen: 0,
        }
    }

    /// The server counts its requests here.
    pub(crate) fn requests(&self) -> RequestCounter {
        self.requests.clone()
    }
}

impl AsyncRead for TimedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(context, bytes);
        let requests = self.requests.0.load(Ordering::Relaxed);
        if requests != self.seen {
            self.seen = requests;
            self.head_begun = false;
            self.head.running = false;
        }
        let in_request = requests % 2 == 1;
        if in_request {
            return read;
        }
        if read.is_ready() {
            self.head_begun = true;
            return read;
        }
        if self.head_begun {
            return self.head.poll(context);
        }
        Poll::Pending
    }
}

impl AsyncWrite for TimedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.write.bound(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.write.bound(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
