//! A child process that ends with its parent: it reads from a pipe whose other end only
//! the parent holds, and ends when that end closes, on purpose or by a kill -9. Ctrl-C
//! does not reach it: it has a process group of its own.

use std::env;
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout_at;

use super::DevnetError;

/// How long a process may take to end in order, as every server promises.
pub(super) const STOPPING: Duration = Duration::from_secs(5);

/// Bytes at the end of a log in which its last line is looked for.
const TAIL: u64 = 4 << 10;

/// Deaths that wait to be heard: more than there are processes.
pub(super) const DEATHS: usize = 64;

/// A process has ended.
#[derive(Clone, Debug)]
pub(super) struct Death {
    /// The name of the process.
    pub(super) name: String,
    /// Its number.
    pub(super) pid: u32,
    /// How it ended.
    pub(super) how: String,
}

/// A running child, or one that has ended and is still to be looked at.
#[derive(Debug)]
pub(super) struct Process {
    pid: u32,
    lifeline: Option<ChildStdin>,
    kill: Option<oneshot::Sender<()>>,
    ended: watch::Receiver<Option<String>>,
}

/// A command that hears nothing from the environment but what is meant for all: settings
/// of this shell's own node must not reach the nodes of a network.
pub(super) fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    let names = env::vars_os().map(|(name, _)| name);
    for name in names.filter(|name| name.to_string_lossy().starts_with("CCOIN_")) {
        command.env_remove(name);
    }
    // A supervisor that watches this process must not hear from its children.
    for name in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"] {
        command.env_remove(name);
    }
    command.kill_on_drop(true);
    command
}

impl Process {
    /// Starts a process whose output goes to the file `log`; `deaths` hears of its end.
    ///
    /// # Errors
    /// [`DevnetError::Spawn`], or [`DevnetError::File`] for the log.
    pub(super) fn spawn(
        name: &str,
        mut command: Command,
        log: &Path,
        deaths: mpsc::Sender<Death>,
    ) -> Result<Self, DevnetError> {
        let open = || {
            let file = OpenOptions::new()
                .append(true)
                .create(true)
                .mode(0o600)
                .open(log)?;
            Ok((file.try_clone()?, file))
        };
        let (out, err) = open().map_err(super::layout::file_error(log))?;
        let mut child = command
            .arg("--until-stdin-closes")
            .stdin(Stdio::piped())
            .stdout(out)
            .stderr(err)
            .process_group(0)
            .spawn()
            .map_err(|source| DevnetError::Spawn {
                program: PathBuf::from(command.as_std().get_program()),
                source,
            })?;
        let pid = child
            .id()
            .expect("a child that nobody waited for has a number");
        let lifeline = child.stdin.take();
        let (end, ended) = watch::channel(None);
        let (kill, killed) = oneshot::channel();
        let name = name.to_owned();
        tokio::spawn(async move {
            let how = outlive(child, killed).await;
            let how = how.map_or_else(|error| error.to_string(), |status| status.to_string());
            end.send_replace(Some(how.clone()));
            // Nobody listens any more when the whole network ends.
            let _ = deaths.send(Death { name, pid, how }).await;
        });
        Ok(Self {
            pid,
            lifeline,
            kill: Some(kill),
            ended,
        })
    }

    /// Its number.
    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// How it ended, if it has.
    pub(super) fn ending(&self) -> Option<String> {
        self.ended.borrow().clone()
    }

    /// Asks it to end; does not wait.
    pub(super) fn close(&mut self) {
        self.lifeline = None;
    }

    /// Ends it in order, or by force when it takes too long.
    pub(super) async fn stop(&mut self) {
        self.stop_by(Instant::now() + STOPPING).await;
    }

    /// The same with a time that several processes share.
    pub(super) async fn stop_by(&mut self, deadline: Instant) {
        self.close();
        if timeout_at(deadline.into(), self.ended()).await.is_err() {
            self.kill().await;
        }
    }

    /// Ends it at once.
    pub(super) async fn kill(&mut self) {
        if let Some(kill) = self.kill.take() {
            // It may have ended by itself.
            let _ = kill.send(());
        }
        self.ended().await;
    }

    async fn ended(&mut self) {
        // An error means that its task is gone, and the process with it.
        let _ = self.ended.wait_for(Option::is_some).await;
    }
}

/// Waits for the end of a child, and brings it about when `killed` says so.
async fn outlive(mut child: Child, killed: oneshot::Receiver<()>) -> io::Result<ExitStatus> {
    tokio::select! {
        status = child.wait() => return status,
        Ok(()) = killed => {}
    }
    child.start_kill()?;
    child.wait().await
}

/// The last line of a log, to show people why a process has ended.
pub(super) fn last_line(log: &Path) -> String {
    let read = || -> io::Result<Vec<u8>> {
        let mut file = fs::File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
        let mut tail = Vec::new();
        file.take(TAIL).read_to_end(&mut tail)?;
        Ok(tail)
    };
    let tail = read().unwrap_or_default();
    let text = String::from_utf8_lossy(&tail);
    let mut lines = text.lines().rev().filter(|line| !line.trim().is_empty());
    // Behind an error stand hints, two spaces in.
    let line = lines.find(|line| !line.starts_with(' '));
    line.unwrap_or_default().chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Started {
        process: Process,
        deaths: mpsc::Receiver<Death>,
        dir: tempfile::TempDir,
    }

    fn start(script: &str) -> Started {
        let dir = tempfile::tempdir().unwrap();
        let (death, deaths) = mpsc::channel(DEATHS);
        let mut shell = command(Path::new("/bin/sh"));
        shell.args(["-c", script]);
        let process = Process::spawn("shell", shell, &dir.path().join("log"), death).unwrap();
        Started {
            process,
            deaths,
            dir,
        }
    }

    #[tokio::test]
    async fn a_child_that_reads_its_lifeline_ends_in_order() {
        let mut child = start("echo begun; echo '  hint' >&2; cat; exit 7");
        assert_eq!(child.process.ending(), None);
        let since = Instant::now();
        child.process.stop().await;
        assert!(since.elapsed() < STOPPING);
        assert_eq!(child.process.ending().unwrap(), "exit status: 7");
        let death = child.deaths.recv().await.unwrap();
        assert_eq!(
            (death.name.as_str(), death.pid, death.how.as_str()),
            ("shell", child.process.pid(), "exit status: 7")
        );
        assert_eq!(last_line(&child.dir.path().join("log")), "begun");
        assert_eq!(last_line(&child.dir.path().join("none")), "");
    }

    #[tokio::test]
    async fn a_child_that_does_not_listen_is_killed() {
        let mut child = start("while :; do read x || exec cat /dev/zero >/dev/null; done");
        child.process.kill().await;
        let how = child.process.ending().unwrap();
        assert!(how.starts_with("signal: 9"), "{how}");
        // Once more is no fault.
        child.process.kill().await;
        child.process.stop().await;
    }

    #[tokio::test]
    async fn settings_of_the_own_node_do_not_reach_a_child() {
        let command = command(Path::new("/bin/sh"));
        let envs: Vec<_> = command.as_std().get_envs().collect();
        assert!(envs.contains(&("NOTIFY_SOCKET".as_ref(), None)));
        assert!(envs.iter().all(|(_, value)| value.is_none()));
    }
}
