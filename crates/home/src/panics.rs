//! How a server ends when a task or a thread panics: one line on stderr and in the log,
//! then exit code 1, and the next start is as after a power cut. Going on without a part
//! of it would look alive.
//!
//! It waits for nothing: a full disk, a reader that has gone or a lock that the
//! panicking thread holds itself must not keep the process alive.

use std::io::{self, Write};
use std::panic::{self, PanicHookInfo};
use std::process;
use std::thread;

use crate::{ExitCode, logging};

/// From now on a panic in any thread or task ends the process.
pub fn end_the_process() {
    panic::set_hook(Box::new(|panic| {
        let line = line(panic);
        if !logging::log_last_words(&line) {
            // Its reader may have gone.
            let _ = io::stderr().write_all(format!("error: {line}\n").as_bytes());
        }
        process::exit(ExitCode::Unexpected as i32);
    }));
}

/// The thread that panicked, the place and its message.
fn line(panic: &PanicHookInfo<'_>) -> String {
    let thread = thread::current();
    let name = thread.name().unwrap_or("without a name");
    let text: Vec<_> = panic.to_string().lines().map(str::to_owned).collect();
    format!("thread {name} {}", text.join(" "))
}

#[cfg(test)]
mod tests {
    use std::env;
    use std::fs::{self, OpenOptions};
    use std::process::{Command, Stdio};

    use tracing_subscriber::fmt::MakeWriter as _;

    use super::*;
    use crate::{LogFormat, LogSink};

    /// Set in the process that shall panic, to what its log is.
    const LOG: &str = "CCOIN_TEST_LOG";

    /// Not a test by itself: it ends the process in which it runs.
    #[test]
    fn panicking_process() {
        let Some(log) = env::var_os(LOG) else { return };
        let file = Some(log).filter(|log| log != "stderr").map(Into::into);
        end_the_process();
        let sink = LogSink::start(file, LogFormat::Text).unwrap();
        tracing::info!("not the last line");
        let caught = thread::Builder::new().name("miner".into()).spawn(move || {
            // As if the panic came while a line is written.
            let _held = sink.make_writer();
            panic!("two\nlines");
        });
        let _ = caught.unwrap().join();
        panic!("the process has survived");
    }

    fn run(log: &str, stderr: Stdio) -> (Option<i32>, String) {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", "panics::tests::panicking_process", "--nocapture"]);
        command.env(LOG, log).env_remove("RUST_LOG");
        let child = command.stdout(Stdio::null()).stderr(stderr).spawn();
        let output = child.unwrap().wait_with_output().unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    }

    #[test]
    fn a_panic_in_any_thread_ends_the_process_with_one_line() {
        let (code, said) = run("stderr", Stdio::piped());
        assert_eq!(code, Some(1), "{said}");
        let last = said.lines().last().unwrap();
        assert!(
            last.contains("Z ERROR panic: thread miner panicked at "),
            "{said}"
        );
        assert!(last.ends_with(" two lines"), "{said}");
        assert_eq!(said.lines().count(), 2, "{said}");
    }

    #[test]
    fn the_log_that_the_panicking_thread_holds_delays_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let (code, said) = run(log.to_str().unwrap(), Stdio::piped());
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("thread miner panicked at "), "{said}");
        assert!(
            fs::read_to_string(log)
                .unwrap()
                .contains("not the last line")
        );
    }

    #[test]
    fn a_panic_ends_the_process_when_stderr_is_closed() {
        let full = || OpenOptions::new().write(true).open("/dev/full").unwrap();
        assert_eq!(run("stderr", full().into()).0, Some(1));
        assert_eq!(run("/dev/full", full().into()).0, Some(1));
    }
}
