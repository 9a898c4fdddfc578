//! Command lines: help, version, and what is wrong with them.

use crate::support::{Place, genesis};
use serde_json::json;

/// All binaries.
const PROGRAMS: [&str; 5] = ["create-account", "initc", "cnode", "discovery", "ccoin"];

fn quiet() -> String {
    genesis(&json!({"interval": 600}), 500, &[])
}

/// A run that must be refused with code 2, in the form of every failure.
fn misused(place: &Place, program: &str, options: &[&str], word: &str) {
    let output = place.run(program, options);
    let said = String::from_utf8_lossy(&output.stderr);
    let case = format!("{program} {options:?}: {said}");
    assert_eq!(output.status.code(), Some(2), "{case}");
    assert!(output.stdout.is_empty(), "{case}");
    let mut lines = said.lines();
    let first = lines.next().unwrap();
    assert!(
        first.starts_with("error: ") && said.contains(word),
        "{case}"
    );
    assert!(
        lines.all(|line| line.starts_with("  ") && !line.trim().is_empty()),
        "{case}"
    );
    assert!(said.lines().count() <= 5, "{case}");
}

#[test]
fn every_binary_has_help_and_version_and_refuses_unknown_options() {
    let place = Place::new(&quiet());
    for program in PROGRAMS {
        assert_eq!(place.ok(program, &["-V"]), format!("{program} 0.1.0\n"));
        assert_eq!(
            place.ok(program, &["--version"]),
            format!("{program} 0.1.0\n")
        );
        let help = place.ok(program, &["--help"]);
        assert!(help.contains(&format!("Usage: {program}")) && help.contains("-V, --version"));
        assert!(!help.contains('\x1b'), "colours are for terminals");
        misused(&place, program, &["--no-such-option"], "--no-such-option");
        // -h is the host where there is one, and the help elsewhere.
        let short = place.run(program, &["-h"]);
        if ["cnode", "discovery"].contains(&program) {
            assert_eq!((short.status.code(), short.stdout.len()), (Some(2), 0));
        } else {
            assert_eq!(short.status.code(), Some(0), "{program}");
        }
    }
    assert!(place.ok("ccoin", &["help", "send"]).contains("<AMOUNT>"));
    for option in [
        "--host",
        "--port",
        "--node-type",
        "--ready-file",
        "--pidfile",
        "--log-format",
    ] {
        assert!(place.ok("cnode", &["--help"]).contains(option), "{option}");
    }
    for options in [["-t", "king"], ["-p", "70000"], ["--log-format", "xml"]] {
        misused(&place, "cnode", &options, options[1]);
    }
}

#[test]
fn commands_to_a_network_take_only_options_of_all_commands() {
    let place = Place::new(&quiet());
    for options in [
        &["devnet", "--json", "stop", "basic-1"][..],
        &["--json", "devnet", "stop", "basic-1"],
        &["devnet", "stop", "basic-1", "--json"],
    ] {
        // There is no network.
        assert_eq!(
            place.run("ccoin", options).status.code(),
            Some(4),
            "{options:?}"
        );
    }
    for option in ["--validators=3", "--traffic=5", "--data-dir=x"] {
        let options = ["devnet", option, "stop", "basic-1"];
        misused(&place, "ccoin", &options, "is for a new network");
    }
    misused(&place, "ccoin", &["devnet", "stop"], "<NODE>");
    misused(&place, "ccoin", &["devnet", "partition"], "<NODE>");
}

#[test]
fn a_port_or_host_that_cannot_be_is_refused() {
    let place = Place::network(&quiet());
    misused(
        &place,
        "cnode",
        &["-h", "127.0.0.1", "-p", "65535"],
        "65536",
    );
    for options in [["-h", "192.0.2.1"], ["--http-host", "192.0.2.1"]] {
        // No process has taken it: there is no such address here.
        let output = place.run("cnode", &options);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(
            said.contains("cannot listen on 192.0.2.1") && !said.contains("taken"),
            "{said}"
        );
        // Another port would not help.
        assert!(
            said.contains(options[0]) && !said.contains("try:"),
            "{said}"
        );
    }
}

#[test]
fn check_looks_into_the_run_directory() {
    let place = Place::network(&quiet());
    let above = place.path("");
    let above = above.parent().unwrap();
    let name = above.join("nothing-here");
    let dir = place.path("").to_str().unwrap().to_owned();
    let mut command = place.command("cnode", &["-d", &dir, "--check"]);
    let checked = command.current_dir(above).output().unwrap();
    let said = String::from_utf8_lossy(&checked.stderr);
    assert_eq!(checked.status.code(), Some(0), "{said}");
    let output = place.run("cnode", &["-d", name.to_str().unwrap(), "--check"]);
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn a_check_says_which_path_checks_signatures_and_refuses_an_unknown_choice() {
    let place = Place::network(&quiet());
    let run = |choice: &str| {
        let mut command = place.command("cnode", &["--check"]);
        command.env("CCOIN_LANES", choice).output().unwrap()
    };
    let off = run("off");
    let said = String::from_utf8_lossy(&off.stdout);
    assert!(
        off.status.success() && said.contains("signatures     one signature at a time"),
        "{said}"
    );
    let unknown = run("maybe");
    let said = String::from_utf8_lossy(&unknown.stderr);
    assert_eq!(unknown.status.code(), Some(3), "{said}");
    assert!(
        said.contains("CCOIN_LANES is \"maybe\"") && said.contains("CCOIN_LANES=off"),
        "{said}"
    );
}
