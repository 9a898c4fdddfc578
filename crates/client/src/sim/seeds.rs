//! The seeds of `--seed`: one, or the first and the last of a range.

use std::str::FromStr;

/// Most runs of one command.
const MAX_RUNS: u64 = 100_000;

/// One seed or more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seeds {
    first: u64,
    last: u64,
}

impl Seeds {
    /// Whether there is one only.
    pub(super) fn is_one(self) -> bool {
        self.first == self.last
    }

    /// All of them, in order.
    pub(super) fn all(self) -> impl Iterator<Item = u64> {
        self.first..=self.last
    }
}

impl FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (first, last) = text.split_once("..").unwrap_or((text, text));
        let seed = |text: &str| text.parse::<u64>().ok();
        let (Some(first), Some(last)) = (seed(first), seed(last)) else {
            return Err("write a whole number, or the first and the last: 1..100".into());
        };
        match last.checked_sub(first) {
            None => Err(format!("the first seed, {first}, is greater than the last")),
            Some(runs) if runs >= MAX_RUNS => Err(format!("at most {MAX_RUNS} runs")),
            Some(_) => Ok(Self { first, last }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_its_first_and_its_last_seed() {
        let all = |text: &str| {
            text.parse::<Seeds>()
                .map(|seeds| seeds.all().collect::<Vec<_>>())
        };
        assert_eq!(all("7"), Ok(vec![7]));
        assert_eq!(all("7..9"), Ok(vec![7, 8, 9]));
        assert!("0..99999".parse::<Seeds>().is_ok());
        for wrong in ["", "x", "3..1", "1..", "..2", "0..100000", "-1"] {
            assert!(wrong.parse::<Seeds>().is_err(), "{wrong}");
        }
    }
}
