//! The discovery service of the network: started first, ended last. Its port is read
//! from the line that it logs when it listens.

use std::fs::{self, File};
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::DevnetError;
use super::layout::{Layout, file_error};
use super::node::{fresh_log, still_starting};
use super::process::{Death, Process, command};

/// Its name in messages and its directory.
pub(super) const NAME: &str = "discovery";

/// What it logs when it listens; the port follows.
const LISTENS: &str = "Discovery Service listens on port=";

/// Bytes of its log in which that line is looked for.
const MAX_LOG: u64 = 64 << 10;

/// Time between two looks at its log.
const LOOK: Duration = Duration::from_millis(5);

/// The discovery service.
#[derive(Debug)]
pub(super) struct Registry {
    pub(super) process: Process,
    log: PathBuf,
}

impl Registry {
    /// Starts it on a free port.
    ///
    /// # Errors
    /// [`DevnetError`] if the process does not start.
    pub(super) fn spawn(
        program: &Path,
        layout: &Layout,
        deaths: mpsc::Sender<Death>,
    ) -> Result<Self, DevnetError> {
        let dir = layout.member(NAME);
        fs::create_dir_all(&dir).map_err(file_error(&dir))?;
        let log = dir.join("log");
        fresh_log(&log)?;
        let mut command = command(program);
        // Without it the line with the port would be missing.
        command.env("RUST_LOG", "info");
        command
            .args(["-p", "0", "-h", "127.0.0.1", "--data-dir"])
            .arg(&dir)
            .arg("--ready-file")
            .arg(dir.join("ready"));
        let process = Process::spawn(NAME, command, &log, deaths)?;
        Ok(Self { process, log })
    }

    /// Waits until it listens; where.
    ///
    /// # Errors
    /// [`DevnetError::Ended`] or [`DevnetError::NotReady`].
    pub(super) async fn listen(&self) -> Result<SocketAddr, DevnetError> {
        let begun = Instant::now();
        loop {
            let mut log = Vec::new();
            File::open(&self.log)
                .and_then(|file| file.take(MAX_LOG).read_to_end(&mut log))
                .map_err(file_error(&self.log))?;
            if let Some(port) = port(&String::from_utf8_lossy(&log)) {
                return Ok((Ipv4Addr::LOCALHOST, port).into());
            }
            let state = || "it does not listen".to_owned();
            still_starting(NAME, Some(&self.process), &self.log, begun, state)?;
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// The port in a log, once its line is complete.
fn port(log: &str) -> Option<u16> {
    let (_, rest) = log.split_once(LISTENS)?;
    let (line, _) = rest.split_once('\n')?;
    line.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_read_from_a_whole_line() {
        let line = "2026-11-24T13:00:00.000Z INFO discovery: Discovery Service listens on port=4";
        assert_eq!(port(line), None);
        assert_eq!(port(&format!("{line}0001")), None);
        assert_eq!(
            port(&format!("first\n{line}0001 and host=127.0.0.1\n")),
            Some(40_001)
        );
        assert_eq!(
            port(&format!("{line}0001 and host=127.0.0.1\nlast")),
            Some(40_001)
        );
        assert_eq!(port("nothing\n"), None);
    }
}
