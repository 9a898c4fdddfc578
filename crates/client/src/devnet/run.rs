//! The life of a network: found, started, shown, obeyed, ended. Whatever happens, no
//! process of it outlives this one.

use std::io::{self, Write};
use std::process;
use std::time::{Duration, Instant};

use ccoin_home::{ExitCode, Failure, environment, load_key};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use super::control::{self, Asked, ORDERS};
use super::layout::Home;
use super::live::{Announcement, LiveDevnet};
use super::network::Network;
use super::process::{DEATHS, Death, last_line};
use super::programs::Programs;
use super::ready_file::ReadyFile;
use super::report::DevnetReport;
use super::{DevnetError, NewDevnet, follower, temporary, traffic};
use crate::signed_txn::now;

/// Runs a network until a signal ends it.
///
/// # Errors
/// [`Failure`] if it cannot be made or started; its processes have ended then.
pub fn run(new: &NewDevnet) -> Result<(), Failure> {
    let ready = ReadyFile::prepare(new.ready_file.as_deref())?;
    let programs = Programs::find()?;
    let home = Home::open(new.data_dir.as_deref())?;
    temporary::sweep();
    // One thread: it waits nearly always, and the cores are for the nodes.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(ExitCode::Unexpected, error.to_string()))?;
    let ending = runtime.block_on(live(programs, &home, new, ready));
    // Keys may still be in the making.
    runtime.shutdown_timeout(Duration::from_secs(1));
    match ending {
        // What went wrong is told in its logs.
        Err(error) if !error.leaves_nothing() => Err(error.into()),
        ending => {
            home.close()?;
            Ok(ending?)
        }
    }
}

async fn live(
    programs: Programs,
    home: &Home,
    new: &NewDevnet,
    ready: ReadyFile,
) -> Result<(), DevnetError> {
    let begun = Instant::now();
    let mut signals = Signals::new()?;
    let (death, mut deaths) = mpsc::channel(DEATHS);
    let mut network = tokio::select! {
        () = signals.end() => return Err(DevnetError::Interrupted),
        founded = Network::found(programs, home, new, death) => founded?,
    };
    let started = tokio::select! {
        biased;
        () = signals.end() => Err(DevnetError::Interrupted),
        Some(death) = deaths.recv() => Err(died_early(&network, death)),
        started = network.start() => started,
    };
    let ending = match started {
        Ok(()) => stay(&mut network, home, new, ready, &mut signals, deaths, begun).await,
        Err(error) => Err(error),
    };
    tokio::select! {
        () = network.stop() => ending,
        // A second signal ends at once; the children see their pipes close.
        () = signals.end() => process::exit(ExitCode::Interrupted as i32),
    }
}

fn died_early(network: &Network, death: Death) -> DevnetError {
    let log = network.log_of(&death.name);
    DevnetError::Ended {
        said: last_line(&log),
        name: death.name,
        how: death.how,
        log,
    }
}

/// Shows a network that is ready and obeys until a signal comes.
async fn stay(
    network: &mut Network,
    home: &Home,
    new: &NewDevnet,
    ready: ReadyFile,
    signals: &mut Signals,
    mut deaths: mpsc::Receiver<Death>,
    begun: Instant,
) -> Result<(), DevnetError> {
    let report = network.report().await?;
    let control = home.layout.control();
    let (order, mut orders) = mpsc::channel::<Asked>(ORDERS);
    tokio::spawn(control::serve(control::open(&control)?, order));
    let announcement = Announcement::prepare(&environment);
    let mut announcement = announcement.unwrap_or_else(|error| unannounced(&error));
    let mut announced = LiveDevnet {
        report,
        pid: process::id(),
        control,
        started: now(),
    };
    announce(&mut announcement, &announced);
    show(new, home, &ready, &announced.report, begun.elapsed())?;
    if !new.json {
        tokio::spawn(follower::follow(network.urls(), say));
    }
    start_traffic(network, new)?;
    loop {
        let asked = tokio::select! {
            biased;
            () = signals.end() => return Ok(()),
            Some(death) = deaths.recv() => {
                if let Some(line) = network.mourn(&death) {
                    tell(new, line);
                }
                None
            }
            Some(asked) = orders.recv() => Some(asked),
        };
        if let Some(Asked { order, outcome }) = asked {
            let obeyed = tokio::select! {
                () = signals.end() => return Ok(()),
                obeyed = network.obey(&order) => obeyed,
            };
            if let Ok(done) = &obeyed {
                tell(new, done.clone());
            }
            // Its sender may be gone.
            let _ = outcome.send(obeyed);
        }
        announced.report.nodes = network.entries();
        announce(&mut announcement, &announced);
    }
}

/// A file that cannot be written is told once, and then there is none.
fn announce(to: &mut Option<Announcement>, live: &LiveDevnet) {
    let written = to.as_ref().map_or(Ok(()), |to| to.write(live));
    if let Err(error) = written {
        *to = unannounced(&error);
    }
}

/// The network is as good as any, only that nobody finds it without being told.
fn unannounced(error: &DevnetError) -> Option<Announcement> {
    complain(format!(
        "warning: other commands do not find this network, name a node with --url: {error}"
    ));
    None
}

fn start_traffic(network: &Network, new: &NewDevnet) -> Result<(), DevnetError> {
    let Some(rate) = new.traffic else {
        return Ok(());
    };
    let keys: Result<Vec<_>, _> = network.accounts().map(|dir| load_key(dir, None)).collect();
    let keys = keys.map_err(|error| DevnetError::Failed(error.into()))?;
    let (urls, genesis_id) = (network.urls(), network.genesis_id);
    tokio::spawn(traffic::send(rate, keys, urls, genesis_id, complain));
    Ok(())
}

/// Says that the network is ready, to people or to programs.
fn show(
    new: &NewDevnet,
    home: &Home,
    ready: &ReadyFile,
    report: &DevnetReport,
    took: Duration,
) -> Result<(), DevnetError> {
    let line = serde_json::to_string(report).expect("texts and numbers can always be written");
    ready.write(&line)?;
    if new.json {
        say(line);
        return Ok(());
    }
    let removed = match home.is_temporary() {
        true => " (removed at the end)",
        false => "",
    };
    say(format!(
        "{report}{removed}\n\nready in {:.1} s; Ctrl-C ends it\n\
         elsewhere: ccoin devnet stop|start|kill NODE\n",
        took.as_secs_f64()
    ));
    Ok(())
}

/// What happens while it runs: programs that read JSON find it on stderr.
fn tell(new: &NewDevnet, line: String) {
    if new.json {
        complain(line);
    } else {
        say(line);
    }
}

/// When stderr is closed nobody wants to know.
fn complain(line: String) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// When stdout is closed nobody wants to know; the network goes on.
fn say(line: String) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{line}");
    let _ = out.flush();
}

/// The signals that end a network.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> Result<Self, DevnetError> {
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

    async fn end(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}
