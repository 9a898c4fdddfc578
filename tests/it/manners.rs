//! How every binary refuses: the exit code, the fault with its values and the next command,
//! in at most five lines, and without having changed anything.

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

#[test]
fn a_bad_configuration_is_refused_with_its_place() {
    let place = Place::network(&quiet());
    let good = fs::read_to_string(place.path("ccoin.json")).unwrap();
    let account = format!("\"account_address\": \"{}\"", place.address);
    let unset = "\"base_path\": \"${NOT_SET_ANYWHERE}\"";
    for (from, to, words) in [
        (
            "\"peers\": []",
            "\"peers\": 5",
            &["ccoin.json:", "peers 5"][..],
        ),
        (
            "\"peers\": []",
            "\"peers\": [], \"peers\": []",
            &["peers", "stands here again"],
        ),
        (
            "\"base_path\": \"~/.ccoin\"",
            unset,
            &["NOT_SET_ANYWHERE", "export"],
        ),
        (
            &account,
            "\"account_address\": \"\"",
            &["create-account -c ccoin.json --update-config"],
        ),
        (
            &account,
            "\"account_address\": \"12\"",
            &["account_address", "40"],
        ),
        ("\"app\": {", "\"app\": ", &["ccoin.json:"]),
    ] {
        fs::write(place.path("ccoin.json"), good.replacen(from, to, 1)).unwrap();
        for (program, options) in [
            ("cnode", &["-p", "0"][..]),
            ("cnode", &["--check"]),
            ("initc", &["--check"]),
            ("initc", &[]),
        ] {
            refused(&place, program, options, 3, words);
        }
    }
    for program in ["cnode", "initc", "create-account"] {
        refused(
            &place,
            program,
            &["-c", "no.json"],
            3,
            &["no.json", "--config"],
        );
    }
    // A misspelt key is told also when it is the reason of the failure.
    let misspelt = account.replace("account_address", "acount_address");
    let wrong = good.replacen(&account, &misspelt, 1);
    fs::write(place.path("ccoin.json"), wrong).unwrap();
    let words = ["did you mean \"account_address\"", "is empty"];
    for program in ["cnode", "initc"] {
        refused(&place, program, &[], 3, &words);
    }
    let words = ["did you mean \"account_address\"", "cannot be the name"];
    refused(&place, "create-account", &["--name", ""], 2, &words);
    // An unknown key is a warning with a proposal.
    fs::write(
        place.path("ccoin.json"),
        good.replacen("\"peers\": []", "\"pears\": []", 1),
    )
    .unwrap();
    let checked = place.run("cnode", &["--check"]);
    assert_eq!(checked.status.code(), Some(0));
    let said = message(&checked);
    assert!(
        said.contains("pears") && said.contains("did you mean \"peers\""),
        "{said}"
    );
}

#[test]
fn initc_refuses_a_bad_genesis_with_its_place() {
    let mut place = Place::new(&quiet());
    let no_miner = fs::read_to_string(place.path("genesis.json")).unwrap();
    let words = ["genesis.json:", "miners", "create-account --update-genesis"];
    place.ok("create-account", &["--update-config"]);
    refused(&place, "initc", &[], 3, &words);
    place.make_account();
    let good = fs::read_to_string(place.path("genesis.json")).unwrap();
    assert_ne!(no_miner, good);
    for (from, to, words) in [
        ("\"reward\": 10", "\"reward\": \"10\"", &["reward"][..]),
        (
            "\"reward\": 10",
            "\"reward\": 1e1",
            &["reward 1e1 is not a whole number", "write 10"],
        ),
        ("\"reward\": 10", "\"reward\": -1", &["reward -1"]),
        (
            "\"reward\": 10",
            "\"reward\": 10, \"reward\": 11",
            &["reward", "stands here again"],
        ),
        (
            "\"reward\": 10",
            "\"rewards\": 10",
            &["rewards", "did you mean"],
        ),
        ("\"min_bound\": 3", "\"min_bound\": 101", &["101"]),
        (",\n  \"network_id\": 7", "", &["network_id"]),
        (
            "\"slot_ms\": 500",
            "\"slot_ms\": 100",
            &["slot_ms 100", "200"],
        ),
        (place.address.as_str(), "12", &["genesis.json:", "40"]),
        (
            "\"difficulty\": 1,\n",
            "\"difficulty\": 8,\n",
            &["difficulty 8", "500 ms", "slot_ms"],
        ),
        ("{", "", &["genesis.json:"]),
    ] {
        assert!(good.contains(from), "{from} in {good}");
        fs::write(place.path("genesis.json"), good.replacen(from, to, 1)).unwrap();
        refused(&place, "initc", &["--check"], 3, words);
        refused(&place, "initc", &[], 3, words);
    }
    refused(
        &place,
        "initc",
        &["-g", "none.json"],
        3,
        &["none.json", "--genesis"],
    );
    fs::write(place.path("garbage"), [0x92, 1, 2, 3]).unwrap();
    refused(&place, "initc", &["-g", "garbage"], 3, &["garbage"]);

    // Comments and trailing commas are fine, and --check changes nothing.
    let commented = format!("/* mine */ {}", good.replacen("\n}", ",\n}", 1));
    fs::write(place.path("genesis.json"), commented).unwrap();
    let before = files(&place.path(""));
    assert_eq!(place.ok("initc", &["--check"]), "");
    assert_eq!(files(&place.path("")), before);
    place.ok("initc", &[]);
}

#[test]
fn a_second_initc_keeps_the_chain_unless_forced() {
    let place = Place::network(&quiet());
    let before = files(&place.data("chain/blocks"));
    let words = ["already", "nothing was changed", "initc --force"];
    refused(&place, "initc", &[], 8, &words);
    let id = |line: String| {
        line.trim_end()
            .rsplit_once("pow_hash=")
            .unwrap()
            .1
            .to_owned()
    };
    let new = id(place.ok("initc", &["--force", "--out", "block1"]));
    assert_ne!(files(&place.data("chain/blocks")), before);
    let mut node = place.start(&[]);
    assert_eq!(node.genesis_id().to_string(), new);
    refused_beside(&place, "initc", &["--force"], 8, &[&node.pid().to_string()]);
    assert_eq!(node.stop().0, Some(0));

    // The block installs the same chain on a host that did not mine it.
    let mut other = Place::new(&quiet());
    other.make_account();
    fs::copy(place.path("block1"), other.path("block1")).unwrap();
    let line = other.ok("initc", &["-g", "block1"]);
    assert!(
        line.starts_with("Genesis block has been installed"),
        "{line}"
    );
    assert_eq!(id(line), new);
    let words = ["is not a miner", "cnode -t basic"];
    refused(&other, "cnode", &["-t", "validator", "-p", "0"], 3, &words);
    let mut basic = Node::spawn(&mut other.command("cnode", &["-p", "0"]), &other.data(""));
    basic.ready();
    assert_eq!(basic.genesis_id().to_string(), new);
    assert_eq!(basic.stop().0, Some(0));
}

#[test]
fn a_start_checks_chain_key_and_files_first() {
    let mut place = Place::new(&quiet());
    place.make_account();
    let start = ["-t", "validator", "-p", "0"];
    assert!(
        place
            .ok("cnode", &["--check"])
            .contains("block 1 will come from a peer")
    );
    // Without a chain it waits, says so, and answers.
    let mut waiting = place.spawn(&[]);
    waiting.line("no chain in");
    waiting.http_port();
    let status = waiting.get("/v1/status");
    assert_eq!(
        (&status["state"], &status["height"]),
        (&"g".into(), &0.into())
    );
    assert_eq!(waiting.height(), 0);
    let answer = request(waiting.http, "GET", "/readyz", &[], "").unwrap();
    assert_eq!(answer.status, 503, "{}", answer.body);
    assert!(
        answer.body.contains("no peer is connected"),
        "{}",
        answer.body
    );
    assert_eq!(waiting.stop().0, Some(0));
    place.ok("initc", &[]);

    let before = files(&place.path(""));
    let checked = place.ok("cnode", &["--check", "-t", "validator"]);
    for word in [&place.address, "2048 bits", "ccoin.json", "genesis"] {
        assert!(checked.contains(word), "{checked}");
    }
    assert_eq!(files(&place.path("")), before, "--check changes nothing");

    let zeros = "0".repeat(64);
    let other = format!("\"genesis_id\": \"{zeros}\", \"peers\": []");
    replace(&place, "ccoin.json", "\"peers\": []", &other);
    refused(
        &place,
        "cnode",
        &start,
        3,
        &["genesis", &zeros, "nothing was changed", "ccoin.json"],
    );
    replace(&place, "ccoin.json", &other, "\"peers\": []");

    refused(
        &place,
        "cnode",
        &["-p", "0", "--ready-file", "none/ready"],
        3,
        &["none/ready"],
    );
    let key = place.data(".keys/id_rsa");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    refused(&place, "cnode", &start, 3, &["mode 0644", "chmod 600"]);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    fs::rename(&key, place.data(".keys/away")).unwrap();
    let words = ["no key", "id_rsa", "from your backup", "another account"];
    refused(&place, "cnode", &start, 3, &words);
    refused(&place, "initc", &["--force"], 3, &words);
    fs::rename(place.data(".keys/away"), &key).unwrap();
    let elsewhere = "\"base_path\": \"elsewhere\"";
    replace(
        &place,
        "ccoin.json",
        "\"base_path\": \"~/.ccoin\"",
        elsewhere,
    );
    let words = [
        "elsewhere",
        "does not exist",
        "app.base_path",
        "from your backup",
    ];
    refused(&place, "cnode", &start, 3, &words);
    refused(&place, "initc", &[], 3, &words);
    replace(
        &place,
        "ccoin.json",
        elsewhere,
        "\"base_path\": \"~/.ccoin\"",
    );
    fs::create_dir(place.data("chain/blocks.away")).unwrap();
    assert_eq!(place.start(&[]).stop().0, Some(0));
}

#[test]
fn the_other_file_is_named_and_left_alone() {
    let place = Place::network(&quiet());
    let words = ["genesis.json:", "stands in a genesis file", "-c FILE"];
    for (program, options) in [
        ("cnode", &["-c", "genesis.json"][..]),
        ("initc", &["-c", "genesis.json"]),
        ("create-account", &["-c", "genesis.json", "--update-config"]),
    ] {
        refused(&place, program, options, 3, &words);
    }
    let words = ["ccoin.json:", "stands in the configuration"];
    refused(&place, "initc", &["-g", "ccoin.json"], 3, &words);
    let options = ["--update-genesis", "ccoin.json"];
    refused(&place, "create-account", &options, 3, &words);
}

#[test]
fn a_relative_base_path_counts_from_the_file() {
    let place = Place::network(&quiet());
    fs::rename(place.path(".ccoin"), place.path("data")).unwrap();
    replace(&place, "ccoin.json", "\"~/.ccoin\"", "\"data\"");
    fs::create_dir(place.path("below")).unwrap();
    let mut command = place.command("cnode", &["-c", "../ccoin.json", "--check"]);
    let checked = command.current_dir(place.path("below")).output().unwrap();
    assert_eq!(checked.status.code(), Some(0), "{}", message(&checked));
}

#[test]
fn a_network_without_a_miner_here_is_told() {
    let mut place = Place::new(&quiet());
    place.make_account();
    let miner = std::mem::take(&mut place.address);
    place.make_account_only();
    let here = format!("{}, is none of the 1 miners", place.address);
    let founded = place.run("initc", &[]);
    let said = message(&founded);
    assert_eq!(founded.status.code(), Some(0), "{said}");
    assert!(
        said.contains(&here) && !said.contains("no key of a miner"),
        "{said}"
    );
    assert_eq!(said.matches("blocks go on with").count(), 1, "{said}");

    fs::remove_dir_all(place.path(".ccoin").join(miner)).unwrap();
    for (program, options) in [("initc", &["--check"][..]), ("cnode", &["--check"])] {
        let said = message(&place.run(program, options));
        assert!(
            said.contains(&here) && said.contains("no key of a miner"),
            "{said}"
        );
    }
    let mut basic = Node::spawn(&mut place.command("cnode", &["-p", "0"]), &place.data(""));
    basic.line("is none of the 1 miners");
    basic.line("no key of a miner");
    // It hears signals from here on.
    basic.http_port();
    assert_eq!(basic.stop().0, Some(0));
}

#[test]
fn a_locked_key_opens_with_its_passphrase_only() {
    let mut place = Place::new(&quiet());
    fs::write(place.path("right"), "open sesame\n").unwrap();
    fs::write(place.path("wrong"), "open\n").unwrap();
    let options = [
        "--update-config",
        "--update-genesis",
        "genesis.json",
        "--passphrase-file",
        "right",
    ];
    let line = place.ok("create-account", &options);
    place.address = line.trim_end().rsplit_once('=').unwrap().1.to_owned();
    place.ok("initc", &[]);
    refused(
        &place,
        "cnode",
        &["-p", "0"],
        9,
        &["locked", "--passphrase-file"],
    );
    refused(
        &place,
        "cnode",
        &["-p", "0", "--passphrase-file", "wrong"],
        9,
        &["wrong passphrase"],
    );
    refused(
        &place,
        "cnode",
        &["-p", "0", "--passphrase-file", "none"],
        9,
        &["none"],
    );
    let mut node = place.start(&["--passphrase-file", "right"]);
    assert_eq!(node.stop().0, Some(0));
    let log = node.rest();
    assert!(!log.contains("sesame"), "{log}");
}

#[test]
fn a_port_in_use_is_named_and_no_process_stays() {
    let place = Place::network(&quiet());
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let words = [&*format!("port {port} on 127.0.0.1 is taken"), "cnode -p 0"];
    refused(
        &place,
        "cnode",
        &["-h", "127.0.0.1", "-p", &port],
        8,
        &words,
    );
    let words = [
        &*format!("port {port} on 127.0.0.1 is taken (HTTP API)"),
        "try: cnode",
    ];
    refused(
        &place,
        "cnode",
        &["-p", "0", "--http-port", &port],
        8,
        &words,
    );
    let odd = ["-p", "0", "--http-host", "no host"];
    refused(&place, "cnode", &odd, 3, &["no host"]);
    // Nothing is left that could stand in the way.
    assert_eq!(place.start(&["-h", "127.0.0.1"]).stop().0, Some(0));
}

#[test]
fn a_second_process_is_refused_and_told_the_first() {
    let place = Place::network(&quiet());
    let node = place.start(&[]);
    let pid = node.pid().to_string();
    refused_beside(
        &place,
        "cnode",
        &["-t", "validator", "-p", "0"],
        8,
        &[&pid, "kill"],
    );
    for lock in [".keys/lock", "chain/lock"] {
        assert_eq!(fs::read_to_string(place.data(lock)).unwrap().trim(), pid);
    }
    assert_eq!(node.height(), 1, "the first one is not disturbed");
}
