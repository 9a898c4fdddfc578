//! What connected peers claim, what they were asked for, and what they sent ahead of its
//! parents. [`plan`](super::plan) decides from it which peer is asked for which blocks.
//!
//! One request is in flight for each peer. A claim of height decides who is asked, never
//! what is believed.

use super::{
    PeerId,
    peer_progress::{AnswerOutcome, PeerProgress},
    request::{PATIENCE_MS, Request},
};
use crate::{Height, MonoTime, block::VerifiedBlock};
use std::collections::BTreeMap;

/// A request is slow when it takes so many times the current average, and at least SLOW_MS;
/// FIRST_MS before the first answer. Another peer is asked for the same then.
const SLOW_TIMES: u64 = 3;
const SLOW_MS: u64 = 200;
const FIRST_MS: u64 = 1_000;

/// A peer that owes an answer and has sent no byte of it for so long is disconnected.
const GIVE_UP_MS: u64 = 60_000;

/// All connected peers and what they are asked for.
#[derive(Debug, Default)]
pub struct BlockFetcher {
    pub(super) peers: BTreeMap<PeerId, PeerProgress>,
    /// Blocks that wait for their parents: first number and sender of a part, its last number.
    pub(super) parts: BTreeMap<(u64, PeerId), u64>,
    /// Average time of an answer in ms; `None` before the first.
    average_ms: Option<u64>,
}

impl BlockFetcher {
    /// A peer has finished its handshake.
    pub fn on_peer_joined(&mut self, peer: PeerId, validator: bool, claimed: Height) {
        let progress = PeerProgress::new(validator, claimed);
        self.peers.insert(peer, progress);
    }

    /// A peer is gone; other peers are asked for what it was asked for.
    pub fn on_peer_left(&mut self, peer: PeerId) {
        self.peers.remove(&peer);
        self.parts.retain(|(_, from), _| *from != peer);
    }

    /// A peer tells its height, or shows it by a block that is here.
    pub fn on_height(&mut self, peer: PeerId, height: Height, own: Height) {
        if let Some(progress) = self.peers.get_mut(&peer) {
            progress.claimed = height;
            progress.probe |= height > own;
            if height <= own {
                progress.stuck.on_low_claim();
            }
        }
    }

    /// A peer has shown a block whose parent is not here.
    pub fn on_orphan(&mut self, peer: PeerId, number: Height) {
        if let Some(progress) = self.peers.get_mut(&peer) {
            progress.claimed = progress.claimed.max(number);
            progress.probe = true;
            progress.stuck.on_orphan();
        }
    }

    /// A peer has handed on the name of a block that is not here. It may lack the block itself,
    /// and the number is the word of another: it is asked, and claims nothing.
    pub fn on_named(&mut self, peer: PeerId) {
        if let Some(progress) = self.peers.get_mut(&peer) {
            progress.probe = true;
        }
    }

    /// An announced block of a peer is new and fits.
    pub fn on_new_block(&mut self, peer: PeerId) {
        if let Some(progress) = self.peers.get_mut(&peer) {
            progress.stuck.reset();
        }
    }

    /// Bytes of a peer's answer go on arriving: a slow line is no silent peer.
    pub fn on_receiving(&mut self, now: MonoTime, peer: PeerId) {
        if let Some(progress) = self.peers.get_mut(&peer)
            && let Some(request) = &mut progress.request
        {
            request.heard = now;
            progress.stuck.reset();
        }
    }

    /// Asks all peers again, also those whose answers are on their way.
    pub fn ask_again(&mut self) {
        for progress in self.peers.values_mut() {
            progress.probe = progress.claimed > Height::ZERO;
            progress.backoff_until = MonoTime::default();
            if let Some(request) = &mut progress.request {
                (request.slow, request.late) = (true, true);
            }
        }
    }

    /// The request that an answer belongs to; `None`: the peer owes no answer.
    pub fn take_request(&mut self, peer: PeerId) -> Option<Request> {
        self.peers.get_mut(&peer)?.request.take()
    }

    /// Remembers blocks that wait for their parents.
    pub fn keep_part(&mut self, peer: PeerId, blocks: &[VerifiedBlock]) {
        if let (Some(first), Some(last)) = (blocks.first(), blocks.last()) {
            let (first, last) = (first.header().number.get(), last.header().number.get());
            self.parts.insert((first, peer), last);
        }
        self.reset_stuck_timers();
    }

    /// Takes note of what an answer did for this node.
    pub fn on_answer(
        &mut self,
        now: MonoTime,
        peer: PeerId,
        request: &Request,
        outcome: AnswerOutcome,
        head: Height,
    ) {
        if let Some(progress) = self.peers.get_mut(&peer) {
            // A late answer tells how things were.
            progress.probe &= request.late;
            progress.on_answer(now, head, outcome);
        }
        if outcome.fresh {
            self.reset_stuck_timers();
        }
    }

    /// The chain grows by blocks that were asked for; peers that are not asked meanwhile are
    /// not stuck.
    fn reset_stuck_timers(&mut self) {
        for progress in self.peers.values_mut() {
            progress.stuck.reset();
        }
    }

    /// Measures an answer: its length sets the next batch, its time the average.
    pub fn measure(
        &mut self,
        now: MonoTime,
        peer: PeerId,
        request: &Request,
        blocks: &[VerifiedBlock],
        more: bool,
    ) {
        if !blocks.is_empty() {
            let took = now.since(request.since);
            let average = self.average_ms.unwrap_or(took);
            self.average_ms = Some(average.saturating_mul(3).saturating_add(took) >> 2);
        }
        if let Some(progress) = self.peers.get_mut(&peer) {
            progress.fit_batch(request, blocks.len(), more);
        }
    }

    /// Leaves a peer alone whose branch leaves below the window; whether it claims to be
    /// ahead. It is asked again later: it may have changed its branch.
    pub fn set_apart(&mut self, now: MonoTime, peer: PeerId, head: Height) -> bool {
        let progress = self.peers.get_mut(&peer);
        progress.is_some_and(|progress| progress.set_apart(now, head))
    }

    /// Asks a peer again later that showed an orphan and then said that it has no more: it
    /// may have been unable to answer.
    pub fn recheck(&mut self, now: MonoTime, peer: PeerId) {
        if let Some(progress) = self.peers.get_mut(&peer) {
            progress.recheck(now);
        }
    }

    /// Asks a peer along the locator again: the block behind which its answer starts lost its
    /// state meanwhile.
    pub fn restart(&mut self, now: MonoTime, peer: PeerId) {
        if let Some(progress) = self.peers.get_mut(&peer) {
            progress.restart(now);
        }
    }

    /// Does not ask a peer before `until`.
    pub fn back_off(&mut self, peer: PeerId, until: MonoTime) {
        if let Some(progress) = self.peers.get_mut(&peer) {
            progress.backoff_until = until;
        }
    }

    /// Whether a connected validator has shown all it has, or is not ahead.
    #[must_use]
    pub fn heard_a_validator(&self, own: Height) -> bool {
        self.validators()
            .any(|progress| progress.claimed <= own && !progress.probe && progress.resume.is_none())
    }

    /// Whether a peer of any kind that has the chain has shown all it has, or is not ahead, and
    /// none has more to show.
    #[must_use]
    pub fn has_shown_all(&self, own: Height) -> bool {
        let has_more = |peer: &PeerProgress| peer.claimed > own && peer.fruitless == 0;
        let shown = |peer: &PeerProgress| {
            let has_chain = peer.claimed > Height::ZERO && peer.claimed <= own;
            has_chain && !peer.probe && peer.resume.is_none()
        };
        self.peers.values().any(shown) && !self.peers.values().any(has_more)
    }

    /// Whether a peer is connected.
    #[must_use]
    pub fn is_connected(&self, peer: PeerId) -> bool {
        self.peers.contains_key(&peer)
    }

    /// Whether a validator is connected.
    #[must_use]
    pub fn sees_a_validator(&self) -> bool {
        self.validators().next().is_some()
    }

    /// The height that half of the connected validators claim at least, this node not
    /// counted; `None` without any.
    #[must_use]
    pub fn median_height(&self) -> Option<Height> {
        let mut claims: Vec<_> = self.validators().map(|p| p.claimed).collect();
        claims.sort_unstable_by(|a, b| b.cmp(a));
        claims.get(claims.len().saturating_sub(1) >> 1).copied()
    }

    fn validators(&self) -> impl Iterator<Item = &PeerProgress> {
        self.peers.values().filter(|progress| progress.validator)
    }

    /// The greatest height that a validator claims whose last answers were not fruitless: a claim
    /// that proved empty does not count.
    #[must_use]
    pub fn credible_claim(&self) -> Height {
        let credible = self.validators().filter(|p| p.fruitless == 0);
        let claims = credible.map(|progress| progress.claimed);
        claims.max().unwrap_or(Height::ZERO)
    }

    /// The connected peers.
    pub fn peer_ids(&self) -> impl Iterator<Item = PeerId> {
        self.peers.keys().copied()
    }

    /// The connected validators.
    pub fn validator_ids(&self) -> impl Iterator<Item = PeerId> {
        let validators = self.peers.iter().filter(|(_, p)| p.validator);
        validators.map(|(peer, _)| *peer)
    }

    /// The greatest height that a peer claims.
    #[must_use]
    pub fn best_claim(&self) -> Height {
        let claims = self.peers.values().map(|progress| progress.claimed);
        claims.max().unwrap_or(Height::ZERO)
    }

    /// Whether this node waits for an answer that is not late.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        let mut requests = self.peers.values().filter_map(|p| p.request.as_ref());
        requests.any(|request| !request.late)
    }

    /// After how many ms a request is slow.
    fn slow_ms(&self) -> u64 {
        let slow = |average: u64| average.saturating_mul(SLOW_TIMES).max(SLOW_MS);
        self.average_ms.map_or(FIRST_MS, slow).min(PATIENCE_MS)
    }

    /// The next moment after `now` at which a request becomes slow, late or hopeless, or a
    /// back-off ends.
    #[must_use]
    pub fn wake_at(&self, now: MonoTime, head: Height) -> Option<MonoTime> {
        let moments = self.peers.values().filter_map(|progress| {
            let Some(request) = &progress.request else {
                return progress.is_wanted(head).then_some(progress.backoff_until);
            };
            Some(match (request.slow, request.late) {
                (_, true) => request.heard.after(GIVE_UP_MS),
                (true, _) => request.since.after(PATIENCE_MS),
                _ => request.since.after(self.slow_ms()),
            })
        });
        moments.filter(|moment| *moment > now).min()
    }

    /// Marks requests that take too long; the peers that owe an answer and have sent no byte
    /// of it for a minute.
    pub(super) fn expire(&mut self, now: MonoTime) -> Vec<PeerId> {
        let slow_ms = self.slow_ms();
        let mut silent = Vec::new();
        for (peer, progress) in &mut self.peers {
            let Some(request) = &mut progress.request else {
                continue;
            };
            let waited = now.since(request.since);
            request.slow |= waited >= slow_ms;
            if now.since(request.heard) >= GIVE_UP_MS {
                silent.push(*peer);
            }
            let late = waited >= PATIENCE_MS;
            if late && !core::mem::replace(&mut request.late, late) {
                progress.on_time_out();
            }
        }
        silent
    }

    /// Peers that show a better chain and yield nothing of it, with their claims.
    pub(super) fn stuck(&mut self, now: MonoTime, head: Height) -> Vec<(PeerId, Height)> {
        let mut stuck = Vec::new();
        for (peer, progress) in &mut self.peers {
            if progress.stuck.must_tell(now, progress.claimed > head) {
                stuck.push((*peer, progress.claimed));
            }
        }
        stuck
    }

    /// Forgets the parts that the head has reached, and returns them: sender, last number.
    /// The sender of a part that did not fit is asked along the locator.
    pub(super) fn drop_reached_parts(&mut self, head: Height) -> Vec<(PeerId, u64)> {
        let mut reached = Vec::new();
        while let Some(part) = self.parts.first_entry() {
            let ((first, peer), last) = (*part.key(), *part.get());
            if first > head.get() {
                break;
            }
            part.remove();
            reached.push((peer, last));
            let misfit = self.peers.get_mut(&peer).filter(|_| last > head.get());
            if let Some(progress) = misfit {
                progress.probe = true;
            }
        }
        reached
    }
}
