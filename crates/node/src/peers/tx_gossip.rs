//! Tells one peer of the transactions that wait here, as fast as it takes them: what is
//! in a block meanwhile is not told any more, and nothing piles up for a slow peer. What
//! goes on waiting is told again: the peer may have refused it in a bad moment.

use super::PeerContext;
use bytes::Bytes;
use ccoin_core::{
    encoding::encode,
    machine::PeerId,
    message::{MAX_MESSAGE_TXN_BYTES, MAX_MESSAGE_TXNS, frame},
    transaction::VerifiedTransaction,
};
use std::{sync::Arc, time::Duration};
use tokio::{
    select,
    time::{MissedTickBehavior, interval},
};

/// Bytes of the longest array header.
const ARRAY_HEADER: usize = 5;

/// What has waited so long is told again, one message at a time.
const AGAIN: Duration = Duration::from_secs(30);

/// Runs until the connection or the node ends; begins with what has waited before.
pub(super) async fn feed(context: Arc<PeerContext>, peer: PeerId) {
    let mut news = context.tx_tracker.news();
    let mut again = interval(AGAIN);
    again.set_missed_tick_behavior(MissedTickBehavior::Delay);
    again.reset();
    let (mut after, mut after_again) = (0, 0);
    loop {
        news.mark_unchanged();
        let (mut txns, looked) = context.tx_tracker.for_peer(peer, after, None, MAX_MESSAGE_TXNS);
        if looked == after {
            select! {
                changed = news.changed() => match changed {
                    Ok(()) => continue,
                    Err(_) => return,
                },
                _ = again.tick() => {}
            }
            let before = crate::clock::now().checked_sub(AGAIN.as_millis() as u64);
            let (stale, looked) = context
                .tx_tracker
                .for_peer(peer, after_again, before, MAX_MESSAGE_TXNS);
            txns = stale;
            // From the beginning behind the last.
            after_again = if looked == after_again { 0 } else { looked };
        } else {
            after = looked;
        }
        for frame in transaction_frames(&txns) {
            if !context.network.send_when_room(peer, frame).await {
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
