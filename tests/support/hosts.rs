//! Hosts of their own for what one machine's loopback cannot show: network namespaces on
//! one bridge, each with an address and a cable. Nothing of them is seen from outside, and
//! nothing is left when they are dropped. Not every machine lets a test make them.

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::{
    fs::File,
    io::{self, Write as _},
    net::Ipv4Addr,
    os::fd::AsFd as _,
    path::Path,
    process::{self, Command},
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

/// Makes the names of several of these in one process different.
static MADE: AtomicU32 = AtomicU32::new(0);

/// Hosts on one bridge, 10.77.0.1 and so on; removed when dropped, so drop what runs on
/// them first.
pub(crate) struct Hosts {
    /// The namespace of the bridge.
    hub: Namespace,
    hosts: Vec<Namespace>,
}

impl Hosts {
    /// As many as a test needs; `None` after it has said why they cannot be made here.
    pub(crate) fn new(count: u8) -> Option<Self> {
        Self::made(count).inspect_err(|why| skip(why)).ok()
    }

    fn made(count: u8) -> Result<Self, String> {
        let name = format!(
            "ccoin-{}-{}",
            process::id(),
            (b'a' + u8::try_from(MADE.fetch_add(1, Relaxed)).unwrap()) as char
        );
        let hub = Namespace::add(name.clone())?;
        hub.ip("link add name hub up type bridge")?;
        let mut hosts = Vec::new();
        for number in 1..=count {
            let host = Namespace::add(format!("{name}{number}"))?;
            let (there, here) = (&host.name, format!("port{number}"));
            hub.ip(&format!(
                "link add {here} type veth peer name eth0 netns {there}"
            ))?;
            hub.ip(&format!("link set {here} up master hub"))?;
            host.ip(&format!("address add 10.77.0.{number}/24 dev eth0"))?;
            host.ip("link set eth0 up")?;
            host.ip("link set lo up")?;
            hosts.push(host);
        }
        Ok(Self { hub, hosts })
    }

    /// The address that others reach.
    pub(crate) fn ip(&self, host: usize) -> Ipv4Addr {
        Ipv4Addr::new(10, 77, 0, u8::try_from(host + 1).unwrap())
    }

    /// Does something on a host: whatever sockets it opens and processes and threads it
    /// starts are there and stay there.
    pub(crate) fn on<T>(&self, host: usize, act: impl FnOnce() -> T) -> T {
        let _home = Home(File::open("/proc/thread-self/ns/net").unwrap());
        enter(&File::open(Path::new("/var/run/netns").join(&self.hosts[host].name)).unwrap());
        act()
    }

    /// Pulls the cable of a host out, or puts it in again; nobody is told.
    pub(crate) fn cable(&self, host: usize, is_in: bool) {
        let state = if is_in { "up" } else { "down" };
        let command = format!("link set port{} {state}", host + 1);
        self.hub.ip(&command).unwrap();
    }

    /// Makes everything late that a host sends, and loses some of it: one packet in twenty,
    /// or where the system cannot do that whatever does not fit a narrow line.
    pub(crate) fn worsen(&self, host: usize) -> Result<(), String> {
        let host = &self.hosts[host].name;
        let add = format!("-n {host} qdisc add dev eth0 root");
        let narrow = |why| {
            let line = "tbf rate 400kbit burst 2kb latency 40ms";
            run("tc", &format!("{add} {line}")).map_err(|too| format!("{why}; {too}"))
        };
        run("tc", &format!("{add} netem delay 100ms loss 5%")).or_else(narrow)
    }
}

/// Says why a test shows nothing here, in spite of the test harness.
pub(crate) fn skip(why: &str) {
    let test = std::thread::current();
    let test = test.name().unwrap_or("a test");
    let _ = writeln!(io::stderr(), "SKIPPED: {test}: {why}");
}

/// Removed when dropped, with the ends of its cables.
struct Namespace {
    name: String,
}

impl Namespace {
    fn add(name: String) -> Result<Self, String> {
        run("ip", &format!("netns add {name}"))?;
        Ok(Self { name })
    }

    fn ip(&self, command: &str) -> Result<(), String> {
        run("ip", &format!("-n {} {command}", self.name))
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if let Err(why) = run("ip", &format!("netns delete {}", self.name)) {
            eprintln!("{why}");
        }
    }
}

/// Takes the thread back to where it was, also when a test fails.
struct Home(File);

impl Drop for Home {
    fn drop(&mut self) {
        enter(&self.0);
    }
}

fn enter(namespace: &File) {
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
}

fn run(program: &str, words: &str) -> Result<(), String> {
    let output = Command::new(program).args(words.split(' ')).output();
    let output = output.map_err(|error| format!("no {program} (Debian: iproute2): {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("{program} {words}: {}", said.trim_end())),
    }
}
