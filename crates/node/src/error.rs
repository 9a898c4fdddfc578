//! Why a node cannot start or cannot go on.

use ccoin_core::genesis::GenesisError;
use ccoin_home::{ExitCode, Failure};
use ccoin_storage::StorageError;
use std::{
    io,
    path::{Path, PathBuf},
};

/// Why a node cannot start or cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The block log, pool log, lock or a checkpoint.
    #[error(transparent)]
    Storage(#[from] ccoin_storage::StorageError),
    /// The index.
    #[error(transparent)]
    Index(#[from] ccoin_storage::IndexError),
    /// The vote file.
    #[error(transparent)]
    Votes(#[from] ccoin_storage::VoteFileError),
    /// Block 1 in the log.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// A record passes its checksum but is not what this chain allows.
    #[error("{path}: record at {position} does not fit this chain: {reason}", path = path.display())]
    Record {
        /// Directory of the log.
        path: PathBuf,
        /// Where the record starts.
        position: u64,
        /// What does not fit.
        reason: String,
    },
    /// A file or directory.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The socket for peers.
    #[error("cannot listen for peers: {0}")]
    Socket(io::Error),
    /// A thread could not be started.
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
    /// A thread has panicked; the log says where.
    #[error("the {0} thread has failed")]
    Panic(&'static str),
}

impl NodeError {
    pub(crate) fn file(path: &Path, source: io::Error) -> Self {
        Self::File {
            path: path.to_owned(),
            source,
        }
    }
}

impl From<NodeError> for Failure {
    fn from(error: NodeError) -> Self {
        let message = error.to_string();
        match error {
            NodeError::Storage(StorageError::Busy { .. }) => Self::new(ExitCode::Busy, message)
                .hint("another process works on this data directory: stop it first"),
            NodeError::Storage(StorageError::Exists { .. }) => Self::new(ExitCode::Busy, message),
            NodeError::Storage(StorageError::Io { source, .. })
                if source.kind() == io::ErrorKind::StorageFull =>
            {
                Self::new(ExitCode::Unexpected, message)
                    .hint("nothing that was acknowledged is lost")
                    .hint("make room on that disk and start again")
            }
            NodeError::Index(_) => Self::new(ExitCode::Unexpected, message)
                .hint("the index is derived: cnode --reindex builds it again"),
            NodeError::Votes(error) => error.into(),
            NodeError::Record { .. } => Self::new(ExitCode::Unexpected, message)
                .hint("put back a copy of the chain directory, or move it away and start again"),
            NodeError::Genesis(_) => Self::new(ExitCode::BadConfig, message),
            NodeError::Storage(_)
            | NodeError::File { .. }
            | NodeError::Socket(_)
            | NodeError::Thread(_)
            | NodeError::Panic(_) => Self::new(ExitCode::Unexpected, message),
        }
    }
}
