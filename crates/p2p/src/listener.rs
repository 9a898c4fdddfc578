//! Accepts connections, as many as may begin a handshake.

use crate::shared::Shared;
use std::{sync::Arc, time::Instant};
use tokio::{net::TcpListener, select};

impl Shared {
    /// The task `listener`.
    pub(crate) async fn listen(self: Arc<Self>, listener: TcpListener) {
        loop {
            let accepted = select! {
                biased;
                () = self.stop.cancelled() => return,
                accepted = listener.accept() => accepted,
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
            let ended = self.stop.child_token();
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
            let session = Arc::clone(&self).incoming(id, stream, remote, ended);
            self.tasks.spawn(session);
        }
    }
}
