//! `ccoin devnet` where something is in its way: files that cannot be written, a start
//! that was interrupted, a node that does not come back, an end that somebody delays.

use crate::support::{Devnet, Place, genesis, send_signal, wait_for, wait_until_gone};
use serde_json::{Value, json};
use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    process::Command,
    time::Duration,
};

/// Whoever presses Ctrl-C waits no longer.
const SOON: Duration = Duration::from_secs(2);

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

/// Its own file is not what a network lives of.
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

/// However the making of a network ends, the next one in its directory is made.
#[test]
fn a_founding_that_came_to_nothing_starts_over() {
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
fn a_long_path_is_no_obstacle() {
    let place = place();
    let dir = format!("{}/net", "d".repeat(150));
    let devnet = start(&place, &["--accounts", "0", "--data-dir", &dir]);
    let stopped = place.ok("ccoin", &["devnet", "stop", "basic-1"]);
    assert_eq!(stopped, "basic-1 is stopped\n");
    end_well(devnet);
    let devnet = start(&place, &["--data-dir", &dir]);
    end_well(devnet);
}

/// What cannot work is refused before anything is made, or started.
#[test]
fn traffic_without_accounts_is_refused_at_once() {
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

/// Whoever waits for the file must not find the one of yesterday.
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
    assert!(!file.exists(), "nothing is ready");

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

/// Whoever gives an order learns as much as whoever looks at the network.
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

/// A request that is never finished, and being read already.
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
fn nobody_delays_the_end() {
    let place = place();
    let mut devnet = start(&place, &["--accounts", "0"]);
    let nodes = devnet.report["nodes"].as_array().unwrap();
    let _open: Vec<TcpStream> = nodes.iter().map(half_open).collect();
    let (status, took) = devnet.end("INT");
    assert_eq!(status.code(), Some(0), "{}", devnet.all_said());
    assert!(took <= SOON, "an open request: {took:?}");

    let mut devnet = start(&place, &["--accounts", "0"]);
    let _open: Vec<TcpStream> = devnet.nodes().iter().map(half_open).collect();
    let discovery = devnet.report["discovery"]["pid"].as_u64().unwrap();
    send_signal("STOP", u32::try_from(discovery).unwrap());
    let (status, took) = devnet.end("INT");
    assert_eq!(status.code(), Some(0), "{}", devnet.all_said());
    assert!(took <= SOON, "and a hung discovery service: {took:?}");
}

/// Nobody can clean up after a kill -9 but the next one that comes along.
#[test]
fn keys_of_a_network_that_was_killed_do_not_stay() {
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
    // This one makes its directories elsewhere, so that only its announcement tells.
    let mut late = start(&place, &["--accounts", "0"]);
    assert_eq!(entries("tmp"), 1, "the early one has gone");
    late.end("KILL");
    wait_until_gone(&late.pids());
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
