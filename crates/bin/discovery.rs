//! `discovery`: the service through which nodes find each other. Reads options, opens
//! directory and socket, serves until a signal, and writes the registry at the end.

mod signals;

use ccoin_crypto::SecretKey;
use ccoin_discovery::{Service, Store, Unproven};
use ccoin_home::{
    DaemonOptions, ExitCode, Failure, LogSink, PidFile, environment, panics, replace_file, run,
};
use ccoin_node::clock;
use ccoin_p2p::{NamedPlace, Probe};
use clap::{ArgAction, Parser};
use signals::{SignalEvent, Signals};
use std::{
    fs, io,
    net::{SocketAddr, ToSocketAddrs as _},
    path::{Path, PathBuf},
    pin::Pin,
    process::{self, ExitCode as ProcessExitCode},
    sync::Arc,
    time::Duration,
};
use tokio::net::{TcpListener, TcpSocket};
use tokio_util::sync::CancellationToken;

/// Connections that wait in the system's queue.
const BACKLOG: u32 = 1_024;

/// Run the service through which nodes find each other
#[derive(Debug, Parser)]
#[command(name = "discovery", version, disable_help_flag = true)]
struct Options {
    /// Port to listen on; 0: a free one
    #[arg(short, long, default_value_t = 4444, env = "CCOIN_DISCOVERY_PORT")]
    port: u16,
    /// Address to listen on; the default is all interfaces
    #[arg(
        short = 'h',
        long,
        default_value = "0.0.0.0",
        env = "CCOIN_DISCOVERY_HOST"
    )]
    host: String,
    /// Keeps the registry over a restart, and discovery.json with process and address while the
    /// service runs; default ~/.ccoin/discovery
    #[arg(long, value_name = "DIR", env = "CCOIN_DISCOVERY_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// Write the process id to FILE when the service is ready; removed at the end
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    #[command(flatten)]
    daemon: DaemonOptions,
    /// Print help
    #[arg(long, action = ArgAction::Help)]
    help: Option<bool>,
}

fn main() -> ProcessExitCode {
    let options: Options = ccoin_home::options();
    panics::end_the_process();
    let mut code = ExitCode::Done.into();
    let outcome = run(|| {
        options.daemon.enter_directory()?;
        match options.daemon.detach("discovery")? {
            Some(detached) => code = detached,
            None => start(&options)?,
        }
        Ok(())
    });
    if outcome == ProcessExitCode::SUCCESS {
        code
    } else {
        outcome
    }
}

fn start(options: &Options) -> Result<(), Failure> {
    let data_dir = data_dir(options)?;
    let log = options.daemon.start_log("discovery")?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            let message = format!("cannot start threads: {error}");
            Failure::new(ExitCode::Unexpected, message)
        })?;
    let ending = runtime.block_on(serve(options, &data_dir, &log));
    runtime.shutdown_timeout(Duration::from_secs(1));
    ending
}

async fn serve(options: &Options, data_dir: &Path, log: &LogSink) -> Result<(), Failure> {
    let mut signals = Signals::new(&options.daemon)?;
    signals::feed_watchdog();
    let (listener, address) = listen(&options.host, options.port)?;
    let store = Store::open(data_dir)?;
    let _pid_file = options.daemon.write_pid()?;
    let ready_file = PidFile::new(options.ready_file.as_deref())?;
    ready_file.prepare()?;
    let service = Arc::new(Service::new(store.load(clock::wall()), clock::wall));
    let stop = CancellationToken::new();
    let router = ccoin_discovery::router(Arc::clone(&service));
    let serving = tokio::spawn(ccoin_discovery::serve(listener, router, stop.clone()));
    let written = CancellationToken::new();
    let proving = tokio::spawn(ccoin_discovery::prove(
        Arc::clone(&service),
        asking()?,
        stop.clone(),
    ));
    let keeping = tokio::spawn(ccoin_discovery::keep(store, service, written.clone()));
    let address_file = data_dir.join("discovery.json");
    write_address(&address_file, address)?;
    let (host, port) = (&options.host, address.port());
    tracing::info!("Discovery Service listens on port={port} and host={host}");
    signals::tell_ready(&ready_file, &format!("listening on {host}:{port}"));
    while signals.next().await == SignalEvent::Reload {
        match log.reopen() {
            Ok(()) => tracing::info!("log reopened"),
            Err(error) => tracing::error!("{error}"),
        }
    }
    signals.end_at_once();
    signals::tell_stopping();
    stop.cancel();
    let served = serving.await;
    // After the last request, so that the file holds every answered change.
    written.cancel();
    let kept = keeping.await;
    let _ = fs::remove_file(address_file);
    tracing::info!("Discovery Service ended");
    served.and(kept).and(proving.await).map_err(|_| {
        let message = "the service did not end in order";
        Failure::new(ExitCode::Unexpected, message).hint("the log says more")
    })
}

/// How a listed place is asked to prove its address.
fn asking() -> Result<impl Fn(Unproven) -> Asked + Clone, Failure> {
    let key = SecretKey::generate(2048).map_err(|error| {
        let message = format!("cannot make a key: {error}");
        Failure::new(ExitCode::Unexpected, message)
    })?;
    let agent = concat!("ccoin-discovery/", env!("CARGO_PKG_VERSION"));
    let probe = Arc::new(Probe::new(key, agent, clock::wall));
    Ok(move |place: Unproven| -> Asked {
        let probe = Arc::clone(&probe);
        Box::pin(async move {
            let place = NamedPlace {
                address: place.id,
                host: place.ip.to_string(),
                port: place.port,
                named_by: place.caller,
            };
            probe.prove(&place).await
        })
    })
}

/// Whether a place has answered with its key.
type Asked = Pin<Box<dyn Future<Output = bool> + Send>>;

/// Writes process and address for programs on this host, as `node.json` of a node.
fn write_address(file: &Path, address: SocketAddr) -> Result<(), Failure> {
    let text = serde_json::json!({"pid": process::id(), "http": address}).to_string();
    replace_file(file, format!("{text}\n").as_bytes(), 0o644).map_err(|error| {
        let message = format!("cannot write {}: {error}", file.display());
        Failure::new(ExitCode::BadConfig, message)
    })
}

fn data_dir(options: &Options) -> Result<PathBuf, Failure> {
    let home = environment("HOME").filter(|home| !home.is_empty());
    let default = home.map(|home| Path::new(&home).join(".ccoin/discovery"));
    let dir = options.data_dir.clone().or(default).ok_or_else(|| {
        Failure::new(
            ExitCode::Usage,
            "no place for the registry: HOME is not set",
        )
        .hint("name one with --data-dir DIR")
    })?;
    std::path::absolute(&dir).map_err(|error| {
        let message = format!("cannot use the data directory {}: {error}", dir.display());
        Failure::new(ExitCode::BadConfig, message)
    })
}

/// A socket that accepts, and its address.
fn listen(host: &str, port: u16) -> Result<(TcpListener, SocketAddr), Failure> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::AddrInUse => Failure::new(
            ExitCode::Busy,
            format!("port {port} on {host} is taken (discovery)"),
        )
        .hint("is a discovery service running already? one is enough for many networks")
        .hint(format!(
            "try: discovery -p {} ...   and set discovery_service.port of every ccoin.json",
            port.checked_add(1).unwrap_or(4444)
        )),
        _ => Failure::new(
            ExitCode::BadConfig,
            format!("cannot listen on port {port} of {host}: {error}"),
        )
        .hint("-h is the host to listen on; for help: discovery --help"),
    };
    let address = (host, port).to_socket_addrs().map_err(failed)?.next();
    let address = address.ok_or_else(|| failed(io::Error::other("the host has no address")))?;
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    }
    .map_err(failed)?;
    // A service that restarts must get its port back at once.
    socket.set_reuseaddr(true).map_err(failed)?;
    socket.bind(address).map_err(failed)?;
    let listener = socket.listen(BACKLOG).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}
