//! Finds the binaries of the network: beside the own executable, then in PATH.
//! Starts nothing.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::DevnetError;

/// The binaries that a network consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Programs {
    /// Runs a node.
    pub(super) cnode: PathBuf,
    /// Tells nodes of each other.
    pub(super) discovery: PathBuf,
    /// Makes block 1.
    pub(super) initc: PathBuf,
}

impl Programs {
    /// Looks where this process runs from.
    ///
    /// # Errors
    /// [`DevnetError::ProgramMissing`] names the first that is nowhere.
    pub(super) fn find() -> Result<Self, DevnetError> {
        let own = env::current_exe().ok();
        let beside = own.as_deref().and_then(Path::parent);
        Self::find_in(beside, &env::var_os("PATH").unwrap_or_default())
    }

    fn find_in(beside: Option<&Path>, path: &OsStr) -> Result<Self, DevnetError> {
        let find = |program: &'static str| {
            beside
                .map(Path::to_owned)
                .into_iter()
                .chain(env::split_paths(path))
                .map(|dir| dir.join(program))
                .find(|file| is_executable(file))
                .ok_or_else(|| DevnetError::ProgramMissing {
                    program,
                    beside: beside.unwrap_or(Path::new("?")).to_owned(),
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
    use ccoin_home::{ExitCode, Failure};

    fn put(dir: &Path, program: &str, mode: u32) -> PathBuf {
        fs::create_dir_all(dir).unwrap();
        let file = dir.join(program);
        fs::write(&file, "").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        file
    }

    #[test]
    fn what_lies_beside_goes_before_the_path_and_what_is_missing_has_a_remedy() {
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
        let failure = Failure::from(Programs::find_in(Some(&beside), &path).unwrap_err());
        assert_eq!(failure.code, ExitCode::NotFound);
        assert!(failure.message.contains("discovery"), "{failure}");
        assert!(
            failure.message.contains(beside.to_str().unwrap()),
            "{failure}"
        );
        assert!(failure.hints[0].contains("cargo build --release"));

        let discovery = put(&second, "discovery", 0o755);
        let found = Programs::find_in(Some(&beside), &path).unwrap();
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
