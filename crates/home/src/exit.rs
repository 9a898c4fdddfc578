//! How every binary ends: one exit code per kind of failure and a message of
//! at most five lines that says what happened, why, and what to do next.
//! Never a backtrace, never the debug form of a value.

use std::fmt::{self, Write};
use std::io;
use std::process;

use serde::{Deserialize, Serialize};

/// Lines of a message, the first one included.
pub(crate) const MAX_LINES: usize = 5;

/// The exit codes of all binaries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[repr(u8)]
pub enum ExitCode {
    /// Everything is done.
    Done = 0,
    /// An unforeseen fault.
    Unexpected = 1,
    /// Wrong options.
    Usage = 2,
    /// A bad configuration or genesis.
    BadConfig = 3,
    /// The thing asked for does not exist.
    NotFound = 4,
    /// Cannot connect, or timed out.
    Connect = 5,
    /// The node refused it.
    Refused = 6,
    /// Verification says no.
    No = 7,
    /// Already running; port or data directory in use; something is there already.
    Busy = 8,
    /// The key is locked or the passphrase is wrong.
    Locked = 9,
    /// Bytes that were acknowledged are not on disk as they were written.
    Damaged = 10,
    /// The disk is full, or does not read or write.
    Disk = 11,
    /// Ended by a signal.
    Interrupted = 130,
}

impl From<ExitCode> for process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code as u8)
    }
}

/// Why a binary ends without having done its work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The exit code.
    pub code: ExitCode,
    /// The fault with its values; one line.
    pub message: String,
    /// Why, and the next command; one line each, at most four are shown.
    pub hints: Vec<String>,
}

impl Failure {
    /// A failure without a hint.
    #[must_use]
    pub fn new(code: ExitCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hints: Vec::new(),
        }
    }

    /// The same failure with one more hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The text for people: `error: ...` and the hints, two spaces in, at most five lines.
    #[must_use]
    pub fn report(&self) -> String {
        let mut report = format!("error: {}\n", one_line(&self.message));
        for hint in self.hints.iter().take(MAX_LINES - 1) {
            writeln!(report, "  {}", one_line(hint)).expect("writing to a string cannot fail");
        }
        report
    }

    /// Says it on stderr.
    pub(crate) fn tell(&self) {
        // When stderr is closed only the code says it.
        drop(io::Write::write_all(
            &mut io::stderr(),
            self.report().as_bytes(),
        ));
    }

    fn from_chain(error: &anyhow::Error) -> Self {
        if let Some(failure) = error.downcast_ref::<Self>() {
            return failure.clone();
        }
        let hints = error
            .chain()
            .skip(1)
            .map(|cause| format!("because {cause}"))
            .collect();
        Self {
            code: ExitCode::Unexpected,
            message: error.to_string(),
            hints,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// Runs the work of a binary and turns a failure into its message on stderr and its code.
pub fn run(work: impl FnOnce() -> anyhow::Result<()>) -> process::ExitCode {
    let Err(error) = work() else {
        return ExitCode::Done.into();
    };
    let failure = Failure::from_chain(&error);
    failure.tell();
    failure.code.into()
}

/// Parts of a message may come from a node: nothing in it may steer the terminal.
fn one_line(text: &str) -> String {
    text.lines()
        .map(str::trim_end)
        .collect::<Vec<_>>()
        .join("; ")
        .replace(char::is_control, " ")
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn a_report_has_the_model_form_and_at_most_five_lines() {
        let failure = Failure::new(ExitCode::Busy, "port 4002 on 127.0.0.1 is taken (HTTP API)")
            .hint("cnode wants p2p 4001 and HTTP 4002 (= p2p + 1)")
            .hint("try: cnode -p 0 ...\nor   cnode --http-port 5002 ...");
        assert_eq!(
            failure.report(),
            "error: port 4002 on 127.0.0.1 is taken (HTTP API)\n  \
             cnode wants p2p 4001 and HTTP 4002 (= p2p + 1)\n  \
             try: cnode -p 0 ...; or   cnode --http-port 5002 ...\n"
        );
        let hostile = Failure::new(ExitCode::Refused, "a\u{1b}[2J").hint("b\tc");
        assert_eq!(hostile.report(), "error: a [2J\n  b c\n");
        let long = (0..9).fold(failure, |failure, n| failure.hint(n.to_string()));
        assert_eq!(long.report().lines().count(), 5);
    }

    #[test]
    fn a_failure_keeps_its_code_below_a_context_and_others_are_unexpected() {
        let below = Err::<(), _>(Failure::new(ExitCode::Locked, "the key is locked"))
            .context("while starting")
            .unwrap_err();
        assert_eq!(Failure::from_chain(&below).code, ExitCode::Locked);

        let other = Err::<(), _>(io::Error::other("disk on fire")).context("cannot write x");
        let failure = Failure::from_chain(&other.unwrap_err());
        assert_eq!(failure.code, ExitCode::Unexpected);
        assert_eq!(
            failure.report(),
            "error: cannot write x\n  because disk on fire\n"
        );
    }
}
