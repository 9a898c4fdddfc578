//! Why a measurement ended without a result.

use std::io;
use std::path::PathBuf;

use ccoin_core::TxId;
use ccoin_core::genesis_config::GenesisConfigError;
use ccoin_crypto::KeyError;
use ccoin_home::{ExitCode, Failure};

use crate::HttpError;

/// Why a bench has no result.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The node does not answer, or refused a whole request.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The node refused a transfer for another reason than a full queue.
    #[error("transfer {id} was refused: {code}: {detail}")]
    Refused {
        /// The transfer.
        id: TxId,
        /// Stable code of the problem.
        code: String,
        /// What the node says.
        detail: String,
    },
    /// Transfers wait, and no block takes them.
    #[error(
        "{missing} of {accepted} accepted transfers were in no block {waited} s later, \
         the height is {height}"
    )]
    NotIncluded {
        /// Transfers in no block.
        missing: usize,
        /// Transfers that the node took.
        accepted: usize,
        /// Seconds without a block that takes one, or since the last was sent.
        waited: u64,
        /// Number of the newest block.
        height: u64,
    },
    /// The queue stays full.
    #[error("the queue was full for {waited} s: transfer {id} could not be sent")]
    QueueFull {
        /// The first transfer that waits.
        id: TxId,
        /// Seconds.
        waited: u64,
    },
    /// The answer to an array does not fit the array.
    #[error("the answer to an array does not fit it: {reason}")]
    Answer {
        /// What does not fit.
        reason: String,
    },
    /// Block 1 does not hold a configuration.
    #[error("block 1 of the node holds no configuration: {0}")]
    Genesis(#[from] GenesisConfigError),
    /// The keys cannot be read or written.
    #[error("cannot use {}: {source}", .path.display())]
    File {
        /// The file or directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file is not a key.
    #[error("{} is not a bench key: {source}", .path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: KeyError,
    },
    /// The directory has no keys.
    #[error("there is no *.pem in {}", .0.display())]
    NoKeys(PathBuf),
    /// The library cannot sign or make a key.
    #[error("{0}")]
    Library(KeyError),
    /// The options do not fit together.
    #[error("{0}")]
    Options(String),
}

impl From<BenchError> for Failure {
    fn from(error: BenchError) -> Self {
        let message = error.to_string();
        match error {
            BenchError::Http(error) => error.into(),
            BenchError::Refused { code, .. } if code == "insufficient-funds" => {
                Self::new(ExitCode::Unexpected, message)
                    .hint("was genesis.json of ccoin bench --init used for this chain?")
            }
            BenchError::NotIncluded { .. } => Self::new(ExitCode::Unexpected, message)
                .hint("ask the node: GET /v1/why, GET /v1/status"),
            BenchError::NoKeys(_) => Self::new(ExitCode::BadConfig, message)
                .hint("make some: ccoin bench --init DIR, then --keys DIR/bench"),
            BenchError::Key { .. } => Self::new(ExitCode::BadConfig, message),
            BenchError::File { .. } => Self::new(ExitCode::BadConfig, message),
            BenchError::Options(_) => Self::new(ExitCode::Usage, message),
            BenchError::Refused { .. }
            | BenchError::QueueFull { .. }
            | BenchError::Answer { .. }
            | BenchError::Genesis(_)
            | BenchError::Library(_) => Self::new(ExitCode::Unexpected, message),
        }
    }
}
