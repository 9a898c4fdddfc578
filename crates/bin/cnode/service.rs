//! The life of the process: start in order, wait for a signal or a fault, end in order.

use crate::{
    account_key::OpenKey,
    by_hand::Orders,
    check::{Found, find},
    options::{NodeType, Options},
    peer_setup::PeerLinks,
    ports::{self, Ports},
    reload::Reload,
    signals::{self, SignalEvent, Signals},
};
use ccoin_api::{NoChain, SwapRouter, WalletGuard, no_chain_router};
use ccoin_core::{
    BlockId, Height,
    sync::{Event, NodeState, next},
};
use ccoin_crypto::random_bytes;
use ccoin_home::{
    CommandSigner, DataDir, ExitCode, Failure, LockFile, LogSink, NodeFile, PidFile,
    raise_open_files,
};
use ccoin_node::{Node, NodeSetup, ReadError, View};
use ccoin_storage::{ChainLock, SlotFileError, VoteFile, VoteFileError, VoteRecord};
use std::{sync::Arc, time::Duration};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

/// How often a start looks whether the index has caught up.
const INDEX_POLL: Duration = Duration::from_millis(100);

/// Runs a node until it is told to end.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let found = find(options)?;
    let log = options.daemon.start_log("cnode")?;
    raise_open_files();
    let remarks = found.config.warnings.iter().chain(&found.remarks);
    remarks.for_each(|remark| tracing::warn!("{remark}"));
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
    signals::feed_watchdog();
    let dir = found.dir.clone();
    let _key_lock = LockFile::take(&dir.lock()).map_err(|error| {
        Failure::from(error).hint("two processes with one key would sign against each other")
    })?;
    std::fs::create_dir_all(&found.chain.root).map_err(|error| {
        let root = found.chain.root.display();
        Failure::new(ExitCode::Disk, format!("cannot make {root}: {error}"))
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
    let ready_file = PidFile::new(options.ready_file.as_deref())?;
    ready_file.prepare()?;
    let links = PeerLinks::new(options, &found, peers);
    tracing::info!("ChainNode starting on {}", peers_address.port());
    let key = found.key.open()?;
    let program = key.program.as_ref().map(|(program, _)| Arc::clone(program));
    let reload = Reload::new(log, &dir, &options.config, &links)?;
    let (connected, peers) = watch::channel(0);
    let waiting = no_chain_router(NoChain {
        address: dir.address(),
        node_type: options.node_type.word(),
        peers,
    });
    let mut http_server = HttpServer::open(http, SwapRouter::new(waiting));
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
            ExitCode::Disk,
            format!("cannot write {}: {error}", path.display()),
        )
    })?;
    let process = Process {
        options,
        reload,
        signals,
        http_server: &mut http_server,
        ready_file,
        addresses: format!("peers on {peers_address}, HTTP API on http://{http_address}"),
    };
    let ending = process.live(found, key, lock, connected).await;
    if let Some(program) = program {
        // Whatever the way here was.
        let _ = tokio::task::spawn_blocking(move || program.stop()).await;
    }
    http_server.close().await;
    let _ = NodeFile::remove(&dir.node_file());
    log_change(NodeState::Stopping, Event::Ended);
    ending.inspect_err(|error| {
        // The stderr of a node in the background is closed.
        tracing::error!("{error}");
    })
}

/// Logs a change of state outside the life of the machine, which logs the others.
pub(crate) fn log_change(from: NodeState, event: Event) {
    let (to, _) = next(from, event);
    tracing::info!(
        "Node state changed from={} to={}",
        from.letter(),
        to.letter()
    );
}

/// The HTTP side: open from the start, whatever the node has.
struct HttpServer {
    routes: SwapRouter,
    stop: CancellationToken,
    serving: Option<JoinHandle<()>>,
}

impl HttpServer {
    fn open(http: TcpListener, routes: SwapRouter) -> Self {
        let stop = CancellationToken::new();
        let serving = tokio::spawn(ccoin_api::serve(http, routes.router(), stop.clone()));
        Self {
            routes,
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

/// The parts of a running process.
pub(crate) struct Process<'p> {
    pub(crate) options: &'p Options,
    pub(crate) reload: Reload<'p>,
    pub(crate) signals: Signals,
    http_server: &'p mut HttpServer,
    ready_file: PidFile,
    /// Both of them, for people.
    pub(crate) addresses: String,
}

impl Process<'_> {
    /// From the first peer to the last block.
    async fn live(
        mut self,
        mut found: Found,
        key: OpenKey,
        lock: ChainLock,
        connected: watch::Sender<usize>,
    ) -> Result<(), Failure> {
        let Some(genesis) = self.have_genesis(&mut found, &key.key, connected).await? else {
            self.signals.end_at_once();
            signals::tell_stopping();
            return Ok(());
        };
        let Found {
            config,
            dir,
            chain,
            lanes,
            ..
        } = found;
        let orders = Orders::open(self.options.blocks_by_hand, &genesis)?;
        let OpenKey { key, program } = key;
        let (program, signer_fault) = program.unzip();
        let votes = match self.options.node_type {
            NodeType::Validator => Some(open_votes(&dir, &genesis)?),
            NodeType::Basic => None,
        };
        let mut node = Node::start(NodeSetup {
            chain,
            lock,
            genesis,
            key,
            signer_fault,
            votes,
            block_data: config.client.block_data.clone(),
            seeds: [random_bytes(), random_bytes()],
            trusted_block: self.options.trusted_block,
            by_hand: self.options.blocks_by_hand,
            reindex: self.options.reindex,
            peers: Some(self.reload.links.setup.clone()),
            lanes,
        })?;
        let guard = WalletGuard {
            token_matches: self.reload.token_matches(),
            hosts: config.http.allow_host.clone(),
            origins: config.http.allow_origin.clone(),
        };
        if let Some((number, id)) = self.options.trusted_block
            && let Err(failure) = check_trusted(&node, number, id).await
        {
            node.leave().await;
            // The chain is not the operator's: that is what counts.
            let _ = tokio::task::spawn_blocking(move || node.stop()).await;
            return Err(failure);
        }
        let routes = ccoin_api::router(node.handle().clone(), guard);
        self.http_server.routes.swap(routes);
        self.work(node, program, orders).await
    }

    /// Until a signal or a fault; then ends in order.
    async fn work(
        mut self,
        mut node: Node,
        program: Option<Arc<CommandSigner>>,
        mut orders: Orders,
    ) -> Result<(), Failure> {
        let mut view = node.handle().watch();
        let mut told_ready = false;
        loop {
            tokio::select! {
                biased;
                told = self.signals.next() => match told {
                    SignalEvent::Stop => break,
                    SignalEvent::Reload => self.reload.now(),
                },
                () = node.failed() => break,
                () = orders.next() => node.handle().make_block().await,
                () = works(&mut view), if !told_ready => {
                    signals::tell_ready(&self.ready_file, &self.addresses);
                    told_ready = true;
                }
            }
        }
        self.signals.end_at_once();
        signals::tell_stopping();
        // It is not ready any more.
        drop(self.ready_file);
        // A hung discovery service and a hung client are waited for at the same time.
        tokio::join!(node.leave(), self.http_server.close());
        let stop = move || {
            // The threads of the node may wait for a signature.
            program.iter().for_each(|program| program.stop());
            node.stop()
        };
        match tokio::task::spawn_blocking(stop).await {
            Ok(ending) => Ok(ending?),
            Err(_) => Err(Failure::new(
                ExitCode::Unexpected,
                "the node did not end in order",
            )),
        }
    }
}

/// Compares the block that the chain has already with the one that the operator trusts.
async fn check_trusted(node: &Node, number: Height, id: BlockId) -> Result<(), Failure> {
    let reader = node.handle().reader();
    let block = loop {
        match reader.block(number).await {
            Ok(block) => break block,
            // The index catches up with the log.
            Err(ReadError::Behind(_)) => tokio::time::sleep(INDEX_POLL).await,
            Err(error) => return Err(Failure::new(ExitCode::Damaged, error.to_string())),
        }
    };
    match block.map(|block| block.id).filter(|own| *own != id) {
        None => Ok(()),
        Some(own) => {
            let message = format!("block {number} of the chain here is not the trusted one");
            Err(Failure::new(ExitCode::No, message)
                .hint(format!("mine {own}   trusted {id}"))
                .hint("correct --trusted-block, or join the right network with another account"))
        }
    }
}

/// The vote file of a validator. When it is lost, the key may have signed anything so far: it
/// abstains, and seals nothing before the machine trusts its clock (A1, A2).
fn open_votes(dir: &DataDir, genesis: &ccoin_core::genesis::Genesis) -> Result<VoteFile, Failure> {
    let path = dir.votes();
    let lost = match VoteFile::open(&path) {
        Ok(votes) => return Ok(votes),
        Err(
            error @ VoteFileError::File {
                source: SlotFileError::Missing,
                ..
            },
        ) => error,
        Err(
            error @ VoteFileError::File {
                source: SlotFileError::Damaged,
                ..
            },
        ) => {
            let aside = path.with_extension("damaged");
            std::fs::rename(&path, &aside).map_err(|error| {
                Failure::new(
                    ExitCode::Disk,
                    format!("cannot move {} aside: {error}", path.display()),
                )
            })?;
            error
        }
        Err(error) => return Err(error.into()),
    };
    tracing::warn!("{lost}: a new one is made");
    Ok(VoteFile::create_with(&path, VoteRecord::lost(genesis.id))?)
}

/// Returns once the node works.
async fn works(view: &mut watch::Receiver<Arc<View>>) {
    let ready = view.wait_for(|view| view.state == NodeState::Ready).await;
    if ready.is_err() {
        // The node has ended, which is told elsewhere.
        std::future::pending::<()>().await;
    }
}
