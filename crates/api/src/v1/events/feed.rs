//! What all readers of events share: their number, the encoded newest blocks, and the news
//! that no block holds. Memory: [`READERS`] streams, [`KEPT_BLOCKS`] blocks of at most
//! [`KEPT_BYTES`], [`KEPT_NEWS`] news.

use super::frames::{BlockFacts, Frame, Kind, PeerEvent};
use ccoin_core::{Address, BlockId, Height, applied::Applied, block::SealedBlock};
use ccoin_node::{BlockHead, NewsPlace, NodeHandle};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};
use tokio::{
    sync::{OnceCell, Semaphore, broadcast},
    task::spawn_blocking,
    time::Instant,
};

/// Streams at a time: the others of the server's connections stay free for requests.
pub(super) const READERS: usize = 200;

/// Encoded blocks that are kept for the next reader.
const KEPT_BLOCKS: usize = 4;

/// Bytes of the transactions of such a block; a longer one each reader reads by itself.
const KEPT_BYTES: usize = 4 << 20;

/// News that a slow reader may be behind; then it misses the oldest.
const KEPT_NEWS: usize = 1_024;

/// News that are read in one go.
const PAGE: usize = 256;

/// Shortest time between two looks at the peers.
const PEERS_INTERVAL: Duration = Duration::from_millis(500);

/// Shared by the readers of one node.
pub(crate) struct Feed {
    pub(super) readers: Arc<Semaphore>,
    blocks: Mutex<VecDeque<Encoded>>,
    source: Mutex<Source>,
    news: broadcast::Sender<Frame>,
}

/// A block for readers that are at the head.
struct Encoded {
    id: BlockId,
    is_final: bool,
    txns: Arc<OnceCell<Arc<Vec<Frame>>>>,
}

/// The transactions of a block, as long as they are among the newest: a slow reader keeps none.
pub(super) type SharedTxns = Weak<Vec<Frame>>;

/// How far the news were read.
#[derive(Default)]
struct Source {
    place: NewsPlace,
    peers: BTreeMap<u64, (Address, String)>,
    peers_read: Option<Instant>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Feed {
    pub(crate) fn new() -> Self {
        Self {
            readers: Arc::new(Semaphore::new(READERS)),
            blocks: Mutex::default(),
            source: Mutex::default(),
            news: broadcast::Sender::new(KEPT_NEWS),
        }
    }

    /// Streams that are open.
    pub(crate) fn open(&self) -> usize {
        READERS.saturating_sub(self.readers.available_permits())
    }

    /// The news from now on.
    pub(super) fn subscribe(&self, node: &NodeHandle) -> broadcast::Receiver<Frame> {
        let mut source = lock(&self.source);
        self.read(&mut source, node);
        self.news.subscribe()
    }

    /// Reads what is new, for all readers.
    pub(super) fn refresh(&self, node: &NodeHandle) {
        self.read(&mut lock(&self.source), node);
    }

    fn read(&self, source: &mut Source, node: &NodeHandle) {
        let peers_due = source
            .peers_read
            .is_none_or(|read| read.elapsed() >= PEERS_INTERVAL);
        if peers_due {
            source.peers_read = Some(Instant::now());
            self.read_peers(source, node);
        }
        if self.news.receiver_count() == 0 {
            source.place = node.tx_tracker().newest();
            return;
        }
        loop {
            let found = node.tx_tracker().news_since(&mut source.place, PAGE);
            for (txn, status) in &found {
                // It fails when the last reader has just left.
                let _ = self.news.send(Frame::txn(txn, status, Height::ZERO));
            }
            if found.len() < PAGE {
                return;
            }
        }
    }

    fn read_peers(&self, source: &mut Source, node: &NodeHandle) {
        let peers = node.peers().into_iter();
        let now: BTreeMap<_, _> = peers
            .map(|peer| (peer.id, (peer.address, peer.remote.to_string())))
            .collect();
        let before = std::mem::replace(&mut source.peers, now);
        let now = &source.peers;
        let tell = |change, (address, remote): &(Address, String)| {
            let event = PeerEvent {
                change,
                address: *address,
                remote: remote.clone(),
                peers: now.len(),
            };
            let _ = self.news.send(Frame::new(Kind::Peer, &event));
        };
        let left = before.iter().filter(|(id, _)| !now.contains_key(id));
        left.for_each(|(_, peer)| tell("left", peer));
        let joined = now.iter().filter(|(id, _)| !before.contains_key(id));
        joined.for_each(|(_, peer)| tell("joined", peer));
    }

    /// A block, encoded once for the readers that are at the head, on a thread that may take
    /// its time.
    pub(super) async fn encode(
        &self,
        block: Arc<Applied>,
        last_final: Height,
    ) -> (BlockFacts, SharedTxns) {
        let head = &block.block;
        let kept = self.place(head.id, head.header().number <= last_final);
        let facts = BlockFacts::new(&BlockHead::of(head), last_final);
        let encode = || async {
            let copy = facts.clone();
            let encode = move || encode_txns(&block.block, &copy, last_final);
            // A node that ends makes none: each reader would read them by itself.
            spawn_blocking(encode).await.unwrap_or_default()
        };
        let txns = Arc::downgrade(kept.get_or_init(encode).await);
        (facts, txns)
    }

    /// Where the transactions of a block are kept.
    fn place(&self, id: BlockId, is_final: bool) -> Arc<OnceCell<Arc<Vec<Frame>>>> {
        let mut blocks = lock(&self.blocks);
        let known = blocks
            .iter()
            .find(|known| known.id == id && known.is_final == is_final);
        if let Some(known) = known {
            return Arc::clone(&known.txns);
        }
        let txns = Arc::default();
        blocks.push_back(Encoded {
            id,
            is_final,
            txns: Arc::clone(&txns),
        });
        if blocks.len() > KEPT_BLOCKS {
            blocks.pop_front();
        }
        txns
    }
}

/// Nothing if it is more than [`KEPT_BYTES`].
fn encode_txns(block: &SealedBlock, facts: &BlockFacts, last_final: Height) -> Arc<Vec<Frame>> {
    let (mut txns, mut bytes) = (Vec::new(), 0);
    for (index, txn) in block.transactions.iter().enumerate() {
        let frame = facts.txn(index, txn, last_final);
        bytes += frame.bytes.len();
        if bytes > KEPT_BYTES {
            return Arc::default();
        }
        txns.push(frame);
    }
    Arc::new(txns)
}
