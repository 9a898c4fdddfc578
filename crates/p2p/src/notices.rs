//! Keeps one peer that is refused again and again from filling the log.
//! Pure: time comes in, and nothing is written here.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// The same cause with the same peer is logged once in this time.
const PAUSE: Duration = Duration::from_secs(60);

/// Most pairs remembered; beyond them all are forgotten, and logged again.
const MOST: usize = 1000;

/// What has been logged lately.
#[derive(Debug, Default)]
pub(crate) struct Notices {
    last: HashMap<(u8, String), Instant>,
}

impl Notices {
    /// Whether this cause with this peer is worth a line now.
    pub(crate) fn worth(&mut self, cause: u8, peer: String, now: Instant) -> bool {
        let key = (cause, peer);
        let recent = |last: &Instant| now.saturating_duration_since(*last) < PAUSE;
        if self.last.get(&key).is_some_and(recent) {
            return false;
        }
        if self.last.len() >= MOST {
            self.last.clear();
        }
        self.last.insert(key, now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_a_minute_for_each_cause_and_peer() {
        let mut notices = Notices::default();
        let start = Instant::now();
        assert!(notices.worth(2, "a".into(), start));
        assert!(!notices.worth(2, "a".into(), start + PAUSE / 2));
        assert!(notices.worth(2, "b".into(), start + PAUSE / 2));
        assert!(notices.worth(3, "a".into(), start + PAUSE / 2));
        assert!(notices.worth(2, "a".into(), start + PAUSE));
        for peer in 0..2 * MOST {
            assert!(notices.worth(4, peer.to_string(), start));
            assert!(notices.last.len() <= MOST);
        }
    }
}
