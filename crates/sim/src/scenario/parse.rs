//! The words of a scenario: `v2@10s..70s`, `v1,v2|v3@10s..70s`, `v1=400ms`, `replay`.

use super::{ATTACKS, Attack, Fault, Planned, Scenario, ScenarioError};
use ccoin_core::genesis_config::GenesisConfig;
use std::time::Duration;

/// A run is at least and at most so long, in ms.
const LEAST_LENGTH_MS: u64 = 1_000;
const MAX_LENGTH_MS: u64 = 3_600_000;

/// A run without faults is so long, and goes on so long behind the last one, in ms and slots.
const LEAST_MS: u64 = 60_000;
const BEHIND_MS: u64 = 30_000;
const BEHIND_SLOTS: u64 = 10;

/// Two validators in one room are so far apart, there and back, in ms.
const RTT_MS: u64 = 20;

/// Greatest distance and clock difference: a day, in ms.
const MAX_MS: u64 = 86_400_000;

/// The options as the user wrote them.
#[derive(Clone, Debug, Default)]
pub struct ScenarioTexts {
    pub kill: Vec<String>,
    pub cut: Vec<String>,
    pub skew: Vec<String>,
    pub attack: Vec<String>,
    pub rtt: Option<String>,
    pub length: Option<String>,
}

impl ScenarioTexts {
    /// The scenario of a network.
    ///
    /// # Errors
    /// [`ScenarioError`] for the first option that cannot be.
    pub fn parse(&self, config: GenesisConfig) -> Result<Scenario, ScenarioError> {
        let validators = config.miners.len();
        let mut faults = Vec::new();
        for text in &self.kill {
            let words = Words::new("--kill", text, validators);
            let fault = Fault::Kill(words.nodes(words.before)?);
            faults.push(words.planned(fault)?);
        }
        for text in &self.cut {
            let words = Words::new("--cut", text, validators);
            faults.push(words.planned(words.sides()?)?);
        }
        for text in &self.skew {
            let words = Words::new("--skew", text, validators);
            let fault = words.clock()?;
            faults.push(words.planned(fault)?);
        }
        let attacks = self.attack.iter();
        let attacks = attacks.map(|text| Words::new("--attack", text, validators).attack());
        let attacks = attacks.collect::<Result<Vec<_>, _>>()?;
        let mut liars: Vec<_> = attacks.iter().flat_map(|(liars, _)| liars).collect();
        liars.sort_unstable();
        if let Some(pair) = liars.windows(2).find(|pair| pair[0] == pair[1]) {
            let text = self.attack.last().cloned().unwrap_or_default();
            let words = Words::new("--attack", &text, validators);
            return Err(words.wrong(format!("v{} lies in two ways", pair[0] + 1)));
        }
        let lies = |index: &usize| attacks.iter().any(|(liars, _)| liars.contains(index));
        if (0..validators).all(|index| lies(&index)) {
            return Err(ScenarioError::NoneHonest);
        }
        let time = |option, text: &Option<String>, default, most| match text {
            None => Ok(default),
            Some(text) => Words::new(option, text, validators).time(text, most),
        };
        let rtt_ms = time("--rtt", &self.rtt, RTT_MS, MAX_MS)?;
        let last = faults
            .iter()
            .map(|planned| planned.until_ms.unwrap_or(planned.from_ms));
        let behind = BEHIND_MS.max(BEHIND_SLOTS * config.consensus.slot_ms);
        let length = (last.max().unwrap_or(0) + behind).clamp(LEAST_MS, MAX_LENGTH_MS);
        let length_ms = time("--for", &self.length, length, MAX_LENGTH_MS)?;
        if length_ms < LEAST_LENGTH_MS {
            let text = self.length.as_deref().unwrap_or_default();
            return Err(Words::new("--for", text, validators).wrong("that is less than a second"));
        }
        let scenario = Scenario {
            config,
            faults,
            attacks,
            rtt_ms,
            length_ms,
        };
        if !scenario.copied().is_empty() && scenario.first_cut().is_none() {
            let text = "copy".to_owned();
            let fault = "the copy starts when a cut begins, and there is no --cut".to_owned();
            return Err(ScenarioError::Form {
                option: "--attack",
                text,
                fault,
            });
        }
        if let Some(late) = scenario.edges().into_iter().find(|edge| *edge >= length_ms) {
            return Err(ScenarioError::Form {
                option: "--for",
                text: self.length.clone().unwrap_or_else(|| "1h".into()),
                fault: format!(
                    "a fault changes after {} s, when the run is over",
                    late / 1_000
                ),
            });
        }
        Ok(scenario)
    }
}

/// One option: what is said before the `@`, and when that holds.
struct Words<'a> {
    option: &'static str,
    text: &'a str,
    before: &'a str,
    span: Option<&'a str>,
    validators: usize,
}

impl<'a> Words<'a> {
    fn new(option: &'static str, text: &'a str, validators: usize) -> Self {
        let (before, span) = match text.split_once('@') {
            Some((before, span)) => (before, Some(span)),
            None => (text, None),
        };
        Self {
            option,
            text,
            before,
            span,
            validators,
        }
    }

    fn wrong(&self, fault: impl Into<String>) -> ScenarioError {
        ScenarioError::Form {
            option: self.option,
            text: self.text.to_owned(),
            fault: fault.into(),
        }
    }

    /// `v1,v2`.
    fn nodes(&self, names: &str) -> Result<Vec<usize>, ScenarioError> {
        let node = |name: &str| {
            let number = name
                .strip_prefix('v')
                .and_then(|number| number.parse::<usize>().ok());
            let index = number.and_then(|number| number.checked_sub(1));
            index
                .filter(|index| *index < self.validators)
                .ok_or_else(|| ScenarioError::Validator {
                    option: self.option,
                    text: self.text.to_owned(),
                    name: name.to_owned(),
                    validators: self.validators,
                })
        };
        names.split(',').map(|name| node(name.trim())).collect()
    }

    /// `v1,v2|v3`.
    fn sides(&self) -> Result<Fault, ScenarioError> {
        let sides = self.before.split('|').map(|side| self.nodes(side));
        let sides = sides.collect::<Result<Vec<_>, _>>()?;
        if sides.len() < 2 {
            return Err(self.wrong("a cut has two sides or more"));
        }
        let mut all: Vec<_> = sides.iter().flatten().collect();
        all.sort_unstable();
        match all.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(self.wrong(format!("v{} stands there twice", pair[0] + 1))),
            None => Ok(Fault::Cut(sides)),
        }
    }

    /// `v1=400ms`.
    fn clock(&self) -> Result<Fault, ScenarioError> {
        let (names, ahead) = self
            .before
            .split_once('=')
            .ok_or_else(|| self.wrong("the time is missing"))?;
        let nodes = self.nodes(names)?;
        let (sign, size) = match ahead.strip_prefix('-') {
            Some(size) => (-1, size),
            None => (1, ahead.strip_prefix('+').unwrap_or(ahead)),
        };
        let size = self.time(size, MAX_MS)?;
        Ok(Fault::Skew(
            nodes,
            sign * i64::try_from(size).unwrap_or(i64::MAX),
        ))
    }

    /// `replay`, or `v1,v2=replay`. Without names the last third lies, one at least.
    fn attack(&self) -> Result<(Vec<usize>, Attack), ScenarioError> {
        let (names, name) = match self.text.split_once('=') {
            Some((names, name)) => (Some(names), name),
            None => (None, self.text),
        };
        let attack = ATTACKS.iter().find(|attack| attack.name == name);
        let attack = attack.cloned().ok_or_else(|| ScenarioError::Attack {
            text: self.text.to_owned(),
        })?;
        let count = (self.validators.saturating_sub(1) / 3).max(1);
        let last = || (self.validators - count..self.validators).collect();
        let liars = names.map_or_else(|| Ok(last()), |names| self.nodes(names))?;
        Ok((liars, attack))
    }

    /// A fault with its time: `10s..70s`, `10s..`, `..70s`, or nothing.
    fn planned(&self, fault: Fault) -> Result<Planned, ScenarioError> {
        let (from, until) = match self.span {
            None => ("", ""),
            Some(span) => {
                let ends = span.split_once("..");
                ends.ok_or_else(|| self.wrong(format!("{span:?} is not from when to when")))?
            }
        };
        let time = |text: &str| match text.trim() {
            "" => Ok(None),
            text => self.time(text, MAX_LENGTH_MS).map(Some),
        };
        let (from_ms, until_ms) = (time(from)?.unwrap_or(0), time(until)?);
        if until_ms.is_some_and(|until| until <= from_ms) {
            return Err(self.wrong("it ends before it begins"));
        }
        Ok(Planned {
            fault,
            from_ms,
            until_ms,
        })
    }

    /// A time with its unit, or in seconds.
    fn time(&self, text: &str, most_ms: u64) -> Result<u64, ScenarioError> {
        let time = match text.parse::<f64>() {
            Ok(seconds) => Duration::try_from_secs_f64(seconds).ok(),
            Err(_) => humantime::parse_duration(text).ok(),
        };
        let time = time.ok_or_else(|| self.wrong(format!("{text:?} is not a time")))?;
        let ms = u64::try_from(time.as_millis()).ok();
        ms.filter(|ms| *ms <= most_ms).ok_or_else(|| {
            let most = humantime::format_duration(Duration::from_millis(most_ms));
            self.wrong(format!("{text} is more than {most}"))
        })
    }
}
