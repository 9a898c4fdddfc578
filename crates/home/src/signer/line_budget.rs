//! What the program writes to its standard error, in the node's log: lines cut to a bound, and
//! so many a minute.

use std::time::{Duration, Instant};

/// Bytes of a line that are shown.
const MAX_LINE: usize = 300;

/// Lines in a minute.
const LINES: u32 = 20;
const MINUTE: Duration = Duration::from_mins(1);

/// Cuts bytes into lines and counts them.
pub(super) struct LineBudget {
    line: Vec<u8>,
    since: Option<Instant>,
    shown: u32,
    left_out: u64,
}

impl LineBudget {
    pub(super) fn new() -> Self {
        Self {
            line: Vec::new(),
            since: None,
            shown: 0,
            left_out: 0,
        }
    }

    /// Takes bytes; the lines to log.
    pub(super) fn take(&mut self, now: Instant, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for byte in bytes {
            if *byte == b'\n' {
                lines.extend(self.end_line(now));
            } else if self.line.len() < MAX_LINE {
                self.line.push(*byte);
            }
        }
        lines
    }

    /// The last line, which may have no end.
    pub(super) fn end_line(&mut self, now: Instant) -> Option<String> {
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_end();
        if line.is_empty() {
            return None;
        }
        let mut remark = String::new();
        if self
            .since
            .is_none_or(|since| now.duration_since(since) >= MINUTE)
        {
            (self.since, self.shown) = (Some(now), 0);
            if self.left_out > 0 {
                remark = format!(" ({} lines before were left out)", self.left_out);
                self.left_out = 0;
            }
        }
        if self.shown == LINES {
            self.left_out = self.left_out.saturating_add(1);
            return None;
        }
        self.shown += 1;
        Some(format!("{}{remark}", line.escape_debug()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_escaped_and_counted() {
        let (mut budget, now) = (LineBudget::new(), Instant::now());
        assert_eq!(budget.take(now, b"one\ntw"), ["one"]);
        assert_eq!(budget.take(now, b"o\x1b[2J\n\n"), ["two\\u{1b}[2J"]);
        let long = budget.take(now, &[[b'x'; 100_000].as_slice(), b"\n"].concat());
        assert_eq!(long, ["x".repeat(MAX_LINE)]);
        let many = budget.take(now, "a\n".repeat(1_000).as_bytes());
        assert_eq!(many.len(), LINES as usize - 3);
        let later = budget.take(now + MINUTE, b"again\n");
        assert_eq!(later, ["again (983 lines before were left out)"]);
        assert_eq!(budget.take(now + MINUTE, b"end"), [""; 0]);
        assert_eq!(budget.end_line(now + MINUTE).as_deref(), Some("end"));
    }
}
