//! Many runs of one scenario: how long it took, and which broke an invariant.

use super::Report;
use serde::Serialize;
use std::fmt;

/// How some times are spread, in ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Spread {
    pub count: usize,
    pub p50_ms: u64,
    pub p99_ms: u64,
    pub max_ms: u64,
}

impl Spread {
    /// The spread of these times; `None`: there are none.
    #[must_use]
    pub fn of(mut times: Vec<u64>) -> Option<Self> {
        times.sort_unstable();
        let max_ms = *times.last()?;
        let rank = |percent: usize| times[(times.len() * percent).div_ceil(100) - 1];
        Some(Self {
            count: times.len(),
            p50_ms: rank(50),
            p99_ms: rank(99),
            max_ms,
        })
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = |ms: u64| ms as f64 / 1_000.0;
        let (p50, p99, max) = (self.p50_ms, self.p99_ms, self.max_ms);
        write!(
            f,
            "p50 {:.2} s, p99 {:.2} s, max {:.2} s",
            seconds(p50),
            seconds(p99),
            seconds(max)
        )
    }
}

/// What a range of seeds has shown.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    pub runs: usize,
    /// Of faults that ended: until all that waited then was final everywhere.
    pub final_after_healing: Option<Spread>,
    /// How many of them did not become final in time.
    pub never_final: usize,
    /// Of kills: until another validator made a block.
    pub next_block: Option<Spread>,
    /// Of payments: until the first honest validator says that it is final.
    pub payment_final: Option<Spread>,
    pub violations: Vec<Violation>,
}

/// A run that broke an invariant.
#[derive(Clone, Debug, Serialize)]
pub struct Violation {
    pub seed: u64,
    pub what: String,
}

impl Summary {
    /// Of some runs of one scenario.
    #[must_use]
    pub fn of(reports: &[Report]) -> Self {
        let faults = || reports.iter().flat_map(|report| &report.faults);
        let healed = faults().filter(|fault| fault.until_ms.is_some());
        let payments = reports
            .iter()
            .flat_map(|report| report.payment_times.iter().copied());
        let violations = reports.iter().filter_map(|report| {
            let what = report.violation.clone()?;
            let seed = report.seed;
            Some(Violation { seed, what })
        });
        Self {
            runs: reports.len(),
            final_after_healing: Spread::of(
                faults().filter_map(|fault| fault.final_after_ms).collect(),
            ),
            never_final: healed
                .filter(|fault| fault.final_after_ms.is_none())
                .count(),
            next_block: Spread::of(faults().filter_map(|fault| fault.next_block_ms).collect()),
            payment_final: Spread::of(payments.collect()),
            violations: violations.collect(),
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line =
            |spread: &Option<Spread>| spread.map_or("-".to_owned(), |spread| spread.to_string());
        let counted = self.final_after_healing.map_or(0, |spread| spread.count);
        writeln!(
            f,
            "final after healing      {}  ({counted} times)",
            line(&self.final_after_healing)
        )?;
        if self.never_final > 0 {
            writeln!(f, "not final after healing  {} times", self.never_final)?;
        }
        writeln!(f, "next block after a death {}", line(&self.next_block))?;
        writeln!(f, "a payment is final after {}", line(&self.payment_final))?;
        write!(
            f,
            "violations               {} of {} runs",
            self.violations.len(),
            self.runs
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_times_that_were_seen() {
        assert_eq!(Spread::of(Vec::new()), None);
        let one = Spread::of(vec![7]).unwrap();
        assert_eq!((one.p50_ms, one.p99_ms, one.max_ms), (7, 7, 7));
        let many = Spread::of((1..=200).rev().collect()).unwrap();
        assert_eq!((many.p50_ms, many.p99_ms, many.max_ms), (100, 198, 200));
        assert_eq!(many.to_string(), "p50 0.10 s, p99 0.20 s, max 0.20 s");
    }
}
