//! Options of servers that may run in the background, and the way there: the
//! program starts itself again, detached, and waits until that copy is ready.

use std::env;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf, absolute};
use std::process::{Command, ExitCode as ProcessExitCode, Stdio};
use std::thread;

use clap::Args;

use crate::logging::{LogFormat, LogSink};
use crate::{ExitCode, Failure, PidFile};

/// Set for the detached copy.
const DETACHED: &str = "CCOIN_DETACHED";

/// Begins the line that the detached copy writes on stdout when it has started.
const READY: &str = "ready: ";

/// Longest such line, in bytes.
const MAX_STATUS: u64 = 1_024;

/// Most bytes of a failed copy's message that are passed on.
const MAX_MESSAGE: u64 = 64 << 10;

/// Options of every server.
#[derive(Clone, Debug, Args)]
pub struct DaemonOptions {
    /// Stay in the foreground (this is the default)
    #[arg(short, long, conflicts_with = "daemon")]
    pub nodaemon: bool,
    /// Run in the background; returns when the server is ready: what fails later stands in
    /// the log
    #[arg(long)]
    pub daemon: bool,
    /// Write the process id to FILE; removed at the end
    #[arg(long, value_name = "FILE")]
    pub pidfile: Option<PathBuf>,
    /// Log to FILE instead of stderr; with --daemon default: PROGRAM.log
    #[arg(short, long, value_name = "FILE")]
    pub logfile: Option<PathBuf>,
    /// Change to DIR before anything else
    #[arg(short = 'd', long, value_name = "DIR")]
    pub rundir: Option<PathBuf>,
    /// End when standard input closes: the parent holds the other end, and dies with it
    #[arg(long, hide = true, conflicts_with = "daemon")]
    pub until_stdin_closes: bool,
    /// How log lines look
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
}

/// Calls `end` once when standard input has closed; what comes in before is thrown away.
pub fn when_stdin_closes(end: impl FnOnce() + Send + 'static) {
    // The thread is never joined: a read from a terminal or pipe cannot be cut short.
    thread::spawn(move || {
        until_end(io::stdin().lock());
        end();
    });
}

impl DaemonOptions {
    /// Enters the run directory: what other options name is meant to be in it.
    ///
    /// # Errors
    /// [`Failure`] if it cannot be entered.
    pub fn enter_directory(&self) -> Result<(), Failure> {
        // The copy inherits the directory: entering a relative one again would go astray.
        let Some(dir) = self.rundir.as_ref().filter(|_| !is_detached()) else {
            return Ok(());
        };
        env::set_current_dir(dir).map_err(|error| {
            let message = format!("cannot enter {}: {error}", dir.display());
            Failure::new(ExitCode::BadConfig, message)
        })
    }

    /// With `--daemon`, starts the detached copy and returns its exit code once it is ready
    /// or has ended: the caller has nothing left to do. In the copy, leaves the session of
    /// the terminal and returns `None`.
    ///
    /// # Errors
    /// [`Failure`] if there is no copy.
    pub fn detach(&self, program: &str) -> Result<Option<ProcessExitCode>, Failure> {
        if is_detached() {
            rustix::process::setsid().map_err(|error| not_detached(&error.into()))?;
            return Ok(None);
        }
        if !self.daemon {
            return Ok(None);
        }
        let log = self.logfile(program)?.unwrap_or_default();
        start_copy(program, &log).map(Some)
    }

    /// With `--until-stdin-closes`, calls `end` once when standard input has closed; what
    /// comes in before is thrown away. Without it `end` is dropped.
    pub fn when_stdin_closes(&self, end: impl FnOnce() + Send + 'static) {
        if self.until_stdin_closes {
            when_stdin_closes(end);
        }
    }

    /// Starts logging.
    ///
    /// # Errors
    /// [`Failure`] if the file cannot be written.
    pub fn start_log(&self, program: &str) -> Result<LogSink, Failure> {
        LogSink::start(self.logfile(program)?, self.log_format)
    }

    fn logfile(&self, program: &str) -> Result<Option<PathBuf>, Failure> {
        let default = || self.daemon.then(|| PathBuf::from(format!("{program}.log")));
        let logfile = self.logfile.clone().or_else(default);
        logfile.map(resolve).transpose()
    }

    /// Writes the process id: once locks and ports are taken, so that a second start which
    /// is refused leaves the file of the first one alone.
    ///
    /// # Errors
    /// [`Failure`] if the file cannot be written.
    pub fn write_pid(&self) -> Result<PidFile, Failure> {
        let file = PidFile::new(self.pidfile.as_deref())?;
        file.write()?;
        Ok(file)
    }
}

/// Reads to the end, or to the first error: then, too, the other end is closed.
fn until_end(mut input: impl Read) {
    let mut thrown_away = [0; 64];
    loop {
        match input.read(&mut thrown_away) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

/// A later change of directory must not move what an option names.
fn resolve(path: PathBuf) -> Result<PathBuf, Failure> {
    absolute(&path)
        .map_err(|error| Failure::new(ExitCode::Usage, format!("{}: {error}", path.display())))
}

fn is_detached() -> bool {
    env::var_os(DETACHED).is_some()
}

/// Tells the waiting parent of a detached copy that the server has started, and `status`:
/// its addresses and how it stands, in one line.
pub fn announce_ready(status: &str) {
    if is_detached() {
        // The parent may have been killed; the server goes on.
        let _ = io::stdout().write_all(format!("{READY}{status}\n").as_bytes());
        let _ = io::stdout().flush();
    }
}

fn not_detached(error: &io::Error) -> Failure {
    let message = format!("cannot run in the background: {error}");
    Failure::new(ExitCode::Unexpected, message)
}

fn start_copy(program: &str, log: &Path) -> Result<ProcessExitCode, Failure> {
    let failed = |error: io::Error| not_detached(&error);
    let mut child = Command::new(env::current_exe().map_err(failed)?)
        .args(env::args_os().skip(1))
        .env(DETACHED, "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let mut line = String::new();
    if let Some(stdout) = child.stdout.take() {
        BufReader::new(stdout.take(MAX_STATUS))
            .read_line(&mut line)
            .map_err(failed)?;
    }
    if let Some(status) = line.strip_prefix(READY) {
        let (pid, status) = (child.id(), status.trim_end());
        println!(
            "{program} runs as process {pid}: {status}, log {}",
            log.display()
        );
        return Ok(ExitCode::Done.into());
    }
    let mut message = Vec::new();
    if let Some(stderr) = child.stderr.take() {
        stderr
            .take(MAX_MESSAGE)
            .read_to_end(&mut message)
            .map_err(failed)?;
    }
    io::stderr().write_all(&message).map_err(failed)?;
    let status = child.wait().map_err(failed)?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or_else(|| ExitCode::Unexpected.into(), ProcessExitCode::from))
}
