//! The README's commands of `ccoin`, in their order, against the network that its first
//! command starts: each prints what stands there, but for names of keys, numbers and times.

use crate::support::{Devnet, Place, genesis};
use serde_json::json;
use std::{
    path::Path,
    process::{Command, Stdio},
};

const README: &str = include_str!("../../README.md");

/// Commands and the lines below each, of all blocks with a prompt.
fn transcript() -> Vec<(&'static str, Vec<&'static str>)> {
    let mut commands: Vec<(&str, Vec<&str>)> = Vec::new();
    let mut inside = false;
    for line in README.lines() {
        if line.starts_with("```") {
            inside = false;
        } else if let Some(command) = line.strip_prefix("$ ") {
            inside = true;
            commands.push((command, Vec::new()));
        } else if inside && let Some((_, lines)) = commands.last_mut() {
            lines.push(line);
        }
    }
    commands
}

/// A line without what differs from run to run: words with a digit are all the same, a block
/// may be final already, and the lanes of a simulation follow every change of a rule.
fn shape(line: &str) -> String {
    let words = line.split_whitespace().map(|word| {
        let varies = word.contains(|c: char| c.is_ascii_digit());
        let is_lane = word.len() > 60 && word.chars().all(|c| "#-x/*.=".contains(c));
        match word {
            "included" => "final",
            _ if is_lane => "lane",
            _ if varies && word.contains('=') => "=#",
            _ if varies => "#",
            word => word,
        }
    });
    let words: Vec<_> = words.collect();
    let shape = words.join(" ");
    // In a list of blocks the last word says so, too.
    let row = words.len() > 3 && words[..3] == ["#", "#", "#"];
    shape
        .strip_suffix(" final")
        .filter(|_| row)
        .map_or(shape.clone(), str::to_owned)
}

/// A command in a home of its own, with the programs of this build first in PATH.
fn command(program: &str, place: &Place) -> Command {
    let programs = Path::new(env!("CARGO_BIN_EXE_ccoin")).parent().unwrap();
    let path = std::env::var("PATH").unwrap();
    let mut command = Command::new(program);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CCOIN")) {
        command.env_remove(name);
    }
    command
        .current_dir(place.path(""))
        .env("HOME", place.path(""))
        .env("PATH", format!("{}:{path}", programs.display()))
        .stdin(Stdio::null());
    command
}

fn place() -> Place {
    Place::new(&genesis(&json!({}), 500, &[]))
}

#[test]
fn the_commands_of_the_readme_print_what_it_shows() {
    let place = place();
    let _devnet = Devnet::start(&mut place.command("ccoin", &["devnet", "--json"]));
    let mut run = 0;
    for (line, expected) in transcript() {
        // Other programs have tests of their own; watch does not end.
        if !line.starts_with("ccoin ") || line.starts_with("ccoin watch") {
            continue;
        }
        let mut shell = command("sh", &place);
        let output = shell.args(["-c", line]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}: {said}");
        let printed = String::from_utf8(output.stdout).unwrap();
        let printed: Vec<_> = printed.lines().map(shape).collect();
        let expected: Vec<_> = expected.into_iter().map(shape).collect();
        assert_eq!(printed, expected, "{line}");
        run += 1;
    }
    assert!(run >= 8, "only {run} commands were found");
}

#[test]
fn the_python_example_of_the_readme_pays() {
    let place = place();
    // The program itself: a shim would look for its settings in HOME.
    let found = Command::new("python3")
        .args(["-c", "import sys; print(sys.executable)"])
        .output();
    let interpreter = String::from_utf8(found.unwrap().stdout).unwrap();
    let python = |script: &str| {
        let sdk = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/client/sdk");
        let mut python = command(interpreter.trim(), &place);
        let python = python.env("PYTHONPATH", sdk).args(["-B", "-c", script]);
        let output = python.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (
            output.status.success(),
            String::from_utf8(output.stdout).unwrap(),
            said,
        )
    };
    if !python("import cryptography").0 {
        println!("SKIPPED: the example in Python, there is no package cryptography");
        return;
    }
    let (_, example) = README.split_once("```python\n").unwrap();
    let (example, _) = example.split_once("```").unwrap();
    let (done, printed, said) = python(example);
    assert!(done, "{said}");
    assert_eq!(printed, "final 1000005\n");
}
