//! Why there is no connection, for both logs and for the other side.

use crate::{frame_reader::ReadError, reject::Rejection};
use ccoin_core::message::{Bye, ByeReason};
use ccoin_crypto::SignError;
use std::io;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandshakeError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Write(#[from] io::Error),
    /// The other side breaks TLS, or speaks another protocol.
    #[error("the other side does not speak TLS as this version does: {0}")]
    Tls(io::Error),
    #[error("the handshake was not finished in time")]
    Late,
    /// The other side rejects this node.
    #[error("the other side says: {}", .0.text())]
    Refused(Bye),
    /// This node rejects the other side.
    #[error("{1}")]
    Unwelcome(ByeReason, String),
    #[error("{0}")]
    Malformed(String),
    #[error("{0} is not proven: the signature is not made by its key")]
    Unproven(ccoin_core::Address),
    /// This node's own key failed.
    #[error(transparent)]
    Key(#[from] SignError),
}

impl From<Rejection> for HandshakeError {
    fn from((reason, text): Rejection) -> Self {
        Self::Unwelcome(reason, text)
    }
}

impl HandshakeError {
    /// Sorts the errors of a TLS handshake: a closed socket is no violation.
    pub(crate) fn tls(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::InvalidData => Self::Tls(error),
            _ => Self::Write(error),
        }
    }

    /// The reason that is logged.
    pub(crate) fn cause(&self) -> ByeReason {
        match self {
            Self::Refused(bye) => bye.reason(),
            Self::Tls(_) => ByeReason::Malformed,
            _ => self.reason().unwrap_or(ByeReason::Other(0)),
        }
    }

    /// The reason that the other side is told, if it can be told one.
    pub(crate) fn reason(&self) -> Option<ByeReason> {
        match self {
            Self::Read(ReadError::Frame(_)) | Self::Malformed(_) => Some(ByeReason::Malformed),
            Self::Read(_) | Self::Write(_) | Self::Tls(_) | Self::Refused(_) => None,
            Self::Late => Some(ByeReason::Silent),
            Self::Unwelcome(reason, _) => Some(*reason),
            Self::Unproven(_) => Some(ByeReason::Invalid),
            Self::Key(_) => Some(ByeReason::Stopping),
        }
    }

    /// Whether the bytes themselves break the protocol.
    pub(crate) fn is_malformed(&self) -> bool {
        matches!(
            self,
            Self::Read(ReadError::Frame(_)) | Self::Tls(_) | Self::Malformed(_) | Self::Unproven(_)
        )
    }
}
