//! One reader's stream. It pulls: blocks come from the chain at the reader's pace, so a slow
//! reader misses none of them and costs no memory; of news that no block holds it misses the
//! oldest and hears how many.

use super::{
    Wanted,
    feed::{Feed, SharedTxns},
    frames::{BlockFacts, Frame, Kind, LaggedEvent, LeaderEvent},
    output::{Ended, EventOutput},
    place::{Place, Tag, tag},
};
use crate::{json::BlockSummary, problem::unreadable};
use ccoin_core::{Address, Height};
use ccoin_node::{IndexBehind, NodeHandle, ReadError, View};
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio::{
    sync::broadcast::{self, error::TryRecvError},
    time::timeout,
};

/// Sent blocks that are remembered, to find where a new branch begins.
const TRAIL: usize = 1_024;

/// Blocks below the head that several readers are likely to want at a time.
const SHARED: u64 = 3;

/// Longest silence: proxies close connections that are idle for longer.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Longest time between two looks at what the view does not tell.
const TICK: Duration = Duration::from_secs(1);

/// Changes of the view that come together are answered together.
const PAUSE: Duration = Duration::from_millis(20);

/// The task behind one stream.
pub(super) struct Follower {
    node: NodeHandle,
    feed: Arc<Feed>,
    wanted: Wanted,
    news: broadcast::Receiver<Frame>,
    output: EventOutput,
    /// All blocks up to this one are sent.
    last: Height,
    /// The newest sent blocks above the final one, for a change of branch.
    trail: VecDeque<(Height, Tag)>,
    /// The place of another node, until this one is that far.
    resumed: bool,
    last_final: Height,
    leader: Option<Address>,
}

impl Follower {
    pub(super) fn new(
        node: &NodeHandle,
        feed: &Arc<Feed>,
        wanted: Wanted,
        output: EventOutput,
    ) -> Self {
        let view = node.view();
        let (last, sent_final) = match (wanted.place, wanted.from_block) {
            (Some(place), _) => (place.number, place.last_final),
            (None, Some(from)) => (from.checked_sub(1).unwrap_or(Height::ZERO), Height::ZERO),
            (None, None) if wanted.final_only => (view.last_final(), view.last_final()),
            (None, None) => (view.height(), view.last_final()),
        };
        let mut trail = VecDeque::new();
        if let Some(place) = wanted.place {
            trail.push_back((place.number, place.tag));
        } else if let Some(last) = view.at(last) {
            trail.push_back((last.header().number, tag(&last.id())));
        }
        Self {
            news: feed.subscribe(node),
            node: node.clone(),
            feed: Arc::clone(feed),
            resumed: wanted.place.is_some(),
            wanted,
            output,
            last,
            trail,
            last_final: sent_final,
            leader: None,
        }
    }

    /// Runs until the reader leaves, the node stops or the chain cannot be read.
    pub(super) async fn run(mut self) {
        let mut changes = self.node.watch();
        self.place_line();
        loop {
            changes.borrow_and_update();
            match self.send_due().await {
                Err(Ended) => return,
                Ok(Err(ReadError::Behind(_)) | Ok(())) => {}
                Ok(Err(error)) => {
                    unreadable(error);
                    return;
                }
            }
            if self.output.last_sent.elapsed() >= HEARTBEAT {
                self.output.buffer.extend_from_slice(b":\n\n");
            }
            if self.output.flush().await.is_err() {
                return;
            }
            let woken = tokio::select! {
                biased;
                () = self.output.ended() => return,
                changed = timeout(TICK, changes.changed()) => changed,
            };
            match woken {
                Ok(Err(_)) => return,
                Ok(Ok(())) => tokio::time::sleep(PAUSE).await,
                Err(_) => {}
            }
        }
    }

    /// Everything that the reader has not seen.
    async fn send_due(&mut self) -> Result<Result<(), ReadError>, Ended> {
        match self.rewind().await {
            Ok(true) => {}
            Ok(false) => return Ok(Ok(())),
            Err(error) => return Ok(Err(error)),
        }
        while let Some(number) = self.next_block() {
            let (facts, shared) = match self.block(number).await {
                Ok(Some(found)) => found,
                // The branch changes just now: the next look finds where.
                Ok(None) => return Ok(Ok(())),
                Err(error) => return Ok(Err(error)),
            };
            if let Err(error) = self.txn_events(&facts, &shared).await? {
                return Ok(Err(error));
            }
            self.block_event(&facts).await?;
        }
        if let Err(error) = self.final_event().await {
            return Ok(Err(error));
        }
        self.feed.refresh(&self.node);
        self.news_events().await?;
        Ok(Ok(()))
    }

    /// The block behind the last one that was sent, if there is one. No view is held while the
    /// reader takes its time: it would keep old blocks in memory.
    fn next_block(&self) -> Option<Height> {
        let view = self.node.view();
        let target = match self.wanted.final_only {
            true => view.last_final(),
            false => view.height(),
        };
        self.last.next().filter(|number| *number <= target)
    }

    /// Goes back to where the head's branch and the sent blocks part. False: this node does
    /// not know yet, because the reader has seen more than it has.
    async fn rewind(&mut self) -> Result<bool, ReadError> {
        let view = &self.node.view();
        let mut left = None;
        while let Some((number, tag)) = self.trail.back().copied() {
            if self.resumed && number > view.height() {
                return Ok(false);
            }
            if self.is_canonical(view, number, tag).await? {
                break;
            }
            self.trail.pop_back();
            left = Some(number);
        }
        self.resumed = false;
        if let Some(lowest_left) = left {
            let below = lowest_left.checked_sub(1).unwrap_or(Height::ZERO);
            self.last = match self.trail.back() {
                Some((number, _)) => *number,
                None => below.min(self.last_final),
            };
            self.leader = None;
        }
        if self.leader.is_none() && self.last > Height::ZERO {
            let last = self.node.reader().head_of(self.last).await?;
            self.leader = last.map(|block| block.signed.header.coinbase);
        }
        Ok(true)
    }

    async fn is_canonical(
        &self,
        view: &View,
        number: Height,
        sent: Tag,
    ) -> Result<bool, ReadError> {
        if let Some(recent) = view.at(number) {
            return Ok(tag(&recent.id()) == sent);
        }
        let found = self.node.reader().head_of(number).await?;
        Ok(found.is_some_and(|block| tag(&block.id) == sent))
    }

    /// A block behind the last one that was sent; `None`: it is on another branch.
    async fn block(&self, number: Height) -> Result<Option<(BlockFacts, SharedTxns)>, ReadError> {
        let view = self.node.view();
        let last_final = view.last_final();
        let is_new = view.height().get().saturating_sub(number.get()) < SHARED;
        let recent = view.at(number).filter(|_| is_new);
        let block = recent.map(|recent| Arc::clone(&recent.applied));
        drop(view);
        let found = match block {
            Some(block) => self.feed.encode(block, last_final).await,
            None => {
                let Some(head) = self.node.reader().head_of(number).await? else {
                    return Ok(None);
                };
                (BlockFacts::new(&head, last_final), SharedTxns::default())
            }
        };
        let fits = match self.trail.back() {
            Some((_, sent)) => tag(&found.0.parent) == *sent,
            None => true,
        };
        Ok(Some(found).filter(|_| fits))
    }

    /// The transactions of a block: shared ones as long as they are there, then from the log, a
    /// piece at a time.
    async fn txn_events(
        &mut self,
        facts: &BlockFacts,
        shared: &SharedTxns,
    ) -> Result<Result<(), ReadError>, Ended> {
        if !self.wanted.kinds.contains(Kind::Txn) {
            return Ok(Ok(()));
        }
        let mut sent = 0;
        while let Some(frame) = shared.upgrade().and_then(|txns| txns.get(sent).cloned()) {
            self.push(&frame).await?;
            sent += 1;
        }
        if sent == facts.txn_count {
            return Ok(Ok(()));
        }
        let reader = self.node.reader().clone();
        let mut block = match reader.open_block(facts.number).await {
            Ok(Some(block)) if block.head.id == facts.id => block,
            // It has been left: the next look finds where.
            Ok(_) => return Ok(Err(IndexBehind.into())),
            Err(error) => return Ok(Err(error)),
        };
        let last_final = self.node.view().last_final();
        let mut index = 0;
        loop {
            let txns = match reader.next_txns(&mut block).await {
                Ok(txns) if txns.is_empty() => return Ok(Ok(())),
                Ok(txns) => txns,
                Err(error) => return Ok(Err(error)),
            };
            let (piece, first) = (facts.clone(), index);
            index += txns.len();
            let frames = reader
                .work(move || piece.txns(first, &txns, last_final))
                .await;
            let frames = match frames {
                Ok(frames) => frames,
                Err(error) => return Ok(Err(error)),
            };
            for frame in frames.iter().skip(sent.saturating_sub(first)) {
                self.push(frame).await?;
            }
        }
    }

    /// The block's id says that the reader has its transactions too.
    async fn block_event(&mut self, facts: &BlockFacts) -> Result<(), Ended> {
        // Block 1 has no miner.
        let changes = self.leader.replace(facts.miner) != Some(facts.miner);
        if changes && facts.number > Height::GENESIS {
            let leader = LeaderEvent {
                address: facts.miner,
                block_number: facts.number,
            };
            self.push(&Frame::new(Kind::Leader, &leader)).await?;
        }
        self.last = facts.number;
        self.trail.push_back((facts.number, tag(&facts.id)));
        if self.trail.len() > TRAIL {
            self.trail.pop_front();
        }
        self.push_with_place(&facts.block).await
    }

    /// The highest final block, once the reader has it.
    async fn final_event(&mut self) -> Result<(), ReadError> {
        let number = self.node.view().last_final();
        if number <= self.last_final || number > self.last {
            return Ok(());
        }
        let Some(block) = self.node.reader().head_of(number).await? else {
            return Ok(());
        };
        self.last_final = number;
        let event = BlockSummary::new(block.id, &block.signed.header);
        // The buffer has room: it is flushed before it is full.
        self.place_of(&Frame::new(Kind::Final, &event));
        Ok(())
    }

    async fn news_events(&mut self) -> Result<(), Ended> {
        loop {
            match self.news.try_recv() {
                Ok(frame) if self.is_old(&frame) => {}
                Ok(frame) => self.push(&frame).await?,
                Err(TryRecvError::Lagged(missed)) => {
                    let lagged = Frame::new(Kind::Lagged, &LaggedEvent { missed });
                    self.push(&lagged).await?;
                }
                Err(TryRecvError::Empty | TryRecvError::Closed) => return Ok(()),
            }
        }
    }

    /// Whether a transaction that was told to wait is in a block by now, whose events the
    /// reader has, or whether it may never become final.
    fn is_old(&self, frame: &Frame) -> bool {
        let waits = |id| self.node.tx_tracker().waits(id);
        let waiting = frame.waiting.as_ref();
        waiting.is_some_and(|id| self.wanted.final_only || !waits(id))
    }

    fn is_wanted(&self, frame: &Frame) -> bool {
        let address = self.wanted.address.as_ref();
        let concerns = address.is_none_or(|address| frame.concerns(address));
        self.wanted.kinds.contains(frame.kind) && concerns
    }

    async fn push(&mut self, frame: &Frame) -> Result<(), Ended> {
        if !self.is_wanted(frame) {
            return Ok(());
        }
        self.output.write(&frame.bytes).await
    }

    async fn push_with_place(&mut self, frame: &Frame) -> Result<(), Ended> {
        self.place_of(frame);
        self.output.flush_full().await
    }

    /// An event with its id; an id alone for a reader that does not want the event.
    fn place_of(&mut self, frame: &Frame) {
        self.place_line();
        if self.is_wanted(frame) {
            // One line end: the id belongs to the event.
            self.output.buffer.pop();
            self.output.buffer.extend_from_slice(&frame.bytes);
        }
    }

    /// Where the reader stands.
    fn place_line(&mut self) {
        let Some((number, tag)) = self.trail.back().copied() else {
            return;
        };
        let place = Place {
            number,
            tag,
            last_final: self.last_final,
        };
        let line = format!("id: {place}\n\n");
        self.output.buffer.extend_from_slice(line.as_bytes());
    }
}
