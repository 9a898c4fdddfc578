//! The token that the wallet path of the HTTP API asks for.
//! Made once, kept across restarts, compared in constant time, never logged.

use std::fmt;
use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use ccoin_crypto::{constant_time_eq, random_bytes};

use crate::atomic_file::{read_text, write_new};
use crate::{ExitCode, Failure};

/// Hex digits of a token: 32 random bytes.
const TOKEN_DIGITS: usize = 64;

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file holds something else.
    #[error("{} does not hold a token of {TOKEN_DIGITS} hex digits", .0.display())]
    Malformed(PathBuf),
    /// The file cannot be read or written.
    #[error("cannot use the token file {}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
}

impl From<TokenError> for Failure {
    fn from(error: TokenError) -> Self {
        let failure = Self::new(ExitCode::BadConfig, error.to_string());
        match error {
            TokenError::Malformed(path) => failure.hint(format!(
                "rm {}   and start again: a new one is made",
                path.display()
            )),
            TokenError::Io { .. } => failure,
        }
    }
}

/// 32 random bytes as 64 lower-case hex digits.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiToken(String);

impl ApiToken {
    /// Reads the token, or makes one for the owner alone if there is none.
    ///
    /// # Errors
    /// [`TokenError`] with the path.
    pub fn open(path: &Path) -> Result<Self, TokenError> {
        let io_error = |source| TokenError::Io {
            path: path.to_owned(),
            source,
        };
        let mut bytes = [0; TOKEN_DIGITS / 2];
        let text = match File::open(path) {
            Ok(file) => {
                keep_to_owner(&file, path).map_err(io_error)?;
                read_text(file, 2 * TOKEN_DIGITS).map_err(io_error)?
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let text = hex::encode(random_bytes::<{ TOKEN_DIGITS / 2 }>());
                write_new(path, format!("{text}\n").as_bytes(), 0o600).map_err(io_error)?;
                text
            }
            Err(error) => return Err(io_error(error)),
        };
        let text = text.trim_end();
        match hex::decode_to_slice(text, &mut bytes) {
            Ok(()) => Ok(Self(hex::encode(bytes))),
            Err(_) => Err(TokenError::Malformed(path.to_owned())),
        }
    }

    /// Whether `offered` is this token; the time does not tell where they differ.
    #[must_use]
    pub fn matches(&self, offered: &str) -> bool {
        constant_time_eq(self.0.as_bytes(), offered.as_bytes())
    }

    /// The 64 hex digits, for the owner's own client.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Takes the token file from other users; they may have read it before.
fn keep_to_owner(file: &File, path: &Path) -> io::Result<()> {
    let mode = file.metadata()?.permissions().mode();
    if mode & 0o077 != 0 {
        file.set_permissions(Permissions::from_mode(0o600))?;
        let path = path.display();
        tracing::warn!(
            "{path} could be read by other users of this host (mode {:o}); now it cannot. To be \
             safe stop the node, remove the file and start again: a new token is made",
            mode & 0o777
        );
    }
    Ok(())
}

impl fmt::Debug for ApiToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiToken(..)")
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_token_is_made_once_and_only_it_matches() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("api.token");
        let token = ApiToken::open(&path).unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(ApiToken::open(&path).unwrap(), token);
        assert_ne!(ApiToken::open(&dir.path().join("other")).unwrap(), token);

        let text = token.as_str().to_owned();
        assert!(token.matches(&text));
        assert!(!token.matches(""));
        assert!(!token.matches(&text[1..]));
        assert!(!token.matches(&format!("{text}0")));
        for at in 0..text.len() {
            let mut other = text.clone().into_bytes();
            other[at] ^= 1;
            assert!(!token.matches(std::str::from_utf8(&other).unwrap()), "{at}");
        }
        assert!(!format!("{token:?}").contains(&text));
    }

    #[test]
    fn a_token_that_others_could_read_is_kept_from_them() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("api.token");
        let token = ApiToken::open(&path).unwrap();
        for mode in [0o644, 0o640, 0o622, 0o400] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            assert_eq!(ApiToken::open(&path).unwrap(), token);
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0);
        }
    }

    #[test]
    fn a_file_with_something_else_is_an_error_that_names_the_remedy() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("api.token");
        for content in [
            "",
            "secret",
            &"g".repeat(64),
            &"a".repeat(63),
            &"a".repeat(500),
        ] {
            fs::write(&path, content).unwrap();
            let failure = Failure::from(ApiToken::open(&path).unwrap_err());
            assert_eq!(failure.code, ExitCode::BadConfig);
            assert!(failure.message.contains("api.token"), "{failure}");
        }
    }
}
