//! A child process that ends with its parent: it reads from a pipe whose other end only
//! the parent holds, and ends when that end closes, on purpose or by a kill -9. Ctrl-C
//! does not reach it: it has its own process group.

use std::env;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use ccoin_home::{ExitCode, Failure, LockFile, LockFileError};
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use tokio::process::{Child, Command};
use tokio::time::timeout_at;

use crate::files::{read_json, remove, unusable};

/// Time that every server needs at most to end in order.
pub(super) const STOPPING: Duration = Duration::from_secs(5);

/// Longest start of a process: it may have a long chain to read.
const STARTING: Duration = Duration::from_secs(60);

/// Longest wait for a lock that a killed network still holds.
const UNLOCKING: Duration = Duration::from_secs(10);

/// Time between two looks at a process that starts.
const LOOK: Duration = Duration::from_millis(5);

/// Bytes at the end of a log in which its last line is looked for.
const TAIL: u64 = 4 << 10;

/// A child, running or ended.
#[derive(Debug)]
pub(super) struct Process {
    name: String,
    dir: PathBuf,
    pid: u32,
    child: Child,
}

/// The file in which a running server tells its addresses: `node.json` of a node,
/// `discovery.json` of the discovery service.
#[derive(Debug, Deserialize)]
pub(super) struct Addresses {
    pid: u32,
    pub(super) http: SocketAddr,
    /// Of a node.
    pub(super) p2p: Option<SocketAddr>,
}

/// A command without the settings of this shell's own node, and without the sockets of a
/// supervisor: it must not hear from the children.
pub(super) fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    let names = env::vars_os().map(|(name, _)| name);
    for name in names.filter(|name| name.to_string_lossy().starts_with("CCOIN_")) {
        command.env_remove(name);
    }
    for name in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"] {
        command.env_remove(name);
    }
    command.kill_on_drop(true);
    command
}

/// Adds the path of a program to the reason why it did not start.
pub(super) fn cannot_start(program: &Path) -> impl FnOnce(io::Error) -> Failure {
    move |error| {
        let message = format!("cannot start {}: {error}", program.display());
        Failure::new(ExitCode::Unexpected, message)
    }
}

impl Process {
    /// Starts a server that logs to its directory and writes its ready file there.
    ///
    /// # Errors
    /// [`Failure`] if the program or one of these files cannot be used.
    pub(super) fn spawn(name: &str, dir: &Path, mut command: Command) -> Result<Self, Failure> {
        let (log, ready) = (dir.join("log"), dir.join("ready"));
        // A process of the same number may have left it.
        remove(&ready)?;
        let mut options = OpenOptions::new();
        let out = options.append(true).create(true).mode(0o600).open(&log);
        let out = out.map_err(unusable(&log))?;
        let program = PathBuf::from(command.as_std().get_program());
        let child = command
            .arg("--ready-file")
            .arg(ready)
            .arg("--until-stdin-closes")
            .stdin(Stdio::piped())
            .stdout(out.try_clone().map_err(unusable(&log))?)
            .stderr(out)
            .process_group(0)
            .spawn()
            .map_err(cannot_start(&program))?;
        let pid = child.id().expect("a child has an id until it is reaped");
        Ok(Self {
            name: name.to_owned(),
            dir: dir.to_owned(),
            pid,
            child,
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// How it ended, once it has.
    pub(super) fn exit_status(&mut self) -> Option<String> {
        match self.child.try_wait() {
            Ok(None) => None,
            Ok(Some(status)) => Some(status.to_string()),
            Err(error) => Some(error.to_string()),
        }
    }

    /// Waits until `look` finds something; `missing` is what it does not do before.
    ///
    /// # Errors
    /// [`Failure`] 1 if the process ends before, 5 after a minute.
    async fn wait_for<T>(
        &mut self,
        missing: &str,
        look: impl Fn() -> Result<Option<T>, Failure>,
    ) -> Result<T, Failure> {
        let deadline = Instant::now() + STARTING;
        let log = self.dir.join("log");
        let hint = format!("log: {}", log.display());
        loop {
            if let Some(found) = look()? {
                return Ok(found);
            }
            let name = &self.name;
            if Instant::now() > deadline {
                let waited = STARTING.as_secs();
                let message = format!("{name} was not ready after {waited} s: {missing}");
                return Err(Failure::new(ExitCode::Connect, message).hint(hint));
            }
            let message = format!("{name} ended before it was ready: ");
            if let Some(status) = self.exit_status() {
                let failure = Failure::new(ExitCode::Unexpected, message + &status);
                let said = last_line(&log).into_iter();
                return Err(said.fold(failure, Failure::hint).hint(hint));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits until it listens, and returns its addresses from `file`.
    ///
    /// # Errors
    /// As [`Process::wait_for`].
    pub(super) async fn listen(&mut self, file: &Path) -> Result<Addresses, Failure> {
        let pid = self.pid;
        let look = || Ok(read_json::<Addresses>(file)?.filter(|found| found.pid == pid));
        self.wait_for("it does not listen", look).await
    }

    /// Waits until it has written its id to its ready file.
    ///
    /// # Errors
    /// As [`Process::wait_for`].
    pub(super) async fn ready(&mut self) -> Result<(), Failure> {
        let (file, pid) = (self.dir.join("ready"), self.pid);
        let look = || Ok((read_json(&file)? == Some(pid)).then_some(()));
        let missing = format!("it has not written {}", file.display());
        self.wait_for(&missing, look).await
    }

    /// Tells it to read its allow-list again.
    pub(super) fn reload(&self) {
        if let Some(pid) = Pid::from_raw(self.pid.cast_signed()) {
            // An error means that it has ended already.
            let _ = kill_process(pid, Signal::HUP);
        }
    }

    /// Asks a node whose blocks are made by hand for one.
    pub(super) fn make_block(&self) {
        if let Some(pid) = Pid::from_raw(self.pid.cast_signed()) {
            // An error means that it has ended already.
            let _ = kill_process(pid, Signal::USR2);
        }
    }

    /// Asks it to end; does not wait.
    pub(super) fn close(&mut self) {
        self.child.stdin = None;
    }

    /// Ends it in order, or kills it at the deadline.
    pub(super) async fn stop_by(&mut self, deadline: Instant) {
        self.close();
        if timeout_at(deadline.into(), self.child.wait())
            .await
            .is_err()
        {
            self.kill().await;
        }
    }

    /// Ends it as a power cut would.
    pub(super) async fn kill(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill().await;
    }
}

/// Waits until no process holds a lock: the children of a network that was killed need a
/// moment to end.
///
/// # Errors
/// [`Failure`] 8 with the process that holds it after ten seconds.
pub(super) async fn wait_until_free(lock: &Path) -> Result<(), Failure> {
    let deadline = Instant::now() + UNLOCKING;
    loop {
        match LockFile::take(lock) {
            Ok(_) => return Ok(()),
            Err(LockFileError::Held { .. }) if Instant::now() < deadline => {
                tokio::time::sleep(LOOK).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// The last line of a log that is no hint: hints are indented.
fn last_line(log: &Path) -> Option<String> {
    let mut file = File::open(log).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))
        .ok()?;
    let mut tail = Vec::new();
    file.take(TAIL).read_to_end(&mut tail).ok()?;
    let text = String::from_utf8_lossy(&tail);
    let mut lines = text.lines().rev();
    let line = lines.find(|line| !line.trim().is_empty() && !line.starts_with(' '))?;
    Some(line.chars().take(300).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(script: &str) -> (Process, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let mut shell = command(Path::new("/bin/sh"));
        shell.args(["-c", script]);
        (Process::spawn("shell", dir.path(), shell).unwrap(), dir)
    }

    #[tokio::test]
    async fn a_child_ends_in_order_when_its_stdin_closes() {
        let (mut child, dir) = start("echo begun; echo '  hint' >&2; cat; exit 7");
        assert_eq!(child.exit_status(), None);
        child.stop_by(Instant::now() + STOPPING).await;
        assert_eq!(child.exit_status().unwrap(), "exit status: 7");
        assert_eq!(last_line(&dir.path().join("log")).unwrap(), "begun");
        assert_eq!(last_line(&dir.path().join("none")), None);
    }

    #[tokio::test]
    async fn a_child_that_ignores_its_stdin_is_killed() {
        let (mut child, _dir) = start("while :; do read x || exec cat /dev/zero >/dev/null; done");
        child.kill().await;
        let status = child.exit_status().unwrap();
        assert!(status.starts_with("signal: 9"), "{status}");
        child.kill().await;
        child.stop_by(Instant::now() + STOPPING).await;
    }

    /// The shell gets the path of the ready file as its second argument.
    #[tokio::test]
    async fn a_child_is_ready_once_the_ready_file_holds_its_id() {
        let (mut child, dir) =
            start("for id in 1 $$; do echo $id >\"$1.new\"; mv \"$1.new\" \"$1\"; done; cat");
        child.ready().await.unwrap();
        child.stop_by(Instant::now() + STOPPING).await;

        let (mut child, _dir) = start("echo 'error: no' >&2; exit 3");
        let failure = child.ready().await.unwrap_err();
        let message = "shell ended before it was ready: exit status: 3";
        assert_eq!(
            (failure.code, failure.message.as_str()),
            (ExitCode::Unexpected, message)
        );
        assert_eq!(failure.hints[0], "error: no");
        assert!(failure.hints[1].starts_with("log: "), "{failure:?}");
        drop(dir);
    }

    #[tokio::test]
    async fn settings_of_the_own_node_do_not_reach_a_child() {
        let command = command(Path::new("/bin/sh"));
        let envs: Vec<_> = command.as_std().get_envs().collect();
        assert!(envs.contains(&("NOTIFY_SOCKET".as_ref(), None)));
        assert!(envs.iter().all(|(_, value)| value.is_none()));
    }
}
