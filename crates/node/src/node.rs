//! A node's wiring: every part is spawned here, in the order in which they need each other,
//! and ended in the reverse order.

use crate::{
    NodeError, PeerSetup,
    chain_paths::ChainPaths,
    chain_thread::{self, ChainHandle, ChainThread, Event},
    checkpoints::Checkpoints,
    commit_batch::WAITING_COMMITS,
    commit_thread::CommitThread,
    disk_reserve,
    handle::NodeHandle,
    indexer::Indexer,
    lane_watch::WatchedLanes,
    log_lines::LogLines,
    metrics::Metrics,
    miner::Miner,
    peers::{self, PeerParts, Registered, outbound::Outbound},
    read_thread::ReadThread,
    reader::ChainReader,
    receipts::ReceiptLimits,
    recovery::Recovered,
    returned_txns::ReturnedTxns,
    threads::{Ending, Threads},
    verifier::VerifierPool,
    view::Recent,
    vote_signer::VoteSigner,
};
use ccoin_core::{
    BlockId, Height,
    genesis::Genesis,
    machine::{Input, Machine, PlaceholderText, SealMark, Start},
};
use ccoin_crypto::{KeySigner, Lanes};
use ccoin_p2p::ChainStatus;
use ccoin_storage::{ChainLock, VoteFile, VoteRecord};
use std::sync::{Arc, mpsc};
use tokio::sync::{Mutex, Semaphore, mpsc as tokio_mpsc, watch};

/// What a node is made from.
pub struct NodeSetup {
    /// Where its chain lies.
    pub chain: ChainPaths,
    /// One process per data directory.
    pub lock: ChainLock,
    /// The rules.
    pub genesis: Genesis,
    /// The account's key.
    pub key: Arc<dyn KeySigner>,
    /// What keeps the key's signer from signing, if a program holds the key.
    pub signer_fault: Option<watch::Receiver<Option<String>>>,
    /// Of a validator; a basic node never seals.
    pub votes: Option<VoteFile>,
    /// `client.block_data`.
    pub block_data: Option<String>,
    /// Unpredictable bytes for placeholder texts.
    pub seeds: [[u8; 32]; 2],
    /// The only block with its number that is accepted.
    pub trusted_block: Option<(Height, BlockId)>,
    /// Make a block only for [`NodeHandle::make_block`].
    pub by_hand: bool,
    /// Throw the index away and build it again.
    pub reindex: bool,
    /// How it meets others; `None`: it does not.
    pub peers: Option<PeerSetup>,
    /// How many signatures at once are checked.
    pub lanes: Lanes,
}

/// A running node.
pub struct Node {
    handle: NodeHandle,
    threads: Threads,
    ended: tokio_mpsc::Receiver<()>,
    registered: Option<Registered>,
    _lock: ChainLock,
}

impl Node {
    /// Opens the chain, brings the machine up to date and starts all parts.
    ///
    /// # Errors
    /// [`NodeError`] if storage is damaged or a thread cannot start.
    pub fn start(mut setup: NodeSetup) -> Result<Self, NodeError> {
        let start = machine_start(&setup);
        let validator = start.miner.is_some();
        let genesis = Arc::clone(&start.genesis);
        let mut recovered = Recovered::open(&setup.chain, &start)?;
        if let Some((number, id)) = setup.trusted_block {
            recovered.machine.trust(number, id);
        }
        if setup.by_hand {
            recovered.machine.make_by_hand();
        }
        LogLines::voting_at_start(&recovered.machine);
        keep_record(setup.votes.as_mut(), genesis.id, &recovered.machine)?;
        let (view, watched) = watch::channel(Arc::new(recovered.first_view()));
        let tx_tracker = Arc::new(recovered.tx_tracker(&watched.borrow()));
        let (mut threads, ended) = Threads::new();
        let (chain, inbox) = chain_thread::queues();
        let (commits, committed) = mpsc::sync_channel(WAITING_COMMITS);

        let metrics = Metrics::new();
        let lanes = WatchedLanes {
            lanes: setup.lanes,
            chain: chain.clone(),
        };
        tracing::info!("signatures are checked: {}", setup.lanes);
        let verifiers = VerifierPool::spawn(&genesis, &lanes, &metrics)?;
        let log = recovered.blocks.reader();
        let index = Indexer::spawn(
            &mut threads,
            &setup.chain.index,
            setup.reindex,
            (log.clone(), Arc::clone(&genesis), watched.clone()),
        )?;
        let reader = ChainReader {
            genesis: Arc::clone(&genesis),
            view: watched.clone(),
            tx_tracker: Arc::clone(&tx_tracker),
            index,
            log,
            log_throttle: Arc::default(),
            reads: ReadThread::spawn()?,
            old_states: Arc::new(Semaphore::new(1)),
        };
        let miner = match validator {
            true => {
                let chain = chain.clone();
                Some(Miner::spawn(&mut threads, &setup.key, chain, &metrics)?)
            }
            false => None,
        };
        let vote_signer = match validator {
            true => {
                let chain = chain.clone();
                let signer = VoteSigner::spawn(&mut threads, &setup.key, genesis.id, chain)?;
                Some(signer)
            }
            false => None,
        };
        let last_final = watched.borrow().last_final.certificate.number;
        let (local, told) = watch::channel(ChainStatus {
            network_id: genesis.config.network_id,
            genesis_id: genesis.id,
            height: watched.borrow().height(),
            final_number: last_final,
        });
        let gossip = peers::open_gossip(&setup.chain.root, &genesis, &*setup.key);
        let parts = PeerParts {
            genesis: Arc::clone(&genesis),
            key: Arc::clone(&setup.key),
            validator,
            local: told,
            verifiers: verifiers.clone(),
            vote_verifier: VerifierPool::with_threads(&genesis, "votes", 1, &lanes, &metrics)?,
            reader: reader.clone(),
            gossip: gossip.clone(),
            chain: chain.clone(),
        };
        let met = setup.peers.as_ref();
        let met = met.map(|peers| peers::spawn(peers, &setup.chain.root, parts));
        let (network, registered) = met.transpose()?.unzip();
        let outbound = Arc::new(Outbound {
            network: network.clone(),
            gossip: gossip.clone(),
            local,
        });
        tokio::spawn(disk_reserve::watch(setup.chain.root.clone(), chain.clone()));
        if let Some(fault) = setup.signer_fault {
            tokio::spawn(watch_signer(fault, chain.clone()));
        }
        let recent = Arc::clone(&watched.borrow().recent);
        let left_branches = ReturnedTxns {
            log: reader.log.clone(),
            genesis: genesis.id,
            chain: chain.clone(),
        }
        .spawn(&mut threads)?;
        CommitThread {
            genesis: Arc::clone(&genesis),
            blocks: recovered.blocks,
            pool: recovered.pool,
            votes: setup.votes,
            miner,
            tx_tracker,
            view,
            checkpoints: Checkpoints::new(setup.chain.state.clone(), recovered.replayed_from),
            positions: recovered.positions,
            left_branches,
            log: LogLines::new(&genesis),
            vote_signer,
            recent_bytes: recent.iter().map(Recent::transaction_bytes).sum(),
            outbound: Arc::clone(&outbound),
            metrics: Arc::clone(&metrics),
        }
        .spawn(&mut threads, committed)?;
        ChainThread {
            machine: recovered.machine,
            inbox,
            commits,
            outbound,
            metrics: Arc::clone(&metrics),
        }
        .spawn(&mut threads)?;
        let handle = NodeHandle {
            wallet: Arc::new(Mutex::new(wallet_text(&genesis, setup.seeds[1]))),
            genesis,
            key: setup.key,
            chain,
            verifiers,
            view: watched,
            reader,
            validator,
            by_hand: setup.by_hand,
            network,
            gossip,
            receipt_limits: ReceiptLimits::default(),
            metrics,
        };
        Ok(Self {
            handle,
            threads,
            ended,
            registered: registered.flatten(),
            _lock: setup.lock,
        })
    }

    /// The callers' end.
    #[must_use]
    pub fn handle(&self) -> &NodeHandle {
        &self.handle
    }

    /// Returns when a thread has ended that should not have; [`Node::stop`] then tells why.
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
        let ChainHandle { events, .. } = &self.handle.chain;
        let _ = events.blocking_send(Event::Input(Box::new(Input::Stop)));
        drop(self.handle);
        self.threads.join()
    }
}

/// Tells the machine whether the key's signer works.
async fn watch_signer(mut fault: watch::Receiver<Option<String>>, chain: ChainHandle) {
    loop {
        let fault_now = fault.borrow_and_update().clone();
        let input = Input::SignerFault { fault: fault_now };
        if !chain.input(input).await || fault.changed().await.is_err() {
            return;
        }
    }
}

/// What the machine starts from, but for a checkpoint.
fn machine_start(setup: &NodeSetup) -> Start {
    let genesis = Arc::new(setup.genesis.clone());
    let votes = setup.votes.as_ref();
    let record = |votes: &VoteFile| votes.record(&genesis.id);
    let never_signed = || VoteRecord::never_signed(genesis.id);
    let record = votes.map(|votes| record(votes).unwrap_or_else(never_signed));
    let placeholder = genesis.config.block_mining.placeholder_data.as_ref();
    Start {
        checkpoint: None,
        miner: votes.map(|_| setup.key.public_key().address()),
        last_sealed: record.map_or_else(SealMark::default, |record| SealMark {
            slot: record.last_sealed_slot,
            number: Height::new(record.last_sealed_number).unwrap_or(Height::MAX),
        }),
        voter_record: record.map(|record| record.voter),
        block_text: PlaceholderText::new(setup.block_data.clone(), placeholder, setup.seeds[0]),
        genesis,
    }
}

/// Writes what the log says of the record of the key: it may be lost.
fn keep_record(
    votes: Option<&mut VoteFile>,
    genesis: BlockId,
    machine: &Machine,
) -> Result<(), NodeError> {
    let (Some(votes), Some(voter)) = (votes, machine.voter()) else {
        return Ok(());
    };
    let stored = votes.record(&genesis);
    let mut record = stored.unwrap_or_else(|| VoteRecord::never_signed(genesis));
    record.voter = voter.record;
    if stored != Some(record) {
        votes.store(record)?;
    }
    Ok(())
}

/// The text of payments without data.
fn wallet_text(genesis: &Genesis, seed: [u8; 32]) -> PlaceholderText {
    let placeholder = genesis.config.transaction.placeholder_data.as_ref();
    PlaceholderText::new(None, placeholder, seed)
}
