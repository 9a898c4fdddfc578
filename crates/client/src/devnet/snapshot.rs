//! Keeps the chains and votes of all nodes, and puts them back. All nodes stand still
//! meanwhile, so that no key knows of a vote that others have forgotten.

use std::fs;
use std::path::Path;

use ccoin_home::{DataDir, ExitCode, Failure};

use super::directory::private;
use super::layout::Layout;
use super::network::Network;
use super::report::NodeEntry;
use crate::files::{remove, unusable};

/// The names of what is kept of a data directory.
const CHAIN: &str = "chain";
const VOTES: &str = "votes";

/// Longest name, in bytes.
const MAX_NAME: usize = 64;

impl Network {
    /// Keeps the state of all nodes under a name.
    ///
    /// # Errors
    /// [`Failure`] 2 for a name that is no file name, 8 for one that is taken.
    pub(super) async fn snapshot(&mut self, name: &str) -> Result<String, Failure> {
        let kept = self.layout.snapshot(check(name)?);
        if kept.exists() {
            let message = format!("there is already a snapshot {name}");
            return Err(Failure::new(ExitCode::Busy, message).hint("choose another name"));
        }
        self.pause(|layout, nodes| keep(layout, nodes, name))
            .await?;
        Ok(format!("{name} is kept"))
    }

    /// Puts all nodes back to a snapshot; nodes that are stopped, too.
    ///
    /// # Errors
    /// [`Failure`] 4 for an unknown name.
    pub(super) async fn revert(&mut self, name: &str) -> Result<String, Failure> {
        let kept = self.layout.snapshot(check(name)?);
        if !kept.exists() {
            let message = format!("there is no snapshot {name}");
            return Err(Failure::new(ExitCode::NotFound, message)
                .hint(format!("ccoin devnet snapshot {name}   makes one")));
        }
        self.pause(|_, nodes| put_back(&kept, nodes)).await?;
        Ok(format!("all nodes are back at {name}"))
    }
}

fn check(name: &str) -> Result<&str, Failure> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if (1..=MAX_NAME).contains(&name.len()) && name.chars().all(plain) && !name.starts_with('.') {
        return Ok(name);
    }
    let message = format!("{name:?} cannot be the name of a snapshot");
    Err(Failure::new(ExitCode::Usage, message).hint("use letters, digits, - _ and ."))
}

/// A snapshot that is not whole never has its name.
fn keep(layout: &Layout, nodes: &[NodeEntry], name: &str) -> Result<(), Failure> {
    let (made, kept) = (layout.snapshot(".unfinished"), layout.snapshot(name));
    remove_dir(&made)?;
    for node in nodes {
        let (data_dir, to) = (files(node)?, made.join(&node.name));
        copy_dir(&data_dir.chain(), &to.join(CHAIN))?;
        copy_file(&data_dir.votes(), &to.join(VOTES))?;
    }
    fs::rename(&made, &kept).map_err(unusable(&kept))
}

fn put_back(kept: &Path, nodes: &[NodeEntry]) -> Result<(), Failure> {
    for node in nodes {
        let (data_dir, from) = (files(node)?, kept.join(&node.name));
        remove_dir(&data_dir.chain())?;
        remove(&data_dir.votes())?;
        copy_dir(&from.join(CHAIN), &data_dir.chain())?;
        copy_file(&from.join(VOTES), &data_dir.votes())?;
    }
    Ok(())
}

fn files(node: &NodeEntry) -> Result<DataDir, Failure> {
    Ok(DataDir::at(&node.data_dir)?)
}

fn remove_dir(dir: &Path) -> Result<(), Failure> {
    match dir.exists() {
        true => fs::remove_dir_all(dir).map_err(unusable(dir)),
        false => Ok(()),
    }
}

/// A directory that is absent stays absent.
fn copy_dir(from: &Path, to: &Path) -> Result<(), Failure> {
    if !from.exists() {
        return Ok(());
    }
    private().create(to).map_err(unusable(to))?;
    for entry in fs::read_dir(from).map_err(unusable(from))? {
        let from = entry.map_err(unusable(from))?.path();
        let to = to.join(from.file_name().unwrap_or_default());
        match from.is_dir() {
            true => copy_dir(&from, &to)?,
            false => copy_file(&from, &to)?,
        }
    }
    Ok(())
}

fn copy_file(from: &Path, to: &Path) -> Result<(), Failure> {
    match from.exists() {
        true => fs::copy(from, to).map(drop).map_err(unusable(from)),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_has_a_plain_name() {
        for name in ["a", "before-fork.2", "A_1"] {
            assert_eq!(check(name).unwrap(), name);
        }
        for name in ["", ".", "..", ".hidden", "a/b", "a b", &"x".repeat(65)] {
            assert_eq!(check(name).unwrap_err().code, ExitCode::Usage, "{name}");
        }
    }

    #[test]
    fn a_directory_is_copied_whole() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        fs::create_dir_all(from.join("deep/er")).unwrap();
        fs::write(from.join("deep/er/file"), "text").unwrap();
        copy_dir(&from, &to).unwrap();
        assert_eq!(fs::read_to_string(to.join("deep/er/file")).unwrap(), "text");
        copy_dir(&dir.path().join("absent"), &dir.path().join("none")).unwrap();
        assert!(!dir.path().join("none").exists());
    }
}
