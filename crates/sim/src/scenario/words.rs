//! Times and lines for a terminal.

/// Columns of a line.
const WIDTH: usize = 80;

/// Seconds with as many decimals as a reader can use.
pub(super) fn seconds(ms: u64) -> String {
    let seconds = ms as f64 / 1_000.0;
    if ms < 1_000 {
        format!("{seconds:.2} s")
    } else {
        format!("{seconds:.1} s")
    }
}

/// A text in lines of at most 80 columns, the later ones behind `indent` spaces.
pub(super) fn wrapped(text: &str, indent: usize) -> String {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.last_mut().expect("there is one");
        if !last.trim().is_empty() && last.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push(format!("{}{word}", " ".repeat(indent)));
        } else {
            if !last.is_empty() {
                last.push(' ');
            }
            last.push_str(word);
        }
    }
    lines.join("\n")
}
