//! A local network as a process of a test: started with `ccoin devnet --json`, read line by
//! line, killed when dropped.

use super::{send_signal, wait_for};
use serde_json::Value;
use std::{
    fs,
    io::{BufRead as _, BufReader, Read},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// How long a whole network may take to be ready.
const READY: Duration = Duration::from_secs(60);

/// A network, starting or running.
pub(crate) struct Devnet {
    pub(crate) process: Child,
    /// Its line of JSON; null before.
    pub(crate) report: Value,
    /// The other lines of stdout.
    pub(crate) printed: mpsc::Receiver<String>,
    /// The lines of stderr.
    pub(crate) said: mpsc::Receiver<String>,
}

impl Devnet {
    /// Starts one without waiting for it.
    pub(crate) fn spawn(command: &mut Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let printed = lines(process.stdout.take().unwrap());
        let said = lines(process.stderr.take().unwrap());
        Self {
            process,
            report: Value::Null,
            printed,
            said,
        }
    }

    /// Starts one and waits for its line of JSON.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut devnet = Self::spawn(command);
        let line = devnet.printed.recv_timeout(READY).unwrap_or_default();
        let Ok(report) = serde_json::from_str(&line) else {
            devnet.process.kill().unwrap();
            panic!("{line:?}: {}", devnet.all_said());
        };
        devnet.report = report;
        devnet
    }

    pub(crate) fn nodes(&self) -> &[Value] {
        self.report["nodes"].as_array().unwrap()
    }

    /// The ids of all child processes.
    pub(crate) fn pids(&self) -> Vec<u64> {
        let nodes = self.nodes().iter();
        let discovery = &self.report["discovery"];
        nodes
            .chain([discovery])
            .map(|member| member["pid"].as_u64().unwrap())
            .collect()
    }

    /// The rest of stderr; it has ended.
    pub(crate) fn all_said(&self) -> String {
        self.said.iter().collect::<Vec<_>>().join("\n")
    }

    /// Sends a signal and waits for the end: how it ended and after how long.
    pub(crate) fn end(&mut self, signal: &str) -> (ExitStatus, Duration) {
        let since = Instant::now();
        send_signal(signal, self.process.id());
        let status = wait_for("the end of the network", || {
            self.process.try_wait().unwrap()
        });
        (status, since.elapsed())
    }
}

impl Drop for Devnet {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Reads lines on a thread, so that a test can wait for one with a deadline.
fn lines(from: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (line, lines) = mpsc::channel();
    let from = BufReader::new(from);
    thread::spawn(move || {
        from.lines()
            .map_while(Result::ok)
            .all(|read| line.send(read).is_ok())
    });
    lines
}

/// Does the process run? One that has ended and was not reaped does not.
pub(crate) fn lives(pid: u64) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").map(|(_, rest)| rest.chars().next());
    !matches!(state, None | Some(Some('Z' | 'X')))
}

pub(crate) fn wait_until_gone(pids: &[u64]) {
    wait_for("the end of all children", || {
        pids.iter().all(|pid| !lives(*pid)).then_some(())
    });
}
