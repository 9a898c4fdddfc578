//! How a vote file that cannot be used ends a binary.

use ccoin_storage::{SlotFileError, VoteFileError};

use crate::{ExitCode, Failure};

impl From<VoteFileError> for Failure {
    fn from(error: VoteFileError) -> Self {
        let message = error.to_string();
        let VoteFileError::File { source, .. } = error else {
            return Self::new(ExitCode::Unexpected, message);
        };
        match source {
            SlotFileError::Version { .. } => Self::new(ExitCode::Unexpected, message)
                .hint("use the version of ccoin that wrote it"),
            SlotFileError::Io(_) => Self::new(ExitCode::Disk, message),
            SlotFileError::Missing | SlotFileError::Damaged => {
                Self::new(ExitCode::Damaged, message)
            }
            _ => Self::new(ExitCode::Unexpected, message),
        }
    }
}
