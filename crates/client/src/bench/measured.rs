//! The arithmetic of a measurement: counts, rates, percentiles, costs.

use std::time::Duration;

use super::inclusions::Inclusions;
use super::process::{DiskUse, Usage};
use super::report::{Conditions, DiskCost, Latency, NodeCost, Report};
use super::senders::Sent;

/// Use of a resource before and after.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span<T> {
    pub(super) before: T,
    pub(super) after: T,
}

/// The raw data of a run.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) sent: Vec<Sent>,
    pub(super) seen: Inclusions,
    pub(super) encoded_bytes: usize,
    pub(super) node: Option<Span<Usage>>,
    pub(super) generator: Option<Span<Usage>>,
    pub(super) disk: Option<Span<DiskUse>>,
}

impl Measured {
    /// Number of transfers.
    pub(super) fn count(&self) -> usize {
        self.seen.at.len()
    }

    fn first(&self) -> Duration {
        let first = self.sent.iter().map(|sent| sent.at).min();
        first.unwrap_or_default()
    }

    /// From the first submission to the last inclusion.
    pub(super) fn window(&self) -> Duration {
        let last = self.seen.at.iter().flatten().max().copied();
        last.unwrap_or_default().saturating_sub(self.first())
    }

    /// Transfers per second over the whole window.
    pub(super) fn rate(&self) -> f64 {
        per(self.count() as f64, self.window().as_secs_f64())
    }

    /// Computes the report.
    pub(super) fn report(&self, conditions: Conditions) -> Report {
        let count = self.count();
        let blocks = self.seen.block_count();
        let cpu = |span: &Span<Usage>| span.after.cpu.saturating_sub(span.before.cpu);
        Report {
            accepted: self.sent.iter().map(|sent| sent.count).sum(),
            included: self.seen.at.iter().flatten().count(),
            seconds: self.window().as_secs_f64(),
            committed_per_second: self.rate(),
            median_second: self.median_second(),
            latency: latency(self.latencies()),
            blocks,
            mean_block: per(count as f64, blocks as f64),
            node: self.node.as_ref().map(|span| NodeCost {
                cpu_seconds: cpu(span).as_secs_f64(),
                cpu_us_per_transfer: per(cpu(span).as_secs_f64() * 1e6, count as f64),
                rss_kib: span.after.rss_kib,
                peak_rss_kib: span.after.peak_kib,
            }),
            generator_cpu_seconds: self.generator.as_ref().map(|span| cpu(span).as_secs_f64()),
            disk: self
                .disk
                .map(|span| disk_cost(span, count, self.encoded_bytes)),
            conditions,
        }
    }

    fn latencies(&self) -> Vec<Duration> {
        let mut latencies = Vec::with_capacity(self.count());
        for sent in &self.sent {
            let seen = &self.seen.at[sent.first..sent.first + sent.count];
            latencies.extend(seen.iter().flatten().map(|at| at.saturating_sub(sent.at)));
        }
        latencies
    }

    /// The median of the inclusions in each whole second of the window.
    fn median_second(&self) -> Option<usize> {
        let first = self.first();
        let mut seconds = vec![0_usize; usize::try_from(self.window().as_secs()).ok()?];
        for at in self.seen.at.iter().flatten() {
            let second = usize::try_from(at.saturating_sub(first).as_secs()).ok()?;
            if let Some(count) = seconds.get_mut(second) {
                *count += 1;
            }
        }
        seconds.sort_unstable();
        percentile(&seconds, 50).copied()
    }
}

fn disk_cost(span: Span<DiskUse>, count: usize, encoded: usize) -> DiskCost {
    let Span { before, after } = span;
    let apparent = after.apparent as f64 - before.apparent as f64;
    let allocated = after.allocated as f64 - before.allocated as f64;
    DiskCost {
        before,
        after,
        bytes_per_transfer: per(apparent, count as f64),
        per_encoded_byte: per(apparent, encoded as f64),
        allocated_bytes_per_transfer: per(allocated, count as f64),
        allocated_per_encoded_byte: per(allocated, encoded as f64),
    }
}

/// The quotient, 0 without a divisor: JSON has no NaN.
fn per(value: f64, divisor: f64) -> f64 {
    if divisor > 0.0 { value / divisor } else { 0.0 }
}

/// The value at or below which `percent` of the sorted values are (nearest rank).
fn percentile<T>(sorted: &[T], percent: usize) -> Option<&T> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1))
}

fn latency(mut values: Vec<Duration>) -> Latency {
    values.sort_unstable();
    let ms = |value: Option<&Duration>| value.map_or(0.0, |value| value.as_secs_f64() * 1e3);
    Latency {
        p50_ms: ms(percentile(&values, 50)),
        p99_ms: ms(percentile(&values, 99)),
        max_ms: ms(values.last()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::report::tests::conditions;

    #[test]
    fn percentiles_are_nearest_ranks() {
        let values: Vec<_> = (1..=100).collect();
        assert_eq!(percentile(&values, 50), Some(&50));
        assert_eq!(percentile(&values, 99), Some(&99));
        assert_eq!(percentile(&values, 100), Some(&100));
        assert_eq!(percentile(&[7, 8], 50), Some(&7));
        assert_eq!(percentile(&[7, 8], 99), Some(&8));
        assert_eq!(percentile(&[7], 1), Some(&7));
        assert_eq!(percentile::<u8>(&[], 50), None);
    }

    /// Two arrays of 2 sent at 0.5 s and 1 s; included at 1.4, 1.5, 2.4 and 3.6 s.
    fn measured() -> Measured {
        let ms = Duration::from_millis;
        let sent = |first, at| Sent {
            first,
            count: 2,
            at: ms(at),
        };
        let usage = |cpu| Usage {
            cpu: ms(cpu),
            rss_kib: 10,
            peak_kib: 20,
        };
        Measured {
            sent: vec![sent(2, 1_000), sent(0, 500)],
            seen: Inclusions {
                at: [1_400, 1_500, 2_400, 3_600].map(|at| Some(ms(at))).to_vec(),
                blocks: vec![vec![0, 1], vec![], vec![2], vec![3]],
                included: 4,
            },
            encoded_bytes: 2_000,
            node: Some(Span {
                before: usage(1_000),
                after: usage(1_004),
            }),
            generator: None,
            disk: Some(Span {
                before: DiskUse {
                    allocated: 8_192,
                    apparent: 1_000,
                },
                after: DiskUse {
                    allocated: 4_192,
                    apparent: 4_000,
                },
            }),
        }
    }

    #[test]
    fn a_small_run_is_counted_by_hand() {
        let measured = measured();
        assert_eq!(measured.window(), Duration::from_millis(3_100));
        // Whole seconds from 0.5 s on: two, then one, then none; the rest is not whole.
        assert_eq!(measured.median_second(), Some(1));
        assert_eq!(
            latency(measured.latencies()),
            Latency {
                p50_ms: 1_000.0,
                p99_ms: 2_600.0,
                max_ms: 2_600.0
            }
        );
        let report = measured.report(conditions());
        assert_eq!((report.accepted, report.included, report.blocks), (4, 4, 3));
        assert!((report.committed_per_second - 4.0 / 3.1).abs() < 1e-9);
        assert!((report.node.unwrap().cpu_us_per_transfer - 1_000.0).abs() < 1e-9);
        let disk = report.disk.unwrap();
        assert!((disk.bytes_per_transfer - 750.0).abs() < 1e-9);
        assert!((disk.per_encoded_byte - 1.5).abs() < 1e-9);
        assert!((disk.allocated_bytes_per_transfer + 1_000.0).abs() < 1e-9);
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["latency"]["p50_ms"], 1_000.0);
        assert_eq!(json["conditions"]["rate"], 500);
    }
}
