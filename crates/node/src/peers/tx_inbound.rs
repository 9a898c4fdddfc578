//! Transactions of one peer on their way to the pool: verified in their order, one message
//! after another, what cannot be new not at all.

use super::{PeerContext, peer_task::End};
use crate::chain_thread::{Batch, Results};
use bytes::Bytes;
use ccoin_core::{
    machine::{NodeState, PeerId},
    message::ByeReason,
    pool::PoolError,
};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::{mpsc, oneshot};

/// Transactions in a minute whose senders cannot pay, before the connection ends.
const MAX_REFUSED: usize = 100;
const MINUTE: Duration = Duration::from_secs(60);

/// Verifies what waits and hands it to the pool, until the connection ends.
pub(super) async fn take_transactions(
    context: &Arc<PeerContext>,
    peer: PeerId,
    mut waiting: mpsc::Receiver<Bytes>,
) -> Result<(), End> {
    let refused = Arc::default();
    while let Some(body) = waiting.recv().await {
        let view = Arc::clone(&context.reader.view.borrow());
        let txns = context.checker.transactions(body, &view).await?;
        let (results, answer) = oneshot::channel();
        let batch = Batch {
            txns,
            from: Some(peer),
            results,
        };
        context.batches.send(batch).await.map_err(|_| End::Stopping)?;
        if view.state == NodeState::Ready {
            // The next message need not wait for the disk.
            let refused = Arc::clone(&refused);
            tokio::spawn(count_refused(Arc::clone(context), peer, refused, answer));
        }
    }
    Ok(())
}

/// Counts what the pool refuses and an honest peer would hardly send to a node that has
/// caught up: who is behind judges by old balances.
async fn count_refused(
    context: Arc<PeerContext>,
    peer: PeerId,
    refused: Arc<Mutex<Refused>>,
    answer: oneshot::Receiver<Results>,
) {
    let Ok(results) = answer.await else { return };
    let poor = |result: &&Result<_, PoolError>| matches!(result, Err(PoolError::Funds { .. }));
    let poor = results.iter().filter(poor).count();
    let count = refused
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .add(poor, Instant::now());
    if count > MAX_REFUSED {
        let text = format!("{count} transactions in a minute whose senders cannot pay");
        context.network.disconnect(peer, ByeReason::Invalid, &text);
    }
}

/// Transactions that the pool has refused, in the minute that began with the first.
#[derive(Default)]
struct Refused {
    since: Option<Instant>,
    count: usize,
}

impl Refused {
    fn add(&mut self, more: usize, now: Instant) -> usize {
        if self.since.is_none_or(|since| now - since > MINUTE) {
            self.since = Some(now);
            self.count = 0;
        }
        self.count += more;
        self.count
    }
}
