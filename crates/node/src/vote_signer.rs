//! The thread that signs votes: a proof-of-work search must not delay them (M2).

use crate::{
    NodeError,
    chain_thread::{ChainHandle, Event},
    threads::Threads,
};
use ccoin_core::{
    BlockId,
    consensus::{
        certificate::VerifiedCertificate,
        vote::{SignedVote, VerifiedVote, Vote},
    },
    machine::Input,
};
use ccoin_crypto::SecretKey;
use std::sync::{Arc, mpsc};

/// A vote to sign, and the justification that comes back with it.
type Order = (Vote, Option<VerifiedCertificate>);

/// The other threads' end.
#[derive(Clone, Debug)]
pub(crate) struct VoteSigner(mpsc::Sender<Order>);

impl VoteSigner {
    /// Starts the thread; it hands the signed votes to the machine.
    pub(crate) fn spawn(
        threads: &mut Threads,
        key: &Arc<SecretKey>,
        genesis: BlockId,
        chain: ChainHandle,
    ) -> Result<Self, NodeError> {
        let (orders, ordered) = mpsc::channel::<Order>();
        let key = Arc::clone(key);
        threads.spawn("voter", move || {
            while let Ok((vote, justify)) = ordered.recv() {
                let signature = match key.sign(&vote.digest(&genesis)) {
                    Ok(signature) => signature,
                    Err(error) => panic!("this node's key does not sign any more: {error}"),
                };
                let vote = VerifiedVote::already_verified(SignedVote { vote, signature });
                let input = Box::new(Input::VoteSigned { vote, justify });
                if chain.events.blocking_send(Event::Input(input)).is_err() {
                    break;
                }
            }
            Ok(())
        })?;
        Ok(Self(orders))
    }

    /// Queues a vote; without a listener the node is ending.
    pub(crate) fn sign(&self, vote: Vote, justify: Option<VerifiedCertificate>) {
        let _ = self.0.send((vote, justify));
    }
}
