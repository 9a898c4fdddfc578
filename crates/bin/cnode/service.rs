//! The life of the process: start in order, wait for a signal or a fault, end in order.

use crate::{
    check::{Found, find},
    options::{NodeType, Options},
    ports::{self, Ports},
    signals::{Signals, Told, tell_ready},
};
use ccoin_api::WalletGuard;
use ccoin_core::{Height, machine::NodeState, slots::Schedule};
use ccoin_home::{
    ApiToken, DataDir, ExitCode, Failure, KeyLock, LogSink, NodeFile, VoteFile, VoteFileError,
    VoteRecord,
};
use ccoin_node::{NodeSetup, RunningNode, View, clock};
use ccoin_storage::ChainLock;
use rand_core::{OsRng, RngCore as _};
use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Runs a node until it is told to end.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let found = find(options)?;
    let (log, _pid_file) = options.daemon.begin("cnode")?;
    found
        .config
        .warnings
        .iter()
        .for_each(|warning| tracing::warn!("{warning}"));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            Failure::new(
                ExitCode::Unexpected,
                format!("cannot start threads: {error}"),
            )
        })?;
    let ending = runtime.block_on(serve(options, found, &log));
    runtime.shutdown_timeout(Duration::from_secs(1));
    ending
}

async fn serve(options: &Options, found: Found, log: &LogSink) -> Result<(), Failure> {
    let Found {
        config,
        dir,
        chain,
        genesis,
        key,
    } = found;
    let mut signals = Signals::new(&options.daemon)?;
    let _key_lock = KeyLock::take(&dir.lock())?;
    let lock = ChainLock::acquire(&chain.root)
        .map_err(|error| Failure::from(ccoin_node::NodeError::from(error)))?;
    let _ports_guard;
    let Ports {
        peers,
        peers_address,
        http,
        http_address,
    } = ports::bind(options, &config)?;
    _ports_guard = peers;
    let votes = match options.node_type {
        NodeType::Validator => Some(open_votes(&dir, &genesis)?),
        NodeType::Basic => None,
    };
    tracing::info!("ChainNode starting on {}", peers_address.port());
    let token = Arc::new(RwLock::new(ApiToken::open(&dir.token())?));
    let setup = NodeSetup {
        chain,
        lock,
        genesis,
        key,
        votes,
        block_data: config.block_data.clone(),
        seeds: [random_seed(), random_seed()],
        reindex: options.reindex,
    };
    let mut node = RunningNode::start(setup)?;
    let current = Arc::clone(&token);
    let guard = WalletGuard {
        token_matches: Box::new(move |offered| {
            current
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .matches(offered)
        }),
        hosts: config.http.allow_host.clone(),
        origins: config.http.allow_origin.clone(),
    };
    let stop = CancellationToken::new();
    let router = ccoin_api::router(node.handle().clone(), guard);
    let api = tokio::spawn(ccoin_api::serve(http, router, stop.clone()));
    tracing::info!(
        "HTTP API ENDPOINT Started got up and listening on port: {}",
        http_address.port()
    );
    let node_file = NodeFile {
        pid: std::process::id(),
        p2p: peers_address,
        http: http_address,
    };
    node_file.write(&dir.node_file()).map_err(|error| {
        Failure::new(
            ExitCode::Unexpected,
            format!("cannot write {}: {error}", dir.node_file().display()),
        )
    })?;
    let ready = tokio::spawn(tell_when_ready(
        node.handle().watch(),
        options.ready_file.clone(),
    ));
    loop {
        tokio::select! {
            biased;
            told = signals.next() => match told {
                Told::End => break,
                Told::Reload => reload(log, &dir, &token),
            },
            () = node.failed() => break,
        }
    }
    signals.end_at_once();
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
    stop.cancel();
    ready.abort();
    let _ = api.await;
    let ending = tokio::task::spawn_blocking(move || node.stop()).await;
    let _ = NodeFile::remove(&dir.node_file());
    tracing::info!(
        "Node state changed from={} to={}",
        NodeState::Stopping.letter(),
        NodeState::Dead.letter()
    );
    match ending {
        Ok(ending) => Ok(ending.inspect_err(|error| {
            // Nobody reads the stderr of a node in the background.
            tracing::error!("{error}");
        })?),
        Err(_) => Err(Failure::new(
            ExitCode::Unexpected,
            "the node did not end in order",
        )),
    }
}

/// The vote file of a validator. When it is lost, nobody knows what the key has signed
/// in this slot: the node seals from the next slot on.
fn open_votes(dir: &DataDir, genesis: &ccoin_core::genesis::Genesis) -> Result<VoteFile, Failure> {
    let path = dir.votes();
    let lost = match VoteFile::open(&path) {
        Ok(votes) => return Ok(votes),
        Err(error @ VoteFileError::Missing(_)) => error,
        Err(error @ VoteFileError::Damaged(_)) => {
            let aside = path.with_extension("damaged");
            std::fs::rename(&path, &aside).map_err(|error| {
                Failure::new(
                    ExitCode::Unexpected,
                    format!("cannot move {} aside: {error}", path.display()),
                )
            })?;
            error
        }
        Err(error) => return Err(error.into()),
    };
    tracing::warn!("{lost}: a new one is made, and blocks are signed from the next slot on");
    let mut votes = VoteFile::create(&path)?;
    votes.store(VoteRecord {
        genesis_id: genesis.id,
        last_sealed_slot: Schedule::new(&genesis.config).slot(clock::now()),
        last_sealed_number: Height::MAX.get(),
    })?;
    Ok(votes)
}

fn random_seed() -> [u8; 32] {
    let mut seed = [0; 32];
    OsRng.fill_bytes(&mut seed);
    seed
}

/// SIGHUP: reopen the log, read the token again.
fn reload(log: &LogSink, dir: &DataDir, token: &RwLock<ApiToken>) {
    if let Err(error) = log.reopen() {
        tracing::error!("{error}");
    }
    match ApiToken::open(&dir.token()) {
        Ok(fresh) => *token.write().unwrap_or_else(PoisonError::into_inner) = fresh,
        Err(error) => tracing::error!("{error}"),
    }
    tracing::info!("log reopened and token read again");
}

/// Tells everybody who waits, once the node works.
async fn tell_when_ready(
    mut view: watch::Receiver<Arc<View>>,
    ready_file: Option<std::path::PathBuf>,
) {
    if view
        .wait_for(|view| view.state == NodeState::Ready)
        .await
        .is_err()
    {
        return;
    }
    tell_ready(ready_file.as_deref()).await;
}
