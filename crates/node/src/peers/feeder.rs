//! Tells one peer of the transactions that wait here, as fast as it takes them: what is
//! in a block meanwhile is not told any more, and nothing piles up for a slow peer.

use super::Hub;
use bytes::Bytes;
use ccoin_core::{
    encoding::encode,
    machine::PeerId,
    message::{MAX_MESSAGE_TXN_BYTES, MAX_MESSAGE_TXNS, frame},
    transaction::VerifiedTransaction,
};
use std::sync::Arc;

/// Bytes of the longest array header.
const ARRAY_HEADER: usize = 5;

/// Runs until the connection or the node ends; begins with what has waited before.
pub(super) async fn feed(hub: Arc<Hub>, peer: PeerId) {
    let mut news = hub.board.news();
    let mut after = 0;
    loop {
        news.mark_unchanged();
        let (txns, looked) = hub.board.for_peer(peer, after, MAX_MESSAGE_TXNS);
        if looked == after {
            if news.changed().await.is_err() {
                return;
            }
            continue;
        }
        after = looked;
        for frame in transaction_frames(&txns) {
            if !hub.network.send_when_room(peer, frame).await {
                return;
            }
        }
    }
}

/// `TXN` frames that hold these transactions.
fn transaction_frames(txns: &[VerifiedTransaction]) -> Vec<Bytes> {
    let mut frames = Vec::new();
    let mut rest = txns;
    while !rest.is_empty() {
        let mut bytes = ARRAY_HEADER;
        let fits = |txn: &&VerifiedTransaction| {
            bytes += txn.size();
            bytes <= MAX_MESSAGE_TXN_BYTES
        };
        let count = rest.iter().take(MAX_MESSAGE_TXNS).take_while(fits).count();
        let (now, later) = rest.split_at(count.max(1));
        frames.push(frame(*b"TXN", &encode(now)).into());
        rest = later;
    }
    frames
}
