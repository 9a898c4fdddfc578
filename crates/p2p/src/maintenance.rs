//! Applies changes of the allow-list and of the own chain to the connections, and shares
//! known peers.

use crate::shared::Shared;
use bytes::Bytes;
use std::sync::Arc;
use tokio::{
    select,
    sync::watch,
    time::{MissedTickBehavior, interval},
};

impl Shared {
    /// The task `maintenance`.
    pub(crate) async fn maintain(self: Arc<Self>) {
        let (mut allow, mut local) = (self.allow.clone(), self.local.clone());
        let mut genesis = local.borrow_and_update().genesis_id;
        let mut share = interval(self.limits.share);
        share.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut shared: Option<Bytes> = None;
        loop {
            select! {
                biased;
                () = self.stop.cancelled() => return,
                () = changed(&mut allow) => {
                    allow.mark_unchanged();
                    self.end_misfits();
                    self.changed.notify_one();
                }
                () = changed(&mut local) => {
                    let now = local.borrow_and_update().genesis_id;
                    if now != genesis {
                        genesis = now;
                        self.end_misfits();
                    }
                }
                _ = share.tick() => {
                    let peers = self.shared_peers();
                    if peers != shared && let Some(peers) = &peers {
                        let state = self.state();
                        for peer in state.peers.values() {
                            peer.send(peers.clone());
                        }
                    }
                    shared = peers;
                }
            }
        }
    }

    /// Ends the connections that would be rejected now.
    fn end_misfits(&self) {
        let state = self.state();
        for peer in state.peers.values() {
            let hello = &peer.hello;
            let judged = self
                .judge_address(&hello.address)
                .and_then(|()| self.judge_genesis(hello.network_id, hello.genesis_id));
            if let Err((reason, text)) = judged {
                peer.end(reason, &text);
            }
        }
    }
}

/// Resolves with the next change; never after the sender is dropped.
async fn changed<T>(value: &mut watch::Receiver<T>) {
    if value.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}
