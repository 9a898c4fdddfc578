//! Counts what happens within a stretch of time. Pure: time comes in.

use std::time::{Duration, Instant};

/// A counter that begins again when its time is over.
#[derive(Debug)]
pub(crate) struct Window {
    length: Duration,
    since: Option<Instant>,
    seen: u32,
}

impl Window {
    /// Nothing has happened yet.
    pub(crate) fn new(length: Duration) -> Self {
        Self {
            length,
            since: None,
            seen: 0,
        }
    }

    /// One more; how many since the window began.
    pub(crate) fn count(&mut self, now: Instant) -> u32 {
        let running = |since: Instant| now.saturating_duration_since(since) < self.length;
        if !self.since.is_some_and(running) {
            self.since = Some(now);
            self.seen = 0;
        }
        self.seen = self.seen.saturating_add(1);
        self.seen
    }

    /// When the running window is over.
    pub(crate) fn end(&self, now: Instant) -> Instant {
        self.since.map_or(now, |since| since + self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counting_begins_again_when_the_time_is_over() {
        let (length, start) = (Duration::from_secs(60), Instant::now());
        let mut window = Window::new(length);
        assert_eq!(window.end(start), start);
        assert_eq!(window.count(start), 1);
        assert_eq!(window.count(start + length / 2), 2);
        assert_eq!(window.end(start), start + length);
        assert_eq!(window.count(start + length), 1);
    }
}
