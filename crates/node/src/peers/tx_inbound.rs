//! Transactions of one peer on their way to the pool: verified in their order, one message
//! after another; those that cannot be new are left out unchecked.

use super::{PeerContext, end::End};
use crate::chain_thread::Batch;
use bytes::Bytes;
use ccoin_core::machine::PeerId;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// Verifies what waits and hands it to the pool, until the connection ends.
///
/// What the pool refuses is never counted against the peer: it depends on this node's head
/// and queue, which the peer cannot know.
pub(super) async fn take_transactions(
    context: &Arc<PeerContext>,
    peer: PeerId,
    mut waiting: mpsc::Receiver<Bytes>,
) -> Result<(), End> {
    while let Some(body) = waiting.recv().await {
        let view = Arc::clone(&context.reader.view.borrow());
        let txns = context.checker.transactions(body, &view).await?;
        // The next message does not wait for the disk.
        let (results, _) = oneshot::channel();
        let batch = Batch {
            txns,
            from: Some(peer),
            results,
        };
        let sent = context.chain.batches.send(batch).await;
        sent.map_err(|_| End::Stopping)?;
    }
    Ok(())
}
