//! Accepts connections at a bounded rate, and only as many as may begin a handshake.
//! The others wait in the kernel, so that a flood costs neither sockets nor CPU.

use crate::{accept::Incoming, rate_limit::RateLimit, shared::Shared};
use std::{io, sync::Arc, time::Instant};
use tokio::{net::TcpListener, select, sync::Semaphore};
use tokio_util::sync::CancellationToken;

/// Too many open files in the system, and in the process.
const ENFILE: i32 = 23;
const EMFILE: i32 = 24;

impl Shared {
    /// The task `listener`.
    pub(crate) async fn listen(self: Arc<Self>, listener: TcpListener) {
        let rooms = Arc::new(Semaphore::new(self.limits.early.max(1)));
        let rate = RateLimit::per_second(self.limits.accepts_a_second);
        loop {
            let accept = async {
                rate.wait().await;
                listener.accept().await
            };
            let accepted = select! {
                biased;
                () = self.stop.cancelled() => return,
                accepted = accept => accepted,
            };
            let (stream, remote) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    self.accept_failed(&error);
                    // out of file descriptors: the next call would fail at once
                    tokio::time::sleep(self.limits.first_pause).await;
                    continue;
                }
            };
            let id = self.next_id();
            let ended = CancellationToken::new();
            {
                let mut state = self.state();
                let known = state.book.is_proven_host(remote.ip());
                let Some(oldest) =
                    state
                        .admission
                        .begin_handshake(id, remote.ip(), known, Instant::now())
                else {
                    continue;
                };
                for old in oldest {
                    if let Some(old) = state.early.remove(&old) {
                        old.cancel();
                    }
                }
                state.early.insert(id, ended.clone());
            }
            // a connection that ended for this one may still have its socket open
            let room = select! {
                biased;
                () = self.stop.cancelled() => return,
                room = Arc::clone(&rooms).acquire_owned() => room,
            };
            let Ok(room) = room else { return };
            let arrival = Incoming {
                id,
                stream,
                remote,
                ended,
                room,
            };
            self.tasks.spawn(Arc::clone(&self).incoming(arrival));
        }
    }

    /// Logs a failure to accept, at most once a minute for each kind.
    fn accept_failed(&self, error: &io::Error) {
        let kind = error.raw_os_error().unwrap_or_default();
        if self.state().log_throttle.allows("accept", kind.to_string()) {
            let hint = match kind {
                ENFILE | EMFILE => "; raise the limit of open files (ulimit -n)",
                _ => "",
            };
            tracing::warn!("cannot accept connections: {error}{hint}");
        }
    }
}
