//! The answer no: which of the eight steps failed, and how.

use core::fmt;

/// The first step that fails.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("step {step} ({}): got {got}, expected {expected}", self.word())]
pub struct Refused {
    /// 1 to 8.
    pub step: u8,
    /// What the receipt says or gives.
    pub got: String,
    /// What it must be.
    pub expected: String,
}

impl Refused {
    pub(super) fn at(step: u8) -> impl Fn(&dyn fmt::Display, &dyn fmt::Display) -> Self {
        move |got, expected| Self {
            step,
            got: got.to_string(),
            expected: expected.to_string(),
        }
    }

    /// What the step is about.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self.step {
            1 => "form",
            2 => "genesis",
            3 => "headers",
            4 => "document",
            5 => "transaction",
            6 => "inclusion",
            7 => "account",
            _ => "certificate",
        }
    }
}
