//! Shows people on stderr how far some work is: a line that is rewritten on a terminal,
//! else a line now and then. It never writes to stdout, and ignores a closed stderr.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// Time between two lines in a file or pipe.
const LINES: Duration = Duration::from_secs(10);

/// Time between two changes of the line on a terminal.
const CHANGES: Duration = Duration::from_millis(200);

/// The progress of one piece of work.
#[derive(Debug)]
pub(crate) struct Progress {
    what: String,
    total: usize,
    terminal: bool,
    begun: Instant,
    shown: Instant,
}

impl Progress {
    /// Work of `total` steps that begins now.
    pub(crate) fn new(what: impl Into<String>, total: usize) -> Self {
        let now = Instant::now();
        let progress = Self {
            what: what.into(),
            total,
            terminal: io::stderr().is_terminal(),
            begun: now,
            shown: now,
        };
        progress.show(0);
        progress
    }

    /// Shows the steps done, unless it has just shown some.
    pub(crate) fn tell(&mut self, done: usize) {
        let pause = if self.terminal { CHANGES } else { LINES };
        if self.shown.elapsed() >= pause {
            self.shown = Instant::now();
            self.show(done);
        }
    }

    /// Shows that the work is over.
    pub(crate) fn finish(self) {
        if self.terminal {
            self.show(self.total);
            let _ = writeln!(io::stderr());
        } else {
            let seconds = self.begun.elapsed().as_secs_f64();
            let _ = writeln!(io::stderr(), "{}: done in {seconds:.1} s", self.what);
        }
    }

    fn show(&self, done: usize) {
        let (start, end) = if self.terminal {
            ("\r", "")
        } else {
            ("", "\n")
        };
        let (what, total) = (&self.what, self.total);
        let _ = write!(io::stderr(), "{start}{what}: {done} of {total}{end}");
    }
}
