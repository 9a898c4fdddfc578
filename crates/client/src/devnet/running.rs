//! `~/.ccoin/devnet/<pid>.json`: the networks that run on this host, for other commands.
//! A file whose network has ended is ignored, and removed when the next network starts.

use std::fs;
use std::path::{Path, PathBuf};
use std::process;

use ccoin_core::Timestamp;
use ccoin_home::{ExitCode, Failure};
use serde::{Deserialize, Serialize};

use super::command::{self, DevnetCommand};
use super::directory::{private, remove_abandoned};
use super::report::DevnetReport;
use crate::NodeUrl;
use crate::files::{OwnedFile, read_json, unusable};

/// Most files that are read.
const MAX_FILES: usize = 1_000;

/// A network that runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningDevnet {
    /// Its members.
    #[serde(flatten)]
    pub report: DevnetReport,
    /// The process of `ccoin devnet`.
    pub pid: u32,
    /// The unix socket that takes commands.
    pub control: PathBuf,
    /// Start time, in ms.
    pub started: Timestamp,
}

impl RunningDevnet {
    /// The network that was started last and still runs; `variable` gives the value of an
    /// environment variable.
    ///
    /// # Errors
    /// [`Failure`] 4 if none runs.
    pub fn newest(variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, Failure> {
        Self::all(variable).pop().ok_or_else(|| {
            Failure::new(ExitCode::NotFound, "no devnet runs").hint("ccoin devnet   starts one")
        })
    }

    /// All that run, the newest one last.
    #[must_use]
    pub fn all(variable: &dyn Fn(&str) -> Option<String>) -> Vec<Self> {
        let mut found = announced(variable);
        found.retain(Self::is_running);
        found
    }

    /// The newest one that has not removed its files, found without a socket; it may have been
    /// killed.
    #[must_use]
    pub fn newest_on_disk(variable: &dyn Fn(&str) -> Option<String>) -> Option<Self> {
        let mut found = announced(variable);
        found.retain(|network| network.report.data_dir.exists());
        found.pop()
    }

    /// Executes a command, and says what was done.
    ///
    /// # Errors
    /// The [`Failure`] of the network, or 5 if it does not answer.
    pub fn send(&self, command: &DevnetCommand) -> Result<String, Failure> {
        command::send(&self.control, command)
    }

    /// The node whose page shows the chain.
    #[must_use]
    pub fn url(&self) -> Option<NodeUrl> {
        self.report.explorer.parse().ok()
    }

    /// The socket of a later network in the same directory answers, too: that network has
    /// a file with a later start.
    fn is_running(&self) -> bool {
        command::connect(&self.control).is_ok()
    }
}

/// The file of the own network; `None` without a home directory. Also removes the files of
/// networks that were killed, and their temporary directories.
///
/// # Errors
/// [`Failure`] 3 if the directory of these files cannot be made.
pub(super) fn announcement(
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<OwnedFile>, Failure> {
    let Some(dir) = directory(variable) else {
        return Ok(None);
    };
    private().create(&dir).map_err(unusable(&dir))?;
    for (file, found) in files(&dir) {
        if !found.is_running() && remove_abandoned(&found.report.data_dir).is_ok() {
            // Another network may have removed it.
            let _ = fs::remove_file(file);
        }
    }
    let own = dir.join(format!("{}.json", process::id()));
    Ok(Some(OwnedFile::new(own)))
}

/// What the files say, the newest one last.
fn announced(variable: &dyn Fn(&str) -> Option<String>) -> Vec<RunningDevnet> {
    let files = directory(variable).map_or_else(Vec::new, |dir| files(&dir));
    let mut found: Vec<_> = files.into_iter().map(|(_, found)| found).collect();
    found.sort_by_key(|network| (network.started, network.pid));
    found
}

fn directory(variable: &dyn Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let home = variable("HOME").filter(|home| !home.is_empty())?;
    Some(Path::new(&home).join(".ccoin/devnet"))
}

/// All files that can be read.
fn files(dir: &Path) -> Vec<(PathBuf, RunningDevnet)> {
    let entries = fs::read_dir(dir).into_iter().flatten().take(MAX_FILES);
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let files = paths.filter(|path| path.extension().is_some_and(|ending| ending == "json"));
    files
        .filter_map(|path| {
            let found = read_json(&path).ok()??;
            Some((path, found))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::devnet::report::tests::example;
    use std::os::unix::net::UnixListener;

    #[test]
    fn the_newest_running_network_is_found_and_ended_ones_are_removed() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().to_str().unwrap().to_owned();
        let variable = move |name: &str| (name == "HOME").then(|| path.clone());
        let none = RunningDevnet::newest(&variable).unwrap_err();
        assert_eq!(none.code, ExitCode::NotFound);

        let own = announcement(&variable).unwrap().unwrap();
        let control = home.path().join("control");
        let listener = UnixListener::bind(&control).unwrap();
        let network = |started, control: &Path| RunningDevnet {
            report: example(),
            pid: 7,
            control: control.to_owned(),
            started: Timestamp::new(started).unwrap(),
        };
        let text = |network: &RunningDevnet| serde_json::to_string(network).unwrap();
        let dir = home.path().join(".ccoin/devnet");
        own.write(&text(&network(5, &control)), 0o600).unwrap();
        fs::write(dir.join("older.json"), text(&network(4, &control))).unwrap();
        let ended = dir.join("ended.json");
        let elsewhere = home.path().join("ended");
        fs::write(&ended, text(&network(9, &elsewhere))).unwrap();
        fs::write(dir.join("damaged.json"), "{").unwrap();
        let newest = RunningDevnet::newest(&variable).unwrap();
        assert_eq!(newest, network(5, &control));
        assert_eq!(
            RunningDevnet::all(&variable),
            [network(4, &control), network(5, &control)]
        );
        assert_eq!(newest.url().unwrap().to_string(), "http://127.0.0.1:2");

        drop(announcement(&variable).unwrap());
        assert!(!ended.exists());
        drop(listener);
        assert!(RunningDevnet::newest(&variable).is_err());
        drop(own);
        assert_eq!(files(&dir).len(), 1, "only the older one is left");
        assert!(announcement(&|_| None).unwrap().is_none());
    }
}
