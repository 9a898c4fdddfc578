//! Keeps repeated events from filling the log.

use crate::rate_limit::KeyedRateLimit;
use std::time::Duration;

/// Time between two lines about the same cause and peer.
const PAUSE: Duration = Duration::from_secs(60);

/// One log line a minute for each cause and peer, or whatever else the text names.
#[derive(Debug)]
pub struct LogThrottle(KeyedRateLimit<(&'static str, String)>);

impl Default for LogThrottle {
    fn default() -> Self {
        Self(KeyedRateLimit::one_per(PAUSE))
    }
}

impl LogThrottle {
    /// Whether this cause and peer may be logged now.
    #[must_use]
    pub fn allows(&self, cause: &'static str, peer: String) -> bool {
        self.0.take((cause, peer)).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_and_peer_has_its_own_line() {
        let log_throttle = LogThrottle::default();
        assert!(log_throttle.allows("full", "a".into()));
        assert!(!log_throttle.allows("full", "a".into()));
        assert!(log_throttle.allows("full", "b".into()));
        assert!(log_throttle.allows("banned", "a".into()));
    }
}
