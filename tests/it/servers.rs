//! Servers and their surroundings: logs that cannot be written, files that others wait for,
//! parents and service managers that are told and that die.

use crate::support::{Node, Place, genesis, send_signal, wait_for};
use serde_json::json;
use std::{
    fs::{self, OpenOptions},
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    os::unix::net::UnixDatagram,
    process::{Child, Command, Stdio},
};

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

#[test]
fn a_server_goes_on_when_its_log_cannot_be_written() {
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

#[test]
fn a_ready_file_of_an_earlier_run_says_nothing() {
    let mut place = Place::new(&quiet());
    place.make_account_only();
    fs::write(place.path("ready"), "1\n").unwrap();
    let mut waiting = place.spawn(&["--ready-file", "ready"]);
    waiting.http_port();
    assert!(!place.path("ready").exists(), "it is not ready");
    assert_eq!(waiting.stop().0, Some(0));

    let place = Place::network(&quiet());
    for command in &mut servers(&place) {
        fs::write(place.path("ready"), "1\n").unwrap();
        let mut server = Server::spawn(command.stderr(Stdio::null()));
        server.ready(&place);
        server.signal("TERM");
        assert_eq!(server.code(), Some(0), "{command:?}");
        assert!(!place.path("ready").exists(), "{command:?}");
    }
}

/// What a server tells systemd, up to and with this line.
fn told_systemd(socket: &UnixDatagram, last: &str) -> Vec<String> {
    socket
        .set_read_timeout(Some(crate::support::PATIENCE))
        .unwrap();
    let mut lines = Vec::new();
    while lines.last().is_none_or(|line| line != last) {
        let mut bytes = [0; 512];
        let length = socket.recv(&mut bytes).expect(last);
        let text = String::from_utf8_lossy(&bytes[..length]);
        lines.extend(text.lines().map(str::to_owned));
    }
    lines
}

#[test]
fn systemd_hears_from_a_node_that_waits_for_block_1() {
    let mut place = Place::new(&quiet());
    place.make_account_only();
    let socket = UnixDatagram::bind(place.path("systemd")).unwrap();
    let mut command = place.command("cnode", &["-p", "0", "-h", "127.0.0.1"]);
    command.env("NOTIFY_SOCKET", place.path("systemd"));
    let period = ("WATCHDOG_USEC", "50000");
    let mut waiting = Node::spawn(command.env(period.0, period.1), &place.data(""));
    told_systemd(&socket, "READY=1");
    // Again and again.
    for _ in 0..3 {
        told_systemd(&socket, "WATCHDOG=1");
    }
    waiting.signal("TERM");
    told_systemd(&socket, "STOPPING=1");
    assert_eq!(waiting.ended().code(), Some(0));
    let log = waiting.rest();
    let states = ["from=g to=s", "from=s to=d"].map(|state| log.find(state));
    assert!(states[0].is_some() && states[0] < states[1], "{log}");
}

#[test]
fn the_end_of_a_parent_and_its_signal_count_once() {
    let place = Place::network(&quiet());
    for command in &mut servers(&place) {
        command.arg("--until-stdin-closes").stdin(Stdio::piped());
        command.stderr(Stdio::piped());
        let mut server = Server::spawn(command);
        server.ready(&place);
        let mut log = BufReader::new(server.0.stderr.take().unwrap()).lines();
        let listens = |line: &String| line.contains(" port=") || line.contains("on port: ");
        let line = log.find_map(|line| line.ok().filter(listens)).unwrap();
        let port = line
            .split(['=', ' '])
            .filter_map(|word| word.parse().ok())
            .next_back();
        // An open request that the end waits for.
        let mut open = TcpStream::connect(("127.0.0.1", port.unwrap())).unwrap();
        let head = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
        write!(
            open,
            "{head}Content-Length: 9\r\nExpect: 100-continue\r\n\r\n"
        )
        .unwrap();
        open.read_exact(&mut [0; 8]).unwrap();
        server.signal("TERM");
        drop(server.0.stdin.take());
        assert_eq!(server.code(), Some(0), "{command:?}");
    }
}

#[test]
fn an_empty_variable_counts_as_not_set() {
    let place = Place::network(&quiet());
    for command in &mut servers(&place) {
        let mut server = Node::spawn(command.env("RUST_LOG", ""), &place.data(""));
        server.line(" INFO ");
        assert_eq!(server.stop().0, Some(0), "{command:?}");
    }
    let mut command = place.command("discovery", &["-p", "0", "-h", "127.0.0.1"]);
    let mut homeless = Node::spawn(command.env("HOME", ""), &place.path(""));
    assert_eq!(homeless.ended().code(), Some(2));
    let said = homeless.rest();
    assert!(
        said.contains("HOME is not set") && said.contains("--data-dir"),
        "{said}"
    );
}
