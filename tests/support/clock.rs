//! A library that makes the wall clock of a process wrong.

use std::{fs, path::PathBuf, process::Command, sync::OnceLock};
use tempfile::TempDir;

/// What `LD_PRELOAD` names; made once, by the C compiler that also links Rust.
pub(crate) fn library() -> PathBuf {
    static MADE: OnceLock<TempDir> = OnceLock::new();
    let dir = MADE.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let source = dir.path().join("clock.c");
        fs::write(&source, include_str!("clock.c")).unwrap();
        let mut command = Command::new("cc");
        command.args(["-shared", "-fPIC", "-o"]);
        command.arg(dir.path().join("clock.so")).arg(source);
        assert!(command.status().unwrap().success(), "cc makes no library");
        dir
    });
    dir.path().join("clock.so")
}
