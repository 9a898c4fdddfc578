//! The registry on disk: one JSON file, written whole, a few seconds after a change and
//! at the end. Only a restart needs it: a damaged file is renamed, and the service goes
//! on when the disk fails.

use crate::{Registry, Service, registry::Entry};
use ccoin_core::Timestamp;
use ccoin_home::{
    ExitCode, Failure, LockFile, LockFileError,
    atomic_file::{read_text, replace},
};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// Bytes of the largest file that is read: 10,000 entries with the longest names have 7 MB.
const MAX_BYTES: usize = 16 << 20;

/// Shortest time between two writes: less than a node waits before it renews.
const PAUSE: Duration = Duration::from_secs(3);

/// The layout of the file.
const VERSION: u32 = 1;

/// Why the data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process uses it.
    #[error("another discovery service uses this directory: {0}")]
    Held(LockFileError),
    /// The system refuses.
    #[error("cannot use the data directory {}: {source}", .path.display())]
    Io {
        /// The directory.
        path: PathBuf,
        /// Of the system.
        source: io::Error,
    },
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let code = match error {
            StoreError::Held(_) => ExitCode::Busy,
            StoreError::Io { .. } => ExitCode::BadConfig,
        };
        Self::new(code, error.to_string()).hint("name another one with --data-dir DIR")
    }
}

#[derive(Serialize, Deserialize)]
struct Content {
    version: u32,
    entries: Vec<Entry>,
}

/// A data directory, locked until this is dropped.
#[derive(Debug)]
pub struct Store {
    file: PathBuf,
    _lock: LockFile,
}

impl Store {
    /// Creates the directory if there is none and locks it.
    ///
    /// # Errors
    /// [`StoreError`] if it is locked or cannot be used.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        let failed = |source| StoreError::Io {
            path: dir.to_owned(),
            source,
        };
        fs::create_dir_all(dir).map_err(failed)?;
        let lock = LockFile::take(&dir.join("lock")).map_err(|error| match error {
            LockFileError::Io { source, .. } => failed(source),
            held @ LockFileError::Held { .. } => StoreError::Held(held),
        })?;
        Ok(Self {
            file: dir.join("records.json"),
            _lock: lock,
        })
    }

    /// The registry of the last run as of `now`. A damaged file is renamed and replaced.
    #[must_use]
    pub fn load(&self, now: Timestamp) -> Registry {
        let entries = match self.read() {
            Ok(content) if content.version == VERSION => content.entries,
            Ok(content) => self.put_aside(&format!("version {}", content.version)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => self.put_aside(&error.to_string()),
        };
        Registry::restore(entries, now)
    }

    fn read(&self) -> io::Result<Content> {
        let text = read_text(File::open(&self.file)?, MAX_BYTES)?;
        Ok(serde_json::from_str(&text)?)
    }

    fn put_aside(&self, reason: &str) -> Vec<Entry> {
        let aside = self.file.with_extension("damaged");
        let (from, to) = (self.file.display(), aside.display());
        match fs::rename(&self.file, &aside) {
            Ok(()) => tracing::warn!("{from} is not usable ({reason}): it is now {to}"),
            Err(error) => tracing::warn!("{from} is not usable ({reason}): {error}"),
        }
        Vec::new()
    }

    fn write(&self, entries: Vec<Entry>) -> io::Result<()> {
        let content = Content {
            version: VERSION,
            entries,
        };
        replace(&self.file, &serde_json::to_vec(&content)?, 0o600)
    }
}

/// Writes the registry of `service` after changes until `stop`, and a last time then.
pub async fn keep(store: Store, service: Arc<Service>, stop: CancellationToken) {
    keep_every(PAUSE, store, service, stop).await;
}

async fn keep_every(pause: Duration, store: Store, service: Arc<Service>, stop: CancellationToken) {
    let store = Arc::new(store);
    // Revision 0 is the loaded content; the first request may come before this task begins.
    let mut written = 0;
    let mut healthy = true;
    loop {
        let stopping = tokio::time::timeout(pause, stop.cancelled()).await.is_ok();
        let revision = service.registry().revision();
        if revision != written {
            let outcome = write_behind(&store, &service).await;
            match outcome {
                Ok(()) => written = revision,
                Err(error) => {
                    service.metrics.failed_writes.inc();
                    // One line for each series of failures.
                    if healthy {
                        let file = store.file.display();
                        tracing::warn!("cannot write {file}: {error}; a restart forgets records");
                    }
                }
            }
            healthy = written == revision;
        }
        if stopping {
            return;
        }
    }
}

/// Writes on a thread that may block.
async fn write_behind(store: &Arc<Store>, service: &Service) -> io::Result<()> {
    let entries = service.registry().entries().cloned().collect();
    let store = Arc::clone(store);
    let writing = tokio::task::spawn_blocking(move || store.write(entries));
    writing
        .await
        .unwrap_or_else(|error| Err(io::Error::other(error)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Command, Record, Vantage,
        record::tests::{claim, key},
    };
    use std::{
        net::{IpAddr, Ipv4Addr},
        time::Instant,
    };

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn clock() -> Timestamp {
        Timestamp::new(1_700_000_000_000).unwrap()
    }

    fn filled() -> Service {
        let service = Service::new(Registry::default(), clock);
        let record = Record::add(claim("10.0.0.1", 4001), clock(), key(0)).unwrap();
        let vantage = Vantage {
            caller: HERE,
            reached: HERE,
        };
        service.apply(Command::Add, record, vantage).unwrap();
        service
    }

    #[tokio::test]
    async fn records_are_there_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new/dir");
        let store = Store::open(&path).unwrap();
        assert!(matches!(Store::open(&path), Err(StoreError::Held(_))));
        assert_eq!(store.load(clock()).entries().count(), 0);
        let stop = CancellationToken::new();
        let service = Arc::new(Service::new(store.load(clock()), clock));
        let keeping = tokio::spawn(keep(store, Arc::clone(&service), stop.clone()));
        let registry = filled().registry().clone();
        *service.registry() = registry.clone();
        stop.cancel();
        keeping.await.unwrap();
        let again = Store::open(&path).unwrap().load(clock());
        assert!(again.entries().eq(registry.entries()));
        assert_eq!(again.count(clock()), 1);
        let names: Vec<_> = fs::read_dir(&path)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(names.len(), 2, "{names:?}");
    }

    #[test]
    fn a_damaged_file_is_kept_aside_and_the_service_starts() {
        for damaged in [
            &b"{\"version\":1,\"entries\":[{"[..],
            b"\xff\xfe",
            b"",
            b"{\"version\":2,\"entries\":[]}",
            b"{\"version\":1,\"entries\":[{\"id\":\"00\"}]}",
        ] {
            let dir = tempfile::tempdir().unwrap();
            let store = Store::open(dir.path()).unwrap();
            fs::write(&store.file, damaged).unwrap();
            assert_eq!(store.load(clock()).entries().count(), 0);
            assert!(!store.file.exists());
            assert_eq!(
                fs::read(dir.path().join("records.damaged")).unwrap(),
                damaged
            );
            let entries = filled().registry().entries().cloned().collect();
            store.write(entries).unwrap();
            assert_eq!(store.load(clock()).entries().count(), 1);
        }
    }

    #[tokio::test]
    async fn a_write_that_fails_is_tried_again_and_the_service_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let file = store.file.clone();
        // Nothing can be renamed over a directory that is not empty.
        fs::create_dir_all(file.join("x")).unwrap();
        let service = Arc::new(filled());
        let stop = CancellationToken::new();
        let pause = Duration::from_millis(1);
        let keeping = keep_every(pause, store, Arc::clone(&service), stop.clone());
        let keeping = tokio::spawn(keeping);
        let failed = &service.metrics.failed_writes;
        let deadline = Instant::now() + Duration::from_secs(60);
        while failed.get() < 2 {
            assert!(Instant::now() < deadline, "no second attempt");
            tokio::task::yield_now().await;
        }
        fs::remove_dir_all(&file).unwrap();
        wait_until_written(&file, deadline).await;
        stop.cancel();
        keeping.await.unwrap();
        let store = Store::open(dir.path()).unwrap();
        assert_eq!(store.load(clock()).entries().count(), 1);
    }

    /// Long before the end of the service.
    async fn wait_until_written(file: &Path, deadline: Instant) {
        while !file.is_file() {
            assert!(Instant::now() < deadline, "not written again");
            tokio::task::yield_now().await;
        }
    }
}
