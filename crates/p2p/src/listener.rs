//! Accepts connections, as many as may begin a handshake. However many come, no more
//! sockets than these are open, and the one that was accepted last; and however fast they
//! come, they take little of the processors: those beyond the rate wait in the kernel.

use crate::{entrance::Arrival, rate_limit::RateLimit, shared::Shared};
use std::{sync::Arc, time::Instant};
use tokio::{net::TcpListener, select, sync::Semaphore};
use tokio_util::sync::CancellationToken;

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
                    tracing::warn!("cannot accept a connection: {error}");
                    // out of file descriptors: it would fail again at once
                    tokio::time::sleep(self.limits.first_pause).await;
                    continue;
                }
            };
            let id = self.next_id();
            let ended = CancellationToken::new();
            {
                let mut state = self.state();
                let Some(oldest) = state.admission.arrive(id, remote.ip(), Instant::now()) else {
                    continue;
                };
                for old in oldest {
                    if let Some(old) = state.early.remove(&old) {
                        old.cancel();
                    }
                }
                state.early.insert(id, ended.clone());
            }
            // whoever ended for this one still has its socket open for a moment
            let room = select! {
                biased;
                () = self.stop.cancelled() => return,
                room = Arc::clone(&rooms).acquire_owned() => room,
            };
            let Ok(room) = room else { return };
            let arrival = Arrival {
                id,
                stream,
                remote,
                ended,
                room,
            };
            self.tasks.spawn(Arc::clone(&self).incoming(arrival));
        }
    }
}
