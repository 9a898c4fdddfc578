//! Both sides prove their account keys inside the encrypted channel: `HEY`, `ACK`, `OKY`.
//! The signatures cover fresh challenges, the channel and the place that was dialled.
//! `reject` decides which peers are welcome.

use crate::{HostPort, frame_reader::ReadError, link::Link, reject::Rejection, shared::Shared};
use ccoin_core::message::{
    Acknowledgement, Bye, ByeReason, Hello, Message, acknowledgement_digest, okay_digest,
};
use ccoin_crypto::{Hash, KeyError, PublicKey, Signature};
use std::{io, net::SocketAddr};

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
    Key(#[from] KeyError),
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

impl Link {
    /// The dialling side, with a peer at `remote`; returns the other side's hello, proven.
    pub(crate) async fn call(
        &mut self,
        shared: &Shared,
        place: &HostPort,
        remote: SocketAddr,
    ) -> Result<Hello, HandshakeError> {
        shared.judge_process(&self.process)?;
        let mine = shared.hello(place.to_string());
        self.say(&Message::Hey(mine.clone())).await?;
        let Acknowledgement { hello, signature } = match self.hear().await? {
            Message::Ack(acknowledgement) => acknowledgement,
            other => return Err(unexpected(&other, "ACK")),
        };
        let digest = acknowledgement_digest(&self.binding, &mine, &hello);
        verify(shared, &hello.public_key, &digest, &signature)?;
        shared.judge_key(&hello, remote)?;
        shared.judge(&hello, Some(place), remote.ip())?;
        // only now: a peer of another network is not remembered
        shared.prove(place, hello.address);
        shared.add_own_claim(&hello, remote.ip());
        let digest = okay_digest(&self.binding, &mine, &hello);
        let signature = shared.signer.permit().sign(digest).await?;
        self.say(&Message::Oky(signature)).await?;
        Ok(hello)
    }

    /// The listening side, for a caller at `remote`.
    pub(crate) async fn answer(
        &mut self,
        shared: &Shared,
        remote: SocketAddr,
    ) -> Result<Hello, HandshakeError> {
        shared.judge_process(&self.process)?;
        let theirs = match self.hear().await? {
            Message::Hey(hello) => hello,
            other => return Err(unexpected(&other, "HEY")),
        };
        shared.judge(&theirs, None, remote.ip())?;
        let permit = shared.signer.permit_for(remote.ip()).await;
        let mine = shared.hello(shared.own_place());
        let digest = acknowledgement_digest(&self.binding, &theirs, &mine);
        let signature = permit.sign(digest).await?;
        let answer = Acknowledgement {
            hello: mine.clone(),
            signature,
        };
        self.say(&Message::Ack(answer)).await?;
        let signature = match self.hear().await? {
            Message::Oky(signature) => signature,
            other => return Err(unexpected(&other, "OKY")),
        };
        let digest = okay_digest(&self.binding, &theirs, &mine);
        verify(shared, &theirs.public_key, &digest, &signature)?;
        shared.judge_key(&theirs, remote)?;
        Ok(theirs)
    }
}

fn unexpected(got: &Message, expected: &str) -> HandshakeError {
    let got = got.header();
    HandshakeError::Malformed(format!("{} where {expected} is due", got.escape_ascii()))
}

fn verify(
    shared: &Shared,
    key: &PublicKey,
    digest: &Hash,
    signature: &Signature,
) -> Result<(), HandshakeError> {
    let verified = shared.signer.verify(key, digest, signature);
    verified.map_err(|_| HandshakeError::Unproven(key.address()))
}
