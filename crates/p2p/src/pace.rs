//! How many messages of the costly kinds one peer may send in a second; beyond that it
//! is not read for the rest of it. Pure: time comes in, and nobody is blamed.

use crate::{limits::Limits, window::Window};
use ccoin_core::message::Header;
use std::time::{Duration, Instant};

/// All kinds are counted within this time.
const SECOND: Duration = Duration::from_secs(1);

/// Kinds that share a bound.
#[derive(Debug)]
struct Bound {
    window: Window,
    most: u32,
}

impl Bound {
    fn new(most: u32) -> Self {
        Self {
            window: Window::new(SECOND),
            most: most.max(1),
        }
    }

    fn count(&mut self, now: Instant) -> Option<Instant> {
        (self.window.count(now) > self.most).then(|| self.window.end(now))
    }
}

/// What has come from one peer.
#[derive(Debug)]
pub(crate) struct Pace {
    answers: Bound,
    keys: Bound,
    requests: Bound,
}

impl Pace {
    /// Nothing has come.
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            answers: Bound::new(limits.answers_a_second),
            keys: Bound::new(limits.keys_a_second),
            requests: Bound::new(limits.requests_a_second),
        }
    }

    /// One more; if it is one too many, when to ask again.
    pub(crate) fn count(&mut self, header: Header, now: Instant) -> Option<Instant> {
        match &header {
            b"KEY" => self.keys.count(now),
            b"RBL" => self.requests.count(now),
            b"BLH" => self.answers.count(now),
            _ if is_for_the_node(header) => None,
            _ => self.answers.count(now),
        }
    }
}

/// Everything that the network does not handle itself.
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
    fn each_kind_has_its_bound_and_blocks_have_none() {
        let start = Instant::now();
        let later = start + SECOND;
        for (kinds, most) in [
            (&[*b"KEY"][..], 10),
            (&[*b"RBL"][..], 100),
            (&[*b"BLH", *b"PNG", *b"RBH", *b"PEX"][..], 1000),
        ] {
            let mut pace = Pace::new(&Limits::default());
            let mut kinds = kinds.iter().copied().cycle();
            let mut next = || kinds.next().unwrap();
            for _ in 0..most {
                assert_eq!(pace.count(next(), start), None);
            }
            assert_eq!(pace.count(next(), start), Some(later));
            assert_eq!(pace.count(next(), later), None);
            for header in [*b"BLK", *b"TXN", *b"ABL", *b"FIN"] {
                for _ in 0..2000 {
                    assert_eq!(pace.count(header, start), None);
                }
            }
        }
    }
}
