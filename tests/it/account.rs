//! `ccoin account`: keys made, moved and locked on a host without any node.

use crate::support::{Place, genesis};
use serde_json::{Value, json};
use std::{fs, process::Command};

fn place() -> Place {
    Place::new(&genesis(&json!({}), 500, &[]))
}

fn fails(place: &Place, options: &[&str], code: i32, words: &str) {
    let output = place.run("ccoin", options);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{options:?}: {said}");
    assert!(said.contains(words), "{options:?}: {said}");
    assert!(output.stdout.is_empty(), "{options:?}");
}

fn list(place: &Place) -> Value {
    serde_json::from_str(&place.ok("ccoin", &["account", "list", "--json"])).unwrap()
}

#[test]
fn a_key_is_made_locked_moved_to_another_host_and_found_by_its_name() {
    let (here, there) = (place(), place());
    assert!(
        here.ok("ccoin", &["account", "list"])
            .contains("ccoin account new")
    );
    let made = here.ok("ccoin", &["account", "new", "dora", "--no-passphrase"]);
    let address = made
        .trim_end()
        .strip_prefix("Created account with address=")
        .unwrap();
    assert_eq!(list(&here)[0]["key"], "open");
    fails(&here, &["account", "new", "dora"], 8, "already named");
    for name in ["a/b", &"0".repeat(40)] {
        fails(&here, &["account", "new", name], 2, "cannot be the name");
    }

    fs::write(here.path("words"), "sesame\n").unwrap();
    let lock = [
        "account",
        "passwd",
        "dora",
        "--new-passphrase-file",
        "words",
    ];
    here.ok("ccoin", &lock);
    assert_eq!(list(&here)[0]["key"], "locked");
    fails(&here, &lock, 9, "locked with a passphrase");
    fails(
        &here,
        &["account", "passwd", "dora"],
        2,
        "--new-passphrase-file",
    );
    let sign = ["sign", "dora", address, "1", "--number", "1", "--genesis"];
    let genesis = "0".repeat(64);
    let sign = [&sign[..], &[&genesis]].concat();
    fails(&here, &sign, 9, "--passphrase-file");
    let signed = here.ok(
        "ccoin",
        &[&sign[..], &["--passphrase-file", "words"]].concat(),
    );
    let signed: Value = serde_json::from_str(&signed).unwrap();
    assert_eq!(signed["from"], address);

    here.ok("ccoin", &["account", "export", "dora", "key.pem"]);
    fails(
        &here,
        &["account", "export", "dora", "key.pem"],
        8,
        "File exists",
    );
    fails(
        &here,
        &["account", "export", &"0".repeat(40), "x"],
        4,
        "is not on this host",
    );
    fs::copy(here.path("key.pem"), there.path("key.pem")).unwrap();
    fs::write(there.path("words"), "simsim\n").unwrap();
    let import = ["account", "import", "key.pem", "--name", "dora"];
    fails(&there, &import, 9, "locked with a passphrase");
    let unlock = [&import[..], &["--passphrase-file", "words"]].concat();
    fails(&there, &unlock, 9, "wrong passphrase");
    fs::write(there.path("words"), "sesame\n").unwrap();
    there.ok("ccoin", &unlock);
    fails(&there, &["account", "import", "words"], 3, "cannot be used");
    fails(
        &there,
        &["account", "import", "nothing"],
        4,
        "cannot read nothing",
    );
    assert_eq!(list(&there)[0]["address"], address);
    let shown = there.ok("ccoin", &["account", "show", "dora"]);
    assert!(
        shown.contains(address) && shown.contains("id_rsa.pub"),
        "{shown}"
    );
}

#[test]
fn openssl_opens_what_is_exported_and_makes_what_is_imported() {
    let place = place();
    fs::write(place.path("words"), "sesame\n").unwrap();
    let openssl = |options: &[&str]| {
        let mut command = Command::new("openssl");
        let output = command
            .args(options)
            .current_dir(place.path(""))
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        output.stdout
    };
    let bits = "rsa_keygen_bits:2048";
    openssl(&[
        "genpkey",
        "-algorithm",
        "RSA",
        "-pkeyopt",
        bits,
        "-out",
        "made.pem",
    ]);
    place.ok("ccoin", &["account", "import", "made.pem", "--name", "mia"]);
    place.ok(
        "ccoin",
        &["account", "passwd", "mia", "--new-passphrase-file", "words"],
    );
    place.ok("ccoin", &["account", "export", "mia", "out.pem"]);
    let before = openssl(&["pkey", "-in", "made.pem"]);
    let after = openssl(&["pkey", "-in", "out.pem", "-passin", "file:words"]);
    assert_eq!(before, after);
}

#[test]
fn without_a_home_only_commands_that_need_one_ask_for_it() {
    let place = place();
    fs::remove_file(place.path("ccoin.json")).unwrap();
    let homeless = |options: &[&str]| {
        let mut command = place.command("ccoin", options);
        let output = command.env_remove("HOME").output().unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let (code, said) = homeless(&["account", "new"]);
    assert_eq!(
        (code, said.contains("HOME is not set")),
        (Some(3), true),
        "{said}"
    );
    let (code, said) = homeless(&["status", "--url", "http://127.0.0.1:1"]);
    assert_eq!(code, Some(5), "{said}");
}
