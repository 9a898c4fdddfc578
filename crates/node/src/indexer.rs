//! The index thread: the only owner of the index. It follows the published view,
//! never the chain thread, and nothing waits for it; what has left memory before it
//! was indexed is read again from the block log. A damaged index is built again from that
//! log while the node goes on; it never repairs the log.

use crate::{
    commit_batch::kind,
    error::NodeError,
    index_handle::{self, IndexHandle, Question, Questions, Woken},
    threads::{Threads, own_runtime},
    view::{Recent, View},
};
use ccoin_core::{
    Address, BlockId, Height,
    block::{Block, SealedBlock},
    genesis::Genesis,
    ledger::{Account, Change, Draft, State},
    receipt::DocumentRoot,
};
use ccoin_storage::{Index, IndexError, IndexedBlock, LogReader, Position};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// Time between two lines about an index that is far behind or built again.
const LINES: Duration = Duration::from_secs(5);

/// What the index thread owns.
pub(crate) struct Indexer {
    index: Index,
    directory: PathBuf,
    /// Built again since it had last caught up: damage then is no accident.
    rebuilding: bool,
    log: LogReader,
    genesis: Arc<Genesis>,
    view: watch::Receiver<Arc<View>>,
    questions: Questions,
    height: watch::Sender<Height>,
}

impl Indexer {
    /// Opens the index, or builds it again, and starts its thread.
    pub(crate) fn spawn(
        threads: &mut Threads,
        directory: &Path,
        reindex: bool,
        (log, genesis, view): (LogReader, Arc<Genesis>, watch::Receiver<Arc<View>>),
    ) -> Result<IndexHandle, NodeError> {
        let index = open_index(directory, &genesis, reindex)?;
        let (handle, questions, height) = index_handle::open(index.height());
        let indexer = Self {
            index,
            directory: directory.to_owned(),
            rebuilding: false,
            log,
            genesis,
            view,
            questions,
            height,
        };
        let runtime = own_runtime()?;
        threads.spawn("index", move || indexer.run(&runtime))?;
        Ok(handle)
    }

    /// Runs until the node has ended.
    ///
    /// # Errors
    /// A failed write, a damaged block log, or an index that is damaged again before it is
    /// complete.
    fn run(mut self, runtime: &tokio::runtime::Runtime) -> Result<(), NodeError> {
        loop {
            match self.follow(runtime) {
                Err(NodeError::Index(error)) if error.is_damage() && !self.rebuilding => {
                    self = self.rebuild(&error)?;
                }
                ended => return ended,
            }
        }
    }

    /// Throws a damaged index away; [`Self::follow`] then fills a new one from the block log.
    fn rebuild(self, error: &IndexError) -> Result<Self, NodeError> {
        tracing::warn!(
            "the index is built again: {error}. Requests for old blocks and transactions are \
             answered with 503 until it is complete"
        );
        self.height.send_replace(Height::ZERO);
        let Self {
            index,
            directory,
            log,
            genesis,
            view,
            questions,
            height,
            ..
        } = self;
        // It holds files of that directory open.
        drop(index);
        let index = Index::rebuild(&directory, genesis.id)?;
        Ok(Self {
            index,
            directory,
            rebuilding: true,
            log,
            genesis,
            view,
            questions,
            height,
        })
    }

    /// Follows the view and answers questions, until the node has ended.
    fn follow(&mut self, runtime: &tokio::runtime::Runtime) -> Result<(), NodeError> {
        loop {
            let view = Arc::clone(&self.view.borrow_and_update());
            let mut told = Instant::now();
            while !self.step(&view)? {
                self.answer_waiting()?;
                if told.elapsed() >= LINES {
                    told = Instant::now();
                    let (indexed, height) = (self.index.height(), view.height());
                    tracing::info!("the index has reached block {indexed} of {height}");
                }
            }
            self.height.send_replace(self.index.height());
            if self.rebuilding {
                self.rebuilding = false;
                tracing::info!("the index is complete again up to block {}", view.height());
            }
            let woken = runtime.block_on(self.questions.next(&mut self.view));
            match woken {
                Woken::End => return Ok(()),
                Woken::View => {}
                Woken::Question(question) => self.answer(question)?,
                Woken::Slice(slice) => {
                    let began = Instant::now();
                    self.answer(slice)?;
                    self.questions.took(began.elapsed());
                }
            }
        }
    }

    /// Answers what was asked while blocks were indexed.
    fn answer_waiting(&mut self) -> Result<(), IndexError> {
        self.height.send_replace(self.index.height());
        while let Some(question) = self.questions.waiting() {
            self.answer(question)?;
        }
        Ok(())
    }

    /// # Errors
    /// What the question has found out about the index; the caller who asked is told to wait.
    fn answer(&mut self, question: Question) -> Result<(), IndexError> {
        question(&mut self.index);
        self.index.check()
    }

    /// One step towards the view's head; true when there.
    fn step(&mut self, view: &View) -> Result<bool, NodeError> {
        let height = self.index.height();
        let Some((indexed, _)) = self.index.block_at(height)? else {
            let root = self.genesis.applied();
            self.put(&root.block, Position::START, &root.changes, |_| false)?;
            return Ok(false);
        };
        if height > view.height() {
            self.index.truncate_height(view.height());
            return Ok(false);
        }
        let next = height.next().and_then(|next| view.at(next));
        let expected = match (view.at(height), next) {
            (Some(here), _) => here.id(),
            (None, Some(next)) => next.header().hash_parent,
            (None, None) => return self.catch_up(view).map(|()| false),
        };
        if expected != indexed {
            let below = height.checked_sub(1).unwrap_or(Height::ZERO);
            self.index.truncate_height(below);
            return Ok(false);
        }
        let Some(Recent { applied, position }) = next else {
            return Ok(true);
        };
        match view.at(height) {
            Some(Recent {
                applied: before, ..
            }) if !applied.changes.is_empty() => {
                let existed = |address: &Address| before.state.contains(address);
                self.put(&applied.block, *position, &applied.changes, existed)?;
            }
            _ => self.put_from_log(*position)?,
        }
        Ok(false)
    }

    fn put(
        &mut self,
        block: &SealedBlock,
        position: Position,
        changes: &[Change],
        existed: impl Fn(&Address) -> bool,
    ) -> Result<(), NodeError> {
        let txns = block.transactions.iter().zip(block.transaction_ranges());
        let roots = (0..).zip(&block.transactions).filter_map(|(number, txn)| {
            let (DocumentRoot::One(root) | DocumentRoot::Tree(root)) =
                DocumentRoot::parse(&txn.data)?;
            Some((root, number))
        });
        let new_accounts = changes.iter().map(|(address, _)| *address);
        self.index.put_block(&IndexedBlock {
            height: block.header().number,
            id: block.id,
            position,
            txns: txns
                .map(|(txn, (offset, length))| (*txn.id(), offset, length))
                .collect(),
            accounts: changes
                .iter()
                .map(|(address, account)| (*address, account.to_value()))
                .collect(),
            new_accounts: new_accounts.filter(|address| !existed(address)).collect(),
            documents: roots.collect(),
        })?;
        Ok(())
    }

    /// Reads blocks that memory does not hold any more, from the last indexed one up
    /// to the view, along the head's branch.
    fn catch_up(&mut self, view: &View) -> Result<(), NodeError> {
        let height = self.index.height();
        let genesis = self.genesis.id;
        let (indexed, from) = self
            .index
            .block_at(height)?
            .unwrap_or((genesis, Position::START));
        let mut headers: BTreeMap<BlockId, (Height, BlockId, Position)> = BTreeMap::new();
        self.log.scan(from, &mut |position, record, bytes| {
            let block = matches!(record, kind::TIMELY_BLOCK | kind::LATE_BLOCK);
            if let Some(signed) = block.then(|| Block::peek(bytes)).flatten() {
                let header = &signed.header;
                let place = (header.number, header.hash_parent, position);
                headers.insert(signed.id(&genesis), place);
            }
            Ok::<_, NodeError>(())
        })?;
        let first = view.recent.front().map(Recent::header);
        let mut cursor = first.map_or(genesis, |first| first.hash_parent);
        let mut lowest = first.map_or(Height::GENESIS, |first| first.number);
        let mut branch = Vec::new();
        while cursor != indexed {
            let Some((number, parent, position)) = headers.get(&cursor) else {
                // The head's branch leaves below what is indexed: at `cursor` or further down.
                let at = lowest.checked_sub(1).unwrap_or(Height::ZERO);
                let here = self.index.block_at(at)?.is_some_and(|(id, _)| id == cursor);
                let fork = at.checked_sub(u64::from(!here)).unwrap_or(Height::ZERO);
                let below = height.checked_sub(1).unwrap_or(Height::ZERO);
                self.index.truncate_height(fork.min(below));
                return Ok(());
            };
            branch.push(*position);
            (lowest, cursor) = (*number, *parent);
        }
        for position in branch.into_iter().rev() {
            self.put_from_log(position)?;
            self.answer_waiting()?;
        }
        Ok(())
    }

    /// Indexes a block whose changes are not at hand: they follow from the block and
    /// the accounts before it, which the index holds.
    fn put_from_log(&mut self, position: Position) -> Result<(), NodeError> {
        let (_, bytes) = self.log.read(position)?;
        let misfit = |reason: String| NodeError::Record {
            path: "blocks".into(),
            position: position.0,
            reason,
        };
        let block = Block::decode(&bytes).map_err(|error| misfit(error.to_string()))?;
        let block = SealedBlock::already_verified(block, &self.genesis.id);
        let header = block.header();
        let parent = header.number.checked_sub(1).unwrap_or(Height::ZERO);
        let mut named: BTreeSet<_> = block
            .transactions
            .iter()
            .flat_map(|txn| [txn.sender(), txn.to])
            .collect();
        named.insert(header.coinbase);
        let mut accounts = Vec::new();
        for address in named {
            if let Some((_, value)) = self.index.account_at(&address, parent)? {
                let account =
                    Account::from_value(value).ok_or_else(|| misfit("bad account".into()))?;
                accounts.push((address, account));
            }
        }
        let before: BTreeSet<_> = accounts.iter().map(|(address, _)| *address).collect();
        let base = State::from_accounts(accounts);
        let mut draft = Draft::new(&base);
        for txn in &block.transactions {
            draft
                .apply(txn)
                .map_err(|error| misfit(error.to_string()))?;
        }
        draft
            .credit(header.coinbase, header.reward)
            .map_err(|error| misfit(error.to_string()))?;
        let (_, changes) = draft.finish();
        self.put(&block, position, &changes, |address| {
            before.contains(address)
        })
    }
}

/// The index is derived: one that is not sound is built again.
///
/// # Errors
/// An index that the disk does not give back or take is not thrown away for that.
fn open_index(directory: &Path, genesis: &Genesis, reindex: bool) -> Result<Index, NodeError> {
    if !reindex {
        match Index::open(directory, genesis.id) {
            Err(error) if error.is_damage() => {
                tracing::warn!("the index is built again: {error}");
            }
            opened => return Ok(opened?),
        }
    }
    Ok(Index::rebuild(directory, genesis.id)?)
}
