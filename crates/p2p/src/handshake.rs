//! Both sides prove their account keys over fresh challenges: `HEY`, `ACK`, `OKY`.
//! `reject` decides which peers are welcome.

use crate::{
    HostPort,
    frame_reader::{FrameReader, ReadError},
    reject::Rejection,
    shared::Shared,
};
use ccoin_core::message::{
    Acknowledgement, Bye, ByeReason, Hello, Message, acknowledgement_digest, okay_digest,
};
use ccoin_crypto::{Hash, KeyError, PublicKey, Signature};
use std::{io, net::IpAddr};
use tokio::{
    io::AsyncWriteExt,
    net::tcp::{OwnedReadHalf, OwnedWriteHalf},
};

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandshakeError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Write(#[from] io::Error),
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
    /// The last word to the other side, if it needs one.
    pub(crate) fn reason(&self) -> Option<ByeReason> {
        match self {
            Self::Read(ReadError::Frame(_)) | Self::Malformed(_) => Some(ByeReason::Malformed),
            Self::Read(_) | Self::Write(_) | Self::Refused(_) => None,
            Self::Late => Some(ByeReason::Silent),
            Self::Unwelcome(reason, _) => Some(*reason),
            Self::Unproven(_) => Some(ByeReason::Invalid),
            Self::Key(_) => Some(ByeReason::Stopping),
        }
    }

    /// Whether the bytes themselves break the protocol.
    pub(crate) fn is_malformed(&self) -> bool {
        matches!(
            self.reason(),
            Some(ByeReason::Malformed | ByeReason::Invalid)
        )
    }
}

/// The two halves of a socket.
pub(crate) struct Link {
    pub(crate) reader: FrameReader<OwnedReadHalf>,
    pub(crate) writer: OwnedWriteHalf,
}

impl Link {
    async fn say(&mut self, message: &Message) -> io::Result<()> {
        self.writer.write_all(&message.frame()).await
    }

    async fn hear(&mut self) -> Result<Message, HandshakeError> {
        let frame = self.reader.frame().await?;
        match Message::decode(frame.header, &frame.body) {
            Ok(Message::Bye(bye)) => Err(HandshakeError::Refused(bye)),
            Ok(message) => Ok(message),
            Err(error) => Err(HandshakeError::Malformed(error.to_string())),
        }
    }

    /// The dialling side; returns the other side's hello, proven.
    pub(crate) async fn call(
        &mut self,
        shared: &Shared,
        place: &HostPort,
    ) -> Result<Hello, HandshakeError> {
        let mine = shared.hello();
        self.say(&Message::Hey(mine.clone())).await?;
        let Acknowledgement { hello, signature } = match self.hear().await? {
            Message::Ack(acknowledgement) => acknowledgement,
            other => return Err(unexpected(&other, "ACK")),
        };
        let digest = acknowledgement_digest(&mine, &hello);
        verify(shared, &hello.public_key, &digest, &signature)?;
        shared.judge(&hello, Some(place))?;
        // only now: a peer of another network is not remembered
        shared.prove(place, hello.address);
        let digest = okay_digest(&mine, &hello);
        let signature = shared.signer.permit().sign(digest).await?;
        self.say(&Message::Oky(signature)).await?;
        Ok(hello)
    }

    /// The listening side, for a caller at `host`.
    pub(crate) async fn answer(
        &mut self,
        shared: &Shared,
        host: IpAddr,
    ) -> Result<Hello, HandshakeError> {
        let theirs = match self.hear().await? {
            Message::Hey(hello) => hello,
            other => return Err(unexpected(&other, "HEY")),
        };
        shared.judge(&theirs, None)?;
        let permit = shared.signer.permit_for(host).await;
        let mine = shared.hello();
        let digest = acknowledgement_digest(&theirs, &mine);
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
        let digest = okay_digest(&theirs, &mine);
        verify(shared, &theirs.public_key, &digest, &signature)?;
        Ok(theirs)
    }

    /// Sends `BYE` and closes without losing it.
    pub(crate) async fn refuse(mut self, reason: ByeReason, text: &str) {
        if self
            .say(&Message::Bye(Bye::new(reason, text)))
            .await
            .is_ok()
        {
            drop(self.writer);
            self.reader.drain().await;
        }
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
