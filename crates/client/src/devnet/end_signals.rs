//! What ends a network: signals, and the death of a parent that holds its standard input.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ccoin_home::{ExitCode, Failure, when_stdin_closes};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// Receives each request to end; the second one ends at once.
pub(super) fn end_signals(until_stdin_closes: bool) -> Result<mpsc::Receiver<()>, Failure> {
    let (heard, signals) = mpsc::channel(1);
    let asked = Arc::new(Asked::default());
    if until_stdin_closes {
        let (heard, asked) = (heard.clone(), Arc::clone(&asked));
        when_stdin_closes(move || {
            if asked.by_input() {
                // It fails when the network has ended already.
                let _ = heard.blocking_send(());
            }
        });
    }
    for kind in [
        SignalKind::terminate(),
        SignalKind::interrupt(),
        SignalKind::hangup(),
    ] {
        let failed = |error| Failure::new(ExitCode::Unexpected, format!("no signals: {error}"));
        let mut signal = signal(kind).map_err(failed)?;
        let (heard, asked) = (heard.clone(), Arc::clone(&asked));
        tokio::spawn(async move {
            while signal.recv().await.is_some() {
                if asked.by_signal() && heard.send(()).await.is_err() {
                    return;
                }
            }
        });
    }
    Ok(signals)
}

/// A parent that ends its child closes the input as well, before or after its signal: both
/// together are one request.
#[derive(Default)]
struct Asked {
    at_all: AtomicBool,
    by_signal: AtomicBool,
}

impl Asked {
    /// Is the end of the input a request?
    fn by_input(&self) -> bool {
        !self.at_all.swap(true, Ordering::AcqRel)
    }

    /// Is this signal a request?
    fn by_signal(&self) -> bool {
        let first = !self.by_signal.swap(true, Ordering::AcqRel);
        let known = self.at_all.swap(true, Ordering::AcqRel);
        !(first && known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_and_the_end_of_the_input_are_one_request_in_either_order() {
        let asked = Asked::default();
        assert!(asked.by_signal() && !asked.by_input() && asked.by_signal());
        let asked = Asked::default();
        assert!(asked.by_input() && !asked.by_signal() && asked.by_signal());
    }
}
