//! Configurations and accounts of a network that is made here, and the check of its genesis
//! before it is written.

use std::path::{Path, PathBuf};

use ccoin_core::Address;
use ccoin_home::{
    ExitCode, Failure, GenesisDocument, NewAccount, PassphraseSource, create_account, environment,
};
use serde_json::{Value, json};

use crate::files::write;

/// The configuration in the directory of a node or account.
pub(crate) fn config_file(dir: &Path) -> PathBuf {
    dir.join("ccoin.json")
}

/// Makes an account without passphrase in `dir`, with a configuration that names it.
///
/// # Errors
/// [`Failure`] if a file cannot be written.
pub(crate) fn new_account(dir: &Path, name: &str) -> Result<Address, Failure> {
    let config = config_file(dir);
    let document = json!({"app": {"base_path": base_path(dir)?}});
    write(&config, &format!("{document:#}\n"), 0o600)?;
    let account = NewAccount {
        config,
        name: Some(name.to_owned()),
        bits: 2048,
        passphrase: PassphraseSource::Absent,
        public_key: None,
        update_config: true,
        update_genesis: None,
    };
    Ok(create_account(&account, &environment)?.address)
}

/// A directory as it is written in `app.base_path`, where `${` begins a variable.
///
/// # Errors
/// [`Failure`] 2 for a path that cannot be written there.
pub(crate) fn base_path(dir: &Path) -> Result<&str, Failure> {
    let path = dir.to_str().filter(|path| !path.contains("${"));
    path.ok_or_else(|| {
        let message = format!("{} cannot stand in ccoin.json", dir.display());
        Failure::new(ExitCode::Usage, message)
    })
}

/// The text of a genesis.json that the rules accept.
///
/// # Errors
/// [`Failure`] 3 with the value that the rules refuse.
pub(crate) fn genesis_text(document: &Value) -> Result<String, Failure> {
    let text = format!("{document:#}\n");
    GenesisDocument::parse(&text, "genesis.json")?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_its_reader_refuses_is_not_written() {
        assert_eq!(base_path(Path::new("/a b")).unwrap(), "/a b");
        let error = base_path(Path::new("/a/${HOME}")).unwrap_err();
        assert_eq!(error.code, ExitCode::Usage);
        let error = genesis_text(&json!({"network_id": 1, "miners": []})).unwrap_err();
        assert_eq!(error.code, ExitCode::BadConfig);
        assert!(error.message.contains("miners"), "{error}");
    }
}
