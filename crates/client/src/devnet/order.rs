//! What a running network is told to do with one of its nodes, and what it answers: what
//! failed there fails here, in the same words and with the same exit code.

use std::fmt;
use std::str::FromStr;

use ccoin_home::{ExitCode, Failure};
use serde::{Deserialize, Serialize};

use super::DevnetError;

/// What to do with a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// End it in order.
    Stop,
    /// Start it again.
    Start,
    /// End it at once, as a power cut would.
    Kill,
}

impl Verb {
    fn word(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Start => "start",
            Self::Kill => "kill",
        }
    }
}

/// What to do with which node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// What.
    pub verb: Verb,
    /// The name of the node.
    pub node: String,
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb.word(), self.node)
    }
}

impl FromStr for Order {
    type Err = DevnetError;

    fn from_str(text: &str) -> Result<Self, DevnetError> {
        let wrong = || DevnetError::Order(text.chars().take(60).collect());
        let (verb, node) = text.split_once(' ').ok_or_else(wrong)?;
        let verbs = [Verb::Stop, Verb::Start, Verb::Kill];
        let verb = verbs.into_iter().find(|known| known.word() == verb);
        let verb = verb.ok_or_else(wrong)?;
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if node.is_empty() || !node.chars().all(plain) {
            return Err(wrong());
        }
        let node = node.to_owned();
        Ok(Self { verb, node })
    }
}

/// What was done, or why it was not.
pub(super) type Outcome = Result<String, DevnetError>;

/// The outcome as it is sent.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Answer {
    Done {
        done: String,
    },
    Failed {
        code: u8,
        message: String,
        hints: Vec<String>,
    },
}

impl Answer {
    /// As the network sends it.
    pub(super) fn of(outcome: Outcome) -> Self {
        match outcome.map_err(Failure::from) {
            Ok(done) => Self::Done { done },
            Err(failure) => Self::Failed {
                code: failure.code as u8,
                message: failure.message,
                hints: failure.hints,
            },
        }
    }

    /// One line of JSON.
    pub(super) fn line(&self) -> String {
        let line = serde_json::to_string(self).expect("texts and numbers can always be written");
        format!("{line}\n")
    }

    /// As whoever gave the order is told.
    pub(super) fn outcome(self) -> Outcome {
        match self {
            Self::Done { done } => Ok(done),
            Self::Failed {
                code,
                message,
                hints,
            } => Err(DevnetError::Failed(Failure {
                code: exit_code(code),
                message,
                hints,
            })),
        }
    }
}

/// The exit code with this number; one that is not known is not expected.
fn exit_code(number: u8) -> ExitCode {
    let known = [
        ExitCode::Usage,
        ExitCode::BadConfig,
        ExitCode::NotFound,
        ExitCode::Connect,
        ExitCode::Refused,
        ExitCode::No,
        ExitCode::Busy,
        ExitCode::Locked,
        ExitCode::Interrupted,
    ];
    let code = known.into_iter().find(|code| *code as u8 == number);
    code.unwrap_or(ExitCode::Unexpected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_a_verb_and_a_name() {
        for text in ["stop validator-1", "start basic-2", "kill x"] {
            assert_eq!(text.parse::<Order>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "stop",
            "stop ",
            "halt x",
            "stop a b",
            "stop ../x",
            "STOP x",
        ] {
            assert!(text.parse::<Order>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_answer_keeps_its_code_and_every_word() {
        let done = Answer::of(Ok("a is stopped".to_owned()));
        assert_eq!(done.line(), "{\"done\":\"a is stopped\"}\n");
        for code in [ExitCode::BadConfig, ExitCode::Locked, ExitCode::Unexpected] {
            let failure = Failure::new(code, "two\nlines").hint("\"a hint\"");
            let line = Answer::of(Err(failure.clone().into())).line();
            assert_eq!(line.lines().count(), 1);
            let heard: Answer = serde_json::from_str(&line).unwrap();
            assert_eq!(Failure::from(heard.outcome().unwrap_err()), failure);
        }
    }
}
