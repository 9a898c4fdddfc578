//! One peer: what it sends is handled in the order in which it came, but votes, transactions
//! and requests each wait in a queue of their own, so that votes overtake blocks, and blocks
//! overtake transactions. The queues are short: a peer that sends more than this node can
//! verify has to wait.

use super::{
    PeerContext,
    end::End,
    tx_gossip::feed,
    tx_inbound::take_transactions,
    verify::CheckError,
    votes_inbound::{is_of_consensus, take_votes},
};
use bytes::Bytes;
use ccoin_core::{
    BlockId, Height,
    block::Block,
    gossip::Gossip,
    machine::{Input, PeerId},
    message::{BlockAnswer, BlockRequest, Header, MAX_ANSWER_BYTES, Message},
};
use ccoin_crypto::PublicKey;
use ccoin_p2p::{Connection, Frame};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};

/// Messages of transactions that wait to be verified: few, so that the peer waits and
/// tells its other peers first.
const WAITING_TXNS: usize = 2;

/// Votes and statuses that wait to be verified.
const WAITING_VOTES: usize = 16;

/// Blocks, heights and keys that wait, and their bytes: two of the largest blocks.
const WAITING_FRAMES: usize = 64;
const WAITING_BYTES: usize = 6 << 20;

/// Requests that wait for the answer before: an honest peer has one in flight.
const WAITING_REQUESTS: usize = 1;

/// What a known block costs, and each byte of it: read, hashed, and dropped.
const KNOWN_BLOCK: Duration = Duration::from_micros(30);
const KNOWN_BYTE: Duration = Duration::from_nanos(1);

/// What an answer costs, and each byte of it.
const ANSWER: Duration = Duration::from_micros(100);
const ANSWER_BYTE: Duration = Duration::from_nanos(1);

/// Answers that may be on their way at a time; with more of them further ones are small,
/// because their readers may not read.
pub(super) const ANSWERS: usize = 12;
const SMALL_ANSWER: usize = 64 << 10;

/// The height that a peer tells, and the block that shows it.
type News = (Height, Option<BlockId>);

/// The machine hears the same again after this time: it may have asked in vain meanwhile.
const SAME_NEWS: Duration = Duration::from_secs(1);

/// A question that is answered when the peer has read the answer before.
enum Question {
    Blocks(BlockRequest),
    Keys,
}

struct PeerTask {
    context: Arc<PeerContext>,
    peer: PeerId,
    /// The height that the peer tells.
    claimed: watch::Sender<Height>,
    /// What the machine has heard last, and when.
    told: Mutex<Option<(News, Instant)>>,
}

/// Talks to a peer until one of both ends it.
pub(super) async fn run(context: Arc<PeerContext>, mut connection: Connection) {
    let (peer, hello) = (connection.id, &connection.hello);
    context.peer_store.met(&connection);
    let same_chain = hello.genesis_id == context.genesis.id;
    let joined = Gossip::joined(peer, hello, &context.genesis);
    context.learn(core::slice::from_ref(&hello.public_key), peer);
    context.send_keys(peer);
    let (claimed, claims) = watch::channel(hello.height);
    let task = PeerTask {
        context: Arc::clone(&context),
        peer,
        claimed,
        told: Mutex::new(None),
    };
    if !context.chain.input(joined).await {
        return;
    }
    let (txns, waiting_txns) = mpsc::channel(WAITING_TXNS);
    let (votes, waiting_votes) = mpsc::channel(WAITING_VOTES);
    let (frames, waiting_frames) = mpsc::channel(WAITING_FRAMES);
    let (requests, waiting_requests) = mpsc::channel(WAITING_REQUESTS);
    let room = Arc::new(Semaphore::new(WAITING_BYTES));
    let talk = async {
        while let Some(frame) = connection.frames.recv().await {
            if &frame.header == b"TXN" {
                txns.send(frame.body).await.map_err(|_| End::Stopping)?;
            } else if is_of_consensus(frame.header) {
                votes.send(frame).await.map_err(|_| End::Stopping)?;
            } else {
                let bytes = u32::try_from(frame.body.len()).unwrap_or(u32::MAX);
                let place = Arc::clone(&room).acquire_many_owned(bytes).await;
                let place = place.map_err(|_| End::Stopping)?;
                let sent = frames.send((frame, place)).await;
                sent.map_err(|_| End::Stopping)?;
            }
        }
        Ok(())
    };
    let feed = async {
        if same_chain {
            feed(Arc::clone(&context), peer, claims).await;
        }
        core::future::pending::<()>().await;
    };
    let ended = tokio::select! {
        ended = talk => ended,
        Err(end) = task.take_frames(waiting_frames, requests) => Err(end),
        Err(end) = take_votes(&context, peer, waiting_votes) => Err(end),
        Err(end) = take_transactions(&context, peer, waiting_txns) => Err(end),
        () = serve(&context, peer, waiting_requests) => Ok(()),
        () = feed => Ok(()),
    };
    if let Err(End::Fault(reason, text)) = ended {
        context.network.ban(peer, reason, &text);
    }
    context.gossip.lock().on_peer_left(peer);
    context.chain.input(Input::PeerLeft { peer }).await;
}

/// Answers questions, one after another, as fast as the peer reads.
async fn serve(context: &Arc<PeerContext>, peer: PeerId, mut waiting: mpsc::Receiver<Question>) {
    let network = &context.network;
    // Also the end of its way to the peer: what is written leaves room.
    while network.room(peer).await {
        let Some(question) = waiting.recv().await else {
            return;
        };
        let place = context.answers.try_acquire();
        let frame = match question {
            Question::Blocks(request) => {
                let most = match place {
                    Ok(_) => MAX_ANSWER_BYTES,
                    Err(_) => SMALL_ANSWER,
                };
                let keys = context.gossip.lock().keys.all();
                let answer = context.reader.serve(request, keys, most).await;
                Message::Blocks(answer).frame()
            }
            Question::Keys => {
                let known = context.gossip.lock().requested_keys();
                let Some(known) = known else { continue };
                Message::Keys(known).frame()
            }
        };
        let bytes = u32::try_from(frame.len()).unwrap_or(u32::MAX);
        network.charge(peer, ANSWER + ANSWER_BYTE * bytes);
        network.send_when_room(peer, frame.into()).await;
        network.room(peer).await;
    }
}

impl PeerContext {
    /// Takes keys of miners, and tells all peers but the sender of the new ones.
    fn learn(&self, keys: &[PublicKey], sender: PeerId) {
        let (new, all) = {
            let mut gossip = self.gossip.lock();
            (gossip.learn(keys), gossip.keys.all())
        };
        if !new.is_empty() {
            self.key_store.save(&all);
            let frame = Message::Keys(new).frame();
            self.network.broadcast(frame.into(), Some(sender));
        }
    }

    /// Asks a peer for the keys of all miners.
    pub(super) fn ask_keys(&self, peer: PeerId) {
        let ask = Message::Keys(Vec::new()).frame();
        self.network.send(peer, ask.into());
    }

    fn send_keys(&self, peer: PeerId) {
        let all = Message::Keys(self.gossip.lock().keys.all());
        self.network.send(peer, all.frame().into());
    }
}

impl PeerTask {
    /// Handles frames one after another, until the connection ends.
    async fn take_frames(
        &self,
        mut waiting: mpsc::Receiver<(Frame, OwnedSemaphorePermit)>,
        requests: mpsc::Sender<Question>,
    ) -> Result<(), End> {
        while let Some((Frame { header, body }, _place)) = waiting.recv().await {
            if let Some(request) = self.handle_frame(header, body).await? {
                requests.send(request).await.map_err(|_| End::Stopping)?;
            }
        }
        Ok(())
    }

    async fn input(&self, input: Input) -> Result<(), End> {
        let taken = self.context.chain.input(input).await;
        taken.then_some(()).ok_or(End::Stopping)
    }

    /// Does what a frame asks for; a question is given back.
    async fn handle_frame(&self, header: Header, body: Bytes) -> Result<Option<Question>, End> {
        if &header == b"BLK" {
            self.block(body).await?;
            return Ok(None);
        }
        if &header == b"ABL" && !self.context.gossip.lock().take_asked(self.peer) {
            return Ok(None);
        }
        match Message::decode(header, &body).map_err(CheckError::from)? {
            Message::Keys(keys) if keys.is_empty() => return Ok(Some(Question::Keys)),
            Message::Keys(keys) => self.keys(&keys).await?,
            Message::Heights(heights) => self.height(heights.height).await?,
            Message::Blocks(answer) => self.blocks(answer).await?,
            Message::AskBlocks(request) => return Ok(Some(Question::Blocks(request))),
            _ => {}
        }
        Ok(None)
    }

    async fn height(&self, height: Height) -> Result<(), End> {
        self.claimed.send_replace(height);
        if !self.is_news((height, None)) {
            return Ok(());
        }
        let peer = self.peer;
        self.input(Input::Heights { peer, height }).await
    }

    /// Whether the machine has not just heard the same of this peer.
    fn is_news(&self, news: News) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let same = told.is_some_and(|(last, at)| last == news && at.elapsed() < SAME_NEWS);
        if !same {
            *told = Some((news, Instant::now()));
        }
        !same
    }

    async fn block(&self, body: Bytes) -> Result<(), End> {
        let (context, peer) = (&self.context, self.peer);
        let Some(signed) = Block::peek(&body) else {
            // The check says what is wrong with it.
            return self.check_block(body).await;
        };
        let (id, height) = (signed.id(&context.genesis.id), signed.header.number);
        self.claimed.send_replace(height);
        let (own, canonical) = {
            let view = context.reader.view.borrow();
            (view.height(), view.by_id(&id).is_some())
        };
        let known = context
            .gossip
            .lock()
            .on_announced(peer, (height, id), own, canonical);
        let Some(input) = known else {
            return self.check_block(body).await;
        };
        let bytes = u32::try_from(body.len()).unwrap_or(u32::MAX);
        context
            .network
            .charge(peer, KNOWN_BLOCK + KNOWN_BYTE * bytes);
        if self.is_news((height, Some(id))) {
            self.input(input).await?;
        }
        Ok(())
    }

    async fn check_block(&self, body: Bytes) -> Result<(), End> {
        let (context, peer) = (&self.context, self.peer);
        match context.checker.block(body.clone()).await {
            Ok(block) => {
                context.gossip.lock().on_checked(block.id);
                self.input(Input::Block { peer, block }).await
            }
            Err(CheckError::Key(miner)) => {
                tracing::debug!("block of {miner} waits for its key");
                context.gossip.lock().park(peer, miner, body);
                self.context.ask_keys(self.peer);
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn blocks(&self, answer: BlockAnswer) -> Result<(), End> {
        self.context.learn(&answer.keys, self.peer);
        let (peer, more) = (self.peer, answer.more == 1);
        let last_final = answer.last_final.clone();
        let (blocks, more) = match self.context.checker.blocks(answer).await {
            Ok(blocks) => (blocks, more),
            Err(CheckError::Key(miner)) => {
                // A peer that has lost the key is not to blame: others have it.
                tracing::debug!("blocks of {miner} came without its key");
                self.context.ask_keys(self.peer);
                (Vec::new(), false)
            }
            Err(error) => return Err(error.into()),
        };
        self.input(Input::Blocks { peer, blocks, more }).await?;
        let view = Arc::clone(&self.context.reader.view.borrow());
        match self.context.votes.certificate(last_final, &view).await {
            Ok(None) => Ok(()),
            Ok(Some(certificate)) => self.input(Input::FinalBelow { certificate }).await,
            Err(error) if error.is_unknown_key() => {
                self.context.ask_keys(self.peer);
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn keys(&self, keys: &[PublicKey]) -> Result<(), End> {
        self.context.learn(keys, self.peer);
        let parked = self.context.gossip.lock().unpark(self.peer);
        for body in parked {
            self.block(body).await?;
        }
        Ok(())
    }
}
