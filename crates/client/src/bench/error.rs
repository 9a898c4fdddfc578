//! Why a measurement ended without a result.

use ccoin_core::TxId;
use ccoin_core::genesis_config::GenesisConfigError;
use ccoin_crypto::KeyError;
use ccoin_home::{ExitCode, Failure};

use crate::HttpError;

/// Why a bench has no result.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum BenchError {
    /// The node does not answer, or refused a whole request.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The node refused a transfer for another reason than a full queue.
    #[error("transfer {id} was refused: {code}: {detail}")]
    Refused {
        id: TxId,
        /// Stable code of the problem.
        code: String,
        detail: String,
    },
    /// The node has accepted transfers and puts them into no block.
    #[error(
        "{missing} of {accepted} accepted transfers were in no block {waited} s later, \
         the height is {height}"
    )]
    NotIncluded {
        missing: usize,
        accepted: usize,
        /// Seconds since the last block with a transfer, or since the last was sent.
        waited: u64,
        height: u64,
    },
    #[error("the queue was full for {waited} s: transfer {id} could not be sent")]
    QueueFull {
        /// The first transfer that waits.
        id: TxId,
        /// Seconds.
        waited: u64,
    },
    #[error("the answer to an array does not fit it: {0}")]
    Answer(String),
    #[error("block 1 of the node holds no configuration: {0}")]
    Genesis(#[from] GenesisConfigError),
    /// The library cannot sign or make a key.
    #[error("{0}")]
    Library(KeyError),
    /// Unusable keys or options.
    #[error("{0}")]
    Failed(#[from] Failure),
}

impl From<BenchError> for Failure {
    fn from(error: BenchError) -> Self {
        let failure = Self::new(ExitCode::Unexpected, error.to_string());
        match error {
            BenchError::Http(error) => error.into(),
            BenchError::Failed(failure) => failure,
            BenchError::Refused { code, .. } if code == "insufficient-funds" => {
                failure.hint("was genesis.json of ccoin bench --init used for this chain?")
            }
            BenchError::NotIncluded { .. } => {
                failure.hint("ask the node: GET /v1/why, GET /v1/status")
            }
            _ => failure,
        }
    }
}
