//! Why a scenario cannot happen, and what to write instead.

use super::ATTACKS;

/// Why a scenario cannot happen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScenarioError {
    /// Another form is due.
    #[error("{option} {text}: {fault}")]
    Form {
        option: &'static str,
        text: String,
        fault: String,
    },
    /// No such validator.
    #[error("{option} {text}: there is no validator {name:?}")]
    Validator {
        option: &'static str,
        text: String,
        name: String,
        /// How many there are.
        validators: usize,
    },
    /// No such attack.
    #[error("--attack {text}: there is no attack of that name")]
    Attack { text: String },
    /// Everybody lies.
    #[error("every validator would lie: there is no honest one left")]
    NoneHonest,
}

impl ScenarioError {
    /// What to write instead.
    #[must_use]
    pub fn advice(&self) -> String {
        match self {
            Self::Form { option, .. } => match *option {
                "--cut" => "write sides and from when to when: --cut 'v1,v2|v3@10s..70s'".into(),
                "--skew" => {
                    "write how far a clock is ahead: --skew v1=400ms, or v1=-2s@10s..70s".into()
                }
                "--kill" => "write validators and from when to when: --kill v2@10s..70s".into(),
                "--rtt" => "write a time: --rtt 150ms".into(),
                "--attack" => {
                    "write a name, or validators and a name: --attack v1,v2=replay".into()
                }
                _ => "write a time of at most an hour: --for 120s".into(),
            },
            Self::Validator { validators: 1, .. } => "this network has one: v1".into(),
            Self::Validator { validators, .. } => {
                let names: Vec<_> = (1..=*validators)
                    .map(|number| format!("v{number}"))
                    .collect();
                let list = match names.as_slice() {
                    [first, .., last] if names.len() > 12 => format!("{first} to {last}"),
                    _ => names.join(" "),
                };
                format!("this network has {list}, in the order of its genesis file")
            }
            Self::Attack { .. } => {
                let names: Vec<_> = ATTACKS.iter().map(|attack| attack.name).collect();
                format!("there are {}", names.join(", "))
            }
            Self::NoneHonest => "leave one out: --attack v2=replay".into(),
        }
    }
}
