//! How long a peer shows a better chain without yielding a block of it. The operator is told
//! once: neither side would log anything while both make blocks on their own chains.

use crate::MonoTime;

/// The operator is told after so long, in ms.
const STUCK_MS: u64 = 30_000;

/// The timer of one peer.
#[derive(Debug, Default)]
pub(super) struct StuckTimer {
    /// The peer has shown a block whose ancestors are missing here.
    shows_orphan: bool,
    /// The peer has claimed more than the head and then answered without a block.
    broke_claim: bool,
    since: Option<MonoTime>,
    told: bool,
}

impl StuckTimer {
    /// The peer shows a block whose ancestors are missing here.
    pub(super) fn on_orphan(&mut self) {
        self.shows_orphan = true;
    }

    /// The peer claimed more than the head and answered without a block.
    pub(super) fn on_broken_claim(&mut self) {
        self.broke_claim = true;
    }

    /// The peer claims no more than the head.
    pub(super) fn on_low_claim(&mut self) {
        self.broke_claim = false;
    }

    /// The peer has answered with all it has.
    pub(super) fn on_last_answer(&mut self) {
        self.shows_orphan = false;
    }

    /// A new block has come, or a part of one.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    /// The operator knows already.
    pub(super) fn set_told(&mut self) {
        self.told = true;
    }

    /// Whether the operator must be told now; `claims_more`: the peer claims a height above
    /// the head.
    pub(super) fn must_tell(&mut self, now: MonoTime, claims_more: bool) -> bool {
        if !(claims_more || self.shows_orphan || self.broke_claim) {
            self.reset();
            return false;
        }
        let since = *self.since.get_or_insert(now);
        let must_tell = !self.told && now.since(since) >= STUCK_MS;
        self.told |= must_tell;
        must_tell
    }
}
