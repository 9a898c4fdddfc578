//! The thread that signs votes: a proof-of-work search must not delay them (M2). A signer that
//! is slower than the votes come signs the newest of each phase: older ones help less.

use crate::{
    NodeError,
    chain_thread::{ChainHandle, Event},
    threads::Threads,
};
use ccoin_core::{
    BlockId,
    consensus::{
        certificate::VerifiedCertificate,
        vote::{Phase, SignedVote, VerifiedVote, Vote},
    },
    machine::Input,
};
use ccoin_crypto::{KeySigner, SignError, Urgency};
use std::{
    collections::VecDeque,
    sync::{Arc, mpsc},
};

/// A vote to sign, and the justification that comes back with it.
type Order = (Vote, Option<VerifiedCertificate>);

/// The other threads' end.
#[derive(Clone, Debug)]
pub(crate) struct VoteSigner(mpsc::Sender<Order>);

impl VoteSigner {
    /// Starts the thread; it hands the signed votes to the machine.
    pub(crate) fn spawn(
        threads: &mut Threads,
        key: &Arc<dyn KeySigner>,
        genesis: BlockId,
        chain: ChainHandle,
    ) -> Result<Self, NodeError> {
        let (orders, ordered) = mpsc::channel::<Order>();
        let key = Arc::clone(key);
        threads.spawn("voter", move || {
            let mut waiting = VecDeque::new();
            while let Some((vote, justify)) = next(&ordered, &mut waiting, &chain) {
                let message = vote.digest(&genesis);
                let input = match key.signature(&message, Urgency::High) {
                    Ok(signature) => {
                        let vote = SignedVote { vote, signature };
                        let vote = VerifiedVote::already_verified(vote);
                        Input::VoteSigned { vote, justify }
                    }
                    Err(SignError::Unavailable(_)) => not_signed(justify.as_ref()),
                    Err(SignError::Key(error)) => {
                        panic!("this node's key does not sign any more: {error}")
                    }
                };
                if !send(&chain, input) {
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

/// The next vote to sign, the first that was ordered of those that are the newest of their
/// phase; the machine hears of the others. `None` when the node is ending.
fn next(
    ordered: &mpsc::Receiver<Order>,
    waiting: &mut VecDeque<Order>,
    chain: &ChainHandle,
) -> Option<Order> {
    if waiting.is_empty() {
        waiting.push_back(ordered.recv().ok()?);
    }
    waiting.extend(ordered.try_iter());
    for phase in [Phase::One, Phase::Two] {
        let same = |order: &Order| order.0.phase == phase;
        while waiting.iter().filter(|order| same(order)).count() > 1 {
            let (_, justify) = waiting.remove(waiting.iter().position(same)?)?;
            if !send(chain, not_signed(justify.as_ref())) {
                return None;
            }
        }
    }
    waiting.pop_front()
}

fn not_signed(justify: Option<&VerifiedCertificate>) -> Input {
    Input::VoteNotSigned {
        proposal: justify.is_some(),
    }
}

/// False when the node is ending.
fn send(chain: &ChainHandle, input: Input) -> bool {
    let event = Event::Input(Box::new(input));
    chain.events.blocking_send(event).is_ok()
}
