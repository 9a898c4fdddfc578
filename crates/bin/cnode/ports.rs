//! The two sockets of a node: one for peers, one for HTTP, side by side
//! unless the user says otherwise.

use crate::{options::Options, taken};
use ccoin_home::{Config, ExitCode, Failure};
use std::net::{SocketAddr, ToSocketAddrs};
use tokio::net::{TcpListener, TcpSocket};

/// Pairs of free ports that are tried before giving up.
const PAIRS: usize = 100;

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
    let attempts = if port == 0 && http_port.is_none() {
        PAIRS
    } else {
        1
    };
    let mut result = Err(Failure::new(
        ExitCode::Busy,
        "no two free ports side by side",
    ));
    for _ in 0..attempts {
        result = bind_pair(&host, port, &http_host, http_port);
        if result.is_ok() {
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
    let peers_address = resolve(host, port)?;
    let peers = socket(peers_address)?;
    let listen = || {
        // A node that restarts must get its port back at once.
        peers.set_reuseaddr(true)?;
        peers.bind(peers_address)?;
        peers.listen(1024)?.into_std()
    };
    let peers = listen().map_err(|_| {
        taken(port, host, "peers").hint(format!(
            "try: cnode -p 0 ...   or   cnode -p {} ...",
            port.wrapping_add(2)
        ))
    })?;
    let peers_address = peers.local_addr().map_err(|error| unusable(host, &error))?;
    let p2p = peers_address.port();
    let wanted = http_port.unwrap_or(p2p.wrapping_add(1));
    let http_address = resolve(http_host, wanted)?;
    let http = socket(http_address)?;
    let listen = || {
        http.set_reuseaddr(true)?;
        http.bind(http_address)?;
        http.listen(1024)
    };
    let http = listen().map_err(|_| {
        taken(wanted, http_host, "HTTP API")
            .hint(format!(
                "cnode wants p2p {p2p} and HTTP {wanted}{}",
                if http_port.is_none() {
                    " (= p2p + 1)"
                } else {
                    ""
                }
            ))
            .hint(format!(
                "try: cnode -p 0 ...   or   cnode --http-port {} ...",
                wanted.wrapping_add(1000)
            ))
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

fn resolve(host: &str, port: u16) -> Result<SocketAddr, Failure> {
    let mut addresses = (host, port)
        .to_socket_addrs()
        .map_err(|error| unusable(host, &error))?;
    addresses
        .next()
        .ok_or_else(|| Failure::new(ExitCode::BadConfig, format!("host {host} has no address")))
}

fn socket(address: SocketAddr) -> Result<TcpSocket, Failure> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    };
    socket.map_err(|error| unusable(&address.to_string(), &error))
}

fn unusable(host: &str, error: &std::io::Error) -> Failure {
    Failure::new(
        ExitCode::BadConfig,
        format!("cannot listen on {host}: {error}"),
    )
}
