//! Finds dead connections. Every peer is pinged, so a live one sends bytes all the time. A
//! connection without any for a few seconds is suspect: its peer is dialled again, and the
//! suspect one ends when another connection to the peer stands.

use crate::{peer::Peer, shared::Shared};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::time::{MissedTickBehavior, interval, sleep_until};

/// How long a connection has waited for bytes of its peer.
#[derive(Debug, Default)]
pub(crate) struct Liveness {
    /// `None`: this node does not read, so the peer is not silent.
    waiting_since: Option<Instant>,
    suspect: bool,
}

impl Liveness {
    /// This node waits for bytes from now on.
    pub(crate) fn waits(&mut self, now: Instant) {
        self.waiting_since = Some(now);
    }

    /// Bytes have arrived, or this node does not read for now.
    pub(crate) fn heard(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn is_suspect(&self) -> bool {
        self.suspect
    }

    /// Marks the connection as suspect if it waits for `limit` or longer. True: it was not
    /// suspect before.
    fn judge(&mut self, now: Instant, limit: Duration) -> bool {
        let waited = self
            .waiting_since
            .map(|since| now.saturating_duration_since(since));
        let before = self.suspect;
        self.suspect = waited.is_some_and(|waited| waited >= limit);
        self.suspect && !before
    }

    /// The earliest time at which the connection can become suspect.
    fn deadline(&self, now: Instant, limit: Duration) -> Instant {
        match self.waiting_since {
            Some(since) if !self.suspect => since + limit,
            _ => now + limit,
        }
    }
}

impl Shared {
    /// Pings a peer for as long as its connection lasts, and watches its silence.
    pub(crate) async fn keep_alive(&self, peer: &Arc<Peer>) {
        tokio::join!(self.ping_regularly(peer), self.watch(peer));
    }

    async fn ping_regularly(&self, peer: &Peer) {
        let mut ticks = interval(self.limits.ping);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            peer.ping((self.clock)());
        }
    }

    async fn watch(&self, peer: &Peer) {
        let limit = self.limits.pong;
        loop {
            let deadline = peer.liveness().deadline(Instant::now(), limit);
            sleep_until(deadline.into()).await;
            let suspect = peer.liveness().judge(Instant::now(), limit);
            if suspect {
                self.suspect(peer);
            }
        }
    }

    /// A connection has become suspect: ends it if another one to the peer stands, and else
    /// dials the peer again beside it.
    fn suspect(&self, peer: &Peer) {
        let (address, limit) = (peer.hello.address, self.limits.pong.as_secs_f32());
        let mut state = self.state();
        if state.has_working_connection(&address) {
            drop(state);
            let text = format!("no answer to pings for {limit} s, another connection stands");
            return peer.end(ccoin_core::message::ByeReason::Silent, &text);
        }
        tracing::info!(
            peer = %address,
            remote = %peer.remote,
            "no answer to pings for {limit} s: dialling the peer again"
        );
        let lasted = peer.began.elapsed();
        state
            .book
            .suspect(&address, peer.place.as_ref(), lasted, Instant::now());
        self.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(5);

    #[test]
    fn a_connection_is_suspect_after_silence_and_until_bytes_come() {
        let (mut liveness, start) = (Liveness::default(), Instant::now());
        liveness.waits(start);
        assert!(!liveness.judge(start + LIMIT / 2, LIMIT));
        assert_eq!(liveness.deadline(start, LIMIT), start + LIMIT);
        assert!(liveness.judge(start + LIMIT, LIMIT));
        assert!(!liveness.judge(start + LIMIT * 2, LIMIT), "reported once");
        assert!(liveness.is_suspect());
        liveness.heard();
        assert!(!liveness.is_suspect());
    }

    #[test]
    fn a_peer_is_not_silent_while_this_node_does_not_read() {
        let (mut liveness, start) = (Liveness::default(), Instant::now());
        liveness.waits(start);
        liveness.heard();
        assert!(!liveness.judge(start + LIMIT * 10, LIMIT));
    }
}
