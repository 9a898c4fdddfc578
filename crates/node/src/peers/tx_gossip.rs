//! Sends one peer the transactions that wait here, as fast as it takes them. Which ones, and
//! when, is decided by `ccoin_core::gossip::TxFeed`.

use super::PeerContext;
use crate::clock;
use ccoin_core::{
    Height,
    encoding::encode,
    gossip::{TxFeed, messages},
    machine::PeerId,
    message::frame,
};
use std::{sync::Arc, time::Duration};
use tokio::{select, sync::watch, time::sleep};

/// Runs until the connection or the node ends; `claimed` is the height that the peer tells.
pub(super) async fn feed(
    context: Arc<PeerContext>,
    peer: PeerId,
    mut claimed: watch::Receiver<Height>,
) {
    let own = || context.reader.view.borrow().height();
    let mut news = context.tx_tracker.news();
    let first = *claimed.borrow_and_update();
    let mut feed = TxFeed::new(clock::mono(), peer, first, own());
    loop {
        news.mark_unchanged();
        if claimed.has_changed().unwrap_or(false) {
            feed.on_height(*claimed.borrow_and_update());
        }
        let now = clock::mono();
        let txns = context.tx_tracker.feed(&mut feed, now, own());
        if txns.is_empty() {
            select! {
                changed = news.changed() => if changed.is_err() { return },
                changed = claimed.changed() => match changed {
                    Ok(()) => claimed.mark_changed(),
                    Err(_) => return,
                },
                () = sleep(Duration::from_millis(feed.wake_in(now).max(1))) => {}
            }
        }
        for part in messages(&txns) {
            // encoded when it can be written: many peers may not read
            if !context.network.room(peer).await {
                return;
            }
            let frame = frame(*b"TXN", &encode(part)).into();
            if !context.network.send_when_room(peer, frame).await {
                return;
            }
        }
    }
}
