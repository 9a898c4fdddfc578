//! The signals that a server listens to, and what it tells those who wait for it.

use ccoin_home::{ExitCode, Failure, announce_ready};
use std::path::Path;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a signal asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    End,
    Reload,
}

/// The signals that a server listens to.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    pub(crate) fn new() -> Result<Self, Failure> {
        let listen = |kind| {
            signal(kind)
                .map_err(|error| Failure::new(ExitCode::Unexpected, format!("no signals: {error}")))
        };
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    pub(crate) async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.terminate.recv() => Told::End,
            _ = self.interrupt.recv() => Told::End,
            _ = self.hangup.recv() => Told::Reload,
        }
    }

    /// From now on a signal to end ends at once: whoever is impatient asks a second time.
    pub(crate) fn end_at_once(mut self) {
        tokio::spawn(async move {
            while self.next().await != Told::End {}
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
