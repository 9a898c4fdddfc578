//! `ccoin devnet` under failures: files that cannot be written, an interrupted start, a node
//! that does not start again, clients and services that hang at the end.

use crate::support::{Devnet, Place, genesis, send_signal, wait_for, wait_until_gone};
use serde_json::{Value, json};
use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    process::Command,
    time::Duration,
};

/// Without the rules for a quick end, a process that hangs takes these five seconds. The
/// README promises two; a loaded machine may need more.
const SOON: Duration = Duration::from_secs(5);

/// A small network with temporary directories inside of `place`.
fn command(place: &Place, options: &[&str]) -> Command {
    let temporary = place.path("tmp");
    fs::create_dir_all(&temporary).unwrap();
    let mut command = place.command("ccoin", &["devnet", "--json"]);
    command.args(["--validators", "1", "--basics", "1"]);
    command.args(options).env("TMPDIR", temporary);
    command
}

fn spawn(place: &Place, options: &[&str]) -> Devnet {
    Devnet::spawn(&mut command(place, options))
}

fn start(place: &Place, options: &[&str]) -> Devnet {
    Devnet::start(&mut command(place, options))
}

/// Everything on stderr of one that ends well.
fn end_well(mut devnet: Devnet) -> String {
    let (status, _) = devnet.end("INT");
    let said = devnet.all_said();
    assert_eq!(status.code(), Some(0), "{said}");
    said
}

fn place() -> Place {
    Place::new(&genesis(&json!({}), 500, &[]))
}

/// The file in `~/.ccoin/devnet` is for other commands only.
#[test]
fn a_network_that_cannot_be_announced_runs_nevertheless() {
    let place = place();
    fs::write(place.path(".ccoin"), "in the way").unwrap();
    let devnet = start(&place, &["--accounts", "0"]);
    let said = end_well(devnet);
    assert!(said.contains(".ccoin/devnet"), "{said}");

    // The directory is lost while it runs: the next change is not written down.
    fs::remove_file(place.path(".ccoin")).unwrap();
    let mut devnet = start(&place, &["--accounts", "0"]);
    fs::remove_dir_all(place.path(".ccoin/devnet")).unwrap();
    let pid = devnet.report["nodes"][1]["pid"].as_u64().unwrap();
    send_signal("KILL", u32::try_from(pid).unwrap());
    let warned = devnet.said.iter().find(|line| line.contains("warning"));
    assert!(warned.unwrap().contains("--url"));
    assert!(devnet.process.try_wait().unwrap().is_none());
    end_well(devnet);
}

/// After a kill and after a Ctrl-C, the next start in the same directory makes a network.
#[test]
fn an_interrupted_init_starts_over() {
    let place = place();
    let options = ["--data-dir", "net", "--accounts", "2"];
    let alice = place.path("net/accounts/alice");
    for signal in ["KILL", "INT"] {
        let mut devnet = spawn(&place, &options);
        let config = alice.join("ccoin.json");
        wait_for("the making of a key", || config.exists().then_some(()));
        devnet.end(signal);
        assert!(!place.path("net/devnet.json").exists());
        fs::rename(config, place.path("old.json")).unwrap();
    }
    fs::write(place.path("net/notes.txt"), "mine").unwrap();
    let old = fs::read_to_string(place.path("old.json")).unwrap();
    let devnet = start(&place, &options);
    assert_eq!(devnet.report["accounts"].as_array().unwrap().len(), 2);
    assert_ne!(fs::read_to_string(alice.join("ccoin.json")).unwrap(), old);
    let genesis_id = devnet.report["genesis_id"].clone();
    end_well(devnet);
    assert!(place.path("net/notes.txt").exists());
    let devnet = start(&place, &options);
    assert_eq!(devnet.report["genesis_id"], genesis_id);
    end_well(devnet);
}

/// The address of a unix socket has room for about 100 bytes, a path for 4,096.
#[test]
fn a_network_in_a_long_path_takes_commands() {
    let place = place();
    let dir = format!("{}/net", "d".repeat(150));
    let devnet = start(&place, &["--accounts", "0", "--data-dir", &dir]);
    let stopped = place.ok("ccoin", &["devnet", "stop", "basic-1"]);
    assert_eq!(stopped, "basic-1 is stopped\n");
    end_well(devnet);
    let devnet = start(&place, &["--data-dir", &dir]);
    end_well(devnet);
}

#[test]
fn traffic_without_accounts_is_refused_before_a_file_is_made() {
    let place = place();
    let refused = |options: &[&str]| {
        let mut command = place.command("ccoin", &["devnet", "--traffic", "9"]);
        let command = command.args(options).env("TMPDIR", place.path("tmp"));
        let output = command.output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(
            said.contains("--traffic") && output.stdout.is_empty(),
            "{said}"
        );
        assert!(!said.contains("making keys"), "{said}");
    };
    fs::create_dir(place.path("tmp")).unwrap();
    refused(&["--accounts", "0"]);
    assert_eq!(fs::read_dir(place.path("tmp")).unwrap().count(), 0);
    refused(&["--accounts", "0", "--data-dir", "net"]);
    assert!(!place.path("net/validator-1").exists());
    end_well(start(&place, &["--accounts", "0", "--data-dir", "net"]));
    let log = fs::read_to_string(place.path("net/discovery/log")).unwrap();
    refused(&["--data-dir", "net"]);
    let after = fs::read_to_string(place.path("net/discovery/log")).unwrap();
    assert_eq!(after, log, "nothing was started");
}

/// A file of an earlier run would tell a script that waits for it that the network is ready.
#[test]
fn the_ready_file_is_there_while_the_network_is_ready() {
    let place = place();
    let file = place.path("ready.json");
    fs::write(&file, "of yesterday").unwrap();
    let ready = ["--ready-file", "ready.json"];
    let refused = place.run(
        "ccoin",
        &["devnet", "--data-dir", "ccoin.json", ready[0], ready[1]],
    );
    assert_eq!(refused.status.code(), Some(3));
    assert!(!file.exists(), "no network is ready");

    fs::write(&file, "of yesterday").unwrap();
    let devnet = start(&place, &["--accounts", "0", ready[0], ready[1]]);
    let written = fs::read_to_string(&file).unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(&written).unwrap(),
        devnet.report
    );
    end_well(devnet);
    assert!(!file.exists());
}

/// The caller of `devnet start` sees the last line of the log of the node.
#[test]
fn a_start_that_fails_says_why() {
    let place = place();
    let mut devnet = start(&place, &["--accounts", "0"]);
    place.ok("ccoin", &["devnet", "stop", "basic-1"]);
    let dir = devnet.report["data_dir"].as_str().unwrap();
    let config = format!("{dir}/basic-1/ccoin.json");
    let good = fs::read_to_string(&config).unwrap();
    fs::write(&config, "{").unwrap();
    let output = place.run("ccoin", &["devnet", "start", "basic-1"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    let log = format!("log: {dir}/basic-1/log");
    let words = ["ended before it was ready", "ccoin.json:", &log];
    for word in words {
        assert!(said.contains(word), "no {word:?} in {said}");
    }
    fs::write(&config, good).unwrap();
    place.ok("ccoin", &["devnet", "start", "basic-1"]);
    assert!(devnet.process.try_wait().unwrap().is_none());
    end_well(devnet);
}

/// A request whose body the node already reads, and which never ends.
fn half_open(node: &Value) -> TcpStream {
    let place = node["http"].as_str().unwrap().strip_prefix("http://");
    let mut stream = TcpStream::connect(place.unwrap()).unwrap();
    let head = "POST /v1/txns HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n";
    write!(
        stream,
        "{head}Content-Length: 99\r\nExpect: 100-continue\r\n\r\n"
    )
    .unwrap();
    let mut go_on = [0; 12];
    stream.read_exact(&mut go_on).unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100");
    stream.write_all(b"{").unwrap();
    stream
}

#[test]
fn open_requests_and_a_hung_discovery_do_not_delay_the_end() {
    let place = place();
    let mut devnet = start(&place, &["--accounts", "0"]);
    let nodes = devnet.report["nodes"].as_array().unwrap();
    let _open: Vec<TcpStream> = nodes.iter().map(half_open).collect();
    let (status, took) = devnet.end("INT");
    assert_eq!(status.code(), Some(0), "{}", devnet.all_said());
    assert!(took < SOON, "an open request: {took:?}");

    let mut devnet = start(&place, &["--accounts", "0"]);
    let _open: Vec<TcpStream> = devnet.nodes().iter().map(half_open).collect();
    let discovery = devnet.report["discovery"]["pid"].as_u64().unwrap();
    send_signal("STOP", u32::try_from(discovery).unwrap());
    let (status, took) = devnet.end("INT");
    assert_eq!(status.code(), Some(0), "{}", devnet.all_said());
    assert!(took < SOON, "and a hung discovery service: {took:?}");
}

/// The temporary directory of a network that was killed holds keys.
#[test]
fn the_next_start_removes_the_directory_of_a_killed_network() {
    let place = place();
    let entries = |dir: &str| fs::read_dir(place.path(dir)).unwrap().count();
    let mut early = spawn(&place, &[]);
    wait_for("its directory", || (entries("tmp") == 1).then_some(()));
    let discovery: u64 = wait_for("its first process", || {
        let mut dirs = fs::read_dir(place.path("tmp")).unwrap();
        let ready = dirs.next().unwrap().unwrap().path().join("discovery/ready");
        let pid = fs::read_to_string(ready).ok()?;
        pid.ends_with('\n').then(|| pid.trim_end().parse().unwrap())
    });
    early.end("KILL");
    wait_until_gone(&[discovery]);
    let mut late = start(&place, &["--accounts", "0"]);
    assert_eq!(entries("tmp"), 1, "the early one is removed");
    late.end("KILL");
    wait_until_gone(&late.pids());
    // As if TMPDIR had changed: only the file in `~/.ccoin/devnet` names the directory.
    fs::rename(place.path("tmp"), place.path("before")).unwrap();
    let announced = place.path(&format!(".ccoin/devnet/{}.json", late.process.id()));
    let text = fs::read_to_string(&announced).unwrap();
    fs::write(
        &announced,
        text.replace("/tmp/ccoin-devnet", "/before/ccoin-devnet"),
    )
    .unwrap();
    let last = start(&place, &["--accounts", "0"]);
    assert!(!announced.exists());
    assert_eq!((entries("before"), entries("tmp")), (0, 1));
    end_well(last);
    assert_eq!((entries("tmp"), entries(".ccoin/devnet")), (0, 0));
}
