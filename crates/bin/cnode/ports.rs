//! The two sockets of a node: one for peers, one for HTTP, side by side
//! unless the user says otherwise.

use crate::options::Options;
use ccoin_home::{Config, ExitCode, Failure};
use std::{
    io,
    net::{SocketAddr, ToSocketAddrs},
};
use tokio::net::{TcpListener, TcpSocket};

/// Pairs of free ports that are tried before giving up.
const PAIRS: usize = 100;

/// Connections that the system holds until they are accepted.
const BACKLOG: u32 = 1_024;

/// The sockets, bound.
pub(crate) struct Ports {
    /// Ready to accept.
    pub(crate) peers: std::net::TcpListener,
    /// Its address.
    pub(crate) peers_address: SocketAddr,
    /// Ready to accept.
    pub(crate) http: TcpListener,
    /// Its address.
    pub(crate) http_address: SocketAddr,
}

/// Binds both sockets; option before file before default.
pub(crate) fn bind(options: &Options, config: &Config) -> Result<Ports, Failure> {
    let host = options
        .host
        .clone()
        .or(config.p2p.host.clone())
        .unwrap_or_else(|| "0.0.0.0".into());
    let http_host = options
        .http_host
        .clone()
        .or(config.http.host.clone())
        .unwrap_or_else(|| "127.0.0.1".into());
    let port = options.port.or(config.p2p.port).unwrap_or(0);
    let http_port = options.http_port.or(config.http.port);
    let pairs = if port == 0 && http_port.is_none() {
        PAIRS
    } else {
        1
    };
    if port == u16::MAX && http_port.is_none() {
        return Err(no_port_beside(options));
    }
    let mut result = Err(Failure::new(
        ExitCode::Busy,
        "no two free ports side by side",
    ));
    for _ in 0..pairs {
        result = bind_pair(&host, port, &http_host, http_port);
        if !matches!(&result, Err(failure) if failure.code == ExitCode::Busy) {
            break;
        }
    }
    result
}

fn bind_pair(
    host: &str,
    port: u16,
    http_host: &str,
    http_port: Option<u16>,
) -> Result<Ports, Failure> {
    let peers = listen(host, port, |error| {
        let other = port.checked_add(2).unwrap_or(4001);
        let hint = format!("try: cnode -p 0 ...   or   cnode -p {other} ...");
        refused(error, port, host, "peers", "-h", &[&hint])
    })?;
    let peers = peers.into_std().map_err(|error| unusable(host, &error))?;
    let peers_address = peers.local_addr().map_err(|error| unusable(host, &error))?;
    let p2p = peers_address.port();
    // The system gave the last port: the next pair may be another one.
    let wanted = http_port.or(p2p.checked_add(1));
    let wanted = wanted.ok_or_else(|| Failure::new(ExitCode::Busy, "no port beside the last"))?;
    let http = listen(http_host, wanted, |error| {
        let beside = if http_port.is_none() {
            " (= p2p + 1)"
        } else {
            ""
        };
        let other = wanted.checked_add(1_000).unwrap_or(4002);
        let hints = [
            &*format!("cnode wants p2p {p2p} and HTTP {wanted}{beside}"),
            &format!("try: cnode -p 0 ...   or   cnode --http-port {other} ..."),
        ];
        refused(error, wanted, http_host, "HTTP API", "--http-host", &hints)
    })?;
    let http_address = http
        .local_addr()
        .map_err(|error| unusable(http_host, &error))?;
    Ok(Ports {
        peers,
        peers_address,
        http,
        http_address,
    })
}

/// A socket that accepts.
fn listen(
    host: &str,
    port: u16,
    refused: impl FnOnce(&io::Error) -> Failure,
) -> Result<TcpListener, Failure> {
    let address = resolve(host, port)?;
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    };
    let socket = socket.map_err(|error| unusable(host, &error))?;
    let listen = || {
        // A node that restarts must get its port back at once.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    listen().map_err(|error| refused(&error))
}

/// Another process has the port, for which there are hints, or the host is not of this
/// machine.
fn refused(
    error: &io::Error,
    port: u16,
    host: &str,
    what: &str,
    option: &str,
    hints: &[&str],
) -> Failure {
    if error.kind() == io::ErrorKind::AddrInUse {
        let message = format!("port {port} on {host} is taken ({what})");
        let failure = Failure::new(ExitCode::Busy, message);
        return hints.iter().copied().fold(failure, Failure::hint);
    }
    let message = format!("cannot listen on {host} ({what}): {error}");
    Failure::new(ExitCode::BadConfig, message).hint(format!(
        "{option} is an address of this machine: 127.0.0.1, 0.0.0.0 for all, or one of its own"
    ))
}

/// The last port for peers leaves none for HTTP.
fn no_port_beside(options: &Options) -> Failure {
    let code = match options.port {
        Some(_) => ExitCode::Usage,
        None => ExitCode::BadConfig,
    };
    Failure::new(code, "there is no port 65536 for HTTP (= p2p + 1)")
        .hint("p2p is 65535, the last one")
        .hint("try: cnode -p 0 ...   or   cnode --http-port 4002 ...")
}

fn resolve(host: &str, port: u16) -> Result<SocketAddr, Failure> {
    let mut addresses = (host, port)
        .to_socket_addrs()
        .map_err(|error| unusable(host, &error))?;
    addresses
        .next()
        .ok_or_else(|| Failure::new(ExitCode::BadConfig, format!("host {host} has no address")))
}

fn unusable(host: &str, error: &io::Error) -> Failure {
    Failure::new(
        ExitCode::BadConfig,
        format!("cannot listen on {host}: {error}"),
    )
}
