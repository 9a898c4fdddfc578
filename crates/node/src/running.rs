//! Starting a node's threads, and ending them in order.

use crate::{
    actor::{Actor, Event, WAITING_BATCHES, WAITING_EVENTS},
    board::Board,
    checkpoints::Checkpoints,
    error::NodeError,
    handle::NodeHandle,
    history::History,
    indexer::Indexer,
    miner::Miner,
    peers::{Hub, HubSetup, PeerSetup, memory::Memory, registration::Registered, voice::Voice},
    store::{ChainPaths, Store},
    verifier::VerifierPool,
    view::{QueueSize, Recent, View},
    writer::{RECENT_LEAST, Unit, WAITING_UNITS, Writer},
};
use ccoin_core::{
    Height,
    genesis::Genesis,
    machine::{Input, NodeState, PlaceholderText, SealMark, Start},
    slots::Schedule,
};
use ccoin_crypto::SecretKey;
use ccoin_p2p::Local;
use ccoin_storage::{ChainLock, Index, VoteFile};
use std::{
    collections::VecDeque,
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
};
use tokio::sync::{Mutex, mpsc as tokio_mpsc, watch};

/// What a node is made from.
pub struct NodeSetup {
    /// Where its chain lies.
    pub chain: ChainPaths,
    /// One process per data directory.
    pub lock: ChainLock,
    /// The rules.
    pub genesis: Genesis,
    /// The account's key.
    pub key: Arc<SecretKey>,
    /// Of a validator; a basic node never seals.
    pub votes: Option<VoteFile>,
    /// `client.block_data`.
    pub block_data: Option<String>,
    /// Unpredictable bytes for placeholder texts.
    pub seeds: [[u8; 32]; 2],
    /// Throw the index away and build it again.
    pub reindex: bool,
    /// How it meets others; `None`: it does not.
    pub peers: Option<PeerSetup>,
}

/// How a node has ended.
pub type Ending = Result<(), NodeError>;

/// The threads of a node.
pub struct RunningNode {
    handle: NodeHandle,
    threads: Vec<(&'static str, JoinHandle<Ending>)>,
    ended: tokio_mpsc::Receiver<(&'static str, bool)>,
    registered: Option<Registered>,
    _lock: ChainLock,
}

impl RunningNode {
    /// Opens the chain, brings the machine up to date and starts all threads.
    ///
    /// # Errors
    /// [`NodeError`] if storage is damaged or a thread cannot start.
    pub fn start(setup: NodeSetup) -> Result<Self, NodeError> {
        let NodeSetup {
            chain,
            lock,
            genesis,
            key,
            votes,
            block_data,
            seeds,
            reindex,
            peers,
        } = setup;
        let genesis = Arc::new(genesis);
        let validator = votes.is_some();
        let [seed, wallet_seed] = seeds;
        let placeholder = genesis.config.block_mining.placeholder_data.as_ref();
        let mark = votes.as_ref().and_then(|votes| votes.record(&genesis.id));
        let start = Start {
            genesis: Arc::clone(&genesis),
            checkpoint: None,
            miner: validator.then(|| key.public_key().address()),
            last_sealed: mark.map_or_else(SealMark::default, |record| SealMark {
                slot: record.last_sealed_slot,
                number: Height::new(record.last_sealed_number).unwrap_or(Height::MAX),
            }),
            block_text: PlaceholderText::new(block_data, placeholder, seed),
        };
        let store = Store::open(&chain, lock, &start)?;
        let index = open_index(&chain, &genesis, reindex)?;
        let (view, watched) = watch::channel(Arc::new(first_view(&store)));
        let board = Arc::new(Board::default());
        watched
            .borrow()
            .recent
            .iter()
            .for_each(|recent| board.restore_block(&recent.applied));
        store
            .waiting
            .iter()
            .for_each(|(arrived, txn)| board.restore(*arrived, txn));

        let (events, event) = tokio_mpsc::channel(WAITING_EVENTS);
        let (batches, batch) = tokio_mpsc::channel(WAITING_BATCHES);
        let (units, unit) = mpsc::sync_channel::<Unit>(WAITING_UNITS);
        let max_data = genesis.config.transaction.max_data_bytes as usize;
        let verifiers = VerifierPool::start(genesis.id, max_data).map_err(NodeError::Thread)?;
        let log = store.blocks.reader();
        let (indexer, index) =
            Indexer::new(index, log.clone(), Arc::clone(&genesis), watched.clone());
        let (ended, endings) = tokio_mpsc::channel(8);
        let mut threads = Threads {
            running: Vec::new(),
            ended,
        };

        let found = events.clone();
        let miner = validator.then(|| {
            Miner::new(Arc::clone(&key), move |input| {
                found.blocking_send(Event::Input(Box::new(input))).is_ok()
            })
        });
        let (miner, mine) = miner.unzip();
        if let Some(mine) = mine {
            threads.spawn("miner", move || {
                mine();
                Ok(())
            })?;
        }
        let runtime = own_runtime()?;
        threads.spawn("index", move || indexer.run(&runtime))?;
        let payments = genesis.config.transaction.placeholder_data.as_ref();
        let wallet = Arc::new(Mutex::new(PlaceholderText::new(
            None,
            payments,
            wallet_seed,
        )));
        let history = History {
            genesis: Arc::clone(&genesis),
            view: watched.clone(),
            board: Arc::clone(&board),
            index,
            log,
        };
        let (local, told) = watch::channel(Local {
            network_id: genesis.config.network_id,
            genesis_id: genesis.id,
            height: watched.borrow().height(),
            final_number: Height::GENESIS,
        });
        let memory = Arc::<Memory>::default();
        let hub = HubSetup {
            memory: Arc::clone(&memory),
            genesis: Arc::clone(&genesis),
            key: Arc::clone(&key),
            validator,
            chain: chain.root.clone(),
            local: told,
            verifiers: verifiers.clone(),
            history: history.clone(),
            board: Arc::clone(&board),
            events: events.clone(),
            batches: batches.clone(),
        };
        let met = peers.map(|peers| Hub::start(&peers, hub)).transpose()?;
        let (network, registered) = match met {
            Some((network, registered)) => (Some(network), registered),
            None => (None, None),
        };
        let voice = Arc::new(Voice {
            network: network.clone(),
            memory,
            local,
        });
        let recent_bytes = watched
            .borrow()
            .recent
            .iter()
            .map(Recent::transaction_bytes)
            .sum();
        let writer = Writer {
            genesis: genesis.id,
            schedule: Schedule::new(&genesis.config),
            blocks: store.blocks,
            pool: store.pool,
            votes,
            miner,
            board,
            view,
            checkpoints: Checkpoints::new(chain.state.clone(), store.replayed_from),
            positions: store.positions,
            leader: None,
            recent_bytes,
            voice: Arc::clone(&voice),
        };
        threads.spawn("storage", move || writer.run(&unit))?;
        let actor = Actor {
            machine: store.machine,
            events: event,
            batches: batch,
            units,
            voice,
            next_ticket: 0,
        };
        let runtime = own_runtime()?;
        threads.spawn("chain", move || {
            actor.run(&runtime);
            Ok(())
        })?;
        let handle = NodeHandle {
            genesis,
            key,
            events,
            batches,
            verifiers,
            view: watched,
            history,
            wallet,
            validator,
            network,
        };
        Ok(Self {
            handle,
            threads: threads.running,
            ended: endings,
            registered,
            _lock: store.lock,
        })
    }

    /// The callers' end.
    #[must_use]
    pub fn handle(&self) -> &NodeHandle {
        &self.handle
    }

    /// Returns when a thread has ended that should not have; [`RunningNode::stop`]
    /// then tells why.
    pub async fn failed(&mut self) {
        let _ = self.ended.recv().await;
    }

    /// Takes leave of the discovery service and of all peers.
    pub async fn leave(&mut self) {
        if let Some(registered) = self.registered.take() {
            registered.end().await;
        }
        if let Some(network) = &self.handle.network {
            network.stop().await;
        }
    }

    /// Ends the node: nothing new is made, everything accepted is on disk.
    ///
    /// # Errors
    /// What made a thread end early.
    pub fn stop(self) -> Ending {
        let _ = self
            .handle
            .events
            .blocking_send(Event::Input(Box::new(Input::Stop)));
        drop(self.handle);
        let mut ending = Ok(());
        for (name, thread) in self.threads.into_iter().rev() {
            let result = thread.join().unwrap_or(Err(NodeError::Panic(name)));
            ending = ending.and(result);
        }
        ending
    }
}

/// Threads that tell when they end.
struct Threads {
    running: Vec<(&'static str, JoinHandle<Ending>)>,
    ended: tokio_mpsc::Sender<(&'static str, bool)>,
}

impl Threads {
    fn spawn(
        &mut self,
        name: &'static str,
        run: impl FnOnce() -> Ending + Send + 'static,
    ) -> Result<(), NodeError> {
        let ended = Ended(self.ended.clone(), name);
        let run = move || {
            let _ended = ended;
            run()
        };
        let thread = thread::Builder::new()
            .name(name.into())
            .spawn(run)
            .map_err(NodeError::Thread)?;
        self.running.push((name, thread));
        Ok(())
    }
}

/// Tells on drop, so a panic is told too.
struct Ended(tokio_mpsc::Sender<(&'static str, bool)>, &'static str);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.try_send((self.1, thread::panicking()));
    }
}

fn own_runtime() -> Result<tokio::runtime::Runtime, NodeError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(NodeError::Thread)
}

fn first_view(store: &Store) -> View {
    let chain = store.machine.chain();
    // The index answers for the others.
    let newest = chain.main().len().saturating_sub(RECENT_LEAST);
    let recent: VecDeque<Recent> = chain
        .main()
        .iter()
        .skip(newest)
        .filter_map(|applied| {
            let key = (applied.block.header().number, applied.block.id);
            let position = *store.positions.get(&key)?;
            Some(Recent {
                applied: Arc::clone(applied),
                position,
            })
        })
        .collect();
    let pool = store.machine.pool();
    let queue = QueueSize {
        txns: pool.len(),
        bytes: pool.bytes(),
        oldest: pool.oldest_ready(),
    };
    View {
        recent: Arc::new(recent),
        state: NodeState::Genesis,
        queue,
    }
}

/// The index is derived: what is not sound is built again.
fn open_index(chain: &ChainPaths, genesis: &Genesis, reindex: bool) -> Result<Index, NodeError> {
    if !reindex {
        match Index::open(&chain.index, genesis.id) {
            Ok(index) => return Ok(index),
            Err(error) => tracing::warn!("the index is built again: {error}"),
        }
    }
    Ok(Index::rebuild(&chain.index, genesis.id)?)
}
