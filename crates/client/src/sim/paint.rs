//! Colours for the lanes on a terminal.

use std::collections::BTreeSet;

use ccoin_sim::scenario::Report;

/// Ends a colour (ECMA-48, select graphic rendition).
const PLAIN: &str = "\u{1b}[0m";

/// The report with its lanes in colours.
pub(super) fn paint(report: &Report) -> String {
    let lanes: BTreeSet<_> = report.lanes.values().collect();
    lanes.iter().fold(report.to_string(), |text, cells| {
        text.replace(cells.as_str(), &painted(cells))
    })
}

/// Each run of one character in its colour.
fn painted(cells: &str) -> String {
    let mut text = String::new();
    let mut before = None;
    for cell in cells.chars() {
        let colour = colour(cell);
        if before != Some(colour) {
            text.push_str(colour);
            before = Some(colour);
        }
        text.push(cell);
    }
    text + PLAIN
}

fn colour(cell: char) -> &'static str {
    match cell {
        'x' => "\u{1b}[0;31m",
        '/' | '*' => "\u{1b}[0;33m",
        '#' | '=' => "\u{1b}[0;32m",
        _ => "\u{1b}[0;2m",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colour_lasts_until_the_next_one() {
        let expected = "\u{1b}[0;32m##\u{1b}[0;31mx\u{1b}[0;2m.\u{1b}[0m";
        assert_eq!(painted("##x."), expected);
    }
}
