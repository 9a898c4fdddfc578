//! A node of a [`World`](crate::World): its process, its clocks, and the gossip around its
//! machine, which is the shipped code.

use crate::{delivery::Frame, latency::Commit, lies::Lie, shell::Shell, world::Event};
use ccoin_core::{
    BlockId, Height, MonoTime, TxId,
    block::{SealedBlock, VerifiedBlock},
    consensus::{
        certificate::{Certificate, VerifiedCertificate},
        vote::Phase,
    },
    genesis::Genesis,
    gossip::{
        Gossip, MinerKeys, TxFeed, TxQueue, messages,
        serve::{self, Canonical},
    },
    machine::{Fault, PeerId, Publish},
    message::{BlockRequest, MAX_ANSWER_BYTES},
};
use ccoin_crypto::PublicKey;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

/// Whether a node's process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Process {
    /// It runs.
    Up,
    /// It is stopped: inputs wait.
    Hung,
    /// It has ended.
    Down,
}

/// A node and its process.
pub struct Node {
    pub shell: Shell,
    pub process: Process,
    /// What it does to its answers.
    pub lie: Option<Lie>,
    /// How far its wall clock is from the world's, in ms.
    pub skew: i64,
    /// How often its process has started.
    pub(crate) life: u32,
    pub(crate) wake: u64,
    pub(crate) backlog: VecDeque<Event>,
    /// What is on its way to the disk, and when it is there.
    pub(crate) commits: VecDeque<Commit>,
    /// The head's branch as far as it is durable, from block 1 on.
    pub view: Vec<SealedBlock>,
    /// Since when each of them is there.
    pub(crate) since: Vec<u64>,
    pub(crate) gossip: Gossip,
    queue: TxQueue,
    /// The open connections that its machine knows.
    pub(crate) feeds: BTreeMap<PeerId, TxFeed>,
    /// While it withholds its blocks: how many it admits to have.
    pub(crate) admits: Option<usize>,
    /// When which peer was asked for blocks.
    pub asks: Vec<(u64, usize)>,
    /// How many blocks each of these requests wanted.
    pub batches: Vec<u16>,
    /// How often it asked a peer for the keys of miners.
    pub asked_keys: usize,
    /// How often a peer asked it for the keys of miners.
    pub key_requests: usize,
    /// Transactions that peers have sent it.
    pub heard_txns: usize,
    /// How many connections its machine has seen.
    pub connections: usize,
    /// How often it asked all peers for their heights.
    pub asked_heights: usize,
    /// Whom it penalized.
    pub penalties: Vec<(usize, Fault)>,
    /// When it told the operator that it yields nothing of a better chain, and of which peer.
    pub stuck: Vec<(u64, usize)>,
    /// Left blocks that its memory did not hold.
    pub(crate) returned: Vec<SealedBlock>,
    /// How often it left its branch below what its memory held.
    pub deep_reorgs: usize,
    /// Transactions that its own user has sent.
    pub paid: Vec<TxId>,
    /// Blocks whose signatures it has checked.
    pub checked: u64,
}

impl Node {
    pub(crate) fn new(genesis: &Arc<Genesis>, index: Option<usize>) -> Self {
        Self {
            shell: Shell::of_world(genesis, index),
            process: Process::Down,
            lie: None,
            skew: 0,
            life: 0,
            wake: 0,
            backlog: VecDeque::new(),
            commits: VecDeque::new(),
            view: vec![genesis.applied().block],
            since: vec![0],
            gossip: Gossip::new(MinerKeys::new(genesis.config.miners.clone())),
            queue: TxQueue::default(),
            feeds: BTreeMap::new(),
            admits: None,
            asks: Vec::new(),
            batches: Vec::new(),
            asked_keys: 0,
            key_requests: 0,
            heard_txns: 0,
            connections: 0,
            asked_heights: 0,
            penalties: Vec::new(),
            stuck: Vec::new(),
            returned: Vec::new(),
            deep_reorgs: 0,
            paid: Vec::new(),
            checked: 0,
        }
    }

    /// Starts the process from its disk at a moment of both clocks; `keys` lie on that disk.
    pub(crate) fn boot(&mut self, wall_ms: u64, mono: MonoTime, keys: &[PublicKey]) {
        self.process = Process::Up;
        self.life += 1;
        self.shell.restart_at(wall_ms);
        let view = self.shell.canonical();
        let same = view.iter().zip(&self.view);
        self.since
            .truncate(same.take_while(|(a, b)| a.id == b.id).count());
        let since = if self.life == 1 { 0 } else { mono.0 };
        self.since.resize(view.len(), since);
        self.view = view;
        self.gossip = Gossip::new(self.gossip.keys.clone());
        self.gossip.learn(keys);
        self.queue = TxQueue::default();
        for (arrived, txn) in self.shell.machine.pool().by_arrival() {
            self.queue
                .add(mono, arrived, std::slice::from_ref(txn), None);
        }
    }

    /// Follows the machine's stream, as every reader of a node does.
    pub(crate) fn follow(&mut self, mono: MonoTime, publish: &Publish) {
        match publish {
            Publish::Queued {
                arrived,
                txns,
                from,
            } => self.queue.add(mono, *arrived, txns, *from),
            Publish::GossipTransactions(ids) => self.queue.make_ready(ids),
            Publish::Head { reorg, dropped } => {
                let left = reorg.reverted.len() + reorg.older_reverted.len();
                let older = self.shell.logged(&reorg.older_applied);
                self.returned = self.shell.logged(&reorg.older_reverted);
                self.view.truncate(self.view.len() - left);
                self.view.extend(older);
                let applied = reorg.applied.iter().map(|applied| applied.block.clone());
                self.view.extend(applied);
                self.since.truncate(self.since.len() - left);
                self.since.resize(self.view.len(), mono.0);
                let included = reorg.applied.iter().flat_map(|block| block.block.txn_ids());
                let dropped = dropped.iter().map(|(txn, _)| *txn.id());
                for id in included.chain(dropped).collect::<Vec<_>>() {
                    self.queue.remove(&id);
                }
            }
            _ => {}
        }
    }

    /// The certificate of the last of these blocks that is final here.
    pub(crate) fn newest_final_of(&self, blocks: &[VerifiedBlock]) -> Option<Certificate> {
        let certificates = self.shell.certificates.iter().map(|(_, logged)| logged);
        let of_final = certificates.filter(|logged| logged.phase == Phase::Two);
        let of_these = of_final.filter(|logged| blocks.iter().any(|block| block.id == logged.id));
        of_these.max_by_key(|logged| logged.number).cloned()
    }

    /// What each peer hears of waiting transactions now.
    pub(crate) fn feed(&mut self, mono: MonoTime) -> Vec<(PeerId, Frame)> {
        let own = self.height();
        let mut frames = Vec::new();
        for (peer, feed) in &mut self.feeds {
            loop {
                let txns = feed.next(mono, own, &self.queue);
                if txns.is_empty() {
                    break;
                }
                let parts = messages(&txns).into_iter();
                frames.extend(parts.map(|part| (*peer, Frame::Txns(part.to_vec()))));
            }
        }
        frames
    }

    /// Number of the durable head.
    pub(crate) fn height(&self) -> Height {
        Height::new(self.view.len() as u64).expect("within the range")
    }

    /// Whether the durable chain has this block.
    pub(crate) fn has(&self, number: Height, id: &BlockId) -> bool {
        let place = number.get().checked_sub(1);
        let own = place.and_then(|place| self.view.get(usize::try_from(place).ok()?));
        own.is_some_and(|own| own.id == *id)
    }

    /// The height that it tells.
    pub(crate) fn claim(&self) -> Height {
        let height = match self.lie {
            Some(Lie::Claims(height)) => height,
            _ => self.admitted().len() as u64,
        };
        Height::new(height).expect("within the range")
    }

    /// The chain that it shows to others.
    pub(crate) fn admitted(&self) -> &[SealedBlock] {
        let all = self.view.len();
        &self.view[..self.admits.map_or(all, |admits| admits.min(all))]
    }

    /// The blocks that answer a request, by the shipped rules.
    pub(crate) fn serve(&self, request: &BlockRequest) -> (Vec<VerifiedBlock>, bool) {
        serve_from(self.admitted(), &self.shell.genesis.id, request)
    }
}

/// The blocks of a whole chain that answer a request, by the shipped rules.
pub(crate) fn serve_from(
    chain: &[SealedBlock],
    genesis: &BlockId,
    request: &BlockRequest,
) -> (Vec<VerifiedBlock>, bool) {
    let place = |number: Height| usize::try_from(number.get().checked_sub(1)?).ok();
    let find = |number: Height| place(number).and_then(|place| chain.get(place));
    let canonical =
        |number: Height| find(number).map_or(Canonical::Absent, |block| Canonical::Block(block.id));
    let serve::Start::Behind(after, parent) = serve::find_start(&request.locator, canonical) else {
        return (Vec::new(), false);
    };
    let height = Height::new(chain.len() as u64).expect("within the range");
    let chosen: Vec<_> = serve::numbers(after, height, request)
        .filter_map(find)
        .map(crate::verified)
        .collect();
    let bytes = chosen
        .iter()
        .map(|block| Ok::<_, ()>(block.bytes().clone()));
    let bytes = serve::take_blocks(bytes, MAX_ANSWER_BYTES).expect("memory answers");
    let nothing = VerifiedCertificate::genesis(Phase::Two, *genesis);
    let further = (Vec::new(), (*nothing).clone());
    let answer = serve::answer((after, parent), bytes, height, genesis, further);
    let count = answer.blocks.len();
    (chosen.into_iter().take(count).collect(), answer.more == 1)
}
