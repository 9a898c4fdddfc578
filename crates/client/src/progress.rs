//! Tells people on stderr how far something is: a line that is rewritten on a
//! terminal, else a line now and then. Never says anything on stdout.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// Time between two lines in a file or pipe.
const LINES: Duration = Duration::from_secs(10);

/// Time between two changes of the line on a terminal.
const CHANGES: Duration = Duration::from_millis(200);

/// How far one piece of work is.
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

    /// Shows the steps done, but not too often.
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
            write(b"\n");
        } else {
            let seconds = self.begun.elapsed().as_secs_f64();
            write(format!("{}: done in {seconds:.1} s\n", self.what).as_bytes());
        }
    }

    fn show(&self, done: usize) {
        let (what, total) = (&self.what, self.total);
        let line = if self.terminal {
            format!("\r{what}: {done} of {total}")
        } else {
            format!("{what}: {done} of {total}\n")
        };
        write(line.as_bytes());
    }
}

/// When stderr is closed nobody wants to know.
fn write(bytes: &[u8]) {
    let _ = io::stderr().write_all(bytes);
}
