//! A fault of a document and its place.

use std::fmt::Display;

use serde::de;

use crate::{ExitCode, Failure};

/// Characters of a foreign value that a message repeats.
const SHOWN_CHARS: usize = 48;

/// A fault in a document, at a place that an editor can jump to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name}:{line}:{column}: {fault}")]
pub struct JsoncError {
    /// The document, as the caller named it.
    pub name: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The fault, with the value seen.
    pub fault: String,
    /// The remedy, for a line of its own.
    pub advice: String,
}

impl JsoncError {
    /// A fault at the byte `at` of `text`.
    pub(super) fn new(
        name: &str,
        text: &str,
        at: usize,
        fault: impl Display,
        advice: impl Display,
    ) -> Self {
        let before = text.get(..at).unwrap_or(text);
        let line = before.rsplit('\n').next().unwrap_or_default();
        Self {
            name: name.to_owned(),
            line: before.matches('\n').count() + 1,
            column: line.chars().count() + 1,
            fault: fault.to_string(),
            advice: advice.to_string(),
        }
    }
}

impl From<JsoncError> for Failure {
    fn from(error: JsoncError) -> Self {
        Self::new(ExitCode::BadConfig, error.to_string()).hint(error.advice)
    }
}

/// A type reports "`fault`: `advice`"; line 0 until the place is known.
impl de::Error for JsoncError {
    fn custom<T: Display>(error: T) -> Self {
        let error = error.to_string();
        let (fault, advice) = error.split_once(": ").unwrap_or((&error, ""));
        Self {
            line: 0,
            ..Self::new("", "", 0, fault, advice)
        }
    }

    fn missing_field(key: &'static str) -> Self {
        Self::custom(format!("the key \"{key}\" is missing: add \"{key}\""))
    }
}

pub(super) fn lower_first(text: impl Display) -> String {
    let text = text.to_string();
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_lowercase().chain(chars).collect()
    })
}

/// A foreign text, fit for one line of a message.
pub(super) fn shown(text: &str) -> String {
    let mut line: String = text
        .chars()
        .take(SHOWN_CHARS)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if text.chars().nth(SHOWN_CHARS).is_some() {
        line.push_str("...");
    }
    line
}
