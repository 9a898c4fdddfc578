//! How a lock that another process holds ends a binary.

use ccoin_storage::LockFileError;

use crate::{ExitCode, Failure};

impl From<LockFileError> for Failure {
    fn from(error: LockFileError) -> Self {
        let message = error.to_string();
        match error {
            LockFileError::Held { pid, .. } => {
                Self::new(ExitCode::Busy, message).hint(format!("stop the other one: kill {pid}"))
            }
            LockFileError::Io { .. } => Self::new(ExitCode::Disk, message),
        }
    }
}
