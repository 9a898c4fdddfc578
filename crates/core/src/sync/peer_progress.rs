//! What is known about one connected peer: what it claims, what it was asked for, and how
//! long it is left alone. A claim decides who is asked, never what is believed.

use super::{
    request::{PATIENCE_MS, Request},
    stuck_timer::StuckTimer,
};
use crate::{BlockId, Height, MonoTime, message::MAX_ANSWER_BLOCKS};

/// How long a peer whose branch leaves below the window is left alone.
const APART_MS: u64 = 60_000;

/// Most doublings of the back-off of a peer without new blocks.
const MAX_FRUITLESS: u8 = 3;

/// What an answer did for this node.
#[derive(Clone, Copy, Debug, Default)]
pub struct AnswerOutcome {
    /// The last block of the answer, if it is here now.
    pub last: Option<(Height, BlockId)>,
    /// Whether that block is one of the newest on the head's branch, from which a locator leads
    /// on by itself.
    pub is_in_locator: bool,
    /// Whether any block was new here.
    pub fresh: bool,
    /// Whether the peer's chain goes on behind it.
    pub more: bool,
}

/// A connected peer.
#[derive(Debug)]
pub(super) struct PeerProgress {
    pub(super) validator: bool,
    /// The height that it claims.
    pub(super) claimed: Height,
    pub(super) request: Option<Request>,
    /// It may have blocks that this node lacks: it is asked along the locator.
    pub(super) probe: bool,
    /// The last block of its last answer, if that was on another branch, or far below the head,
    /// or held nothing new, and the peer's chain goes on: the next request continues there. Without it a node
    /// whose branch is long would ask for the same known blocks for ever.
    pub(super) resume: Option<(Height, BlockId)>,
    /// It is not asked before.
    pub(super) backoff_until: MonoTime,
    /// Answers in a row that held no new block although it claimed more.
    pub(super) fruitless: u8,
    /// Blocks that the next request asks for.
    pub(super) batch_size: u16,
    pub(super) stuck: StuckTimer,
}

impl PeerProgress {
    pub(super) fn new(validator: bool, claimed: Height) -> Self {
        Self {
            validator,
            claimed,
            request: None,
            probe: claimed > Height::ZERO,
            resume: None,
            backoff_until: MonoTime::default(),
            fruitless: 0,
            batch_size: u16::try_from(MAX_ANSWER_BLOCKS).unwrap_or(u16::MAX),
            stuck: StuckTimer::default(),
        }
    }

    /// Whether it is worth asking by a node with this head.
    pub(super) fn is_wanted(&self, head: Height) -> bool {
        self.probe || self.resume.is_some() || self.claimed > head
    }

    /// Takes note of an answer. A peer that claims more than the head and yields no new
    /// block backs off exponentially: it may lie, or its longer branch is still not better.
    pub(super) fn on_answer(&mut self, now: MonoTime, head: Height, outcome: AnswerOutcome) {
        let AnswerOutcome {
            last,
            is_in_locator,
            fresh,
            more,
        } = outcome;
        let (before, claimed) = (self.resume.take(), self.claimed);
        match last {
            Some((number, _)) if more => {
                self.claimed = self.claimed.max(number.next().unwrap_or(number));
                self.resume = last.filter(|_| !is_in_locator || !fresh);
            }
            Some((number, _)) => self.claimed = number,
            // It lies, or it could not answer.
            None if claimed > head => {
                (self.claimed, self.probe) = (head, true);
                self.stuck.on_broken_claim();
            }
            None => {}
        }
        if !more {
            self.stuck.on_last_answer();
        }
        let climbs = self.resume > before;
        if fresh {
            self.fruitless = 0;
        } else if (claimed > head || more) && !climbs {
            self.back_off(now, PATIENCE_MS << self.fruitless.min(MAX_FRUITLESS));
            self.fruitless = self.fruitless.saturating_add(1);
        }
    }

    /// Doubles the batch while answers are full and in time, and fits it to a shorter one.
    /// A late answer was too long for the line: the next one is at most half of it.
    pub(super) fn fit_batch(&mut self, request: &Request, got: usize, more: bool) {
        let most = u16::try_from(MAX_ANSWER_BLOCKS).unwrap_or(u16::MAX);
        let got = u16::try_from(got).unwrap_or(most);
        if request.late {
            self.batch_size = self.batch_size.min((got >> 1).max(1));
        } else if got >= request.most {
            self.batch_size = got.saturating_mul(2).clamp(1, most);
        } else if more {
            self.batch_size = got.max(1);
        }
    }

    /// Halves the batch after a time-out: the line may be slow.
    pub(super) fn on_time_out(&mut self) {
        self.batch_size = (self.batch_size >> 1).max(1);
    }

    /// Asks it again later although it says that it has no more.
    pub(super) fn recheck(&mut self, now: MonoTime) {
        self.probe = true;
        self.back_off(now, PATIENCE_MS);
    }

    /// The block from which it was asked on lost its state meanwhile: it is asked along the
    /// locator again.
    pub(super) fn restart(&mut self, now: MonoTime) {
        self.resume = None;
        self.recheck(now);
    }

    /// Its branch leaves below the window; whether it claims to be ahead.
    pub(super) fn set_apart(&mut self, now: MonoTime, head: Height) -> bool {
        self.probe = false;
        self.resume = None;
        let ahead = self.claimed > head;
        if ahead {
            self.stuck.set_told();
            self.back_off(now, APART_MS);
        }
        ahead
    }

    fn back_off(&mut self, now: MonoTime, wait_ms: u64) {
        self.backoff_until = now.after(wait_ms);
    }
}
