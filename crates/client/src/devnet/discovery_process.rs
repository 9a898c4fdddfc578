//! The discovery service of a network: started first, ended last.

use std::fs;
use std::path::Path;

use ccoin_home::Failure;

use super::layout::Layout;
use super::process::{Process, command, wait_until_free};
use crate::NodeUrl;
use crate::files::{remove, unusable};

/// Its name in messages and its directory.
pub(super) const NAME: &str = "discovery";

/// The file with its address in its data directory.
const ADDRESS: &str = "discovery.json";

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
/// [`Failure`] if the process ends or does not listen.
pub(super) async fn url(process: &mut Process, layout: &Layout) -> Result<NodeUrl, Failure> {
    let addresses = process.listen(&layout.member(NAME).join(ADDRESS)).await?;
    Ok(addresses.http.into())
}
