//! Known peers on disk, so that a running network does not depend on the discovery service:
//! places at which this node reached a peer, and apart from them places that callers only
//! claim. A claim never becomes a proven place by a restart.

use super::key_store::read_bounded;
use ccoin_core::{
    encoding::{decode, encode},
    message::{MAX_SHARED_PEERS, PeerAddress},
};
use ccoin_p2p::{Connection, LogThrottle};
use std::path::{Path, PathBuf};
use tokio::sync::watch;

/// Bytes of the longest file.
const MAX_FILE: u64 = 1 << 20;

/// The two files, and the newest callers.
pub(super) struct PeerStore {
    proven: PathBuf,
    claimed: PathBuf,
    /// The last caller first, one place for each address.
    callers: watch::Sender<Vec<PeerAddress>>,
}

impl PeerStore {
    /// The files `peers` and `callers` of a chain directory.
    pub(super) fn new(directory: &Path) -> Self {
        let claimed = directory.join("callers");
        Self {
            proven: directory.join("peers"),
            callers: watch::Sender::new(load(&claimed)),
            claimed,
        }
    }

    /// Places at which peers were reached.
    pub(super) fn load_proven(&self) -> Vec<PeerAddress> {
        load(&self.proven)
    }

    /// Places that earlier callers claimed: candidates, no more.
    pub(super) fn load_claimed(&self) -> Vec<PeerAddress> {
        self.callers.borrow().clone()
    }

    /// Remembers where a caller says that it listens: a node that is dialled before it dials
    /// would know no peer after a restart at another place.
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

    /// Writes a file whenever its list changes, until the network stops.
    pub(super) fn keep(&self, mut known: watch::Receiver<Vec<PeerAddress>>) {
        let (proven, claimed) = (self.proven.clone(), self.claimed.clone());
        let mut callers = self.callers.subscribe();
        let log_throttle = LogThrottle::default();
        tokio::spawn(async move {
            loop {
                let (path, mut peers) = tokio::select! {
                    biased;
                    changed = known.changed() => match changed {
                        Ok(()) => (proven.clone(), known.borrow_and_update().clone()),
                        Err(_) => return,
                    },
                    changed = callers.changed() => match changed {
                        Ok(()) => (claimed.clone(), callers.borrow_and_update().clone()),
                        Err(_) => return,
                    },
                };
                peers.truncate(MAX_SHARED_PEERS);
                let file = path.clone();
                let write = move || ccoin_home::replace_file(&file, &encode(&peers), 0o644);
                let written = tokio::task::spawn_blocking(write).await;
                let path = path.display().to_string();
                if let Ok(Err(error)) = written
                    && log_throttle.allows("peers", path.clone())
                {
                    tracing::warn!("cannot remember peers in {path}: {error}");
                }
            }
        });
    }
}

/// The places of a file; one that is not sound is as good as none.
fn load(path: &Path) -> Vec<PeerAddress> {
    let bytes = read_bounded(path, MAX_FILE).unwrap_or_default();
    decode("list of peers", &bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ccoin_core::Address;
    use std::time::Duration;

    fn place(byte: u8) -> PeerAddress {
        PeerAddress {
            address: Address::new([byte; 20]),
            host: "192.0.2.1".into(),
            port: 4001,
        }
    }

    /// A caller that names the place of another node must not make that place proven.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_claim_is_never_a_proven_place_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let store = PeerStore::new(dir.path());
        let (known, reached) = watch::channel(Vec::new());
        store.keep(reached);
        known.send_replace(vec![place(1)]);
        store.callers.send_replace(vec![place(2)]);
        let written = async {
            loop {
                let again = PeerStore::new(dir.path());
                let (proven, claimed) = (again.load_proven(), again.load_claimed());
                if !proven.is_empty() && !claimed.is_empty() {
                    return (proven, claimed);
                }
                tokio::task::yield_now().await;
            }
        };
        let (proven, claimed) = tokio::time::timeout(Duration::from_secs(60), written)
            .await
            .expect("both files are written");
        assert_eq!((proven, claimed), (vec![place(1)], vec![place(2)]));
    }
}
