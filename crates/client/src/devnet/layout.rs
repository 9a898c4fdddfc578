//! The paths below the directory of a network. It reads and writes nothing.

use std::path::{Path, PathBuf};

/// The directory of a network, absolute.
#[derive(Clone, Debug)]
pub(super) struct Layout(PathBuf);

impl Layout {
    pub(super) fn new(root: PathBuf) -> Self {
        Self(root)
    }

    pub(super) fn root(&self) -> &Path {
        &self.0
    }

    /// Held by the process that uses the directory.
    pub(super) fn lock(&self) -> PathBuf {
        self.0.join("devnet.lock")
    }

    /// Present in a directory that is removed at the end.
    pub(super) fn temporary(&self) -> PathBuf {
        self.0.join("devnet.temporary")
    }

    /// Present while the network is being made.
    pub(super) fn init_marker(&self) -> PathBuf {
        self.0.join("devnet.unfinished")
    }

    pub(super) fn manifest(&self) -> PathBuf {
        self.0.join("devnet.json")
    }

    pub(super) fn genesis(&self) -> PathBuf {
        self.0.join("genesis.json")
    }

    /// The socket for commands.
    pub(super) fn control(&self) -> PathBuf {
        self.0.join("control")
    }

    /// The directory of one process: `discovery` or the name of a node.
    pub(super) fn member(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The log of one process.
    pub(super) fn log(&self, name: &str) -> PathBuf {
        self.member(name).join("log")
    }

    /// What `snapshot` keeps under a name.
    pub(super) fn snapshot(&self, name: &str) -> PathBuf {
        self.0.join("snapshots").join(name)
    }

    pub(super) fn accounts(&self) -> PathBuf {
        self.0.join("accounts")
    }

    pub(super) fn account(&self, name: &str) -> PathBuf {
        self.accounts().join(name)
    }
}
