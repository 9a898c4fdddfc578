//! The mark of a network that is being made. Where it is found, somebody was interrupted
//! or has failed: what that one made is removed and founding starts over. The directory
//! was empty when the mark was written, so these names are ours; others are left alone.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::Path;

use ccoin_home::{read_text, replace_file};

use super::layout::{Layout, file_error};
use super::manifest::{MOST, NAMES};
use super::{DevnetError, NodeType, founding::name};

/// What people read who look into the file; with another text it is not ours.
const TEXT: &str = "A devnet is being made here. The next one with this --data-dir starts over.\n";

/// Marks the directory, and clears it of what was made there without success.
///
/// # Errors
/// [`DevnetError::File`] with what the system says.
pub(super) fn begin(layout: &Layout) -> Result<(), DevnetError> {
    let mark = layout.unfinished();
    replace_file(&mark, TEXT.as_bytes(), 0o600).map_err(file_error(&mark))?;
    let nodes = [NodeType::Validator, NodeType::Basic].into_iter();
    let names = nodes.flat_map(|kind| (0..MOST.into()).map(move |n| name(kind.word(), n)));
    let dirs = names.map(|name| layout.member(&name));
    for dir in dirs.chain(NAMES.iter().map(|name| layout.account(name))) {
        clear(&dir, |dir| fs::remove_dir_all(dir))?;
    }
    clear(&layout.genesis(), |file| fs::remove_file(file))
}

/// Takes the mark away: everything is there, the description included.
///
/// # Errors
/// [`DevnetError::File`] with what the system says.
pub(super) fn end(layout: &Layout) -> Result<(), DevnetError> {
    match is_marked(layout) {
        true => clear(&layout.unfinished(), |file| fs::remove_file(file)),
        false => Ok(()),
    }
}

/// Is there a mark?
pub(super) fn is_marked(layout: &Layout) -> bool {
    let text = File::open(layout.unfinished()).and_then(|file| read_text(file, TEXT.len()));
    text.is_ok_and(|text| text == TEXT)
}

fn clear(path: &Path, remove: impl Fn(&Path) -> io::Result<()>) -> Result<(), DevnetError> {
    match remove(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(file_error(path)(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::devnet::layout::Home;
    use crate::devnet::manifest::Manifest;

    #[test]
    fn what_was_made_without_success_is_removed_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::open(Some(dir.path())).unwrap();
        let layout = &home.layout;
        begin(layout).unwrap();
        let key = |dir: std::path::PathBuf| {
            fs::create_dir_all(&dir).unwrap();
            fs::write(dir.join("key"), "").unwrap();
            dir
        };
        let made = [
            key(layout.member("validator-1")),
            key(layout.member("basic-20")),
            key(layout.account("wendy")),
        ];
        fs::write(layout.genesis(), "").unwrap();
        let kept = [key(layout.member("discovery")), key(layout.account("zoe"))];
        fs::write(dir.path().join("notes.txt"), "mine").unwrap();
        assert_eq!(Manifest::read(layout).unwrap(), None);
        drop(home);

        let home = Home::open(Some(dir.path())).unwrap();
        begin(&home.layout).unwrap();
        assert!(made.iter().all(|dir| !dir.exists()));
        assert!(!home.layout.genesis().exists());
        assert!(kept.iter().all(|dir| dir.join("key").exists()));
        assert!(dir.path().join("notes.txt").exists());
        end(&home.layout).unwrap();
        // Without the mark, or with a file of that name, nobody knows whose it is.
        fs::write(home.layout.unfinished(), "thesis").unwrap();
        assert!(matches!(
            Manifest::read(&home.layout),
            Err(DevnetError::Stranger(_))
        ));
    }
}
