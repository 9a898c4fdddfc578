//! The time at which a transfer is due: at once, or at a fixed rate from the start.
//! Latencies count from the due time, so that a slow answer does not hide waiting.

use std::time::Duration;

/// How fast transfers are sent.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pace {
    /// The next array as soon as the last is answered (closed loop).
    Closed,
    /// So many transfers a second, whatever the answers (open loop).
    Open(u32),
}

impl Pace {
    /// Time from the start until the transfer with this index is due; `None`: at once.
    pub(super) fn due(self, index: usize) -> Option<Duration> {
        let Self::Open(rate) = self else { return None };
        let micros = (index as u128 * 1_000_000) / u128::from(rate.max(1));
        Some(Duration::from_micros(
            u64::try_from(micros).unwrap_or(u64::MAX),
        ))
    }

    /// Transfers per array unless the user says otherwise: 500, or what is due in 10 ms.
    pub(super) fn array(self) -> usize {
        match self {
            Self::Closed => 500,
            Self::Open(rate) => (rate as usize / 100).clamp(1, 500),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_loop_keeps_its_rate_without_drift() {
        assert_eq!(Pace::Closed.due(5_000), None);
        let pace = Pace::Open(300);
        assert_eq!(pace.due(0), Some(Duration::ZERO));
        assert_eq!(pace.due(1), Some(Duration::from_micros(3_333)));
        assert_eq!(pace.due(300), Some(Duration::from_secs(1)));
        assert_eq!(pace.due(300 * 86_400), Some(Duration::from_secs(86_400)));
        assert_eq!(Pace::Open(1_000_000).due(1), Some(Duration::from_micros(1)));
    }

    #[test]
    fn arrays_of_an_open_loop_are_small() {
        let sizes = [1, 99, 500, 20_000, 1_000_000].map(|rate| Pace::Open(rate).array());
        assert_eq!(sizes, [1, 1, 5, 200, 500]);
        assert_eq!(Pace::Closed.array(), 500);
    }
}
