//! Where peers were reached, remembered over restarts: the network outlives the
//! discovery service.

use super::keys::read_bounded;
use ccoin_core::{
    encoding::{decode, encode},
    message::PeerAddress,
};
use std::path::PathBuf;
use tokio::sync::watch;

/// Bytes of the longest file.
const MAX_FILE: u64 = 1 << 20;

/// The file.
pub(super) struct Places(PathBuf);

impl Places {
    pub(super) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// What was remembered; a file that is not sound is as good as none.
    pub(super) fn load(&self) -> Vec<PeerAddress> {
        let bytes = read_bounded(&self.0, MAX_FILE).unwrap_or_default();
        decode("list of peers", &bytes).unwrap_or_default()
    }

    /// Writes the file whenever another peer was reached, until the network stops.
    pub(super) fn keep(self, mut known: watch::Receiver<Vec<PeerAddress>>) {
        tokio::spawn(async move {
            while known.changed().await.is_ok() {
                let (path, bytes) = (self.0.clone(), encode(&*known.borrow_and_update()));
                let write = move || ccoin_home::replace_file(&path, &bytes, 0o644);
                if let Ok(Err(error)) = tokio::task::spawn_blocking(write).await {
                    tracing::warn!("cannot remember peers in {}: {error}", self.0.display());
                }
            }
        });
    }
}
