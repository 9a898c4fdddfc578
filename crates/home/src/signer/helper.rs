//! One run of the program: its process, and the threads that read what it writes.

use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use ccoin_crypto::Hash;
use rustix::process::{Pid, Signal, kill_process_group};

use super::Event;
use super::line_budget::LineBudget;

/// Bytes that are read at once.
const CHUNK: usize = 4_096;

/// What a run has written to its standard output.
pub(super) struct Output {
    /// Which run.
    pub(super) run: u64,
    /// Empty: it has closed it.
    pub(super) bytes: Vec<u8>,
}

/// A process that signs, in a process group of its own: Ctrl-C on the node's terminal does not
/// end it before the node has said goodbye.
pub(super) struct Helper {
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Helper {
    /// Starts the program; `inbox` hears what it writes.
    pub(super) fn start(
        command: &[String],
        run: u64,
        inbox: SyncSender<Event>,
        errors: Arc<Mutex<LineBudget>>,
    ) -> io::Result<Self> {
        let (program, arguments) = command.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()?;
        let stdin = child.stdin.take();
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        // Both end with the pipes; a grandchild may keep one open, so they are not joined.
        let read_output = move || {
            let mut send = |bytes: &[u8]| {
                let bytes = bytes.to_vec();
                inbox.send(Event::Output(Output { run, bytes })).is_ok()
            };
            if read(stdout, &mut send) {
                send(&[]);
            }
        };
        let read_errors = move || {
            let budget = || errors.lock().unwrap_or_else(PoisonError::into_inner);
            read(stderr, &mut |bytes| {
                let lines = budget().take(Instant::now(), bytes);
                lines.iter().for_each(|line| log(line));
                true
            });
            budget()
                .end_line(Instant::now())
                .iter()
                .for_each(|line| log(line));
        };
        let mut helper = Self { child, stdin };
        let threads = [
            thread::Builder::new()
                .name("signer-out".into())
                .spawn(read_output),
            thread::Builder::new()
                .name("signer-err".into())
                .spawn(read_errors),
        ];
        for thread in threads {
            if let Err(error) = thread {
                helper.kill();
                return Err(error);
            }
        }
        Ok(helper)
    }

    /// Hands it a message. It never waits: at most one message is unread, and a pipe holds more.
    pub(super) fn ask(&mut self, message: &Hash) -> io::Result<()> {
        let stdin = self.stdin.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        stdin.write_all(message.as_bytes())
    }

    /// Tells it to end.
    pub(super) fn close_input(&mut self) {
        self.stdin = None;
    }

    /// Ends it at once, with the processes that it has started, and says how it ended.
    pub(super) fn kill(&mut self) -> String {
        // One that has ended by itself says more than one that is killed.
        if let Ok(Some(status)) = self.child.try_wait() {
            return format!(" ({status})");
        }
        let group = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(group) = group {
            // It may have ended meanwhile.
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        String::new()
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.kill();
    }
}

fn log(line: &str) {
    tracing::warn!("the signer says: {line}");
}

/// Reads to the end, or until `take` wants no more: then false.
fn read(from: Option<impl Read>, take: &mut dyn FnMut(&[u8]) -> bool) -> bool {
    let Some(mut from) = from else { return true };
    let mut chunk = [0; CHUNK];
    loop {
        match from.read(&mut chunk) {
            Ok(0) => return true,
            Ok(count) => {
                if !take(chunk.get(..count).unwrap_or_default()) {
                    return false;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return true,
        }
    }
}
