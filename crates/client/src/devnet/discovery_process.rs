//! The discovery service of a network: started first, ended last.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use ccoin_home::Failure;
use serde::Deserialize;

use super::layout::Layout;
use super::process::{Process, command, wait_until_free};
use crate::NodeUrl;
use crate::files::{read_json, remove, unusable};

/// Its name in messages and its directory.
pub(super) const NAME: &str = "discovery";

/// The file that a running service keeps in its data directory.
const ADDRESS: &str = "discovery.json";

#[derive(Deserialize)]
struct DiscoveryFile {
    pid: u32,
    http: SocketAddr,
}

/// Starts it on a free port.
///
/// # Errors
/// [`Failure`] if its directory cannot be used or the process does not start.
pub(super) async fn spawn(program: &Path, layout: &Layout) -> Result<Process, Failure> {
    let dir = layout.member(NAME);
    fs::create_dir_all(&dir).map_err(unusable(&dir))?;
    wait_until_free(&dir.join("lock")).await?;
    remove(&dir.join(ADDRESS))?;
    remove(&layout.log(NAME))?;
    let mut command = command(program);
    let options = ["-p", "0", "-h", "127.0.0.1", "--data-dir"];
    command.args(options).arg(&dir);
    Process::spawn(NAME, &dir, command)
}

/// Waits until it listens, and returns its URL.
///
/// # Errors
/// As [`Process::wait_for`].
pub(super) async fn url(process: &mut Process, layout: &Layout) -> Result<NodeUrl, Failure> {
    let (path, pid) = (layout.member(NAME).join(ADDRESS), process.pid());
    let look = || {
        let file = read_json::<DiscoveryFile>(&path)?;
        Ok(file.filter(|file| file.pid == pid))
    };
    let file = process.wait_for("it does not listen", look).await?;
    Ok(file.http.into())
}
