//! Finds the binaries of the network: beside the own executable, then in PATH. It starts
//! none of them.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use ccoin_home::{ExitCode, Failure};

/// The binaries of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Programs {
    pub(super) cnode: PathBuf,
    pub(super) discovery: PathBuf,
    pub(super) initc: PathBuf,
}

impl Programs {
    /// Looks beside the executable of this process and in PATH.
    ///
    /// # Errors
    /// [`Failure`] 4 names the first that is missing.
    pub(super) fn find() -> Result<Self, Failure> {
        let own = env::current_exe().unwrap_or_default();
        let beside = own.parent().unwrap_or(Path::new("."));
        Self::find_in(beside, &env::var_os("PATH").unwrap_or_default())
    }

    fn find_in(beside: &Path, path: &OsStr) -> Result<Self, Failure> {
        let find = |program| {
            let dirs = [beside.to_owned()]
                .into_iter()
                .chain(env::split_paths(path));
            let mut files = dirs.map(|dir| dir.join(program));
            files.find(|file| is_executable(file)).ok_or_else(|| {
                let message = format!("there is no {program} in {} or in PATH", beside.display());
                Failure::new(ExitCode::NotFound, message)
                    .hint("cargo build --release   makes all of them")
            })
        };
        Ok(Self {
            cnode: find("cnode")?,
            discovery: find("discovery")?,
            initc: find("initc")?,
        })
    }
}

fn is_executable(file: &Path) -> bool {
    fs::metadata(file)
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(dir: &Path, program: &str, mode: u32) -> PathBuf {
        fs::create_dir_all(dir).unwrap();
        let file = dir.join(program);
        fs::write(&file, "").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        file
    }

    #[test]
    fn a_binary_beside_comes_before_the_path_and_a_missing_one_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let (beside, first, second) = (
            dir.path().join("own"),
            dir.path().join("a"),
            dir.path().join("b"),
        );
        let path = env::join_paths([&first, &second]).unwrap();
        let cnode = put(&beside, "cnode", 0o755);
        put(&first, "cnode", 0o755);
        put(&first, "initc", 0o644);
        let initc = put(&second, "initc", 0o755);
        let failure = Programs::find_in(&beside, &path).unwrap_err();
        assert_eq!(failure.code, ExitCode::NotFound);
        assert!(failure.message.contains("discovery"), "{failure}");
        assert!(
            failure.message.contains(beside.to_str().unwrap()),
            "{failure}"
        );
        assert!(failure.hints[0].contains("cargo build --release"));

        let discovery = put(&second, "discovery", 0o755);
        let found = Programs::find_in(&beside, &path).unwrap();
        assert_eq!(
            found,
            Programs {
                cnode,
                discovery,
                initc
            }
        );
    }
}
