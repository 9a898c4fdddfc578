//! Shows people on stderr how far some work is: a bar on a terminal, else a line now and then.
//! It never writes to stdout, and ignores a closed stderr.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Time between two lines in a file or pipe.
const LINES: Duration = Duration::from_secs(10);

/// The progress of one piece of work.
#[derive(Debug)]
pub struct Progress {
    what: String,
    total: u64,
    bar: ProgressBar,
    begun: Instant,
    shown: Instant,
}

impl Progress {
    /// Work of `total` steps that begins now.
    pub(crate) fn new(what: impl Into<String>, total: usize) -> Self {
        Self::begin(what.into(), total as u64, "{human_pos} of {human_len}")
    }

    /// Work on `total` bytes that begins now.
    #[must_use]
    pub fn of_bytes(what: impl Into<String>, total: u64) -> Self {
        let steps = "{binary_bytes} of {binary_total_bytes}";
        Self::begin(what.into(), total, steps)
    }

    fn begin(what: String, total: u64, steps: &str) -> Self {
        let now = Instant::now();
        let template = format!("{{msg}} {{bar:30}} {steps}, {{eta}} left");
        let style = ProgressStyle::with_template(&template).expect("the template is well formed");
        let bar = ProgressBar::new(total).with_style(style);
        let progress = Self {
            bar: bar.with_message(what.clone()),
            what,
            total,
            begun: now,
            shown: now,
        };
        progress.bar.tick();
        progress
    }

    /// Shows the steps done so far.
    pub fn tell(&mut self, done: u64) {
        self.bar.set_position(done);
        if self.bar.is_hidden() && self.shown.elapsed() >= LINES {
            self.shown = Instant::now();
            let percent = done.saturating_mul(100) / self.total.max(1);
            let _ = writeln!(io::stderr(), "{}: {percent} %", self.what);
        }
    }

    /// Shows that the work is over.
    pub fn finish(self) {
        self.bar.finish_and_clear();
        let seconds = self.begun.elapsed().as_secs_f64();
        let _ = writeln!(io::stderr(), "{}: done in {seconds:.1} s", self.what);
    }
}

impl Drop for Progress {
    /// Work that failed leaves no half bar above its error.
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
