//! Why a node cannot start or cannot go on.

use ccoin_core::{Address, Amount, BlockId, Height, genesis::GenesisError};
use ccoin_crypto::LaneFault;
use ccoin_home::{ExitCode, Failure};
use ccoin_storage::{IndexError, Position, StorageError};
use std::{
    io,
    path::{Path, PathBuf},
};

/// Why a node cannot start or cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The block log, lock or a checkpoint.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The pool log.
    #[error(transparent)]
    Pool(StorageError),
    /// The index.
    #[error(transparent)]
    Index(#[from] IndexError),
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
    /// The chain was made when every block was paid; no release had that rule.
    #[error(
        "block {number} in {path} pays {got} coins where {expected} are due: only the first block of a slot is paid, \
         and a development version before that rule made this chain", path = path.display()
    )]
    OldReward {
        /// Directory of the log.
        path: PathBuf,
        /// The first such block.
        number: Height,
        /// What it pays.
        got: Amount,
        /// What is due.
        expected: Amount,
    },
    /// A chain that holds certificates which conflict.
    #[error(
        "two certificates in {path} conflict: more validators signed twice than the network \
         survives", path = path.display()
    )]
    Alarmed {
        /// Directory of the log.
        path: PathBuf,
    },
    /// A file of blocks, or the place where it is to be written.
    #[error(transparent)]
    Archive(StorageError),
    /// A file of blocks passes its checksums but is not what a chain allows.
    #[error("{path} is not a good chain: {reason}", path = path.display())]
    BadArchive {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },
    /// A file of blocks of another network.
    #[error("the file holds the network {got}, not {wanted}")]
    OtherNetwork {
        /// Genesis id of the file.
        got: BlockId,
        /// Genesis id of the chain here, or the one that was asked for.
        wanted: BlockId,
    },
    /// Signatures of a miner can neither be trusted nor refused.
    #[error("the public key of miner {0} is not here, so its signatures cannot be checked")]
    MinerKey(Address),
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
    /// The processor's lanes cannot be trusted, nor can signatures that they have accepted.
    #[error(transparent)]
    Lanes(#[from] LaneFault),
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

    pub(crate) fn record(path: &Path, position: Position, reason: String) -> Self {
        Self::Record {
            path: path.to_owned(),
            position: position.0,
            reason,
        }
    }
}

impl From<NodeError> for Failure {
    fn from(error: NodeError) -> Self {
        let message = error.to_string();
        match error {
            NodeError::Storage(error) => {
                let damaged = |path: &Path| lost_blocks(message.clone(), path.ancestors().nth(2));
                storage(&error, &message, damaged)
            }
            NodeError::Pool(error) => {
                let damaged = |path: &Path| lost_queue(message.clone(), path.parent());
                storage(&error, &message, damaged)
            }
            NodeError::Index(IndexError::Io(_)) => full_or_broken(message)
                .hint("the index is derived: cnode --reindex builds it again"),
            NodeError::Index(_) => Self::new(ExitCode::Damaged, message)
                .hint("the index is derived: cnode --reindex builds it again"),
            NodeError::Votes(error) => error.into(),
            NodeError::Record { path, .. } => lost_blocks(message, path.parent()),
            NodeError::OldReward { path, .. } => old_chain(message, path.parent()),
            NodeError::Alarmed { .. } => Self::new(ExitCode::No, message)
                .hint("no vote of this key would be safe: agree with the other operators on a new network")
                .hint("GET /v1/evidence of a running node shows who signed twice"),
            NodeError::Archive(error) => archive(&error, message),
            NodeError::BadArchive { .. } => Self::new(ExitCode::No, message)
                .hint("only blocks before the one that is named were taken, if any")
                .hint("take a file from another node, and ask who made this one"),
            NodeError::OtherNetwork { .. } => Self::new(ExitCode::BadConfig, message)
                .hint("nothing was changed: name the right file, or another data directory"),
            NodeError::MinerKey(_) => Self::new(ExitCode::NotFound, message)
                .hint("the file keys in chain/ holds these keys; peers send a node those that it lacks")
                .hint("start the node, and check again when it has stopped"),
            NodeError::Lanes(_) => Self::new(ExitCode::Unexpected, message)
                .hint("what the lanes accepted before may be false, also what was written already")
                .hint("export CCOIN_LANES=off, then ccoin check judges the whole chain without lanes")
                .hint("the node may start again with CCOIN_LANES=off; report processor and version"),
            NodeError::Genesis(_) => Self::new(ExitCode::BadConfig, message),
            NodeError::File { .. } => full_or_broken(message),
            NodeError::Socket(_) | NodeError::Thread(_) | NodeError::Panic(_) => {
                Self::new(ExitCode::Unexpected, message)
            }
        }
    }
}

/// How a log ends the process; `damaged` is told the file.
fn storage(error: &StorageError, message: &str, damaged: impl FnOnce(&Path) -> Failure) -> Failure {
    match error {
        StorageError::Busy { .. } => Failure::new(ExitCode::Busy, message)
            .hint("another process works on this data directory: stop it first"),
        StorageError::Exists { path } => {
            let chain = path.parent().unwrap_or(path).display();
            Failure::new(ExitCode::Busy, message)
                .hint("nothing was changed: a chain is never written over")
                .hint(format!(
                    "move {chain} away first, if another chain is to be there"
                ))
        }
        StorageError::Damaged { path, .. } | StorageError::Missing { path } => damaged(path),
        StorageError::Io { .. } | StorageError::Poisoned => full_or_broken(message),
        StorageError::Format { .. } => Failure::new(ExitCode::Unexpected, message)
            .hint("use the version of ccoin that wrote it"),
        StorageError::TooLong { .. }
        | StorageError::Beyond { .. }
        | StorageError::Unsorted { .. } => Failure::new(ExitCode::Unexpected, message),
    }
}

/// How a file that carries a chain ends the process.
fn archive(error: &StorageError, message: String) -> Failure {
    match error {
        StorageError::Damaged { .. } => Failure::new(ExitCode::Damaged, message)
            .hint("the file is cut off, damaged, or not one of ccoin export or backup")
            .hint("only blocks before that place were taken, if any: repeat it with a good copy"),
        StorageError::Missing { .. } => Failure::new(ExitCode::NotFound, message),
        StorageError::Exists { .. } => {
            Failure::new(ExitCode::Busy, message).hint("nothing is written over: name another file")
        }
        StorageError::Busy { path, .. } => {
            let message = format!("another process writes {}", path.display());
            Failure::new(ExitCode::Busy, message)
        }
        _ => storage(error, &message, |_| full_or_broken(message.clone())),
    }
}

fn full_or_broken(message: impl Into<String>) -> Failure {
    Failure::new(ExitCode::Disk, message)
        .hint("nothing that was acknowledged is lost")
        .hint("make room on that disk, or mend it, and start again")
}

/// `chain` is the directory with everything in it.
fn lost_blocks(message: String, chain: Option<&Path>) -> Failure {
    let chain = chain.unwrap_or(Path::new("chain")).display();
    Failure::new(ExitCode::Damaged, message)
        .hint("nothing was changed")
        .hint(format!("put back a copy of {chain}"))
        .hint(format!(
            "or, if other nodes have these blocks: move {chain} away and start again, they send them"
        ))
}

fn old_chain(message: String, chain: Option<&Path>) -> Failure {
    let chain = chain.unwrap_or(Path::new("chain")).display();
    Failure::new(ExitCode::Unexpected, message)
        .hint("nothing was changed: the version that made the chain still opens it")
        .hint(format!(
            "to start again with this version: move {chain} away, then initc founds a new network"
        ))
}

fn lost_queue(message: String, pool: Option<&Path>) -> Failure {
    let pool = pool.unwrap_or(Path::new("pool")).display();
    Failure::new(ExitCode::Damaged, message)
        .hint("nothing was changed; only transactions that wait are in there, no blocks")
        .hint(format!("put back a copy of {pool}"))
        .hint(format!(
            "or move {pool} away and start again: the blocks stay, what waited must be sent again"
        ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_a_failing_disk_and_a_second_process_have_exit_codes_of_their_own() {
        let (blocks, pool) = (PathBuf::from("/d/chain/blocks/1.log"), "/d/chain/pool/a");
        let full = io::Error::from(io::ErrorKind::StorageFull);
        let cases = [
            (
                NodeError::Storage(StorageError::Damaged {
                    path: blocks.clone(),
                    offset: 7,
                }),
                ExitCode::Damaged,
                "move /d/chain away",
            ),
            (
                NodeError::Pool(StorageError::Damaged {
                    path: pool.into(),
                    offset: 7,
                }),
                ExitCode::Damaged,
                "move /d/chain/pool away",
            ),
            (
                NodeError::Record {
                    path: "/d/chain/blocks".into(),
                    position: 7,
                    reason: "r".into(),
                },
                ExitCode::Damaged,
                "move /d/chain away",
            ),
            (NodeError::file(&blocks, full), ExitCode::Disk, "make room"),
            (
                NodeError::Index(IndexError::Io("eio".into())),
                ExitCode::Disk,
                "make room",
            ),
            (
                NodeError::Pool(StorageError::Poisoned),
                ExitCode::Disk,
                "make room",
            ),
            (
                NodeError::Storage(StorageError::Busy {
                    path: blocks,
                    pid: Some(1),
                }),
                ExitCode::Busy,
                "stop it first",
            ),
        ];
        for (error, code, advice) in cases {
            let failure = Failure::from(error);
            assert_eq!(failure.code, code, "{failure:?}");
            assert!(failure.report().contains(advice), "{failure:?}");
            assert!(failure.hints.len() < 5, "all hints are shown: {failure:?}");
        }
    }
}
