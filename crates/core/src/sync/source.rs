//! What is known about one connected peer: what it claims, what it is asked for, and how
//! long it is left alone. Claims are never believed.

use super::{fetch::PATIENCE_MS, request::Request};
use crate::{BlockId, Height, Timestamp, message::MAX_ANSWER_BLOCKS};

/// How long a peer whose branch cannot be followed is left alone.
const APART_MS: u64 = 60_000;

/// Most doublings of the rest of a peer that has nothing new.
const MAX_BARREN: u8 = 3;

/// A connected peer.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) validator: bool,
    /// What it says that it has.
    pub(super) claimed: Height,
    pub(super) request: Option<Request>,
    /// It may have something that this node has not: ask it along the locator.
    pub(super) probe: bool,
    /// Its newest block here, while it is on a side branch and the peer has more.
    pub(super) side: Option<(Height, BlockId)>,
    /// Not to be asked before.
    pub(super) rest_until: Timestamp,
    /// Answers in a row that held nothing new although it claimed more.
    pub(super) barren: u8,
    /// Blocks that an answer of it holds at present.
    pub(super) stride: u16,
}

impl Source {
    pub(super) fn new(validator: bool, claimed: Height) -> Self {
        Self {
            validator,
            claimed,
            request: None,
            probe: claimed > Height::ZERO,
            side: None,
            rest_until: Timestamp::ZERO,
            barren: 0,
            stride: u16::try_from(MAX_ANSWER_BLOCKS).unwrap_or(u16::MAX),
        }
    }

    pub(super) fn wants(&self, head: Height) -> bool {
        self.probe || self.side.is_some() || self.claimed > head
    }

    /// Where it stands after an answer: `last` is its last block, `side` the same unless
    /// that is on the head's branch. Who claims more than the head and shows nothing new
    /// rests, the longer the more often, and is asked after all others: it may lie, or its
    /// branch has more blocks and is still not better.
    pub(super) fn answered(
        &mut self,
        now: Timestamp,
        head: Height,
        last: Option<(Height, BlockId)>,
        side: Option<(Height, BlockId)>,
        (fresh, more): (bool, bool),
    ) {
        let (before, claimed) = (self.side.take(), self.claimed);
        match last {
            Some((number, _)) if more => {
                self.claimed = self.claimed.max(number.next().unwrap_or(number));
                self.side = side;
            }
            Some((number, _)) => self.claimed = number,
            // It lies, or it could not answer.
            None if claimed > head => (self.claimed, self.probe) = (head, true),
            None => {}
        }
        let climbs = self.side > before;
        if fresh {
            self.barren = 0;
        } else if (claimed > head || more) && !climbs {
            self.rest(now, PATIENCE_MS << self.barren.min(MAX_BARREN));
            self.barren = self.barren.saturating_add(1);
        }
    }

    /// Its answers grow until they are not filled any more.
    pub(super) fn measure(&mut self, wanted: u16, got: usize, more: bool) {
        let most = u16::try_from(MAX_ANSWER_BLOCKS).unwrap_or(u16::MAX);
        let got = u16::try_from(got).unwrap_or(most);
        if got >= wanted {
            self.stride = got.saturating_mul(2).clamp(1, most);
        } else if more {
            self.stride = got.max(1);
        }
    }

    /// It is asked again although it says that it has nothing.
    pub(super) fn doubt(&mut self, now: Timestamp) {
        self.probe = true;
        self.rest(now, PATIENCE_MS);
    }

    /// Its branch leaves below the window; whether it claims to be ahead.
    pub(super) fn set_apart(&mut self, now: Timestamp, head: Height) -> bool {
        self.probe = false;
        self.side = None;
        let ahead = self.claimed > head;
        if ahead {
            self.rest(now, APART_MS);
        }
        ahead
    }

    fn rest(&mut self, now: Timestamp, wait_ms: u64) {
        self.rest_until = now.checked_add(wait_ms).unwrap_or(now);
    }
}
