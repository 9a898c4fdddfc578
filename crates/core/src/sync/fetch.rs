//! Who is asked for which blocks. One request in flight for each peer; whoever is
//! ahead is asked along a locator, others at the same time for parts further on, and
//! whoever does not answer in time is passed over for a while. Claims of height only
//! decide who is asked, never what is believed.

use super::{
    PeerId,
    locator::locator,
    request::{Request, Start},
    source::Source,
};
use crate::{
    BlockId, Height, Timestamp,
    block::SealedBlock,
    chain::Chain,
    message::{BlockRequest, MAX_ANSWER_BYTES, MAX_LOCATOR},
};
use std::collections::BTreeMap;

/// How long a peer may take for an answer.
pub const PATIENCE_MS: u64 = 4_000;

/// Whoever takes so many times as long as answers take at present, and so long, is not
/// waited for: somebody else is asked for the same. Before the first answer a second.
const SLOW_TIMES: u64 = 3;
const SLOW_MS: u64 = 200;
const FIRST_MS: u64 = 1_000;

/// Who has not answered for so long will not do it any more.
const GIVE_UP_MS: u64 = 60_000;

/// Blocks beyond the head that are asked for ahead of execution.
const LOOKAHEAD: u64 = 4_096;

/// Bytes of blocks that may wait for execution, those asked for included.
const MAX_AHEAD_BYTES: usize = 32 << 20;

/// What is to be done now.
#[derive(Debug, Default)]
pub struct Plan {
    /// Who has not answered for so long that its connection should end.
    pub mute: Vec<PeerId>,
    /// Whom to ask for which blocks.
    pub asks: Vec<(PeerId, BlockRequest)>,
    /// Parts that the head has reached, by whom and up to which number: what of them
    /// still waits is on another branch.
    pub passed: Vec<(PeerId, u64)>,
}

/// All connected peers and what they are asked for.
#[derive(Debug, Default)]
pub struct Fetch {
    sources: BTreeMap<PeerId, Source>,
    /// What waits for its parents: first number and sender of a part, its last number.
    ahead: BTreeMap<(u64, PeerId), u64>,
    /// How long answers take at present, in ms; `None` before the first.
    usual: Option<u64>,
}

impl Fetch {
    /// A peer has finished its handshake.
    pub fn joined(&mut self, peer: PeerId, validator: bool, claimed: Height) {
        self.sources.insert(peer, Source::new(validator, claimed));
    }

    /// A peer is gone; what it was asked for can be asked of others.
    pub fn left(&mut self, peer: PeerId) {
        self.sources.remove(&peer);
        self.ahead.retain(|(_, from), _| *from != peer);
    }

    /// A peer says, or shows by a block, how far it is.
    pub fn claims(&mut self, peer: PeerId, height: Height, own: Height) {
        if let Some(source) = self.sources.get_mut(&peer) {
            source.claimed = height;
            source.probe |= height > own;
        }
    }

    /// A peer has shown a block whose parent is not here.
    pub fn shows(&mut self, peer: PeerId, number: Height) {
        if let Some(source) = self.sources.get_mut(&peer) {
            source.claimed = source.claimed.max(number);
            source.probe = true;
        }
    }

    /// Everybody shall be asked again, also after what is on its way.
    pub fn ask_again(&mut self) {
        for source in self.sources.values_mut() {
            source.probe = source.claimed > Height::ZERO;
            source.rest_until = Timestamp::ZERO;
            if let Some(request) = &mut source.request {
                (request.slow, request.late) = (true, true);
            }
        }
    }

    /// The clock was set back: nothing may wait for a moment that now lies far ahead.
    pub fn set_back(&mut self, now: Timestamp) {
        for source in self.sources.values_mut() {
            source.rest_until = source.rest_until.min(now);
            if let Some(request) = &mut source.request {
                request.since = request.since.min(now);
            }
        }
    }

    /// The request that an answer belongs to; `None`: nothing is asked for any more.
    pub fn take_request(&mut self, peer: PeerId) -> Option<Request> {
        self.sources.get_mut(&peer)?.request.take()
    }

    /// Remembers blocks that wait for their parents.
    pub fn keeps_ahead(&mut self, peer: PeerId, blocks: &[SealedBlock]) {
        if let (Some(first), Some(last)) = (blocks.first(), blocks.last()) {
            let (first, last) = (first.header().number.get(), last.header().number.get());
            self.ahead.insert((first, peer), last);
        }
    }

    /// An answer has been taken: where the peer stands now. `last` is its last block,
    /// `fresh` whether any was new here, `more` whether its chain goes on.
    pub fn answered(
        &mut self,
        now: Timestamp,
        peer: PeerId,
        request: &Request,
        last: Option<(Height, BlockId)>,
        (fresh, more): (bool, bool),
        chain: &Chain,
    ) {
        if let Some(source) = self.sources.get_mut(&peer) {
            // A late answer tells how things were.
            source.probe &= request.late;
            let side = last.filter(|(number, id)| chain.main_at(*number) != Some(*id));
            let head = chain.head().block.header().number;
            source.answered(now, head, last, side, (fresh, more));
        }
    }

    /// How long a peer's answers are at present decides how much of it is asked for; how
    /// long they take, for whom nobody waits.
    pub fn measure(
        &mut self,
        now: Timestamp,
        peer: PeerId,
        request: &Request,
        blocks: &[SealedBlock],
        more: bool,
    ) {
        if !blocks.is_empty() {
            let took = now.get().saturating_sub(request.since.get());
            let usual = self.usual.unwrap_or(took);
            self.usual = Some(usual.saturating_mul(3).saturating_add(took) >> 2);
        }
        if let Some(source) = self.sources.get_mut(&peer) {
            source.measure(request.most, blocks.len(), more);
        }
    }

    /// A peer's branch leaves below the window, so its blocks are of no use; true: it
    /// claims to be ahead. It may be asked again later: it may have changed its branch.
    pub fn set_apart(&mut self, now: Timestamp, peer: PeerId, head: Height) -> bool {
        let source = self.sources.get_mut(&peer);
        source.is_some_and(|source| source.set_apart(now, head))
    }

    /// A peer has shown a block without a parent, and says that it has none: it may have been
    /// unable to answer. It is asked again after a rest.
    pub fn doubt(&mut self, now: Timestamp, peer: PeerId) {
        if let Some(source) = self.sources.get_mut(&peer) {
            source.doubt(now);
        }
    }

    /// Not to be asked before `until`.
    pub fn rest(&mut self, peer: PeerId, until: Timestamp) {
        if let Some(source) = self.sources.get_mut(&peer) {
            source.rest_until = until;
        }
    }

    /// Whether a connected validator has shown all it has, or is not ahead.
    #[must_use]
    pub fn heard_a_validator(&self, own: Height) -> bool {
        self.validators()
            .any(|source| source.claimed <= own && !source.probe && source.side.is_none())
    }

    /// Whether a validator is connected.
    #[must_use]
    pub fn sees_a_validator(&self) -> bool {
        self.validators().next().is_some()
    }

    /// How far half of the connected validators are, the leader not counted; `None`
    /// without any.
    #[must_use]
    pub fn keeping_up(&self) -> Option<Height> {
        let mut claims: Vec<_> = self.validators().map(|source| source.claimed).collect();
        claims.sort_unstable_by(|a, b| b.cmp(a));
        claims.get(claims.len().saturating_sub(1) >> 1).copied()
    }

    fn validators(&self) -> impl Iterator<Item = &Source> {
        self.sources.values().filter(|source| source.validator)
    }

    /// The greatest height that a peer claims.
    #[must_use]
    pub fn best_claim(&self) -> Height {
        let claims = self.sources.values().map(|source| source.claimed);
        claims.max().unwrap_or(Height::ZERO)
    }

    /// Whether any answer is awaited.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        let mut requests = self.sources.values().filter_map(|s| s.request.as_ref());
        requests.any(|request| !request.late)
    }

    /// Those that are waited for.
    fn requests(&self) -> impl Iterator<Item = &Request> {
        let requests = self.sources.values().filter_map(|s| s.request.as_ref());
        requests.filter(|request| !request.slow)
    }

    /// After what time a request is not waited for.
    fn slow_ms(&self) -> u64 {
        let slow = |usual: u64| usual.saturating_mul(SLOW_TIMES).max(SLOW_MS);
        self.usual.map_or(FIRST_MS, slow).min(PATIENCE_MS)
    }

    /// When, after `now`, the next request has waited long enough, or a rest is over.
    #[must_use]
    pub fn wake_at(&self, now: u64, head: Height) -> Option<u64> {
        let moments = self
            .sources
            .values()
            .filter_map(|source| match &source.request {
                Some(request) => {
                    let wait = match (request.slow, request.late) {
                        (_, true) => GIVE_UP_MS,
                        (true, _) => PATIENCE_MS,
                        _ => self.slow_ms(),
                    };
                    Some(request.since.get().saturating_add(wait))
                }
                None => source.wants(head).then_some(source.rest_until.get()),
            });
        moments.filter(|moment| *moment > now).min()
    }

    /// Gives up on those who are late, forgets what the head has reached, and asks whoever
    /// is free. `waiting_bytes` wait for execution.
    pub fn plan(&mut self, now: Timestamp, chain: &Chain, waiting_bytes: usize) -> Plan {
        let mute = self.expire(now);
        let head = chain.head().block.header().number;
        let passed = self.settle_ahead(head);
        let mut asks = Vec::new();
        let mut idle: Vec<(u8, PeerId)> = self
            .sources
            .iter()
            .filter(|(_, source)| {
                source.request.is_none() && source.wants(head) && now >= source.rest_until
            })
            .map(|(peer, source)| (source.barren, *peer))
            .collect();
        idle.sort_unstable();
        for (_, peer) in idle {
            let Some(start) = self.choose(peer, head, chain, waiting_bytes) else {
                continue;
            };
            let (start, covers, most) = start;
            let locator = match &start {
                Start::Locator(pairs) => pairs.clone(),
                Start::Ahead(number) => {
                    let before = number.checked_sub(1).unwrap_or(Height::ZERO);
                    vec![(before, BlockId::ZERO)]
                }
            };
            if let Some(source) = self.sources.get_mut(&peer) {
                source.request = Some(Request {
                    start,
                    covers,
                    most,
                    since: now,
                    slow: false,
                    late: false,
                });
            }
            asks.push((peer, BlockRequest { locator, most }));
        }
        Plan { mute, asks, passed }
    }

    /// What an idle peer is asked for.
    fn choose(
        &self,
        peer: PeerId,
        head: Height,
        chain: &Chain,
        waiting_bytes: usize,
    ) -> Option<(Start, (u64, u64), u16)> {
        let source = self.sources.get(&peer)?;
        let next = head.get().saturating_add(1);
        let mut requests = self.requests();
        let followed = requests.any(|request| !request.is_ahead() && request.covers.1 >= next);
        let ahead = source.claimed > head && source.side.is_none();
        if !(ahead && followed) {
            let mut pairs = locator(chain);
            if let Some(side) = source.side {
                pairs.insert(0, side);
                pairs.truncate(MAX_LOCATOR);
            }
            let last = if ahead {
                head.get().saturating_add(source.stride.into())
            } else {
                0
            };
            return Some((Start::Locator(pairs), (next, last), source.stride));
        }
        let expected = self
            .requests()
            .count()
            .saturating_add(1)
            .saturating_mul(MAX_ANSWER_BYTES);
        if waiting_bytes.saturating_add(expected) > MAX_AHEAD_BYTES {
            return None;
        }
        let (first, last) = self.gap(next)?;
        let furthest = source
            .claimed
            .get()
            .min(head.get().saturating_add(LOOKAHEAD));
        if first > furthest {
            return None;
        }
        let most = last
            .saturating_sub(first)
            .saturating_add(1)
            .min(source.stride.into());
        let covers = (first, first.saturating_add(most).saturating_sub(1));
        let number = Height::new(first).ok()?;
        Some((Start::Ahead(number), covers, u16::try_from(most).ok()?))
    }

    /// The first numbers from `next` on that nobody is asked for and nobody has sent.
    fn gap(&self, next: u64) -> Option<(u64, u64)> {
        let asked = self.requests().map(|request| request.covers);
        let kept = self.ahead.iter().map(|((first, _), last)| (*first, *last));
        let mut covered: Vec<_> = asked
            .chain(kept)
            .filter(|(first, last)| last >= first)
            .collect();
        covered.sort_unstable();
        let mut at = next;
        for (first, last) in covered {
            if first > at {
                return Some((at, first.saturating_sub(1)));
            }
            at = at.max(last.saturating_add(1));
        }
        Some((at, u64::MAX))
    }

    fn expire(&mut self, now: Timestamp) -> Vec<PeerId> {
        let slow_ms = self.slow_ms();
        let mut mute = Vec::new();
        for (peer, source) in &mut self.sources {
            let Some(request) = &mut source.request else {
                continue;
            };
            let waited = now.get().saturating_sub(request.since.get());
            request.slow |= waited >= slow_ms;
            request.late |= waited >= PATIENCE_MS;
            if waited >= GIVE_UP_MS {
                mute.push(*peer);
            }
        }
        mute
    }

    /// Forgets the parts that the head has reached, and returns them. The sender of a part
    /// that did not fit is asked along the locator.
    fn settle_ahead(&mut self, head: Height) -> Vec<(PeerId, u64)> {
        let mut passed = Vec::new();
        while let Some(part) = self.ahead.first_entry() {
            let ((first, peer), last) = (*part.key(), *part.get());
            if first > head.get() {
                break;
            }
            part.remove();
            passed.push((peer, last));
            let misfit = self.sources.get_mut(&peer).filter(|_| last > head.get());
            if let Some(source) = misfit {
                source.probe = true;
            }
        }
        passed
    }
}
