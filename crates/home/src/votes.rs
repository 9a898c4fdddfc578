//! How a vote file that cannot be used ends a binary.

use ccoin_storage::{SlotFileError, VoteFileError};

use crate::{ExitCode, Failure};

impl From<VoteFileError> for Failure {
    fn from(error: VoteFileError) -> Self {
        let failure = Self::new(ExitCode::Unexpected, error.to_string());
        match error {
            VoteFileError::File {
                source: SlotFileError::Version { .. },
                ..
            } => failure.hint("use the version of ccoin that wrote it"),
            _ => failure,
        }
    }
}
