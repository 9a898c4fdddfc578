//! Where peers were reached, and where those who called say that they listen, remembered
//! over restarts: the network outlives the discovery service.

use super::key_store::read_bounded;
use ccoin_core::{
    encoding::{decode, encode},
    message::{MAX_SHARED_PEERS, PeerAddress},
};
use ccoin_p2p::Connection;
use std::path::PathBuf;
use tokio::sync::watch;

/// Bytes of the longest file.
const MAX_FILE: u64 = 1 << 20;

/// The file, and the callers: the last one first, one place for each.
pub(super) struct PeerStore {
    path: PathBuf,
    callers: watch::Sender<Vec<PeerAddress>>,
}

impl PeerStore {
    pub(super) fn new(path: PathBuf) -> Self {
        let callers = watch::Sender::default();
        Self { path, callers }
    }

    /// What was remembered; a file that is not sound is as good as none.
    pub(super) fn load(&self) -> Vec<PeerAddress> {
        let bytes = read_bounded(&self.path, MAX_FILE).unwrap_or_default();
        decode("list of peers", &bytes).unwrap_or_default()
    }

    /// Remembers a peer that has called: a node that is called before it calls would
    /// else know nobody after a restart at another place.
    pub(super) fn met(&self, connection: &Connection) {
        let Some(caller) = connection.caller.clone() else {
            return;
        };
        self.callers.send_if_modified(|callers| {
            let news = !callers.contains(&caller);
            callers.retain(|other| other.address != caller.address);
            callers.insert(0, caller);
            callers.truncate(MAX_SHARED_PEERS);
            news
        });
    }

    /// Writes the file whenever another peer was reached or has called, until the network
    /// stops.
    pub(super) fn keep(&self, mut known: watch::Receiver<Vec<PeerAddress>>) {
        let (path, mut callers) = (self.path.clone(), self.callers.subscribe());
        tokio::spawn(async move {
            loop {
                let changed = tokio::select! {
                    biased;
                    changed = known.changed() => changed,
                    changed = callers.changed() => changed,
                };
                if changed.is_err() {
                    break;
                }
                let mut peers = known.borrow_and_update().clone();
                for caller in callers.borrow_and_update().iter() {
                    if !peers.contains(caller) {
                        peers.push(caller.clone());
                    }
                }
                peers.truncate(MAX_SHARED_PEERS);
                let (file, bytes) = (path.clone(), encode(&peers));
                let write = move || ccoin_home::replace_file(&file, &bytes, 0o644);
                if let Ok(Err(error)) = tokio::task::spawn_blocking(write).await {
                    tracing::warn!("cannot remember peers in {}: {error}", path.display());
                }
            }
        });
    }
}
