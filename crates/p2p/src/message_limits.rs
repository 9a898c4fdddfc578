//! How often one peer may send the kinds of messages that cost this node work. A peer
//! beyond a limit is read more slowly; it is not blamed.

use crate::{frame::Frame, limits::Limits, rate_limit::RateLimit};
use ccoin_core::message::Header;
use std::time::Duration;

/// What a question costs, and each byte of it.
const QUESTION: Duration = Duration::from_micros(20);
const BYTE: Duration = Duration::from_nanos(8);

/// The budgets of one connection.
#[derive(Debug)]
pub(crate) struct MessageLimits {
    answers: RateLimit,
    keys: RateLimit,
    requests: RateLimit,
    statuses: RateLimit,
    peer_lists: RateLimit,
    unknown: RateLimit,
}

impl MessageLimits {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            answers: RateLimit::per_second(limits.answers_a_second),
            keys: RateLimit::per_second(limits.keys_a_second),
            requests: RateLimit::per_second(limits.requests_a_second),
            statuses: RateLimit::per_second(limits.statuses_a_second),
            peer_lists: RateLimit::per_second(1),
            unknown: RateLimit::per_minute(limits.unknown_a_minute.saturating_sub(1)),
        }
    }

    /// Waits until one more message of this kind may be handled.
    pub(crate) async fn wait(&self, header: Header) {
        if let Some(limit) = self.of(header) {
            limit.wait().await;
        }
    }

    /// What a message of this kind costs its peer; `None`: what comes of it decides.
    pub(crate) fn cost(&self, frame: &Frame) -> Option<Duration> {
        self.of(frame.header)?;
        let bytes = u32::try_from(frame.body.len()).unwrap_or(u32::MAX);
        Some(QUESTION + BYTE * bytes)
    }

    fn of(&self, header: Header) -> Option<&RateLimit> {
        match &header {
            b"KEY" => Some(&self.keys),
            b"RBL" => Some(&self.requests),
            b"STA" | b"EVD" => Some(&self.statuses),
            b"BLH" => Some(&self.answers),
            _ if is_for_the_node(header) => None,
            _ => Some(&self.answers),
        }
    }

    /// Whether a `PEX` is read: more than one a second is skipped.
    pub(crate) fn allows_peer_list(&self) -> bool {
        self.peer_lists.take().is_ok()
    }

    /// Whether one more frame with an unknown header is skipped; else the connection ends.
    pub(crate) fn allows_unknown(&self) -> bool {
        self.unknown.take().is_ok()
    }
}

/// Whether a message is handed to the node; the network handles the others itself.
pub(crate) fn is_for_the_node(header: Header) -> bool {
    !matches!(
        &header,
        b"HEY" | b"ACK" | b"OKY" | b"BYE" | b"PNG" | b"POG" | b"RBH" | b"PEX"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costly_kinds_have_a_limit_and_blocks_have_none() {
        let limits = Limits {
            keys_a_second: 1,
            requests_a_second: 2,
            statuses_a_second: 4,
            answers_a_second: 3,
            ..Limits::default()
        };
        let allowed = |kinds: &[Header]| {
            let limits = MessageLimits::new(&limits);
            let mut kinds = kinds.iter().cycle();
            let limit = || limits.of(*kinds.next().unwrap());
            std::iter::repeat_with(limit)
                .take(5)
                .take_while(|limit| limit.is_none_or(|limit| limit.take().is_ok()))
                .count()
        };
        assert_eq!(allowed(&[*b"KEY"]), 1);
        assert_eq!(allowed(&[*b"RBL"]), 2);
        assert_eq!(allowed(&[*b"STA", *b"EVD"]), 4);
        assert_eq!(allowed(&[*b"BLH", *b"PNG", *b"RBH", *b"PEX"]), 3);
        assert_eq!(allowed(&[*b"BLK", *b"TXN", *b"ABL", *b"ADR", *b"LDR"]), 5);
    }
}
