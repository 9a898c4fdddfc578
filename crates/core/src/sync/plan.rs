//! Which peer is asked for which blocks now: one that is ahead along a locator, others at
//! the same time for parts further on.

use super::{
    PeerId,
    block_fetcher::BlockFetcher,
    locator::locator,
    request::{Request, Start},
};
use crate::{
    BlockId, Height, MonoTime,
    chain::Chain,
    message::{BlockRequest, MAX_ANSWER_BYTES, MAX_LOCATOR},
};

/// Blocks beyond the head that are asked for ahead of execution.
const LOOKAHEAD: u64 = 4_096;

/// Bytes of blocks that may wait for execution, those asked for included.
const MAX_AHEAD_BYTES: usize = 32 << 20;

/// What to do now.
#[derive(Debug, Default)]
pub struct Plan {
    /// Peers that have not answered for a minute.
    pub silent: Vec<PeerId>,
    /// New requests.
    pub requests: Vec<(PeerId, BlockRequest)>,
    /// Parts that the head has reached: sender and last number. What still waits of them
    /// is on another branch.
    pub reached: Vec<(PeerId, u64)>,
}

/// What one peer is asked for.
struct Choice {
    start: Start,
    /// Numbers that the answer is expected to hold.
    covers: (u64, u64),
    most: u16,
}

impl BlockFetcher {
    /// Expires requests, drops what the head has reached, and asks the idle peers.
    /// `waiting_bytes` of blocks wait for execution.
    pub fn plan(&mut self, now: MonoTime, chain: &Chain, waiting_bytes: usize) -> Plan {
        let silent = self.expire(now);
        let head = chain.height();
        let reached = self.drop_reached_parts(head);
        let mut requests = Vec::new();
        let mut idle: Vec<(u8, PeerId)> = self
            .peers
            .iter()
            .filter(|(_, progress)| {
                progress.request.is_none()
                    && progress.is_wanted(head)
                    && now >= progress.backoff_until
            })
            .map(|(peer, progress)| (progress.fruitless, *peer))
            .collect();
        idle.sort_unstable();
        for (_, peer) in idle {
            let Some(choice) = self.choose(peer, chain, waiting_bytes) else {
                continue;
            };
            let locator = match &choice.start {
                Start::Locator(pairs) => pairs.clone(),
                Start::Ahead(number) => {
                    let before = number.checked_sub(1).unwrap_or(Height::ZERO);
                    vec![(before, BlockId::ZERO)]
                }
            };
            let most = choice.most;
            if let Some(progress) = self.peers.get_mut(&peer) {
                progress.request = Some(Request {
                    start: choice.start,
                    covers: choice.covers,
                    most,
                    since: now,
                    slow: false,
                    late: false,
                });
            }
            requests.push((peer, BlockRequest { locator, most }));
        }
        Plan {
            silent,
            requests,
            reached,
        }
    }

    fn choose(&self, peer: PeerId, chain: &Chain, waiting_bytes: usize) -> Option<Choice> {
        let progress = self.peers.get(&peer)?;
        let head = chain.height();
        let next = head.get().saturating_add(1);
        let mut requests = self.waited_for();
        let followed = requests.any(|request| !request.is_ahead() && request.covers.1 >= next);
        let ahead = progress.claimed > head && progress.resume.is_none();
        if !(ahead && followed) {
            let mut pairs = locator(chain);
            if let Some(resume) = progress.resume {
                // The order of height keeps a common head before a block far below it.
                let place = pairs.partition_point(|(number, _)| *number > resume.0);
                pairs.insert(place, resume);
                pairs.truncate(MAX_LOCATOR);
            }
            let most = progress.batch_size;
            let last = if ahead {
                head.get().saturating_add(most.into())
            } else {
                0
            };
            return Some(Choice {
                start: Start::Locator(pairs),
                covers: (next, last),
                most,
            });
        }
        let in_flight = self.waited_for().count().saturating_add(1);
        let expected = in_flight.saturating_mul(MAX_ANSWER_BYTES);
        if waiting_bytes.saturating_add(expected) > MAX_AHEAD_BYTES {
            return None;
        }
        let (first, last) = self.gap(next);
        let furthest = head.get().saturating_add(LOOKAHEAD);
        if first > progress.claimed.get().min(furthest) {
            return None;
        }
        let room = last.saturating_sub(first).saturating_add(1);
        let most = room.min(progress.batch_size.into());
        Some(Choice {
            start: Start::Ahead(Height::new(first).ok()?),
            covers: (first, first.saturating_add(most).saturating_sub(1)),
            most: u16::try_from(most).ok()?,
        })
    }

    /// Requests that are not slow.
    fn waited_for(&self) -> impl Iterator<Item = &Request> {
        let requests = self.peers.values().filter_map(|p| p.request.as_ref());
        requests.filter(|request| !request.slow)
    }

    /// The first range of numbers from `next` on that no request covers and no part holds.
    fn gap(&self, next: u64) -> (u64, u64) {
        let asked = self.waited_for().map(|request| request.covers);
        let kept = self.parts.iter().map(|((first, _), last)| (*first, *last));
        let mut covered: Vec<_> = asked
            .chain(kept)
            .filter(|(first, last)| last >= first)
            .collect();
        covered.sort_unstable();
        let mut at = next;
        for (first, last) in covered {
            if first > at {
                return (at, first.saturating_sub(1));
            }
            at = at.max(last.saturating_add(1));
        }
        (at, u64::MAX)
    }
}
