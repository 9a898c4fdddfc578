//! `~/.ccoin/devnet/<pid>.json`: the networks that run on this host, for other commands.
//! A file whose process is gone says nothing and is removed when a new one is written.

use std::env;
use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process;

use ccoin_core::Timestamp;
use ccoin_home::{read_text, replace_file};
use serde::{Deserialize, Serialize};

use super::DevnetError;
use super::control::connect;
use super::layout::file_error;
use super::report::DevnetReport;
use super::temporary::remove_abandoned;
use crate::NodeUrl;

/// Longest file that is read, in bytes: 60 entries have about 20,000.
const MAX_BYTES: usize = 256 << 10;

/// Most files that are looked at.
const MAX_FILES: usize = 1_000;

/// The name of the program whose networks these are.
const PROGRAM: &str = "ccoin";

/// A network that runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveDevnet {
    /// What runs where.
    #[serde(flatten)]
    pub report: DevnetReport,
    /// The process that runs it.
    pub pid: u32,
    /// The unix socket on which it takes orders.
    pub control: PathBuf,
    /// When it was started, in ms.
    pub started: Timestamp,
}

impl LiveDevnet {
    /// The network that was started last and still runs; `variable` gives the value of an
    /// environment variable.
    #[must_use]
    pub fn newest(variable: &dyn Fn(&str) -> Option<String>) -> Option<Self> {
        let files = files(&directory(variable)?);
        let live = files.iter().filter_map(|file| Self::read(file));
        live.filter(Self::is_alive)
            .max_by_key(|live| (live.started, live.pid))
    }

    /// The node that shows people the chain.
    #[must_use]
    pub fn url(&self) -> Option<NodeUrl> {
        self.report.explorer.parse().ok()
    }

    fn read(file: &Path) -> Option<Self> {
        let text = read_text(File::open(file).ok()?, MAX_BYTES).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// Its number may belong to another process by now, its socket to a later network.
    fn is_alive(&self) -> bool {
        runs_program(self.pid) && connect(&self.control).is_ok()
    }
}

/// The file of the own network; removed when dropped.
#[derive(Debug)]
pub(super) struct Announcement(PathBuf);

impl Announcement {
    /// Where it is going to be; removes those of networks that are gone, and with them
    /// the directories that nobody was going to keep.
    ///
    /// # Errors
    /// [`DevnetError::File`] if the directory cannot be made.
    pub(super) fn prepare(
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, DevnetError> {
        let Some(dir) = directory(variable) else {
            return Ok(None);
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&dir)
            .map_err(file_error(&dir))?;
        for file in files(&dir) {
            let gone = LiveDevnet::read(&file).filter(|live| !live.is_alive());
            if gone.is_some_and(|live| remove_abandoned(&live.report.data_dir)) {
                // Somebody else may have removed it.
                let _ = fs::remove_file(&file);
            }
        }
        Ok(Some(Self(dir.join(format!("{}.json", process::id())))))
    }

    /// Writes how things stand now.
    ///
    /// # Errors
    /// [`DevnetError::File`] with what the system says.
    pub(super) fn write(&self, live: &LiveDevnet) -> Result<(), DevnetError> {
        let text = serde_json::to_string(live).expect("texts and numbers can always be written");
        replace_file(&self.0, format!("{text}\n").as_bytes(), 0o600).map_err(file_error(&self.0))
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        // It may not have been written yet.
        let _ = fs::remove_file(&self.0);
    }
}

fn directory(variable: &dyn Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let home = variable("HOME").filter(|home| !home.is_empty())?;
    Some(Path::new(&home).join(".ccoin/devnet"))
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().take(MAX_FILES);
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    paths
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .collect()
}

/// Does a process of this name run? Without `/proc` nobody knows: the socket decides.
fn runs_program(pid: u32) -> bool {
    if !Path::new("/proc/self/exe").exists() {
        return true;
    }
    let Ok(exe) = fs::read_link(format!("/proc/{pid}/exe")) else {
        return false;
    };
    let name = exe.file_name().unwrap_or_default().to_string_lossy();
    // A program that was built again while it runs.
    let name = name.strip_suffix(" (deleted)").unwrap_or(&name);
    let own = env::current_exe().ok();
    let own = own.as_deref().and_then(Path::file_name);
    name == PROGRAM || own.is_some_and(|own| own == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::devnet::report::tests::example;
    use std::os::unix::net::UnixListener;

    #[test]
    fn the_newest_that_lives_is_found_and_the_dead_are_removed() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().to_str().unwrap().to_owned();
        let variable = move |name: &str| (name == "HOME").then(|| path.clone());
        assert_eq!(LiveDevnet::newest(&variable), None);

        let own = Announcement::prepare(&variable).unwrap().unwrap();
        let control = home.path().join("control");
        let listener = UnixListener::bind(&control).unwrap();
        let live = |started, pid| LiveDevnet {
            report: example(),
            pid,
            control: control.clone(),
            started: Timestamp::new(started).unwrap(),
        };
        let put = |name: &str, live: &LiveDevnet| {
            let file = home.path().join(".ccoin/devnet").join(name);
            fs::write(&file, serde_json::to_string(live).unwrap()).unwrap();
            file
        };
        own.write(&live(5, process::id())).unwrap();
        put("older.json", &live(4, process::id()));
        let foreign = put("foreign.json", &live(9, 1));
        let damaged = home.path().join(".ccoin/devnet/damaged.json");
        fs::write(&damaged, "{").unwrap();
        let newest = LiveDevnet::newest(&variable).unwrap();
        assert_eq!(newest, live(5, process::id()));
        assert_eq!(newest.url().unwrap().to_string(), "http://127.0.0.1:2");

        drop(Announcement::prepare(&variable).unwrap());
        assert!(!foreign.exists(), "process 1 is no network");
        own.write(&live(5, process::id())).unwrap();
        drop(listener);
        assert_eq!(LiveDevnet::newest(&variable), None);
        drop(own);
        assert_eq!(files(&home.path().join(".ccoin/devnet")).len(), 2);
        assert!(Announcement::prepare(&|_| None).unwrap().is_none());
    }
}
