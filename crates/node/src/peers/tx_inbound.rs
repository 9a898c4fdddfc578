//! Transactions of one peer on their way to the pool: verified in their order, one message
//! after another; those that cannot be new are left out unchecked.

use super::{PeerContext, end::End};
use crate::{chain_thread::Batch, commit_batch::Results};
use bytes::Bytes;
use ccoin_core::{machine::PeerId, pool::PoolError, transaction::VerifiedTransaction};
use std::{sync::Arc, time::Duration};
use tokio::sync::{mpsc, oneshot};

/// What the check of a signature of RSA-2048 and its way to the queue cost; it grows with the
/// square of the length of the key.
const CHECK: Duration = Duration::from_micros(60);

/// Bytes of a signature of RSA-2048.
const SHORT: usize = 256;

/// Messages whose transactions the pool judges.
const JUDGED: usize = 64;

/// Verifies what waits and hands it to the pool, until the connection ends.
///
/// What the pool refuses is never counted against the peer: it depends on this node's head
/// and queue, which the peer cannot know. But the peer pays for the work: it is read later.
pub(super) async fn take_transactions(
    context: &Arc<PeerContext>,
    peer: PeerId,
    mut waiting: mpsc::Receiver<Bytes>,
) -> Result<(), End> {
    let (judged, mut verdicts) = mpsc::channel(JUDGED);
    let submit = async {
        // The channel ends with the last message.
        let judged = judged;
        while let Some(body) = waiting.recv().await {
            let view = Arc::clone(&context.reader.view.borrow());
            let txns = context.checker.transactions(body, &view).await?;
            // The next message does not wait for the disk.
            let (results, answer) = oneshot::channel();
            let batch = Batch {
                txns: txns.clone(),
                from: Some(peer),
                results,
            };
            let sent = context.chain.batches.send(batch).await;
            sent.map_err(|_| End::Stopping)?;
            let kept = judged.send((txns, answer)).await;
            kept.map_err(|_| End::Stopping)?;
        }
        Ok(())
    };
    let charge = async {
        while let Some((txns, answer)) = verdicts.recv().await {
            let Ok(results) = answer.await else { continue };
            charge_refused(context, peer, &txns, &results);
        }
        Ok(())
    };
    tokio::try_join!(submit, charge).map(|_| ())
}

/// Whether the sender could have known that this node would refuse it: its room, its disk and
/// branches on their way back are this node's own affair.
fn is_foreseeable(refusal: &PoolError) -> bool {
    !matches!(
        refusal,
        PoolError::DiskReserve
            | PoolError::Returning
            | PoolError::Full { .. }
            | PoolError::GapsFull
    )
}

/// Charges the peer for transactions that were refused, and remembers their signatures.
fn charge_refused(
    context: &PeerContext,
    peer: PeerId,
    txns: &[VerifiedTransaction],
    results: &Results,
) {
    let mut cost = Duration::ZERO;
    for (txn, result) in txns.iter().zip(results) {
        if result.as_ref().is_err_and(is_foreseeable) {
            let length = txn.signature.as_bytes().len() / SHORT;
            cost += CHECK * u32::try_from(length * length).unwrap_or(u32::MAX);
            context.checker.verifiers.remember_refused(txn);
        }
    }
    if !cost.is_zero() {
        context.network.charge(peer, cost);
    }
}
