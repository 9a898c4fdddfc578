//! Command lines: help and version go out as they are, what is wrong is told in the form
//! of every other failure.

use std::process;

use clap::Parser;
use clap::error::ErrorKind;

use crate::exit::MAX_LINES;
use crate::{ExitCode, Failure};

/// The options of this process. When they are wrong, or ask for help, it ends here.
#[must_use]
pub fn options<P: Parser>() -> P {
    P::try_parse().unwrap_or_else(|error| {
        let help = ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
        if !error.use_stderr() || error.kind() == help {
            error.exit();
        }
        failure(&error.render().to_string()).tell();
        process::exit(ExitCode::Usage as i32);
    })
}

/// The parser's words without its blank lines; of too many, those before the last one,
/// which names the help, are left out.
fn failure(text: &str) -> Failure {
    let mut lines: Vec<_> = text.lines().map(str::trim).collect();
    lines.retain(|line| !line.is_empty());
    let last = lines.len().saturating_sub(1);
    if let Some(surplus) = lines.len().checked_sub(MAX_LINES) {
        lines.drain(last.saturating_sub(surplus)..last);
    }
    let mut lines = lines.into_iter();
    let first = lines.next().unwrap_or("the command line is wrong");
    let message = first.strip_prefix("error: ").unwrap_or(first);
    lines.fold(Failure::new(ExitCode::Usage, message), Failure::hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_most_five_lines_and_the_last_one_names_the_help() {
        let few =
            "error: no '--x'\n\n  tip: '-- --x'\n\nUsage: a [OPTIONS]\n\nFor more, '--help'.\n";
        assert_eq!(
            failure(few).report(),
            "error: no '--x'\n  tip: '-- --x'\n  Usage: a [OPTIONS]\n  For more, '--help'.\n"
        );
        let many = "error: missing\n  <A>\n  <B>\n  <C>\n  <D>\n\nUsage: a\n\nFor more.\n";
        assert_eq!(
            failure(many).report(),
            "error: missing\n  <A>\n  <B>\n  <C>\n  For more.\n"
        );
        assert_eq!(failure("").report().lines().count(), 1);
    }
}
