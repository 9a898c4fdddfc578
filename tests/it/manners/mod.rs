//! How every binary refuses: the exit code, the fault with its values and the next command,
//! in at most five lines, and without having changed anything.

mod bad_files;
mod starts;

use crate::support::{Node, Place, genesis, request};
use serde_json::json;
use std::{
    collections::BTreeMap,
    fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Output,
};

/// A run that must be refused with this code and all these words, and change nothing.
fn refused(place: &Place, program: &str, options: &[&str], code: i32, words: &[&str]) {
    let before = files(&place.path(""));
    refused_beside(place, program, options, code, words);
    // A process that got as far as the locks has left its number in them.
    let mut after = files(&place.path(""));
    after.retain(|path, bytes| !path.ends_with("lock") && before.get(path) != Some(bytes));
    assert!(
        after.is_empty(),
        "{program} {options:?} changed {:?}",
        after.keys()
    );
    let gone = before.keys().find(|path| !path.exists());
    assert_eq!(gone, None, "{program} {options:?}");
}

/// The same beside a running node, which writes.
fn refused_beside(place: &Place, program: &str, options: &[&str], code: i32, words: &[&str]) {
    let output = place.run(program, options);
    let said = message(&output);
    let case = format!("{program} {options:?}:\n{said}");
    assert_eq!(output.status.code(), Some(code), "{case}");
    assert!(output.stdout.is_empty(), "{case}");
    let lines: Vec<_> = said.lines().collect();
    let error = lines.iter().position(|line| line.starts_with("error: "));
    let error = error.expect(&case);
    // Before the error stand only remarks for people: warnings and the three lines of initc.
    assert!(
        lines[..error].iter().all(|line| !line.starts_with(' ')),
        "{case}"
    );
    assert!(lines.len() - error <= 5 && error <= 3, "{case}");
    for line in &lines[error + 1..] {
        assert!(line.starts_with("  "), "{case}");
    }
    for word in words {
        assert!(said.contains(word), "no {word:?} in {case}");
    }
    for never in [
        "backtrace",
        "panicked",
        "Some(",
        "Err(",
        "Os {",
        "kind:",
        "src/",
    ] {
        assert!(!said.contains(never), "{never:?} in {case}");
    }
}

fn message(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Every file below a directory with its content.
fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![dir.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.insert(path.clone(), fs::read(path).unwrap());
            }
        }
    }
    found
}

fn quiet() -> String {
    genesis(&json!({"interval": 600}), 500, &[])
}

fn replace(place: &Place, file: &str, from: &str, to: &str) {
    let text = fs::read_to_string(place.path(file)).unwrap();
    assert!(text.contains(from), "{from} in {text}");
    fs::write(place.path(file), text.replacen(from, to, 1)).unwrap();
}
