//! Log lines of servers: `<RFC 3339 UTC ms>Z LEVEL target: message` on stderr or in a
//! file that can be reopened, or one JSON object per line. `RUST_LOG` filters. A line
//! that cannot be written is lost, and nothing else: servers go on.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};
use std::time::SystemTime;

use clap::ValueEnum;
use serde_json::json;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::{FmtContext, MakeWriter};
use tracing_subscriber::registry::LookupSpan;

use crate::{ExitCode, Failure, environment};

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One object per line.
    Json,
}

/// The log of this process.
static RUNNING: OnceLock<(LogSink, LogFormat)> = OnceLock::new();

/// The destination of lines; cloning shares it.
#[derive(Clone, Debug)]
pub struct LogSink(Arc<Destination>);

#[derive(Debug)]
enum Destination {
    Stderr,
    File { path: PathBuf, file: Mutex<File> },
}

impl LogSink {
    /// Starts logging for the whole process, once.
    ///
    /// # Errors
    /// [`Failure`] if the file cannot be opened or logging runs already.
    pub fn start(file: Option<PathBuf>, format: LogFormat) -> Result<Self, Failure> {
        let destination = match file {
            None => Destination::Stderr,
            Some(path) => {
                let file = Mutex::new(open(&path)?);
                Destination::File { path, file }
            }
        };
        let sink = Self(Arc::new(destination));
        let wanted = environment(EnvFilter::DEFAULT_ENV).filter(|text| !text.trim().is_empty());
        let filter = wanted.and_then(|text| EnvFilter::try_new(text).ok());
        let filter = filter.unwrap_or_else(|| EnvFilter::new("info"));
        let logging = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_ansi(false)
            // It would write them on stderr, and panic when that fails.
            .log_internal_errors(false)
            .with_writer(sink.clone());
        let started = match format {
            LogFormat::Text => logging.event_format(Line).try_init(),
            LogFormat::Json => logging.json().try_init(),
        };
        let failed = |error| Failure::new(ExitCode::Unexpected, format!("no log: {error}"));
        started.map_err(failed)?;
        let (sink, _) = RUNNING.get_or_init(|| (sink, format));
        Ok(sink.clone())
    }

    /// Opens the file again after it was moved away.
    ///
    /// # Errors
    /// [`Failure`]; lines then go where they went before.
    pub fn reopen(&self) -> Result<(), Failure> {
        if let Destination::File { path, file } = &*self.0 {
            let fresh = open(path)?;
            *file.lock().unwrap_or_else(PoisonError::into_inner) = fresh;
        }
        Ok(())
    }
}

/// Writes one line without waiting for other writers; stderr gets it as well.
/// `false`: there is no log, nothing was written.
pub(crate) fn log_last_words(message: &str) -> bool {
    let Some((sink, format)) = RUNNING.get() else {
        return false;
    };
    let now = humantime::format_rfc3339_millis(SystemTime::now());
    let (level, target) = (Level::ERROR, "panic");
    let line = match format {
        LogFormat::Text => format!("{now} {level} {target}: {message}\n"),
        LogFormat::Json => {
            let fields = json!({"message": message});
            let line = json!({"timestamp": now.to_string(), "level": level.as_str(),
                "fields": fields, "target": target});
            format!("{line}\n")
        }
    };
    if let Destination::File { file, .. } = &*sink.0 {
        let file = match file.try_lock() {
            Ok(file) => Some(file),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        };
        // On a full disk nothing can be done about it.
        let _ = file.map(|mut file| file.write_all(line.as_bytes()));
    }
    let _ = io::stderr().write_all(line.as_bytes());
    true
}

fn open(path: &PathBuf) -> Result<File, Failure> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .map_err(|error| {
            Failure::new(
                ExitCode::BadConfig,
                format!("cannot write the log {}: {error}", path.display()),
            )
            .hint("name another one with --logfile FILE")
        })
}

/// One line on its way out.
#[derive(Debug)]
pub enum LineWriter<'a> {
    /// To stderr.
    Stderr(io::Stderr),
    /// To the file, which is locked meanwhile.
    File(MutexGuard<'a, File>),
}

impl Write for LineWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stderr(stderr) => stderr.write(bytes),
            Self::File(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stderr(stderr) => stderr.flush(),
            Self::File(file) => file.flush(),
        }
    }
}

impl<'a> MakeWriter<'a> for LogSink {
    type Writer = LineWriter<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        match &*self.0 {
            Destination::Stderr => LineWriter::Stderr(io::stderr()),
            Destination::File { file, .. } => {
                LineWriter::File(file.lock().unwrap_or_else(PoisonError::into_inner))
            }
        }
    }
}

/// The form of a text line: nothing stands after the message.
struct Line;

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let now = humantime::format_rfc3339_millis(SystemTime::now());
        let meta = event.metadata();
        write!(writer, "{now} {} {}: ", meta.level(), meta.target())?;
        context
            .field_format()
            .format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}
