//! The client libraries in `crates/client/sdk` with the interpreters of this machine. What is
//! missing there is said, so that a run without it does not look like a test.

use crate::support::{Place, genesis};
use serde_json::json;
use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// The source of this workspace.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What a program says; `None` if it is not here.
fn run(command: &mut Command) -> Option<Output> {
    command.stdin(Stdio::null()).output().ok()
}

fn prints(program: &str, options: &[&str]) -> Option<String> {
    let output = run(Command::new(program).args(options))?;
    let said = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| said.trim().to_owned())
}

/// Runs a test with a home of its own and the `ccoin` of this build.
fn passes(program: &str, options: &[&str], place: &Place) -> String {
    let mut command = Command::new(program);
    command
        .args(options)
        .env("CCOIN", env!("CARGO_BIN_EXE_ccoin"))
        .env("HOME", place.path(""))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    let output = run(&mut command).unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success(), "{program}: {said}");
    said
}

fn place() -> Place {
    Place::new(&genesis(&json!({}), 500, &[]))
}

#[test]
fn the_python_library_agrees_and_pays() {
    let test = root().join("tests/sdk/test_ccoin.py");
    let python = prints("python3", &["-c", "import sys; print(sys.executable)"]).unwrap();
    tell_skipped(&passes(
        &python,
        &["-B", test.to_str().unwrap(), "-v"],
        &place(),
    ));
}

#[test]
fn the_typescript_library_agrees_and_pays() {
    let place = place();
    let Some((node, options, module)) = typescript(&place) else {
        println!("SKIPPED: ccoin.ts, it needs node 22 or later, or node 20 with esbuild");
        return;
    };
    let test = root().join("tests/sdk/test_ccoin.mjs");
    let files = [&test, &module, &root().to_owned()].map(|path| path.to_str().unwrap().to_owned());
    let files: Vec<_> = files.iter().map(String::as_str).collect();
    tell_skipped(&passes(&node, &[&options[..], &files].concat(), &place));
}

fn tell_skipped(said: &str) {
    let skipped = said
        .lines()
        .filter(|line| line.to_lowercase().contains("skipped"));
    skipped.for_each(|line| println!("SKIPPED: {line}"));
}

/// How this machine runs the library: as it is, or with its types stripped by esbuild.
fn typescript(place: &Place) -> Option<(String, Vec<&'static str>, PathBuf)> {
    let node = prints("node", &["-p", "process.execPath"])?;
    let source = root().join("crates/client/sdk/ccoin.ts");
    let strip = ["--experimental-strip-types", "--no-warnings"];
    if prints(&node, &[&strip[..], &["-p", "1"]].concat()).is_some() {
        return Some((node, strip.to_vec(), source));
    }
    let version = prints(&node, &["-p", "process.versions.node.split('.')[0]"])?;
    if version.parse::<u32>().ok()? < 20 {
        return None;
    }
    let module = place.path("ccoin.mjs");
    let outfile = format!("--outfile={}", module.display());
    prints("esbuild", &[source.to_str()?, "--format=esm", &outfile])?;
    Some((node, vec![], module))
}
