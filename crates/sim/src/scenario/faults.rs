//! Faults of a scenario: what happens to which validators, and from when to when.

use super::Scenario;

/// What happens to validators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// These have no process.
    Kill(Vec<usize>),
    /// Validators of different sides do not reach each other; those on no side reach all.
    Cut(Vec<Vec<usize>>),
    /// The wall clocks of these are so many ms ahead.
    Skew(Vec<usize>, i64),
}

/// A fault and its time, in ms after the beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    pub fault: Fault,
    pub from_ms: u64,
    /// `None`: it stays.
    pub until_ms: Option<u64>,
}

impl Planned {
    pub(crate) fn holds_at(&self, ms: u64) -> bool {
        self.from_ms <= ms && self.until_ms.is_none_or(|until| ms < until)
    }
}

impl Scenario {
    fn at(&self, ms: u64) -> impl Iterator<Item = &Planned> {
        self.faults
            .iter()
            .filter(move |planned| planned.holds_at(ms))
    }

    /// Validators whose keys are on second machines: those are the nodes behind the validators.
    pub(crate) fn copied(&self) -> Vec<usize> {
        let copies = self.attacks.iter().filter(|(_, attack)| attack.is_copy());
        copies
            .flat_map(|(liars, _)| liars.iter().copied())
            .collect()
    }

    /// All nodes.
    pub(crate) fn nodes(&self) -> usize {
        self.validators() + self.copied().len()
    }

    /// The name of a node.
    pub(crate) fn name(&self, index: usize) -> String {
        match index.checked_sub(self.validators()) {
            None => format!("v{}", index + 1),
            Some(copy) => format!("v{}b", self.copied()[copy] + 1),
        }
    }

    /// When the first cut begins.
    pub(crate) fn first_cut(&self) -> Option<u64> {
        let cuts = self.faults.iter();
        let cuts = cuts.filter(|planned| matches!(planned.fault, Fault::Cut(_)));
        cuts.map(|planned| planned.from_ms).min()
    }

    /// The side of a cut on which a node is: a second machine stands on the last one, where its
    /// first is not.
    fn side(&self, sides: &[Vec<usize>], index: usize) -> Option<usize> {
        if index >= self.validators() {
            return sides.len().checked_sub(1);
        }
        let named = sides.iter().position(|side| side.contains(&index));
        named.or_else(|| self.copied().contains(&index).then_some(0))
    }

    /// Whether a node has no process.
    pub(crate) fn is_dead(&self, index: usize, ms: u64) -> bool {
        if index >= self.validators() {
            return self.first_cut().is_none_or(|first| ms < first);
        }
        self.at(ms)
            .any(|planned| matches!(&planned.fault, Fault::Kill(nodes) if nodes.contains(&index)))
    }

    /// Whether two nodes do not reach each other.
    pub(crate) fn is_cut(&self, [a, b]: [usize; 2], ms: u64) -> bool {
        self.at(ms).any(|planned| match &planned.fault {
            Fault::Cut(sides) => {
                let ends = self.side(sides, a).zip(self.side(sides, b));
                ends.is_some_and(|(a, b)| a != b)
            }
            Fault::Kill(_) | Fault::Skew(..) => false,
        })
    }

    /// Whether a node is cut off from any other.
    pub(crate) fn is_apart(&self, index: usize, ms: u64) -> bool {
        self.at(ms).any(|planned| match &planned.fault {
            Fault::Cut(sides) => self.side(sides, index).is_some(),
            Fault::Kill(_) | Fault::Skew(..) => false,
        })
    }

    /// How far a validator's clock is ahead, in ms.
    pub(crate) fn skew(&self, index: usize, ms: u64) -> i64 {
        let ahead = self.at(ms).map(|planned| match &planned.fault {
            Fault::Skew(nodes, ahead) if nodes.contains(&index) => *ahead,
            _ => 0,
        });
        ahead.sum()
    }

    /// How far the slowest clock is behind at most: a negative number of ms, or 0.
    pub(crate) fn most_behind(&self) -> i64 {
        let edges = self.edges().into_iter();
        let all =
            edges.flat_map(|ms| (0..self.validators()).map(move |index| self.skew(index, ms)));
        all.min().unwrap_or(0).min(0)
    }

    /// The moments at which faults begin or end.
    pub(crate) fn edges(&self) -> Vec<u64> {
        let ends = self.faults.iter().filter_map(|planned| planned.until_ms);
        let mut edges: Vec<_> = ends
            .chain(self.faults.iter().map(|planned| planned.from_ms))
            .collect();
        edges.push(0);
        edges.sort_unstable();
        edges.dedup();
        edges
    }

    /// How a validator lies.
    pub(crate) fn attack_of(&self, index: usize) -> Option<&super::Attack> {
        let found = self
            .attacks
            .iter()
            .find(|(liars, _)| liars.contains(&index));
        found.map(|(_, attack)| attack)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ccoin_core::{Address, genesis_config::GenesisConfig};

    #[test]
    fn those_on_no_side_of_a_cut_reach_both_and_faults_end_when_they_say() {
        let planned = |fault, until_ms| Planned {
            fault,
            from_ms: 10,
            until_ms,
        };
        let scenario = Scenario {
            config: GenesisConfig::new(1, vec![Address::ZERO; 4]),
            faults: vec![
                planned(Fault::Cut(vec![vec![0, 1], vec![2]]), Some(20)),
                planned(Fault::Kill(vec![1]), None),
                planned(Fault::Skew(vec![0], -5), Some(20)),
                planned(Fault::Skew(vec![0], 7), Some(30)),
            ],
            attacks: Vec::new(),
            rtt_ms: 20,
            length_ms: 100,
        };
        let cut = |a, b, ms| scenario.is_cut([a, b], ms);
        assert!(cut(0, 2, 10) && cut(2, 1, 19) && !cut(0, 2, 9) && !cut(0, 2, 20));
        assert!(!cut(0, 1, 15) && !cut(3, 0, 15) && !cut(3, 2, 15));
        assert!(scenario.is_dead(1, 99) && !scenario.is_dead(1, 9) && !scenario.is_dead(0, 15));
        assert!(scenario.is_apart(2, 15) && !scenario.is_apart(3, 15));
        assert_eq!([9, 10, 20, 30].map(|ms| scenario.skew(0, ms)), [0, 2, 7, 0]);
        assert_eq!(scenario.edges(), [0, 10, 20, 30]);
        assert_eq!(scenario.most_behind(), 0);
    }
}
