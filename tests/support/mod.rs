//! What the whole-system tests share: a directory with a network of one validator
//! and its process; `client` talks to it. It starts the real binaries and reads what
//! users read; it never looks inside them.

mod caller;
mod client;
mod clock;
mod devnet;
#[cfg(target_os = "linux")]
mod hosts;
mod net;
mod place;
mod stranger;
#[path = "../../crates/p2p/tests/it/tls.rs"]
pub(crate) mod tls;

pub(crate) use caller::{Caller, hello};
use ccoin_core::BlockId;
pub(crate) use client::{Answer, Sender, request};
pub(crate) use devnet::{Devnet, lives, wait_until_gone};
#[cfg(target_os = "linux")]
pub(crate) use hosts::{Hosts, skip};
pub(crate) use net::{Discovery, Net};
pub(crate) use place::{Place, genesis};
use serde_json::Value;
use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};
pub(crate) use stranger::Stranger;

/// How long a test waits for anything before it fails: far longer than a loaded machine
/// needs, so that no test depends on the speed of the one it runs on.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The line that tells the port of the API.
const LISTENS: &str = "HTTP API ENDPOINT Started got up and listening on port: ";

/// Comes back with the first value that `look` finds; fails after `PATIENCE`.
pub(crate) fn wait_for<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    wait_up_to(PATIENCE, what, look)
}

/// The same with a patience of its own.
pub(crate) fn wait_up_to<T>(
    patience: Duration,
    what: &str,
    mut look: impl FnMut() -> Option<T>,
) -> T {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        thread::park_timeout(Duration::from_millis(2));
    }
}

/// A running process; killed when dropped.
pub(crate) struct Node {
    child: Child,
    lines: mpsc::Receiver<String>,
    /// Every line that it has logged and that was waited for.
    pub(crate) log: Vec<String>,
    pub(crate) http: SocketAddr,
    pub(crate) address: String,
    pub(crate) data_dir: PathBuf,
}

impl Node {
    pub(crate) fn spawn(command: &mut Command, data_dir: &Path) -> Self {
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (line, lines) = mpsc::channel();
        thread::spawn(move || {
            stderr
                .lines()
                .map_while(Result::ok)
                .all(|l| line.send(l).is_ok())
        });
        let address = data_dir.components().next_back().unwrap();
        let address = address.as_os_str().to_string_lossy().into_owned();
        let (http, data_dir) = (([127, 0, 0, 1], 0).into(), data_dir.to_owned());
        Self {
            child,
            lines,
            log: Vec::new(),
            http,
            address,
            data_dir,
        }
    }

    /// Waits until it has said where its API listens.
    pub(crate) fn http_port(&mut self) {
        let line = self.said(LISTENS);
        self.http
            .set_port(line.rsplit_once(' ').unwrap().1.parse().unwrap());
    }

    /// Waits until its API is up; false: it has ended because a port is taken.
    pub(crate) fn has_ports(&mut self) -> bool {
        while !self.log.iter().any(|line| line.contains(LISTENS)) {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => self.log.push(line),
                Err(_) => {
                    let code = self.ended().code();
                    assert_eq!(code, Some(8), "{}", self.log.join("\n"));
                    return false;
                }
            }
        }
        self.http_port();
        true
    }

    /// Waits until `/readyz` says 200.
    pub(crate) fn ready(&mut self) {
        self.http_port();
        let http = self.http;
        wait_for("/readyz", || {
            request(http, "GET", "/readyz", &[], "")
                .ok()
                .filter(|answer| answer.status == 200)
        });
    }

    /// Host and port for peers.
    pub(crate) fn p2p(&self) -> String {
        let file = self.data_dir.join("node.json");
        // The file of a process that was killed may still be there.
        let own = wait_for("its own node.json", || {
            let file: Value = serde_json::from_slice(&fs::read(&file).ok()?).ok()?;
            (file["pid"] == self.pid()).then_some(file)
        });
        own["p2p"].as_str().unwrap().to_owned()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The first line that contains `text`, now or later.
    pub(crate) fn said(&mut self, text: &str) -> String {
        let seen = self.log.iter().find(|line| line.contains(text)).cloned();
        seen.unwrap_or_else(|| self.line(text))
    }

    /// The next line that contains `text`.
    pub(crate) fn line(&mut self, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else {
                panic!(
                    "waited in vain for a line with {text:?} in\n{}",
                    self.log.join("\n")
                );
            };
            self.log.push(line.clone());
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Everything that was logged, once the process has ended.
    pub(crate) fn rest(&mut self) -> String {
        self.log.extend(self.lines.iter());
        self.log.join("\n")
    }

    pub(crate) fn signal(&self, name: &str) {
        send_signal(name, self.child.id());
    }

    /// Its exit status, once it has ended.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        wait_for("the end of a process", || self.child.try_wait().unwrap())
    }

    /// SIGTERM; the exit code and how long it took.
    pub(crate) fn stop(&mut self) -> (Option<i32>, Duration) {
        let since = Instant::now();
        self.signal("TERM");
        (self.ended().code(), since.elapsed())
    }

    /// SIGKILL, at once.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// The addresses of its peers, in order.
    pub(crate) fn peers(&self) -> Vec<String> {
        let items = self.get("/v1/peers")["items"].take();
        let address = |peer: &Value| peer["address"].as_str().unwrap().to_owned();
        let mut peers: Vec<String> = items.as_array().unwrap().iter().map(address).collect();
        peers.sort();
        peers
    }

    /// JSON of a path that must be there.
    pub(crate) fn get(&self, path: &str) -> Value {
        let answer = request(self.http, "GET", path, &[], "").unwrap();
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.json()
    }

    pub(crate) fn height(&self) -> u64 {
        self.get(&format!("/{}/blk/cnt/", self.address))
            .as_u64()
            .unwrap()
    }

    /// Waits for a block with this number.
    pub(crate) fn reach(&self, height: u64) {
        wait_for(&format!("block {height}"), || {
            (self.height() >= height).then_some(())
        });
    }

    pub(crate) fn genesis_id(&self) -> BlockId {
        self.get("/v1/status")["genesis_id"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap()
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        let json = [("Content-Type", "application/json")];
        request(self.http, "POST", path, &json, &body.to_string()).unwrap()
    }

    /// A payment from the node's own account, with its token.
    pub(crate) fn pay(&self, body: &Value) -> Answer {
        let token = fs::read_to_string(self.data_dir.join("api.token")).unwrap();
        let bearer = format!("Bearer {}", token.trim_end());
        let headers = [
            ("Content-Type", "application/json"),
            ("Authorization", bearer.as_str()),
        ];
        let path = format!("/{}/txn/", self.address);
        request(self.http, "POST", &path, &headers, &body.to_string()).unwrap()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Ends a daemon even if its test fails.
pub(crate) struct Daemon(pub(crate) u32);

impl Drop for Daemon {
    fn drop(&mut self) {
        if Path::new(&format!("/proc/{}", self.0)).exists() {
            send_signal("KILL", self.0);
        }
    }
}

pub(crate) fn send_signal(name: &str, pid: u32) {
    let kill = Command::new("kill")
        .args(["-s", name, &pid.to_string()])
        .status();
    assert!(kill.unwrap().success(), "kill -s {name} {pid}");
}

/// Whether a transaction is in a block, final or not yet.
pub(crate) fn in_a_block(txn: &serde_json::Value) -> bool {
    txn["status"] == "included" || txn["status"] == "final"
}
