//! The signals that a server listens to, and its reports to a parent and to systemd.

use ccoin_home::{DaemonOptions, ExitCode, Failure, PidFile, announce_ready};
use sd_notify::NotifyState;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::mpsc,
};

/// The request that a signal stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignalEvent {
    Stop,
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
        // At most one message is ever sent.
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

    pub(crate) async fn next(&mut self) -> SignalEvent {
        tokio::select! {
            _ = self.terminate.recv() => self.signalled = true,
            _ = self.interrupt.recv() => self.signalled = true,
            Some(()) = self.orphaned.recv() => {}
            _ = self.hangup.recv() => return SignalEvent::Reload,
        }
        SignalEvent::Stop
    }

    /// From now on a second signal ends the process at once. A parent that ends closes
    /// standard input as well, before or after its signal.
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

/// Tells systemd that the process lives, if it wants to know, from now to the end of the
/// runtime. A node may wait for days before it is ready.
pub(crate) fn feed_watchdog() {
    let Some(period) = sd_notify::watchdog_enabled() else {
        return;
    };
    tokio::spawn(async move {
        loop {
            tell_systemd(NotifyState::Watchdog);
            tokio::time::sleep(period / 2).await;
        }
    });
}

/// Tells a file, a parent and systemd that the server at these `addresses` works.
pub(crate) fn tell_ready(ready_file: &PidFile, addresses: &str) {
    if let Err(error) = ready_file.write() {
        tracing::error!("{error}");
    }
    tell_started("ready", addresses);
}

/// Tells a parent and systemd that the start is over, and how it stands.
pub(crate) fn tell_started(status: &str, addresses: &str) {
    announce_ready(&format!("{status}, {addresses}"));
    tell_systemd(NotifyState::Status(status));
    tell_systemd(NotifyState::Ready);
}

/// Tells systemd that the end has begun.
pub(crate) fn tell_stopping() {
    tell_systemd(NotifyState::Stopping);
}

/// Without systemd it does nothing.
fn tell_systemd(state: NotifyState<'_>) {
    // A manager that does not listen any more is no reason to end.
    let _ = sd_notify::notify(&[state]);
}
