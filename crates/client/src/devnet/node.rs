//! One node of the network: its configuration, its command line, and whether it works.
//! It asks the node over HTTP only, as any user would.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ccoin_core::{BlockId, Height};
use ccoin_home::{DataDir, LockFile, LockFileError, NodeFile};
use serde::de::IgnoredAny;
use serde_json::json;
use tokio::process::Command;
use tokio::sync::mpsc;

use super::founding::{config_file, write};
use super::layout::file_error;
use super::process::{Death, Process, command, last_line};
use super::{DevnetError, NodeType};
use crate::documents::base_path;
use crate::{Connection, HttpError, NodeUrl, StatusAnswer};

/// How long a node may take until it works: it may have a long chain to read.
const PATIENCE: Duration = Duration::from_secs(60);

/// Time between two looks at a node that is starting.
const LOOK: Duration = Duration::from_millis(5);

/// Addresses of a node that has run: it gets them again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sockets {
    pub(super) p2p: SocketAddr,
    pub(super) http: SocketAddr,
}

/// A node, running or not.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) name: String,
    pub(super) node_type: NodeType,
    pub(super) data_dir: DataDir,
    /// Everything of this node.
    dir: PathBuf,
    pub(super) sockets: Option<Sockets>,
    pub(super) process: Option<Process>,
}

impl Node {
    /// A node that has never run.
    pub(super) fn new(name: String, node_type: NodeType, dir: PathBuf, data_dir: DataDir) -> Self {
        Self {
            name,
            node_type,
            data_dir,
            dir,
            sockets: None,
            process: None,
        }
    }

    /// Where its log is.
    pub(super) fn log(&self) -> PathBuf {
        self.dir.join("log")
    }

    /// Its HTTP API, once it has run.
    pub(super) fn url(&self) -> Option<NodeUrl> {
        self.sockets.map(|sockets| sockets.http.into())
    }

    /// Writes its configuration, in place of the one of the last run.
    ///
    /// # Errors
    /// [`DevnetError::File`] with what the system says.
    pub(super) fn configure(
        &self,
        genesis_id: &BlockId,
        discovery: SocketAddr,
    ) -> Result<(), DevnetError> {
        let document = json!({
            "app": {"base_path": base_path(&self.dir)?},
            "client": {"account_address": self.data_dir.address(), "name": self.name},
            "discovery_service": {
                "host": discovery.ip(), "port": discovery.port(), "proto": "http",
            },
            "genesis_id": genesis_id,
        });
        write(&config_file(&self.dir), &format!("{document:#}\n"))
    }

    /// Starts its process; `peers` are the nodes that it connects to in any case.
    ///
    /// # Errors
    /// [`DevnetError`] if the process does not start.
    pub(super) async fn spawn(
        &mut self,
        cnode: &Path,
        peers: &[SocketAddr],
        deaths: mpsc::Sender<Death>,
    ) -> Result<(), DevnetError> {
        self.wait_for_key().await?;
        // One that was killed has left its file behind.
        let stale = self.data_dir.node_file();
        NodeFile::remove(&stale).map_err(file_error(&stale))?;
        let mut command = command(cnode);
        self.options(&mut command, peers);
        self.process = Some(Process::spawn(&self.name, command, &self.log(), deaths)?);
        Ok(())
    }

    fn options(&self, command: &mut Command, peers: &[SocketAddr]) {
        let p2p = self.sockets.map_or(0, |sockets| sockets.p2p.port());
        command
            .arg("-c")
            .arg(config_file(&self.dir))
            .args(["-t", self.node_type.word(), "-h", "127.0.0.1"])
            .args(["-p", &p2p.to_string(), "--http-host", "127.0.0.1"]);
        if let Some(sockets) = self.sockets {
            command.args(["--http-port", &sockets.http.port().to_string()]);
        }
        for peer in peers {
            command.args(["--peer", &peer.to_string()]);
        }
    }

    /// Waits until the last process with this key has ended: after a kill of the whole
    /// network it needs a moment.
    async fn wait_for_key(&self) -> Result<(), DevnetError> {
        let path = self.data_dir.lock();
        let begun = Instant::now();
        loop {
            match LockFile::take(&path) {
                Ok(_) => return Ok(()),
                Err(LockFileError::Held { .. }) if begun.elapsed() < PATIENCE / 6 => {
                    tokio::time::sleep(LOOK).await;
                }
                Err(error) => return Err(DevnetError::Failed(error.into())),
            }
        }
    }

    /// Waits until its sockets are open and notes their addresses.
    ///
    /// # Errors
    /// [`DevnetError::Ended`] or [`DevnetError::NotReady`].
    pub(super) async fn listen(&mut self) -> Result<Sockets, DevnetError> {
        let begun = Instant::now();
        let path = self.data_dir.node_file();
        loop {
            let file = NodeFile::read(&path).map_err(file_error(&path))?;
            let pid = self.process.as_ref().map(Process::pid);
            if let Some(file) = file.filter(|file| Some(file.pid) == pid) {
                let sockets = Sockets {
                    p2p: file.p2p,
                    http: file.http,
                };
                self.sockets = Some(sockets);
                return Ok(sockets);
            }
            self.patience(begun, || "it opens no sockets".to_owned())?;
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits until it listens, works, and is in the network.
    ///
    /// # Errors
    /// [`DevnetError`] tells whether it ended, is late, or is in another network.
    pub(super) async fn ready(&mut self, genesis_id: &BlockId) -> Result<(), DevnetError> {
        let begun = Instant::now();
        let sockets = self.listen().await?;
        let mut connection = Connection::new(sockets.http.into());
        loop {
            let state = match self.asked(&mut connection, genesis_id).await? {
                Ok(()) => return Ok(()),
                Err(state) => state,
            };
            self.patience(begun, || state)?;
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Asks once; inside `Err` is how far it got.
    async fn asked(
        &self,
        connection: &mut Connection,
        genesis_id: &BlockId,
    ) -> Result<Result<(), String>, DevnetError> {
        let ready: Result<IgnoredAny, HttpError> = connection.get("/readyz").await;
        if let Err(error) = ready {
            return Ok(Err(error.to_string()));
        }
        let status: StatusAnswer = match connection.get("/v1/status").await {
            Ok(status) => status,
            Err(error) => return Ok(Err(error.to_string())),
        };
        if status.genesis_id != *genesis_id {
            return Err(DevnetError::OtherNetwork {
                name: self.name.clone(),
                got: status.genesis_id,
                expected: *genesis_id,
            });
        }
        if status.height < Height::GENESIS {
            return Ok(Err("it has no block".to_owned()));
        }
        Ok(Ok(()))
    }

    fn patience(&self, begun: Instant, state: impl FnOnce() -> String) -> Result<(), DevnetError> {
        still_starting(&self.name, self.process.as_ref(), &self.log(), begun, state)
    }
}

/// May a process that is not ready go on trying?
///
/// # Errors
/// [`DevnetError::Ended`] if it has ended, [`DevnetError::NotReady`] after too long.
pub(super) fn still_starting(
    name: &str,
    process: Option<&Process>,
    log: &Path,
    begun: Instant,
    state: impl FnOnce() -> String,
) -> Result<(), DevnetError> {
    let (name, log) = (name.to_owned(), log.to_owned());
    let ending = process.map_or(Some("it was stopped".to_owned()), Process::ending);
    if let Some(how) = ending {
        let said = last_line(&log);
        return Err(DevnetError::Ended {
            name,
            how,
            log,
            said,
        });
    }
    let waited = begun.elapsed();
    if waited > PATIENCE {
        return Err(DevnetError::NotReady {
            name,
            waited: waited.as_secs(),
            state: state(),
            log,
        });
    }
    Ok(())
}

/// Empties the log of the last run, so that what it says is of this one.
///
/// # Errors
/// [`DevnetError::File`] with what the system says.
pub(super) fn fresh_log(log: &Path) -> Result<(), DevnetError> {
    match fs::remove_file(log) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(file_error(log)(error)),
        _ => Ok(()),
    }
}
