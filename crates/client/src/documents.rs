//! The two documents of a network that is made here: what may stand in a ccoin.json,
//! and a genesis.json that has been read again before anybody uses it.

use std::path::Path;

use ccoin_home::{ExitCode, Failure, GenesisDocument};
use serde_json::Value;

/// A directory as it stands in `app.base_path`, where `${` begins a variable.
///
/// # Errors
/// [`Failure`] 2 for a path that cannot stand there.
pub(crate) fn base_path(dir: &Path) -> Result<&str, Failure> {
    dir.to_str()
        .filter(|path| !path.contains("${"))
        .ok_or_else(|| {
            let message = format!("{} cannot stand in ccoin.json", dir.display());
            Failure::new(ExitCode::Usage, message)
        })
}

/// The text of a genesis.json, once the rules have accepted it.
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
    use serde_json::json;

    #[test]
    fn what_a_reader_would_not_take_is_refused_when_it_is_written() {
        assert_eq!(base_path(Path::new("/a b")).unwrap(), "/a b");
        let error = base_path(Path::new("/a/${HOME}")).unwrap_err();
        assert_eq!(error.code, ExitCode::Usage);
        let error = genesis_text(&json!({"network_id": 1, "miners": []})).unwrap_err();
        assert_eq!(error.code, ExitCode::BadConfig);
        assert!(error.message.contains("miners"), "{error}");
    }
}
