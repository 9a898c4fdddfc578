//! The attacks on the HTTP side of a node, as a process of low priority: what the callers
//! cost themselves is not the node's fault. It runs until it is killed.

use crate::support::Node;
use serde_json::Value;
use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Duration,
};

/// The first argument of the process; then a port and a file with the plan.
pub(crate) const CALL: &str = "call";

/// Time between two reads of a slow caller.
const SLOW: Duration = Duration::from_millis(500);

/// One group of callers, a line of the plan: how many, how they behave, what they ask for.
pub(crate) struct Callers {
    pub(crate) count: usize,
    pub(crate) manner: &'static str,
    /// Methods and paths, asked in turn; or a file of bodies, one a line, for `wait`.
    pub(crate) requests: Vec<String>,
}

/// The process; killed when dropped.
pub(crate) struct Attack(Child);

impl Attack {
    pub(crate) fn start(node: &Node, plan: &Path, groups: &[Callers]) -> Self {
        let lines = groups.iter().map(|group| {
            serde_json::json!([group.count, group.manner, group.requests]).to_string()
        });
        fs::write(plan, lines.collect::<Vec<_>>().join("\n")).unwrap();
        let mut command = Command::new("nice");
        command
            .args(["-n", "19"])
            .arg(std::env::current_exe().unwrap());
        command.args([CALL, &node.http.to_string(), plan.to_str().unwrap()]);
        Self(command.stdin(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Attack {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// What the process does.
pub(crate) fn call() {
    let mut arguments = std::env::args().skip(2);
    let node = arguments.next().expect("an address");
    let plan = fs::read_to_string(arguments.next().expect("a plan")).unwrap();
    let turn = AtomicUsize::new(0);
    let (node, turn) = (&node, &turn);
    let groups: Vec<Value> = plan
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    thread::scope(|scope| {
        for group in &groups {
            let requests = group[2].as_array().unwrap();
            let manner = group[1].as_str().unwrap();
            for number in 0..group[0].as_u64().unwrap() {
                let run = move || {
                    loop {
                        let next = match manner {
                            "wait" => number as usize,
                            _ => turn.fetch_add(1, Ordering::Relaxed),
                        };
                        let request = requests[next % requests.len()].as_str().unwrap();
                        let _ = once(node, manner, request);
                        thread::park_timeout(Duration::from_millis(20));
                    }
                };
                let builder = thread::Builder::new().stack_size(128 << 10);
                builder.spawn_scoped(scope, run).unwrap();
            }
        }
    });
}

/// One connection of a caller, until either side ends it.
fn once(node: &str, manner: &str, request: &str) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(node)?;
    match manner {
        // Takes each answer as fast as it comes, on one connection.
        "fast" => {
            let mut answers = BufReader::new(stream.try_clone()?);
            loop {
                write!(stream, "GET {request} HTTP/1.1\r\nHost: {node}\r\n\r\n")?;
                skip_answer(&mut answers)?;
            }
        }
        // Asks once and takes next to nothing.
        "slow" => {
            write!(stream, "GET {request} HTTP/1.1\r\nHost: {node}\r\n\r\n")?;
            let mut some = [0; 512];
            while stream.read(&mut some)? > 0 {
                thread::park_timeout(SLOW);
            }
            Ok(())
        }
        // Asks once and never reads.
        "asleep" => {
            write!(stream, "GET {request} HTTP/1.1\r\nHost: {node}\r\n\r\n")?;
            loop {
                thread::park();
            }
        }
        // Hands a transaction in that waits for its block.
        "wait" => {
            let head = "POST /v1/txns?wait=included&timeout=600 HTTP/1.1\r\nContent-Type: \
                application/json\r\nConnection: close\r\n";
            write!(
                stream,
                "{head}Host: {node}\r\nContent-Length: {}\r\n\r\n{request}",
                request.len()
            )?;
            std::io::copy(&mut stream, &mut std::io::sink()).map(drop)
        }
        // Reads a stream as it comes.
        "stream" => {
            write!(stream, "GET {request} HTTP/1.1\r\nHost: {node}\r\n\r\n")?;
            std::io::copy(&mut stream, &mut std::io::sink()).map(drop)
        }
        other => panic!("no manner {other}"),
    }
}

/// One answer with a length or in chunks.
fn skip_answer(answers: &mut BufReader<TcpStream>) -> std::io::Result<()> {
    let (mut length, mut chunked) = (0, false);
    loop {
        let mut line = String::new();
        if answers.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.parse().unwrap();
        }
        chunked |= line == "transfer-encoding: chunked";
        if line.is_empty() {
            break;
        }
    }
    while chunked {
        let mut line = String::new();
        answers.read_line(&mut line)?;
        let size = u64::from_str_radix(line.trim_end(), 16).map_err(std::io::Error::other)?;
        skip(answers, size + 2)?;
        chunked = size > 0;
    }
    skip(answers, length)
}

fn skip(answers: &mut BufReader<TcpStream>, bytes: u64) -> std::io::Result<()> {
    std::io::copy(&mut answers.by_ref().take(bytes), &mut std::io::sink()).map(drop)
}
