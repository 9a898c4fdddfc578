//! The life of a network: made, started, shown, changed by commands, ended. No process of
//! it outlives this one.

use std::io::{self, Write};
use std::process;
use std::time::{Duration, Instant};

use ccoin_home::{ExitCode, Failure, environment, load_key};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::directory::{Directory, remove_all_abandoned};
use super::end_signals::end_signals;
use super::network::Network;
use super::programs::Programs;
use super::report::DevnetReport;
use super::running::{RunningDevnet, announcement};
use super::{DevnetCommand, NewDevnet, block_line, command, traffic};
use crate::files::{OwnedFile, json};
use crate::signed_txn::now;

/// Time between two looks for processes that have ended.
const LOOK: Duration = Duration::from_millis(100);

/// Runs a network until a signal ends it.
///
/// # Errors
/// [`Failure`] if it cannot be made or started; its processes have ended then.
pub fn run(new: &NewDevnet) -> Result<(), Failure> {
    let ready = new.ready_file.as_deref().map(OwnedFile::prepare);
    let ready = ready.transpose()?;
    let programs = Programs::find()?;
    let directory = Directory::open(new.data_dir.as_deref())?;
    remove_all_abandoned();
    let runtime = crate::runtime()?;
    let ending = runtime.block_on(live(programs, &directory, new, ready));
    // Keys may still be in the making.
    runtime.shutdown_timeout(Duration::from_secs(1));
    match ending.as_ref().map_err(|failure| failure.code) {
        Ok(()) | Err(ExitCode::Interrupted | ExitCode::Usage) => ending.and(directory.close()),
        // The logs in a temporary directory say what failed.
        Err(_) => ending,
    }
}

async fn live(
    programs: Programs,
    directory: &Directory,
    new: &NewDevnet,
    ready: Option<OwnedFile>,
) -> Result<(), Failure> {
    let begun = Instant::now();
    let mut signals = end_signals(new.until_stdin_closes)?;
    let interrupted = || {
        let message = "interrupted before the network was ready";
        Err(Failure::new(ExitCode::Interrupted, message))
    };
    let mut network = tokio::select! {
        _ = signals.recv() => return interrupted(),
        network = Network::open(programs, &directory.layout, new) => network?,
    };
    let started = tokio::select! {
        biased;
        _ = signals.recv() => interrupted(),
        started = network.start() => started,
    };
    let ending = match started {
        Ok(()) => stay(&mut network, directory, new, ready, &mut signals, begun).await,
        Err(failure) => Err(failure),
    };
    tokio::select! {
        () = network.stop() => ending,
        // A second signal ends at once; the children see their pipes close.
        _ = signals.recv() => process::exit(ExitCode::Interrupted as i32),
    }
}

/// Shows a network that is ready and executes commands until a signal comes.
async fn stay(
    network: &mut Network,
    directory: &Directory,
    new: &NewDevnet,
    ready: Option<OwnedFile>,
    signals: &mut mpsc::Receiver<()>,
    begun: Instant,
) -> Result<(), Failure> {
    let mut running = RunningDevnet {
        report: network.report.clone(),
        pid: process::id(),
        control: directory.layout.control(),
        started: now(),
    };
    let control = command::open(&running.control)?;
    let mut announced = announcement(&environment).unwrap_or_else(|failure| unannounced(&failure));
    announce(&mut announced, &running);
    let line = json(&running.report);
    ready
        .as_ref()
        .map_or(Ok(()), |ready| ready.write(&line, 0o644))?;
    if new.json {
        print(line);
    } else {
        let removed = directory.is_temporary().then_some(" (removed at the end)");
        let removed = removed.unwrap_or_default();
        print(format!(
            "{}{removed}\n\nready in {:.1} s; Ctrl-C ends it; in another terminal:\n{}",
            running.report,
            begun.elapsed().as_secs_f64(),
            examples(&running.report, network.manual)
        ));
    }
    let mut printing = print_blocks(network, new);
    start_traffic(network, new)?;
    let mut look = tokio::time::interval(LOOK);
    loop {
        let lines = tokio::select! {
            biased;
            _ = signals.recv() => return Ok(()),
            Ok((stream, _)) = control.accept() => tokio::select! {
                _ = signals.recv() => return Ok(()),
                done = execute(network, stream) => {
                    let done = done.filter(|(command, _)| *command != DevnetCommand::Mine);
                    if let Some((DevnetCommand::Revert { .. }, _)) = done {
                        // The numbers of blocks begin again.
                        printing.abort();
                        printing = print_blocks(network, new);
                    }
                    done.into_iter().map(|(_, line)| line).collect()
                }
            },
            _ = look.tick() => network.take_ended(),
        };
        if lines.is_empty() {
            continue;
        }
        // Programs that read JSON find what happens later on stderr.
        lines
            .into_iter()
            .for_each(if new.json { print_error } else { print });
        running.report.nodes.clone_from(&network.report.nodes);
        announce(&mut announced, &running);
    }
}

/// Prints a line for each block from now on, for people only.
fn print_blocks(network: &Network, new: &NewDevnet) -> JoinHandle<()> {
    let (urls, miners) = (network.urls(), block_line::miners(&network.report));
    let json = new.json;
    tokio::spawn(async move {
        if !json {
            block_line::print_blocks(urls, miners, print).await;
        }
    })
}

/// Executes the command of one caller; returns it and what was done.
async fn execute(network: &mut Network, mut stream: UnixStream) -> Option<(DevnetCommand, String)> {
    let (command, outcome) = match command::receive(&mut stream).await? {
        Ok(command) => {
            let outcome = network.apply(&command).await;
            (Some(command), outcome)
        }
        Err(failure) => (None, Err(failure)),
    };
    command::answer(&mut stream, &outcome).await;
    command.zip(outcome.ok())
}

/// Writes the file of this network; after a failure there is none any more.
fn announce(to: &mut Option<OwnedFile>, running: &RunningDevnet) {
    let written = to.as_ref().map(|file| file.write(&json(running), 0o600));
    if let Some(Err(failure)) = written {
        *to = unannounced(&failure);
    }
}

/// Says once that other commands do not find the network; it runs nevertheless.
fn unannounced(failure: &Failure) -> Option<OwnedFile> {
    print_error(format!(
        "warning: other commands do not find this network, name a node with --url: {failure}"
    ));
    None
}

/// Commands that work as they stand: this program was started under this name.
fn examples(report: &DevnetReport, manual: bool) -> String {
    let program = std::env::args()
        .next()
        .unwrap_or_else(|| "ccoin".to_owned());
    let mut lines = String::new();
    if let [from, to, ..] = report.accounts.as_slice() {
        // Nobody makes the block that it would wait for.
        let no_wait = if manual { " --no-wait" } else { "" };
        lines += &format!("  {program} send {} {} 5{no_wait}\n", from.name, to.name);
        lines += &format!("  {program} balance {}\n", to.name);
    }
    if manual {
        lines += &format!("  {program} devnet mine\n");
    }
    lines += &format!("  {program} watch\n  {program} devnet stop validator-1\n");
    lines
}

fn start_traffic(network: &Network, new: &NewDevnet) -> Result<(), Failure> {
    let Some(rate) = new.traffic else {
        return Ok(());
    };
    let keys: Result<Vec<_>, _> = network.accounts().map(|dir| load_key(&dir, None)).collect();
    let (urls, genesis_id) = (network.urls(), network.report.genesis_id);
    tokio::spawn(traffic::send(rate, keys?, urls, genesis_id, print_error));
    Ok(())
}

/// The network goes on when stdout is closed.
fn print(line: String) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// The network goes on when stderr is closed.
fn print_error(line: String) {
    let _ = writeln!(io::stderr(), "{line}");
}
