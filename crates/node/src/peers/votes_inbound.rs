//! Votes, proposals, statuses and evidence of one peer on their way to the machine: checked
//! beside blocks and transactions, on a thread of their own (M2).

use super::{PeerContext, end::End, outbound::SharedGossip, verify::CheckError};
use crate::{clock, verifier::VerifierPool, view::View};
use ccoin_core::{
    consensus::{
        ballot::Ballot,
        certificate::{Certificate, VerifiedCertificate},
        schedule::Slot,
        vote::VoterIndex,
    },
    genesis::Genesis,
    gossip::{VoteCache, VoteContext},
    machine::{Input, PeerId},
    message::{Header, Message},
};
use ccoin_crypto::Verifier;
use ccoin_p2p::Frame;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;

/// Whether a message is one of these.
pub(super) fn is_of_consensus(header: Header) -> bool {
    matches!(&header, b"ADR" | b"LDR" | b"STA" | b"EVD")
}

/// Checks what peers say about final blocks.
#[derive(Clone)]
pub(crate) struct VoteChecker {
    pub(crate) genesis: Arc<Genesis>,
    /// One thread: a signature is checked once, whoever shows it.
    pub(crate) verifier: VerifierPool,
    pub(crate) gossip: SharedGossip,
    pub(crate) cache: Arc<Mutex<VoteCache>>,
    /// This node's position among the miners.
    pub(crate) own: Option<VoterIndex>,
}

impl VoteChecker {
    async fn check(
        &self,
        peer: PeerId,
        Frame { header, body }: Frame,
        view: &View,
    ) -> Result<Option<Input>, CheckError> {
        let last_final = view.last_final.certificate.ballot;
        let check = move |context: &VoteContext<'_>, cache: &mut VoteCache, verifier: &mut _| {
            let message = Message::decode(header, &body)?;
            Ok(cache.check(context, peer, message, verifier)?)
        };
        self.run(last_final, check).await
    }

    /// The certificate that came with an answer, if it makes more final than is.
    pub(super) async fn certificate(
        &self,
        certificate: Certificate,
        view: &View,
    ) -> Result<Option<VerifiedCertificate>, CheckError> {
        let last_final = view.last_final.certificate.ballot;
        if certificate.ballot <= last_final {
            return Ok(None);
        }
        let check = move |context: &VoteContext<'_>, cache: &mut VoteCache, verifier: &mut _| {
            Ok(Some(cache.certificate(context, certificate, verifier)?))
        };
        self.run(last_final, check).await
    }

    /// Runs a check on the thread of votes.
    async fn run<T: Send + 'static>(
        &self,
        last_final: Ballot,
        check: impl FnOnce(
            &VoteContext<'_>,
            &mut VoteCache,
            &mut Verifier,
        ) -> Result<Option<T>, CheckError>
        + Send
        + 'static,
    ) -> Result<Option<T>, CheckError> {
        let this = self.clone();
        let keys = self.gossip.lock().keys.by_index();
        let check = move |verifier: &mut Verifier| {
            let context = VoteContext {
                genesis: &this.genesis,
                keys: &keys,
                own: this.own,
                latest: this.latest(),
                last_final,
            };
            let mut cache = this.cache.lock().unwrap_or_else(PoisonError::into_inner);
            check(&context, &mut cache, verifier)
        };
        let answer = self.verifier.run(check).await;
        let answer = answer.ok_or(CheckError::Stopping)?;
        answer.await.map_err(|_| CheckError::Stopping)?
    }

    /// The slot of now and the tolerated skew.
    fn latest(&self) -> Slot {
        let skew = self.genesis.config.consensus.max_skew_ms;
        let now = clock::wall();
        let latest = now.checked_add(skew).unwrap_or(now);
        self.genesis.schedule.slot(latest)
    }
}

/// Checks what waits and hands it to the machine, until the connection ends.
pub(super) async fn take_votes(
    context: &Arc<PeerContext>,
    peer: PeerId,
    mut waiting: mpsc::Receiver<Frame>,
) -> Result<(), End> {
    while let Some(frame) = waiting.recv().await {
        let view = Arc::clone(&context.reader.view.borrow());
        match context.votes.check(peer, frame, &view).await {
            Ok(None) => {}
            Ok(Some(input)) => {
                if !context.chain.input(input).await {
                    return Err(End::Stopping);
                }
            }
            // Neither valid nor invalid; a status tells again what this one told (M5).
            Err(error) if error.is_unknown_key() => {
                tracing::debug!("a vote came before the key of its miner");
                context.ask_keys(peer);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
