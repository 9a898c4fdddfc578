//! Options of servers that may run in the background, and the way there: the
//! program starts itself again, detached, and waits until that copy is ready.

use std::env;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{PathBuf, absolute};
use std::process::{Command, ExitCode as ProcessExitCode, Stdio};
use std::thread;

use clap::Args;

use crate::logging::{LogFormat, LogSink};
use crate::{ExitCode, Failure, PidFile};

/// Set for the detached copy.
const DETACHED: &str = "CCOIN_DETACHED";

/// What the detached copy says on stdout when it is ready.
const READY: &str = "ready";

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
    /// or has ended: the caller has nothing left to do.
    ///
    /// # Errors
    /// [`Failure`] if there is no copy.
    pub fn detach(&self) -> Result<Option<ProcessExitCode>, Failure> {
        if self.daemon && !is_detached() {
            detach().map(Some)
        } else {
            Ok(None)
        }
    }

    /// With `--until-stdin-closes`, calls `end` once when standard input has closed; what
    /// comes in before is thrown away. Without it `end` is dropped.
    pub fn when_stdin_closes(&self, end: impl FnOnce() + Send + 'static) {
        if self.until_stdin_closes {
            // Nobody waits for this thread: a read from a terminal or pipe cannot be cut short.
            thread::spawn(move || {
                until_end(io::stdin().lock());
                end();
            });
        }
    }

    /// Starts logging.
    ///
    /// # Errors
    /// [`Failure`] if the file cannot be written.
    pub fn start_log(&self, program: &str) -> Result<LogSink, Failure> {
        let default = is_detached().then(|| PathBuf::from(format!("{program}.log")));
        let logfile = self.logfile.clone().or(default);
        LogSink::start(logfile.map(resolve).transpose()?, self.log_format)
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

/// Reads to the end, or to the first error: then, too, nobody holds the other end.
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

/// Tells the waiting parent of a detached copy that the server is ready.
pub fn announce_ready() {
    if is_detached() {
        // The parent may have been killed; the server goes on.
        let _ = io::stdout().write_all(format!("{READY}\n").as_bytes());
        let _ = io::stdout().flush();
    }
}

fn detach() -> Result<ProcessExitCode, Failure> {
    let failed = |error: io::Error| {
        Failure::new(
            ExitCode::Unexpected,
            format!("cannot run in the background: {error}"),
        )
    };
    let mut child = Command::new(env::current_exe().map_err(failed)?)
        .args(env::args_os().skip(1))
        .env(DETACHED, "1")
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let mut line = String::new();
    if let Some(stdout) = child.stdout.take() {
        BufReader::new(stdout.take(READY.len() as u64 + 1))
            .read_line(&mut line)
            .map_err(failed)?;
    }
    if line.trim_end() == READY {
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
