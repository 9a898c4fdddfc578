//! `ccoin devnet` with the real binaries: its report is true, it executes commands, it can be
//! continued, and no process outlives it.

use crate::support::{
    Devnet, PATIENCE, Place, genesis, lives, request, send_signal, wait_for, wait_until_gone,
};
use serde_json::Value;
use std::{fs, net::SocketAddr, path::Path, process::Command, sync::mpsc::RecvTimeoutError};

/// How many of each; more processes need more time on a small machine.
const VALIDATORS: usize = 2;
const BASICS: usize = 1;
const ACCOUNTS: usize = 2;

/// Starts one and waits until it is ready.
fn start(place: &Place, options: &[&str]) -> Devnet {
    let counts = [VALIDATORS, BASICS, ACCOUNTS].map(|count| count.to_string());
    let counts = [
        ["--validators", &counts[0]],
        ["--basics", &counts[1]],
        ["--accounts", &counts[2]],
    ];
    let mut command = place.command("ccoin", &["devnet", "--json"]);
    Devnet::start(command.args(counts.concat()).args(options))
}

fn place() -> Place {
    Place::new(&genesis(&serde_json::json!({}), 500, &[]))
}

fn socket(url: &Value) -> SocketAddr {
    let url = url.as_str().unwrap();
    url.strip_prefix("http://").unwrap().parse().unwrap()
}

fn get(url: &Value, path: &str) -> Value {
    let answer = request(socket(url), "GET", path, &[], "").unwrap();
    assert_eq!(answer.status, 200, "{url}{path}: {}", answer.body);
    answer.json()
}

#[test]
fn the_line_is_true_and_an_interrupt_leaves_nothing() {
    let place = place();
    let ready_file = place.path("ready.json");
    let options = ["--traffic", "40", "--ready-file", "ready.json"];
    let mut devnet = start(&place, &options);
    let written = fs::read_to_string(ready_file).unwrap();
    let report = devnet.report.clone();
    assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), report);

    let names: Vec<_> = devnet
        .nodes()
        .iter()
        .map(|node| node["name"].as_str().unwrap().to_owned())
        .collect();
    let validators = (1..=VALIDATORS).map(|n| format!("validator-{n}"));
    let basics = (1..=BASICS).map(|n| format!("basic-{n}"));
    assert_eq!(names, validators.chain(basics).collect::<Vec<_>>());
    let pids = devnet.pids();
    assert!(pids.iter().all(|pid| lives(*pid)), "{pids:?}");
    for node in devnet.nodes() {
        let status = get(&node["http"], "/v1/status");
        assert_eq!(status["genesis_id"], report["genesis_id"]);
        assert_eq!(status["address"], node["address"]);
        assert_eq!(status["node_type"], node["type"]);
        get(&node["http"], "/readyz");
        for path in ["data_dir", "key_file"] {
            assert!(Path::new(node[path].as_str().unwrap()).exists(), "{path}");
        }
        let p2p: SocketAddr = node["p2p"].as_str().unwrap().parse().unwrap();
        std::net::TcpStream::connect(p2p).unwrap();
    }
    get(&report["discovery"]["http"], "/members");
    get(&report["explorer"], "/readyz");
    assert_eq!(report["explorer"], devnet.nodes()[VALIDATORS]["http"]);

    let accounts = report["accounts"].as_array().unwrap();
    assert_eq!(
        (accounts.len(), &accounts[0]["name"]),
        (ACCOUNTS, &"alice".into())
    );
    for account in accounts {
        assert_eq!(account["balance"], 1_000_000);
        assert!(Path::new(account["key_file"].as_str().unwrap()).exists());
        // The traffic reaches every node.
        let path = format!("/v1/accounts/{}", account["address"].as_str().unwrap());
        for node in devnet.nodes() {
            wait_for("transfers in blocks", || {
                let nonce = get(&node["http"], &path)["nonce"].as_u64();
                (nonce.unwrap() > 10).then_some(())
            });
        }
    }

    // A node that hangs does not delay the traffic of the others.
    let last = devnet.nodes().last().unwrap();
    let hung = u32::try_from(last["pid"].as_u64().unwrap()).unwrap();
    send_signal("STOP", hung);
    let sent = || {
        let path = format!("/v1/accounts/{}", accounts[0]["address"].as_str().unwrap());
        get(&devnet.nodes()[0]["http"], &path)["nonce"].as_u64()
    };
    let before = sent().unwrap();
    // Whoever waits 20 s for each answer of the hung node sends three in the time of this wait.
    wait_for("60 transfers", || {
        (sent().unwrap() > before + 60).then_some(())
    });
    send_signal("CONT", hung);

    let (status, _) = devnet.end("INT");
    assert_eq!(status.code(), Some(0));
    assert!(pids.iter().all(|pid| !lives(*pid)), "{pids:?}");
    assert!(!Path::new(report["data_dir"].as_str().unwrap()).exists());
    assert_eq!(
        fs::read_dir(place.path(".ccoin/devnet")).unwrap().count(),
        0
    );
    let more = devnet.printed.recv_timeout(PATIENCE);
    assert_eq!(
        more,
        Err(RecvTimeoutError::Disconnected),
        "one line and nothing else"
    );
}

#[test]
fn a_killed_parent_takes_its_children_along_and_the_network_continues() {
    let place = place();
    let options = ["--data-dir", "net"];
    let mut devnet = start(&place, &options);
    let report = devnet.report.clone();
    let pids = devnet.pids();
    let explorer = &report["explorer"];
    let height = |url: &Value| get(url, "/v1/status")["height"].as_u64().unwrap();
    let before = wait_for("block 3", || {
        Some(height(explorer)).filter(|height| *height >= 3)
    });
    let second = place.run("ccoin", &["devnet", "--data-dir", "net"]);
    let said = String::from_utf8_lossy(&second.stderr);
    assert_eq!(second.status.code(), Some(8), "{said}");
    assert!(said.contains(&devnet.process.id().to_string()), "{said}");

    devnet.end("KILL");
    wait_until_gone(&pids);

    let other = place.run("ccoin", &["devnet", "--data-dir", "net", "--basics", "9"]);
    let said = String::from_utf8_lossy(&other.stderr);
    assert_eq!(other.status.code(), Some(2), "{said}");
    assert!(
        said.contains(&format!("{BASICS} basic nodes, not 9")),
        "{said}"
    );

    let mut devnet = start(&place, &options);
    assert_eq!(devnet.report["genesis_id"], report["genesis_id"]);
    let keys = |report: &Value| -> Vec<Value> {
        let members = ["nodes", "accounts"].map(|list| report[list].as_array().unwrap().clone());
        members
            .concat()
            .iter()
            .map(|m| m["address"].clone())
            .collect()
    };
    assert_eq!(keys(&devnet.report), keys(&report));
    assert!(height(&devnet.report["explorer"]) >= before);
    let pids = devnet.pids();
    assert_eq!(devnet.end("TERM").0.code(), Some(0));
    assert!(pids.iter().all(|pid| !lives(*pid)), "{pids:?}");
    assert!(place.path("net/devnet.json").exists());
}

#[test]
fn nodes_stop_start_and_die_on_command() {
    let place = place();
    let none = place.run("ccoin", &["devnet", "stop", "validator-1"]);
    assert_eq!(none.status.code(), Some(4));
    let mut devnet = start(&place, &[]);
    let last = devnet.nodes().last().unwrap().clone();
    let (name, pid) = (
        last["name"].as_str().unwrap(),
        last["pid"].as_u64().unwrap(),
    );
    let send = |verb: &str, node: &str| place.run("ccoin", &["devnet", verb, node]);

    for (verb, done) in [("stop", "is stopped"), ("kill", "is killed")] {
        let output = send(verb, name);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(said, format!("{name} {done}\n"));
        assert!(request(socket(&last["http"]), "GET", "/readyz", &[], "").is_err());
        assert_eq!(send(verb, name).status.code(), Some(6), "{verb} twice");

        let output = send("start", name);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert_eq!(get(&last["http"], "/v1/status")["address"], last["address"]);
        let again = send("start", name);
        let said = String::from_utf8(again.stderr).unwrap();
        assert_eq!(again.status.code(), Some(6), "{said}");
        assert!(said.contains("runs already"), "{said}");
    }
    assert!(!lives(pid));
    let unknown = send("stop", "validator-99");
    let said = String::from_utf8(unknown.stderr).unwrap();
    assert_eq!(unknown.status.code(), Some(4), "{said}");
    assert!(
        said.contains("validator-99") && said.contains("validator-1"),
        "{said}"
    );

    // The file for other commands has the new process.
    let file = place.path(&format!(".ccoin/devnet/{}.json", devnet.process.id()));
    let live: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    let now = live["nodes"].as_array().unwrap().last().unwrap()["pid"].as_u64();
    assert!(lives(now.unwrap()));

    // A death without a command is reported, and the network goes on.
    send_signal("KILL", u32::try_from(now.unwrap()).unwrap());
    let died = format!("{name} ended: signal: 9");
    wait_for("the news of its death", || {
        let line = devnet.said.recv_timeout(PATIENCE).unwrap();
        line.starts_with(&died).then_some(())
    });
    assert_eq!(send("start", name).status.code(), Some(0));
    assert_eq!(devnet.end("INT").0.code(), Some(0));
}

#[test]
fn a_missing_binary_is_named_with_the_command_that_builds_it() {
    let place = place();
    let alone = place.path("alone");
    fs::create_dir(&alone).unwrap();
    fs::copy(env!("CARGO_BIN_EXE_ccoin"), alone.join("ccoin")).unwrap();
    let output = Command::new(alone.join("ccoin"))
        .arg("devnet")
        .env("PATH", &alone)
        .env("HOME", place.path(""))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{said}");
    for word in ["cnode", alone.to_str().unwrap(), "cargo build --release"] {
        assert!(said.contains(word), "{said}");
    }
}
