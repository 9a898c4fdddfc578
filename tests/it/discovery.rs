//! The discovery service as a process: its line, its signals, its file, its refusals.

use crate::support::{Daemon, Node, Place, genesis, request, send_signal, wait_for};
use ccoin_core::{BlockId, Timestamp};
use ccoin_crypto::SecretKey;
use ccoin_discovery::{Claim, Record};
use serde_json::{Value, json};
use std::{
    fs,
    net::{SocketAddr, TcpListener},
    time::{SystemTime, UNIX_EPOCH},
};

/// The line that users wait for.
const LISTENS: &str = "Discovery Service listens on port=";

/// A running service and where it answers.
struct Discovery(Node, SocketAddr);

impl Discovery {
    fn start(place: &Place, options: &[&str]) -> Self {
        let mut command = place.command("discovery", &["-p", "0"]);
        let mut process = Node::spawn(command.args(options), &place.path("unused"));
        let line = process.line(LISTENS);
        let (port, host) = line.split_once(LISTENS).unwrap().1.split_once(' ').unwrap();
        assert_eq!(host, "and host=127.0.0.1", "{line}");
        Self(process, ([127, 0, 0, 1], port.parse().unwrap()).into())
    }

    fn post(&self, body: &Value) -> Value {
        let answer = request(self.1, "POST", "/", &[], &body.to_string()).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    }

    /// SIGTERM; everything that was logged.
    fn stop(mut self) -> String {
        let (code, _) = self.0.stop();
        let log = self.0.rest();
        assert_eq!(code, Some(0), "{log}");
        log
    }
}

fn record(key: &SecretKey) -> Record {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let claim = Claim {
        ip: "10.0.0.1".to_owned(),
        port: 4001,
        network_id: 7,
        genesis_id: BlockId::ZERO,
    };
    let time = Timestamp::new(u64::try_from(now.as_millis()).unwrap()).unwrap();
    Record::add(claim, time, key).unwrap()
}

fn place() -> Place {
    Place::new(&genesis(&json!({}), 500, &[]))
}

#[test]
fn members_are_there_after_a_restart() {
    let place = place();
    let ready = place.path("ready");
    let options = ["-h", "127.0.0.1", "--ready-file", ready.to_str().unwrap()];
    let service = Discovery::start(&place, &options);
    let pid = wait_for("the ready file", || {
        fs::read_to_string(&ready)
            .ok()
            .filter(|text| text.ends_with('\n'))
    });
    assert_eq!(pid.trim_end(), service.0.pid().to_string());
    let address_file = place.path(".ccoin/discovery/discovery.json");
    let address: Value = serde_json::from_slice(&fs::read(&address_file).unwrap()).unwrap();
    assert_eq!(address, json!({"pid": service.0.pid(), "http": service.1}));
    let record = record(&SecretKey::generate(2048).unwrap());
    let all = json!({"command": "get_all"});
    assert_eq!(service.post(&all), json!([]));
    assert_eq!(
        service.post(&json!({"command": "add", "peer": record})),
        true
    );
    let listed = json!([{"id": record.id, "ip": "10.0.0.1", "port": 4001}]);
    assert_eq!(service.post(&all), listed);
    let log = service.stop();
    assert!(!log.contains("WARN") && !log.contains("10.0.0.1"), "{log}");

    let file = place.path(".ccoin/discovery/records.json");
    assert!(file.is_file());
    let service = Discovery::start(&place, &options[..2]);
    assert_eq!(service.post(&all), listed);
    service.stop();

    // A damaged file is no reason not to start.
    fs::write(&file, "{").unwrap();
    let service = Discovery::start(&place, &options[..2]);
    assert_eq!(service.post(&all), json!([]));
    let log = service.stop();
    assert!(
        log.contains("WARN") && log.contains("records.damaged"),
        "{log}"
    );
}

/// A node whose own view of its place is of no use to others.
#[test]
fn an_advertised_place_is_listed_until_the_node_stops() {
    let place = Place::network(&genesis(&json!({}), 500, &[]));
    let mut service = crate::support::Discovery::start(&place, 0);
    let port = service.port;
    place.set_discovery(port);
    let mut node = place.start(&["--advertise", "ledger.example.org:4999"]);
    let listed = [(place.address.clone(), "ledger.example.org".to_owned(), 4999)];
    wait_for("the record", || (service.members() == listed).then_some(()));
    // It is on disk soon, and the end of the service is not in order.
    let file = place.path("discovery/records.json");
    wait_for("the record on disk", || {
        let text = fs::read_to_string(&file).ok()?;
        text.contains("ledger.example.org").then_some(())
    });
    service.kill();
    let service = crate::support::Discovery::start(&place, port);
    assert_eq!(service.members(), listed);
    assert_eq!(node.stop().0, Some(0));
    assert_eq!(service.members(), []);
}

#[test]
fn a_daemon_obeys_signals_and_reopens_its_log_file() {
    let place = place();
    let mut command = place.command("discovery", &["-p", "0", "-h", "127.0.0.1", "--daemon"]);
    let options = [
        "-l",
        "d.log",
        "--pidfile",
        "d.pid",
        "--data-dir",
        "registry",
    ];
    assert!(command.args(options).status().unwrap().success());
    let log = || fs::read_to_string(place.path("d.log")).unwrap_or_default();
    assert!(log().contains(LISTENS), "{}", log());
    assert!(place.path("registry/lock").exists());
    let pid = fs::read_to_string(place.path("d.pid")).unwrap();
    let pid = pid.trim_end().parse().unwrap();
    let _daemon = Daemon(pid);
    fs::rename(place.path("d.log"), place.path("d.log.1")).unwrap();
    send_signal("HUP", pid);
    wait_for("a new log", || log().contains("log reopened").then_some(()));
    send_signal("INT", pid);
    wait_for("the end", || (!place.path("d.pid").exists()).then_some(()));
    assert!(log().contains("Discovery Service ended"), "{}", log());
}

#[test]
fn refusals_name_the_remedy() {
    let place = place();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    fs::write(place.path("file"), "").unwrap();
    let here = ["-h", "127.0.0.1", "-p"];
    for (options, code, words) in [
        (
            vec!["-h", "127.0.0.1", "-p", &port],
            8,
            [
                &format!("port {port} on 127.0.0.1 is taken"),
                "try: discovery -p ",
            ],
        ),
        (
            vec!["-h", "127.0.0.1", "-p", "0", "--data-dir", "file"],
            3,
            ["cannot use the data directory", "--data-dir DIR"],
        ),
        (
            vec!["-p", "0", "-h", "no host"],
            3,
            ["cannot listen on port 0 of no host", "discovery --help"],
        ),
        (vec!["-h"], 2, ["--host", "--help"]),
    ] {
        let output = place.run("discovery", &options);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{options:?}: {said}");
        for word in words {
            assert!(said.contains(word), "no {word:?} in {said}");
        }
    }
    let _first = Discovery::start(&place, &here[..2]);
    let output = place.run("discovery", &["-h", "127.0.0.1", "-p", "0"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(8), "{said}");
    assert!(
        said.contains("another discovery service uses this directory"),
        "{said}"
    );
}

#[test]
fn help_and_version_end_well() {
    let place = place();
    let help = place.ok("discovery", &["--help"]);
    for word in [
        "--port",
        "[default: 4444]",
        "-h, --host",
        "--data-dir",
        "--daemon",
        "--pidfile",
    ] {
        assert!(help.contains(word), "no {word} in {help}");
    }
    for option in ["-V", "--version"] {
        assert!(place.ok("discovery", &[option]).starts_with("discovery "));
    }
}
