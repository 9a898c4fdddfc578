//! Keeps one peer that is refused again and again from filling the log.

use crate::rate_limit::KeyedRateLimit;
use std::time::Duration;

/// The same cause with the same peer is logged once in this time.
const PAUSE: Duration = Duration::from_secs(60);

/// What has been logged lately.
#[derive(Debug)]
pub(crate) struct Notices(KeyedRateLimit<(u8, String)>);

impl Default for Notices {
    fn default() -> Self {
        Self(KeyedRateLimit::one_per(PAUSE))
    }
}

impl Notices {
    /// Whether this cause with this peer is worth a line now.
    pub(crate) fn worth(&self, cause: u8, peer: String) -> bool {
        self.0.take((cause, peer)).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_and_peer_has_its_own_line() {
        let notices = Notices::default();
        assert!(notices.worth(2, "a".into()));
        assert!(!notices.worth(2, "a".into()));
        assert!(notices.worth(2, "b".into()));
        assert!(notices.worth(3, "a".into()));
    }
}
