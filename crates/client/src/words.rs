//! Words of the tables and lines for people.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Most characters of a text from a chain that a line shows.
const MAX_TEXT: usize = 200;

/// `1 transaction`, `2 transactions`.
pub(crate) fn count(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// A text of a node for a terminal: only lines, no other control character.
#[must_use]
pub fn plain(text: &str) -> Cow<'_, str> {
    let harmful = |c: char| c.is_control() && c != '\n';
    if text.contains(harmful) {
        return text.replace(harmful, "\u{fffd}").into();
    }
    text.into()
}

/// A text from a chain in quotes: nothing in it can move the cursor or change a colour.
pub(crate) fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for character in text.chars().take(MAX_TEXT) {
        write!(quoted, "{}", character.escape_debug()).expect("writing to a string cannot fail");
    }
    let cut = text.chars().nth(MAX_TEXT).map_or("", |_| "...");
    quoted + cut + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_singular_and_a_text_stays_text() {
        assert_eq!(count(1, "transaction"), "1 transaction");
        assert_eq!(count(0, "block"), "0 blocks");
        assert_eq!(
            quoted("a\u{1b}[31m\n\u{202e}é"),
            r#""a\u{1b}[31m\n\u{202e}é""#
        );
        assert_eq!(plain("a\u{1b}[2J\nb\u{7}"), "a\u{fffd}[2J\nb\u{fffd}");
        assert_eq!(quoted(&"x".repeat(201)).len(), 205);
    }
}
