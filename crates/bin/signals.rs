//! The signals that a server listens to, and what it tells those who wait for it.

use ccoin_home::{DaemonOptions, ExitCode, Failure, announce_ready};
use std::path::Path;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::mpsc,
};

/// What a signal asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    End,
    Reload,
}

/// The signals that a server listens to, and the death of a parent that asked for it.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    orphaned: mpsc::Receiver<()>,
    /// The end came by a signal.
    signalled: bool,
}

impl Signals {
    pub(crate) fn new(daemon: &DaemonOptions) -> Result<Self, Failure> {
        let listen = |kind| {
            signal(kind)
                .map_err(|error| Failure::new(ExitCode::Unexpected, format!("no signals: {error}")))
        };
        // Said once at most.
        let (orphan, orphaned) = mpsc::channel(1);
        daemon.when_stdin_closes(move || {
            // It fails when the server has ended already.
            let _ = orphan.blocking_send(());
        });
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hangup: listen(SignalKind::hangup())?,
            orphaned,
            signalled: false,
        })
    }

    pub(crate) async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.terminate.recv() => self.signalled = true,
            _ = self.interrupt.recv() => self.signalled = true,
            Some(()) = self.orphaned.recv() => {}
            _ = self.hangup.recv() => return Told::Reload,
        }
        Told::End
    }

    /// From now on a second signal to end ends at once: whoever is impatient asks again. A
    /// parent that goes closes standard input as well, before or after its signal.
    pub(crate) fn end_at_once(mut self) {
        tokio::spawn(async move {
            for _ in usize::from(self.signalled)..2 {
                tokio::select! {
                    _ = self.terminate.recv() => {}
                    _ = self.interrupt.recv() => {}
                }
            }
            std::process::exit(ExitCode::Interrupted as i32);
        });
    }
}

/// Tells everybody who waits that the server works: a file, a parent, systemd; the last
/// one again and again if it wants to know.
pub(crate) async fn tell_ready(ready_file: Option<&Path>) {
    if let Some(path) = ready_file
        && let Err(error) = std::fs::write(path, format!("{}\n", std::process::id()))
    {
        tracing::error!("cannot write {}: {error}", path.display());
    }
    announce_ready();
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    let Some(period) = sd_notify::watchdog_enabled() else {
        return;
    };
    loop {
        tokio::time::sleep(period / 2).await;
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Watchdog]);
    }
}
