//! What servers do where they live: logs that nobody can take, files that others wait
//! for, parents and service managers that are told and that die.

mod support;

use serde_json::json;
use std::{
    fs::{self, OpenOptions},
    net::SocketAddr,
    process::{Child, Command, Stdio},
};
use support::{Place, genesis, request, send_signal, wait_for};

fn quiet() -> String {
    genesis(&json!({"interval": 600}), 500, &[])
}

/// A process whose stderr is not read; killed when dropped.
struct Server(Child);

impl Server {
    fn spawn(command: &mut Command) -> Self {
        Self(command.stdout(Stdio::null()).spawn().unwrap())
    }

    /// Waits for the ready file of this process.
    fn ready(&mut self, place: &Place) {
        let pid = format!("{}\n", self.0.id());
        wait_for("the ready file", || {
            assert_eq!(self.0.try_wait().unwrap(), None, "it has ended");
            let text = fs::read_to_string(place.path("ready")).ok();
            text.filter(|text| *text == pid)
        });
    }

    fn signal(&self, name: &str) {
        send_signal(name, self.0.id());
    }

    fn code(&mut self) -> Option<i32> {
        wait_for("the end of a process", || self.0.try_wait().unwrap()).code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Both servers, on free ports of the loopback address, with a ready file.
fn servers(place: &Place) -> [Command; 2] {
    let discovery = ["-p", "0", "-h", "127.0.0.1", "--ready-file", "ready"];
    let mut node = vec!["-t", "validator"];
    node.extend(discovery);
    [
        place.command("discovery", &discovery),
        place.command("cnode", &node),
    ]
}

/// Where a node's API listens.
fn http(place: &Place) -> SocketAddr {
    let text = fs::read_to_string(place.data("node.json")).unwrap();
    let file: serde_json::Value = serde_json::from_str(&text).unwrap();
    file["http"].as_str().unwrap().parse().unwrap()
}

#[test]
fn a_log_that_cannot_be_written_stops_nobody() {
    let place = Place::network(&quiet());
    let full = || OpenOptions::new().write(true).open("/dev/full").unwrap();
    // The last one has a reader that goes at once.
    for (logfile, full_stderr) in [(false, true), (true, true), (false, false)] {
        for command in &mut servers(&place) {
            if logfile {
                command.args(["-l", "/dev/full"]);
            }
            command.stderr(if full_stderr {
                full().into()
            } else {
                Stdio::piped()
            });
            let mut server = Server::spawn(command);
            drop(server.0.stderr.take());
            server.ready(&place);
            // Each writes a line.
            server.signal("HUP");
            server.signal("TERM");
            assert_eq!(server.code(), Some(0), "{command:?}");
        }
    }
}

#[test]
fn a_refused_second_start_leaves_the_files_of_the_first_one() {
    let place = Place::network(&quiet());
    for command in &mut servers(&place) {
        command.args(["--pidfile", "pid"]).stderr(Stdio::null());
        let mut first = Server::spawn(command);
        first.ready(&place);
        let pid = format!("{}\n", first.0.id());
        let mut second = Server::spawn(command);
        assert_eq!(second.code(), Some(8), "{command:?}");
        for file in ["ready", "pid"] {
            let text = fs::read_to_string(place.path(file));
            assert_eq!(text.unwrap(), pid, "{command:?} {file}");
        }
        first.signal("TERM");
        assert_eq!(first.code(), Some(0), "{command:?}");
        assert!(!place.path("pid").exists(), "{command:?}");
    }
}
