//! `${VAR}` and `~` in the texts of a configuration. Pure: the value of a variable comes
//! from the caller.

use std::path::{Path, PathBuf};

/// The variables that a text may name; an empty one counts as not set. A fault reads
/// "`fault`: `advice`".
#[derive(Clone, Copy)]
pub(crate) struct Variables<'e>(pub(crate) &'e dyn Fn(&str) -> Option<String>);

impl Variables<'_> {
    /// Replaces each `${VAR}` once: `${` in the value of a variable stays.
    pub(crate) fn expand(self, text: &str) -> Result<String, String> {
        let mut parts = text.split("${");
        let mut expanded = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let Some((name, rest)) = part.split_once('}') else {
                return Err("has a ${ without }: write ${VARIABLE}".to_owned());
            };
            expanded.push_str(&self.value(name)?);
            expanded.push_str(rest);
        }
        Ok(expanded)
    }

    /// Replaces a leading `~` by the home directory.
    pub(crate) fn home(self, path: &Path) -> Result<PathBuf, String> {
        match path.strip_prefix("~") {
            Ok(rest) => Ok(Path::new(&self.value("HOME")?).join(rest)),
            Err(_) => Ok(path.to_owned()),
        }
    }

    fn value(self, name: &str) -> Result<String, String> {
        (self.0)(name)
            .filter(|value| !value.is_empty())
            .ok_or_else(|| {
                format!(
                    "needs the environment variable {name}, which is not set: \
                 export {name}=... or write the value itself"
                )
            })
    }
}
