//! Commands to a running network: one line of JSON each way over a unix socket in its
//! directory, which only its owner can open. A failure keeps its words and exit code.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::Path;
use std::time::Duration;

use ccoin_home::{ExitCode, Failure};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

use crate::files::{json, remove, unusable};

/// Longest command, in bytes.
const MAX_COMMAND: u64 = 1 << 10;

/// Longest answer, in bytes: a failure names files, and shows the end of a log.
const MAX_ANSWER: u64 = 64 << 10;

/// Time that a caller gets to send its command.
const RECEIVING: Duration = Duration::from_secs(2);

/// Longest wait for the answer: a node that starts has a minute.
const ANSWERING: Duration = Duration::from_secs(75);

/// Longest path of a socket that every system takes, in bytes.
const MAX_PATH: usize = 100;

/// A change of a network that runs; nodes are named as in the report: `validator-1`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names say it")]
pub enum DevnetCommand {
    /// Ends a node in order.
    Stop { node: String },
    /// Starts it again.
    Start { node: String },
    /// Ends it at once, as a power cut would.
    Kill { node: String },
    /// Cuts these nodes off from all others.
    Partition { nodes: Vec<String> },
    /// Lets all nodes meet again.
    Heal,
    /// Makes one block of a network whose blocks are made by hand; answered with
    /// [`MinedBlock`](super::MinedBlock) as JSON.
    Mine,
    /// Keeps the chains and votes of all nodes under a name.
    Snapshot { name: String },
    /// Puts them back.
    Revert { name: String },
}

/// Calls `act` with the path of a socket; a long path is given in a short form, as a name
/// in a directory that is open in this process.
fn with_short_path<T>(path: &Path, act: impl FnOnce(&Path) -> io::Result<T>) -> io::Result<T> {
    match (path.parent(), path.file_name()) {
        (Some(dir), Some(name)) if path.as_os_str().len() > MAX_PATH => {
            let dir = File::open(dir)?;
            let short = Path::new("/proc/self/fd").join(dir.as_raw_fd().to_string());
            act(&short.join(name))
        }
        _ => act(path),
    }
}

/// Opens the socket of a network, in place of one that a killed network left.
///
/// # Errors
/// [`Failure`] 3 with the reason of the system.
pub(super) fn open(path: &Path) -> Result<UnixListener, Failure> {
    remove(path)?;
    with_short_path(path, |path| UnixListener::bind(path)).map_err(unusable(path))
}

/// Connects to the socket of a network; fails if no network listens.
///
/// # Errors
/// The reason of the system.
pub(super) fn connect(path: &Path) -> io::Result<BlockingStream> {
    with_short_path(path, |path| BlockingStream::connect(path))
}

/// Sends a command and waits until it is executed.
///
/// # Errors
/// The [`Failure`] of the network, or 5 if it does not answer.
pub(super) fn send(path: &Path, command: &DevnetCommand) -> Result<String, Failure> {
    let exchange = || -> io::Result<Result<String, Failure>> {
        let mut stream = connect(path)?;
        stream.set_read_timeout(Some(ANSWERING))?;
        writeln!(stream, "{}", json(command))?;
        let mut answer = String::new();
        BufReader::new(stream.take(MAX_ANSWER)).read_line(&mut answer)?;
        Ok(serde_json::from_str(&answer)?)
    };
    exchange().unwrap_or_else(|error| {
        let message = format!("the devnet at {} does not answer: {error}", path.display());
        Err(Failure::new(ExitCode::Connect, message))
    })
}

/// Reads a command. `None`: the caller sends none in time; it may only look whether the
/// network runs.
pub(super) async fn receive(stream: &mut UnixStream) -> Option<Result<DevnetCommand, Failure>> {
    let mut line = String::new();
    let mut input = tokio::io::BufReader::new(stream.take(MAX_COMMAND));
    let read = tokio::time::timeout(RECEIVING, input.read_line(&mut line)).await;
    read.ok()?.ok()?;
    let text = line.strip_suffix('\n')?;
    Some(serde_json::from_str(text).map_err(|error| {
        let message = format!("the command is not understood: {error}");
        Failure::new(ExitCode::Usage, message)
    }))
}

/// Answers a command.
pub(super) async fn answer(stream: &mut UnixStream, outcome: &Result<String, Failure>) {
    // The caller may have gone.
    let _ = stream
        .write_all(format!("{}\n", json(outcome)).as_bytes())
        .await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[tokio::test]
    async fn a_path_may_be_longer_than_the_address_of_a_socket() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("d".repeat(200));
        fs::create_dir(&deep).unwrap();
        for path in [dir.path().join("control"), deep.join("control")] {
            connect(&path).unwrap_err();
            let _listener = open(&path).unwrap();
            connect(&path).unwrap();
            open(&path).unwrap();
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_command_is_answered_after_callers_that_send_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("control");
        fs::write(&path, "left behind").unwrap();
        let listener = open(&path).unwrap();
        let network = tokio::spawn(async move {
            let refused = Failure::new(ExitCode::Refused, "two\nlines").hint("\"a hint\"");
            let mut outcomes = [Err(refused), Ok("a is stopped".to_owned())].into_iter();
            while outcomes.len() > 0 {
                let (mut stream, _) = listener.accept().await.unwrap();
                let outcome = match receive(&mut stream).await {
                    Some(Ok(_)) => outcomes.next().unwrap(),
                    Some(Err(failure)) => Err(failure),
                    None => continue,
                };
                answer(&mut stream, &outcome).await;
            }
        });
        let caller = tokio::task::spawn_blocking(move || {
            drop(connect(&path).unwrap());
            let mut endless = connect(&path).unwrap();
            endless.write_all(&[b'x'; 1 << 10]).unwrap();
            let mut wrong = connect(&path).unwrap();
            wrong.write_all(b"stop a\n").unwrap();
            let mut said = String::new();
            wrong.read_to_string(&mut said).unwrap();
            assert!(said.contains("not understood"), "{said}");
            let stop = DevnetCommand::Stop {
                node: "a".to_owned(),
            };
            let refused = Failure::new(ExitCode::Refused, "two\nlines").hint("\"a hint\"");
            assert_eq!(send(&path, &stop), Err(refused));
            assert_eq!(send(&path, &stop).unwrap(), "a is stopped");
            let absent = send(Path::new("/nowhere"), &stop).unwrap_err();
            assert_eq!(absent.code, ExitCode::Connect);
        });
        caller.await.unwrap();
        network.await.unwrap();
    }
}
