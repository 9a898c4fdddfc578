//! The life of the process: start in order, wait for a signal or a fault, end in order.

use crate::{
    check::{Found, check_miner, find},
    links::Links,
    options::{NodeType, Options},
    ports::{self, Ports},
    reload::Reload,
    signals::{Signals, Told, tell_ready},
};
use ccoin_api::{Front, Waiting, WalletGuard, waiting_router};
use ccoin_core::{
    Height,
    genesis::Genesis,
    slots::Schedule,
    sync::{Event, NodeState, next},
};
use ccoin_crypto::SecretKey;
use ccoin_home::{
    DataDir, ExitCode, Failure, KeyLock, LogSink, NodeFile, VoteFile, VoteFileError, VoteRecord,
    announce_ready,
};
use ccoin_node::{NodeSetup, RunningNode, View, clock};
use ccoin_storage::ChainLock;
use rand_core::{OsRng, RngCore as _};
use std::{sync::Arc, time::Duration};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

/// Runs a node until it is told to end.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let found = find(options)?;
    let log = options.daemon.start_log("cnode")?;
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
    let signals = Signals::new(&options.daemon)?;
    let dir = found.dir.clone();
    let _key_lock = KeyLock::take(&dir.lock())?;
    std::fs::create_dir_all(&found.chain.root).map_err(|error| {
        let root = found.chain.root.display();
        Failure::new(ExitCode::Unexpected, format!("cannot make {root}: {error}"))
    })?;
    let lock = ChainLock::acquire(&found.chain.root)
        .map_err(|error| Failure::from(ccoin_node::NodeError::from(error)))?;
    let Ports {
        peers,
        peers_address,
        http,
        http_address,
    } = ports::bind(options, &found.config)?;
    let _pid_file = options.daemon.write_pid()?;
    let links = Links::new(options, &found, peers)?;
    tracing::info!("ChainNode starting on {}", peers_address.port());
    let reload = Reload::new(log, &dir, &options.config, &links)?;
    let (connected, peers) = watch::channel(0);
    let waiting = waiting_router(Waiting {
        address: dir.address(),
        node_type: options.node_type.word(),
        peers,
    });
    let mut door = Door::open(http, Front::new(waiting));
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
        let path = dir.node_file();
        Failure::new(
            ExitCode::Unexpected,
            format!("cannot write {}: {error}", path.display()),
        )
    })?;
    let process = Process {
        options,
        reload,
        signals,
        door: &mut door,
    };
    let ending = process.live(found, lock, connected).await;
    door.close().await;
    let _ = NodeFile::remove(&dir.node_file());
    let (dead, _) = next(NodeState::Stopping, Event::Ended);
    tracing::info!(
        "Node state changed from={} to={}",
        NodeState::Stopping.letter(),
        dead.letter()
    );
    ending.inspect_err(|error| {
        // Nobody reads the stderr of a node in the background.
        tracing::error!("{error}");
    })
}

/// The HTTP side: open from the start, whatever the node has.
struct Door {
    front: Front,
    stop: CancellationToken,
    serving: Option<JoinHandle<()>>,
}

impl Door {
    fn open(http: TcpListener, front: Front) -> Self {
        let stop = CancellationToken::new();
        let serving = tokio::spawn(ccoin_api::serve(http, front.router(), stop.clone()));
        Self {
            front,
            stop,
            serving: Some(serving),
        }
    }

    async fn close(&mut self) {
        self.stop.cancel();
        if let Some(serving) = self.serving.take() {
            let _ = serving.await;
        }
    }
}

/// What the life of a node hangs on.
struct Process<'p> {
    options: &'p Options,
    reload: Reload<'p>,
    signals: Signals,
    door: &'p mut Door,
}

impl Process<'_> {
    /// From the first peer to the last block.
    async fn live(
        mut self,
        found: Found,
        lock: ChainLock,
        connected: watch::Sender<usize>,
    ) -> Result<(), Failure> {
        let Found {
            config,
            dir,
            chain,
            genesis,
            key,
            ..
        } = found;
        let key = Arc::new(key);
        let genesis = match genesis {
            Some(genesis) => genesis,
            None => {
                tracing::warn!(
                    "no chain in {}: waiting for a peer that offers one (initc founds a new network)",
                    dir.root().display()
                );
                let Some(genesis) = self.join(Arc::clone(&key), connected).await? else {
                    return Ok(());
                };
                check_miner(&genesis, self.options, &dir)?;
                chain.create(&genesis)?;
                tracing::warn!("joined the network {} for good", genesis.id);
                genesis
            }
        };
        let votes = match self.options.node_type {
            NodeType::Validator => Some(open_votes(&dir, &genesis)?),
            NodeType::Basic => None,
        };
        let node = RunningNode::start(NodeSetup {
            chain,
            lock,
            genesis,
            key,
            votes,
            block_data: config.block_data.clone(),
            seeds: [random_seed(), random_seed()],
            reindex: self.options.reindex,
            peers: Some(self.reload.links.setup.clone()),
        })?;
        let guard = WalletGuard {
            token_matches: self.reload.token_matches(),
            hosts: config.http.allow_host.clone(),
            origins: config.http.allow_origin.clone(),
        };
        let routes = ccoin_api::router(node.handle().clone(), guard);
        self.door.front.exchange(routes);
        self.work(node).await
    }

    /// Waits for block 1; `None` if the node is told to end before.
    async fn join(
        &mut self,
        key: Arc<SecretKey>,
        connected: watch::Sender<usize>,
    ) -> Result<Option<Genesis>, Failure> {
        announce_ready();
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
        let search = ccoin_node::seek_genesis(&self.reload.links.setup, key, connected);
        tokio::pin!(search);
        loop {
            tokio::select! {
                biased;
                told = self.signals.next() => match told {
                    Told::End => return Ok(None),
                    Told::Reload => self.reload.now(),
                },
                found = &mut search => return Ok(Some(found?)),
            }
        }
    }

    /// Until a signal or a fault; then ends in order.
    async fn work(mut self, mut node: RunningNode) -> Result<(), Failure> {
        let ready = tokio::spawn(tell_when_ready(
            node.handle().watch(),
            self.options.ready_file.clone(),
        ));
        loop {
            tokio::select! {
                biased;
                told = self.signals.next() => match told {
                    Told::End => break,
                    Told::Reload => self.reload.now(),
                },
                () = node.failed() => break,
            }
        }
        self.signals.end_at_once();
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
        ready.abort();
        node.leave().await;
        self.door.close().await;
        match tokio::task::spawn_blocking(move || node.stop()).await {
            Ok(ending) => Ok(ending?),
            Err(_) => Err(Failure::new(
                ExitCode::Unexpected,
                "the node did not end in order",
            )),
        }
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
