//! The walk of a user with one node, exactly as the README shows it: account, chain,
//! node, payments, blocks, the end and the next start; and the options of a server.

use crate::support::{Daemon, Node, Place, Sender, genesis, request, send_signal, wait_for};
use serde_json::{Value, json};
use std::{fs, io::Write as _, net::TcpStream};

const SHIPPED: &str = include_str!("../../genesis.json");

fn quick() -> String {
    genesis(&json!({"allow_empty": true, "interval": 0.2}), 500, &[])
}

#[test]
fn the_readme_walk_with_the_shipped_files() {
    let mut place = Place::shipped(SHIPPED);
    let accounts = ["--update-config", "--update-genesis", "genesis.json"];
    let line = place.ok("create-account", &accounts);
    place.address = line
        .trim_end()
        .rsplit_once('=')
        .map(|(_, a)| a.to_owned())
        .unwrap();
    assert_eq!(
        line,
        format!("Created account with address={}\n", place.address)
    );
    let line = place.ok("initc", &["-c", "ccoin.json", "-g", "genesis.json"]);
    let (nonce, id) = line
        .strip_prefix("Genesis block has been mined: nonce=")
        .and_then(|rest| rest.trim_end().split_once(", pow_hash="))
        .expect(&line);
    assert!(nonce.parse::<u64>().is_ok() && id.len() == 64 && id.starts_with("0000"));

    let mut node = place.start(&[]);
    let address = place.address.clone();
    let status = node.get("/v1/status");
    assert_eq!(status["genesis_id"], id);
    assert_eq!(status["state"], "r");

    // A lone validator makes blocks, and a payment accepted without any peer is in one.
    let friend = Sender::new().address();
    let paid = node.pay(&json!({"sendto_address": friend, "amount": 7, "data": "for the bread"}));
    assert_eq!(paid.status, 200, "{}", paid.body);
    let txn = paid.json();
    assert_eq!(
        (&txn["number"], &txn["from"], &txn["to"]),
        (&json!(1), &json!(address), &json!(friend))
    );
    let path = format!("/v1/txns/{}", txn["id"].as_str().unwrap());
    let found = wait_for("inclusion", || {
        Some(node.get(&path)).filter(|found| found["status"] == "final")
    });
    let block = node.get(&format!("/{address}/blk/{}/", found["block_number"]));
    assert_eq!(block["body"][0]["id"], txn["id"]);
    assert_eq!(block["state"][friend.to_string()]["balance"], 7);
    assert_eq!(node.get(&format!("/v1/accounts/{friend}"))["balance"], 7);
    assert_eq!(node.get(&format!("/v1/accounts/{address}"))["nonce"], 1);

    let file: Value = serde_json::from_slice(&fs::read(place.data("node.json")).unwrap()).unwrap();
    assert_eq!(
        (&file["pid"], &file["http"]),
        (&json!(node.pid()), &json!(node.http.to_string()))
    );
    let (code, took) = node.stop();
    println!("stopped in {took:?}");
    assert_eq!(code, Some(0));
    assert!(!place.data("node.json").exists());
    let log = node.rest();
    let head = log.matches("Applied new block").count() as u64 + 1;

    let node = place.start(&[]);
    assert!(node.height() >= head);
    assert_eq!(
        node.get(&format!("/{address}/blk/{}/", found["block_number"])),
        block
    );
}

#[test]
fn log_lines_have_the_promised_form_and_nothing_secret() {
    let place = Place::network(&quick());
    let mut command = place.command("cnode", &["-t", "validator", "-p", "0"]);
    let mut node = Node::spawn(command.env("RUST_LOG", "trace"), &place.data(""));
    node.ready();
    let secret = "do not log me";
    let paid = node.pay(&json!({"sendto_address": place.address, "amount": 0, "data": secret}));
    assert_eq!(paid.status, 200);
    node.line("Applied new block 2. Current height is 2");
    let token = fs::read_to_string(place.data("api.token")).unwrap();
    assert_eq!(node.stop().0, Some(0));
    let log = node.rest();
    let p2p = node.http.port().checked_sub(1).unwrap();
    for line in [
        format!("ChainNode starting on {p2p}"),
        format!(
            "HTTP API ENDPOINT Started got up and listening on port: {}",
            node.http.port()
        ),
        "Node state changed from=g to=b".to_owned(),
        "Node state changed from=b to=r".to_owned(),
        format!("New leader is {}", place.address),
        "Applied new block 2. Current height is 2".to_owned(),
        "Node state changed from=r to=s".to_owned(),
        "Node state changed from=s to=d".to_owned(),
    ] {
        let found: Vec<_> = log.lines().filter(|found| found.ends_with(&line)).collect();
        assert_eq!(found.len(), 1, "{line}: {log}");
        let (time, rest) = found[0].split_once(' ').unwrap();
        assert!(time.len() == 24 && time.ends_with('Z') && time.as_bytes()[19] == b'.');
        let (level, rest) = rest.split_once(' ').unwrap();
        let (target, message) = rest.split_once(": ").unwrap();
        assert_eq!((level, message), ("INFO", line.as_str()));
        assert!(
            target.starts_with("ccoin") || target.starts_with("cnode"),
            "{target}"
        );
    }
    let key = fs::read_to_string(place.data(".keys/id_rsa")).unwrap();
    for hidden in key.lines().filter(|line| !line.starts_with('-')) {
        assert!(!log.contains(hidden), "key bytes in the log");
    }
    assert!(!log.contains(token.trim()) && !log.contains(secret));
}

#[test]
fn json_log_and_json_results() {
    let mut place = Place::new(&quick());
    place.make_account();
    let account: Value = serde_json::from_str(&place.ok("create-account", &["--json"])).unwrap();
    assert_eq!(account["address"].as_str().unwrap().len(), 40);
    let founded: Value = serde_json::from_str(&place.ok("initc", &["--json"])).unwrap();
    assert_eq!(founded["mined"], true);
    let mut node = place.spawn(&["--log-format", "json"]);
    node.line("Node state changed from=b to=r");
    // The log may be ahead of the routes: what counts is /readyz.
    wait_for("a ready node", || {
        let file = fs::read(place.data("node.json")).ok()?;
        let file: Value = serde_json::from_slice(&file).ok()?;
        node.http = file["http"].as_str()?.parse().ok()?;
        let answer = request(node.http, "GET", "/readyz", &[], "").ok()?;
        (answer.status == 200).then_some(())
    });
    let status = node.get("/v1/status");
    assert_eq!(status["genesis_id"], founded["genesis_id"]);
    assert_eq!(node.stop().0, Some(0));
    for line in node.rest().lines() {
        let line: Value = serde_json::from_str(line).expect(line);
        assert!(line["timestamp"].is_string() && line["level"].is_string());
        assert!(line["fields"]["message"].is_string() && line["target"].is_string());
    }
}

/// Promises more bytes than it has.
const HALF_A_REQUEST: &[u8] = b"POST /v1/txns HTTP/1.1\r\nHost: 127.0.0.1\r\n\
    Content-Type: application/json\r\nContent-Length: 9\r\n\r\n[";

/// The open request keeps the node from ending at once.
#[test]
fn a_second_signal_ends_at_once_with_130() {
    for name in ["TERM", "INT"] {
        let place = Place::network(&genesis(&json!({"interval": 600}), 500, &[]));
        let mut node = place.start(&[]);
        let mut open = TcpStream::connect(node.http).unwrap();
        open.write_all(HALF_A_REQUEST).unwrap();
        request(node.http, "GET", "/healthz", &[], "").unwrap();
        node.signal(name);
        wait_for("the end of the listener", || {
            TcpStream::connect(node.http).err()
        });
        node.signal(name);
        // In order it would be 0.
        assert_eq!(node.ended().code(), Some(130));
        // Nothing stands in the way of the next start.
        assert_eq!(place.start(&[]).stop().0, Some(0));
    }
}

/// More requests than the node serves at a time, none of which ever comes to its end.
#[test]
fn a_crowd_of_hung_requests_does_not_hold_up_the_end() {
    let place = Place::network(&quick());
    let mut node = place.start(&[]);
    let hung: Vec<_> = (0..300)
        .map(|_| {
            let mut open = TcpStream::connect(node.http).unwrap();
            open.write_all(HALF_A_REQUEST).unwrap();
            open
        })
        .collect();
    let sockets = format!("/proc/{}/fd", node.pid());
    wait_for("as many connections as the node takes", || {
        (fs::read_dir(&sockets).unwrap().count() > 256).then_some(())
    });
    let (code, took) = node.stop();
    println!("stopped under {} hung requests in {took:?}", hung.len());
    assert_eq!(code, Some(0));
}

#[test]
fn a_daemon_returns_when_ready_reopens_its_log_and_cleans_up() {
    let place = Place::network(&quick());
    fs::create_dir(place.path("run")).unwrap();
    let options = [
        "-t",
        "validator",
        "-p",
        "0",
        "--daemon",
        "--rundir",
        "run",
        "-c",
        "../ccoin.json",
        "--pidfile",
        "cnode.pid",
        "--logfile",
        "cnode.log",
        "--ready-file",
        "ready",
    ];
    let said = place.ok("cnode", &options);
    let pid = fs::read_to_string(place.path("run/cnode.pid")).unwrap();
    let daemon = Daemon(pid.trim().parse().unwrap());
    let file: Value = serde_json::from_slice(&fs::read(place.data("node.json")).unwrap()).unwrap();
    assert_eq!(file["pid"], daemon.0);
    assert_eq!(fs::read_to_string(place.path("run/ready")).unwrap(), pid);
    let address = file["http"].as_str().unwrap();
    for word in [
        &format!("cnode runs as process {}: ready", pid.trim()),
        &format!("http://{address}"),
        &format!("log {}\n", place.path("run/cnode.log").display()),
    ] {
        assert!(said.contains(word), "{word} in {said}");
    }
    // It has left the session of the terminal: the fifth field after the name.
    let stat = fs::read_to_string(format!("/proc/{}/stat", daemon.0)).unwrap();
    let session = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(3);
    assert_eq!(session, Some(pid.trim()));
    let http = address.parse().unwrap();
    let ready = request(http, "GET", "/readyz", &[], "").unwrap();
    assert_eq!(ready.status, 200);

    // A second one ends in the foreground with the error and the code of the copy.
    let second = place.run("cnode", &["-c", "ccoin.json", "-p", "0", "--daemon"]);
    assert_eq!(second.status.code(), Some(8));
    let said = String::from_utf8(second.stderr).unwrap();
    assert!(
        said.starts_with("error: ") && said.contains(pid.trim()),
        "{said}"
    );

    let log = place.path("run/cnode.log");
    wait_for("a line in the log", || {
        fs::read_to_string(&log)
            .ok()
            .filter(|text| text.contains("Applied new block 2."))
    });
    fs::rename(&log, place.path("run/old.log")).unwrap();
    send_signal("HUP", daemon.0);
    wait_for("the new log", || {
        fs::read_to_string(&log)
            .ok()
            .filter(|text| text.contains("Applied new block"))
    });
    send_signal("TERM", daemon.0);
    wait_for("the end of the daemon", || {
        let pid_file = place.path("run/cnode.pid").exists();
        (!pid_file && !place.data("node.json").exists()).then_some(())
    });
    let text = fs::read_to_string(&log).unwrap();
    assert!(text.contains("Node state changed from=s to=d"), "{text}");
}

#[test]
fn a_hangup_reads_the_token_again() {
    let place = Place::network(&quick());
    let mut node = place.start(&["--nodaemon"]);
    let payment = json!({"sendto_address": place.address, "amount": 0});
    assert_eq!(node.pay(&payment).status, 200);
    fs::write(place.data("api.token"), "ab".repeat(32)).unwrap();
    assert_eq!(
        node.pay(&payment).status,
        401,
        "anyone who reaches the HTTP port spends"
    );
    node.signal("HUP");
    node.line("token and allow-list read again");
    assert_eq!(node.pay(&payment).status, 200);
}
