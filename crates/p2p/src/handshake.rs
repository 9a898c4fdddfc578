//! Both sides prove their account keys inside the encrypted channel: `HEY`, `ACK`, `OKY`.
//! The signatures cover fresh challenges, the channel and the place that was dialled.
//! `reject` decides which peers are welcome.

use crate::{HostPort, handshake_error::HandshakeError, link::Link, shared::Shared};
use ccoin_core::message::{Acknowledgement, Hello, Message, acknowledgement_digest, okay_digest};
use ccoin_crypto::{Hash, PublicKey, Signature};
use std::net::SocketAddr;

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
