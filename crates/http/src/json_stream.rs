//! Long JSON answers, written as the reader takes them: memory holds a few chunks, whatever
//! the length. One that fits into a chunk has a length; one that breaks off is cut, so that
//! no reader takes it for whole.

use crate::Problem;
use axum::{
    body::{Body, Bytes, HttpBody},
    http::{HeaderValue, Response, header},
    response::IntoResponse,
};
use hyper::body::Frame;
use serde::Serialize;
use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::{sync::mpsc, task::JoinHandle};

/// Bytes that are sent in one go.
const CHUNK: usize = 16 << 10;

/// What a task makes of its answer; a problem is told if nothing was sent yet.
type Written = Result<(), Problem>;

/// Writes an answer at the pace of its reader. The errors of its methods say that the reader
/// has gone away: then nobody sees them.
pub struct JsonWriter {
    buffer: Vec<u8>,
    output: mpsc::Sender<Bytes>,
}

impl JsonWriter {
    /// Text that is JSON as it stands.
    ///
    /// # Errors
    /// The reader has gone away.
    pub async fn raw(&mut self, text: &str) -> Written {
        for part in text.as_bytes().chunks(CHUNK) {
            self.buffer.extend_from_slice(part);
            self.flush_full().await?;
        }
        Ok(())
    }

    /// A value of bounded size.
    ///
    /// # Errors
    /// The reader has gone away.
    pub async fn value(&mut self, value: impl Serialize) -> Written {
        let written = serde_json::to_writer(&mut self.buffer, &value);
        written.map_err(|error| Problem::internal(error.to_string()))?;
        drop(value);
        self.flush_full().await
    }

    /// The end of the answer.
    ///
    /// # Errors
    /// The reader has gone away.
    pub async fn end(mut self) -> Written {
        self.flush().await
    }

    async fn flush_full(&mut self) -> Written {
        if self.buffer.len() < CHUNK {
            return Ok(());
        }
        self.flush().await
    }

    async fn flush(&mut self) -> Written {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let bytes = std::mem::take(&mut self.buffer).into();
        let sent = self.output.send(bytes).await;
        sent.map_err(|_| Problem::internal("the reader has gone away"))
    }
}

/// A 200 whose JSON a task writes.
///
/// # Errors
/// The problem of a task that has sent nothing.
pub async fn stream_json<F>(write: impl FnOnce(JsonWriter) -> F) -> Result<Response<Body>, Problem>
where
    F: Future<Output = Written> + Send + 'static,
{
    // One chunk waits here.
    let (output, mut chunks) = mpsc::channel(1);
    let task = tokio::spawn(write(JsonWriter {
        buffer: Vec::new(),
        output,
    }));
    let first = chunks.recv().await;
    let second = chunks.recv().await;
    let body = match (first, second) {
        // Nothing was sent yet: there is a length, or a problem.
        (first, None) => {
            let written = task.await;
            written.unwrap_or_else(|_| Err(Problem::internal("the answer was not made")))?;
            Body::from(first.unwrap_or_default())
        }
        (first, second) => Body::new(Chunks {
            ready: first.into_iter().chain(second).collect(),
            waiting: chunks,
            task: Some(task),
        }),
    };
    let json = HeaderValue::from_static("application/json");
    Ok(([(header::CONTENT_TYPE, json)], body).into_response())
}

/// The body of an answer that goes on.
struct Chunks {
    ready: VecDeque<Bytes>,
    waiting: mpsc::Receiver<Bytes>,
    task: Option<JoinHandle<Written>>,
}

impl HttpBody for Chunks {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Some(chunk) = self.ready.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(chunk))));
        }
        if let Some(chunk) = ready!(self.waiting.poll_recv(context)) {
            return Poll::Ready(Some(Ok(Frame::data(chunk))));
        }
        let Some(task) = &mut self.task else {
            return Poll::Ready(None);
        };
        let written = ready!(Pin::new(task).poll(context));
        self.task = None;
        Poll::Ready(match written {
            Ok(Ok(())) => None,
            _ => Some(Err(io::Error::other("the answer broke off"))),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::to_bytes;

    async fn body(response: Response<Body>) -> Result<Bytes, axum::Error> {
        to_bytes(response.into_body(), usize::MAX).await
    }

    #[tokio::test]
    async fn a_short_answer_has_a_length() {
        let write = |mut json: JsonWriter| async move {
            json.value("short").await?;
            json.end().await
        };
        let response = stream_json(write).await.unwrap();
        assert_eq!(response.body().size_hint().exact(), Some(7));
    }

    #[tokio::test]
    async fn an_answer_that_fails_at_first_is_a_problem_and_later_is_cut() {
        let at_once = |_json: JsonWriter| async { Err(Problem::bad_field("no")) };
        assert!(stream_json(at_once).await.is_err());
        for chunks in 2..4 {
            let response = stream_json(move |mut json| async move {
                for _ in 0..chunks {
                    json.raw(&"x".repeat(CHUNK)).await?;
                }
                Err(Problem::bad_field("no"))
            });
            assert!(body(response.await.unwrap()).await.is_err(), "{chunks}");
        }
    }

    #[tokio::test]
    async fn nothing_is_written_for_a_reader_that_takes_nothing() {
        let (told, mut written) = tokio::sync::watch::channel(0);
        let response = stream_json(move |mut json| async move {
            loop {
                json.raw(&"x".repeat(CHUNK)).await?;
                told.send_modify(|chunks| *chunks += 1);
            }
        });
        let response = response.await.unwrap();
        written.wait_for(|chunks| *chunks == 3).await.unwrap();
        tokio::task::yield_now().await;
        assert_eq!(*written.borrow(), 3);
        drop(response);
        // The task ends, and with it its end of the channel.
        assert!(written.wait_for(|chunks| *chunks > 3).await.is_err());
    }
}
