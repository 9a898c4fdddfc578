//! Why a conversation with a peer ends.

use super::verify::CheckError;
use ccoin_core::message::ByeReason;

/// Why a conversation ends.
pub(super) enum End {
    /// The peer has broken a rule.
    Fault(ByeReason, String),
    /// The node is ending.
    Stopping,
}

impl From<CheckError> for End {
    fn from(error: CheckError) -> Self {
        let reason = match &error {
            CheckError::Stopping => return Self::Stopping,
            CheckError::Message(_) | CheckError::Key(_) => ByeReason::Malformed,
            CheckError::Block(_) | CheckError::Transaction(_) | CheckError::Consensus(_) => {
                ByeReason::Invalid
            }
        };
        Self::Fault(reason, error.to_string())
    }
}
