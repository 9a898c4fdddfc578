//! The two questions that can fail: can the files be trusted and written, and
//! can the index. Neither error is ever retried: the caller stops, names the
//! file, and for the index may rebuild.

use std::io;
use std::path::{Path, PathBuf};

use ccoin_core::{BlockId, Height};

use crate::block_log::Position;

/// Why a file of the chain directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// Another process owns the directory.
    #[error("{} is in use by process {}", path.display(), pid.map_or_else(|| "unknown".into(), |p| p.to_string()))]
    Busy {
        /// The lock file.
        path: PathBuf,
        /// The owner, if it left its number.
        pid: Option<u32>,
    },
    /// The operating system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Its reason.
        source: io::Error,
    },
    /// Bytes that were acknowledged are not what was written.
    #[error("{} is damaged at byte {offset}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Byte offset of the first bad record.
        offset: u64,
    },
    /// A file that must exist does not.
    #[error("{} is missing", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A log exists where a new one was to be created.
    #[error("{} exists already", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// Written by another version of this program.
    #[error("{} has format {got}, this program reads {expected}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Version found.
        got: u32,
        /// Version read.
        expected: u32,
    },
    /// An earlier write or fsync failed; what is on disk is unknown until the next start.
    #[error("an earlier write failed, the log takes no more records until restarted")]
    Poisoned,
    /// The record is longer than a record may be.
    #[error("{got} bytes are more than the {max} a record may hold")]
    TooLong {
        /// Payload bytes.
        got: u64,
        /// The limit.
        max: u64,
    },
    /// No acknowledged record begins there.
    #[error("no record at position {position}, the log ends at {end}")]
    Beyond {
        /// Position asked for.
        position: Position,
        /// End of the acknowledged log.
        end: Position,
    },
    /// Accounts were not in ascending order.
    #[error("accounts of a checkpoint must ascend, number {number} does not")]
    Unsorted {
        /// Index of the offending account, from 0.
        number: u64,
    },
}

impl StorageError {
    /// For `map_err`: an I/O error with its path.
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        |source| match source.kind() {
            io::ErrorKind::NotFound => Self::Missing { path: path.into() },
            _ => Self::Io {
                path: path.into(),
                source,
            },
        }
    }
}

/// Why the index cannot answer; every cause but [`IndexError::Gap`] is final
/// until it is opened again or rebuilt.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IndexError {
    /// A file or an entry is not what was written.
    #[error("the index is damaged ({0})")]
    Damaged(String),
    /// The operating system refused; a rebuild needs a working disk first.
    #[error("the index cannot be written: {0}")]
    Io(String),
    /// Another layout of keys.
    #[error("the index has schema {got}, this program needs {expected}")]
    Schema {
        /// Version found.
        got: u32,
        /// Version needed.
        expected: u32,
    },
    /// Made for another chain.
    #[error("the index belongs to genesis {got}, not {expected}")]
    OtherChain {
        /// Genesis id found.
        got: BlockId,
        /// Genesis id of this node.
        expected: BlockId,
    },
    /// A block was put out of order.
    #[error("block {got} cannot follow, the index continues with {expected}")]
    Gap {
        /// Height given.
        got: Height,
        /// Height that follows.
        expected: Height,
    },
}

impl IndexError {
    /// Whether a rebuild mends it: what is there cannot be used, but the disk works.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Damaged(_) | Self::Schema { .. } | Self::OtherChain { .. } => true,
            Self::Io(_) | Self::Gap { .. } => false,
        }
    }
}
