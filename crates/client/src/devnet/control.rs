//! Orders to a running network: one line in, one line of JSON back, over a unix socket in
//! its directory, which is for its owner alone.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;
use tokio::sync::{mpsc, oneshot};

use super::DevnetError;
use super::layout::file_error;
use super::live::LiveDevnet;
use super::order::{Answer, Order, Outcome};

/// Longest order, in bytes.
const MAX_ORDER: u64 = 128;

/// Longest answer, in bytes: a failure names files, and says what a log says.
const MAX_ANSWER: u64 = 64 << 10;

/// How long somebody who connects may take to give an order.
const SPEAKING: Duration = Duration::from_secs(2);

/// How long an order may take: a node that starts has a minute.
const OBEYING: Duration = Duration::from_secs(75);

/// Orders that wait: one is obeyed at a time, and its sender waits for the answer.
pub(super) const ORDERS: usize = 1;

/// An order and who waits for its outcome.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) order: Order,
    pub(super) outcome: oneshot::Sender<Outcome>,
}

/// Longest path of a socket that every system takes, in bytes.
const MAX_PATH: usize = 100;

/// Does something with the path of a socket; a long one is told in a short way, as the
/// name in a directory that is open here.
fn at<T>(path: &Path, act: impl FnOnce(&Path) -> io::Result<T>) -> io::Result<T> {
    let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else {
        return act(path);
    };
    if path.as_os_str().len() <= MAX_PATH {
        return act(path);
    }
    let dir = File::open(dir)?;
    let short = Path::new("/proc/self/fd").join(dir.as_raw_fd().to_string());
    act(&short.join(name))
}

/// Opens a connection to the process that takes orders there.
///
/// # Errors
/// What the system says.
pub(super) fn connect(path: &Path) -> io::Result<UnixStream> {
    at(path, |path| UnixStream::connect(path))
}

/// Opens the socket; one of a process that was killed is replaced.
///
/// # Errors
/// [`DevnetError::File`] with what the system says.
pub(super) fn open(path: &Path) -> Result<UnixListener, DevnetError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(file_error(path)(error)),
        _ => {}
    }
    at(path, |path| UnixListener::bind(path)).map_err(file_error(path))
}

/// Takes orders until nobody obeys any more.
pub(super) async fn serve(listener: UnixListener, orders: mpsc::Sender<Asked>) {
    while !orders.is_closed() {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, perhaps: not for long.
            tokio::time::sleep(SPEAKING).await;
            continue;
        };
        let (input, mut output) = stream.into_split();
        let mut line = String::new();
        let mut input = tokio::io::BufReader::new(input.take(MAX_ORDER));
        let heard = tokio::time::timeout(SPEAKING, input.read_line(&mut line)).await;
        // Whoever only looks whether somebody listens says nothing.
        let (Ok(Ok(_)), Some(text)) = (heard, line.strip_suffix('\n')) else {
            continue;
        };
        let outcome = match text.parse() {
            Ok(order) => obeyed(order, &orders).await,
            Err(error) => Err(error),
        };
        // Its sender may be gone.
        let _ = output
            .write_all(Answer::of(outcome).line().as_bytes())
            .await;
    }
}

async fn obeyed(order: Order, orders: &mpsc::Sender<Asked>) -> Outcome {
    let ends = |_| DevnetError::Refused("the network is ending".to_owned());
    let (outcome, obeyed) = oneshot::channel();
    let asked = Asked { order, outcome };
    orders.send(asked).await.map_err(|_| ends(()))?;
    obeyed.await.map_err(|_| ends(()))?
}

/// Gives an order to a running network and waits until it is done.
///
/// # Errors
/// [`DevnetError::Failed`] as it failed there, [`DevnetError::Mute`] without an answer.
pub fn tell(live: &LiveDevnet, order: &Order) -> Result<String, DevnetError> {
    let mute = |reason: String| DevnetError::Mute {
        pid: live.pid,
        reason,
    };
    let ask = || {
        let mut stream = connect(&live.control)?;
        stream.set_read_timeout(Some(OBEYING))?;
        stream.write_all(format!("{order}\n").as_bytes())?;
        let mut answer = String::new();
        BufReader::new(stream.take(MAX_ANSWER)).read_line(&mut answer)?;
        Ok(answer)
    };
    let answer = ask().map_err(|error: io::Error| mute(error.to_string()))?;
    match serde_json::from_str::<Answer>(&answer) {
        Ok(answer) => answer.outcome(),
        Err(_) => Err(mute(format!("it said {:?}", answer.trim_end()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::devnet::order::Verb;
    use crate::devnet::report::tests::example;
    use ccoin_core::Timestamp;
    use ccoin_home::{ExitCode, Failure};

    #[tokio::test]
    async fn a_path_may_be_longer_than_the_address_of_a_socket() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("d".repeat(200));
        fs::create_dir(&deep).unwrap();
        for path in [dir.path().join("control"), deep.join("control")] {
            connect(&path).unwrap_err();
            let _listener = open(&path).unwrap();
            connect(&path).unwrap();
            // One that is left behind is replaced.
            open(&path).unwrap();
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn an_order_is_answered_and_silence_or_nonsense_stops_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("control");
        fs::write(&path, "left behind").unwrap();
        let (order, mut orders) = mpsc::channel::<Asked>(ORDERS);
        tokio::spawn(serve(open(&path).unwrap(), order));
        tokio::spawn(async move {
            while let Some(asked) = orders.recv().await {
                let outcome = match asked.order.verb {
                    Verb::Stop => Ok(format!("{} is stopped", asked.order.node)),
                    Verb::Kill => Err(DevnetError::Refused("not that".to_owned())),
                    Verb::Start => Err(DevnetError::Ended {
                        name: asked.order.node,
                        how: "exit status: 3".to_owned(),
                        log: "/d/log".into(),
                        said: "error: no".to_owned(),
                    }),
                };
                asked.outcome.send(outcome).unwrap();
            }
        });
        let live = LiveDevnet {
            report: example(),
            pid: 7,
            control: path.clone(),
            started: Timestamp::ZERO,
        };
        let client = tokio::task::spawn_blocking(move || {
            drop(UnixStream::connect(&path).unwrap());
            let mut endless = UnixStream::connect(&path).unwrap();
            endless.write_all(&[b'x'; 1 << 10]).unwrap();
            let order = |text: &str| text.parse::<Order>().unwrap();
            assert_eq!(tell(&live, &order("stop a")).unwrap(), "a is stopped");
            let failed = |text: &str| Failure::from(tell(&live, &order(text)).unwrap_err());
            assert_eq!(
                failed("kill a"),
                Failure::new(ExitCode::Refused, "not that")
            );
            let message = "a ended before it was ready: exit status: 3";
            let failure = Failure::new(ExitCode::Unexpected, message);
            let failure = failure.hint("error: no").hint("log: /d/log");
            assert_eq!(failed("start a"), failure);
            let wrong = Order {
                verb: Verb::Stop,
                node: "a b".to_owned(),
            };
            let error = Failure::from(tell(&live, &wrong).unwrap_err());
            assert_eq!(error.code, ExitCode::Usage);
            let gone = LiveDevnet {
                control: "/nowhere".into(),
                ..live
            };
            assert!(matches!(
                tell(&gone, &order("stop a")),
                Err(DevnetError::Mute { pid: 7, .. })
            ));
        });
        client.await.unwrap();
    }
}
