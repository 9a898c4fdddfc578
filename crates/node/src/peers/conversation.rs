//! One peer: its frames one after another, each understood before the next is read, so
//! a peer that sends more than this node can verify has to wait. Transactions wait beside
//! the rest: blocks overtake them.

use super::{Hub, answers, checker::CheckError, feeder::feed};
use crate::actor::{Batch, Event, Results};
use bytes::Bytes;
use ccoin_core::{
    Height,
    block::Block,
    machine::{Input, PeerId},
    message::{ByeReason, Header, Message, NodeType},
    pool::PoolError,
};
use ccoin_p2p::{Connection, Frame};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::{mpsc, oneshot};

/// Blocks that wait for their miner's key, and their bytes.
const MAX_PARKED: usize = 8;
const MAX_PARKED_BYTES: usize = 6 << 20;

/// Transactions in a minute that the pool refuses before the connection ends.
const MAX_REFUSED: usize = 100;
const MINUTE: Duration = Duration::from_secs(60);

/// Messages of transactions that wait to be verified: few, so that the peer waits and
/// tells its others first; blocks overtake them.
const WAITING_TXNS: usize = 2;

/// Why a conversation ends.
enum End {
    /// The peer has broken a rule.
    Fault(ByeReason, String),
    /// The node is ending.
    Stopping,
}

struct Conversation {
    hub: Arc<Hub>,
    peer: PeerId,
    /// Blocks of miners whose keys were asked for.
    parked: VecDeque<Bytes>,
}

/// Talks to a peer until one of both ends it.
pub(super) async fn converse(hub: Arc<Hub>, mut connection: Connection) {
    let (peer, hello) = (connection.id, &connection.hello);
    hub.places.met(&connection);
    let known = hello.genesis_id == hub.genesis.id;
    let miners = &hub.genesis.config.miners;
    let joined = Input::Joined {
        peer,
        validator: hello.node_type == NodeType::Validator && miners.contains(&hello.address),
        height: if known { hello.height } else { Height::ZERO },
    };
    hub.keys.learn(core::slice::from_ref(&hello.public_key));
    hub.network
        .send(peer, Message::Keys(hub.keys.all()).frame().into());
    let mut conversation = Conversation {
        hub: Arc::clone(&hub),
        peer,
        parked: VecDeque::new(),
    };
    if !conversation.tell(joined).await {
        return;
    }
    let (txns, waiting) = mpsc::channel(WAITING_TXNS);
    let talk = async {
        while let Some(Frame { header, body }) = connection.frames.recv().await {
            let understood = if &header == b"TXN" {
                txns.send(body).await.map_err(|_| End::Stopping)
            } else {
                conversation.understand(header, body).await
            };
            understood?;
        }
        Ok(())
    };
    let side = async {
        let feed = async {
            if known {
                feed(Arc::clone(&hub), peer).await;
            }
            core::future::pending::<()>().await;
        };
        tokio::select! {
            ended = take_transactions(&hub, peer, waiting) => ended,
            () = feed => Ok(()),
        }
    };
    let ended = tokio::select! {
        ended = talk => ended,
        Err(end) = side => Err(end),
    };
    if let Err(End::Fault(reason, text)) = ended {
        hub.network.ban(peer, reason, &text);
    }
    conversation.tell(Input::Left { peer }).await;
}

/// Verifies transactions and hands them to the pool, one message after another.
async fn take_transactions(
    hub: &Arc<Hub>,
    peer: PeerId,
    mut waiting: mpsc::Receiver<Bytes>,
) -> Result<(), End> {
    let refused = Arc::default();
    while let Some(body) = waiting.recv().await {
        let txns = hub.checker.transactions(body).await?;
        let (results, answer) = oneshot::channel();
        let batch = Batch {
            txns,
            from: Some(peer),
            results,
        };
        hub.batches.send(batch).await.map_err(|_| End::Stopping)?;
        // The next message need not wait for the disk.
        let refused = Arc::clone(&refused);
        tokio::spawn(count_refused(Arc::clone(hub), peer, refused, answer));
    }
    Ok(())
}

impl Conversation {
    /// Hands an input to the machine; false when the node is ending.
    async fn tell(&self, input: Input) -> bool {
        self.hub
            .events
            .send(Event::Input(Box::new(input)))
            .await
            .is_ok()
    }

    async fn understand(&mut self, header: Header, body: Bytes) -> Result<(), End> {
        match &header {
            b"BLK" => self.block(body).await,
            _ => match Message::decode(header, &body).map_err(CheckError::from)? {
                Message::Keys(keys) => self.keys(&keys).await,
                Message::Heights(heights) => {
                    let (peer, height) = (self.peer, heights.height);
                    self.hand(Input::Heights { peer, height }).await
                }
                Message::AskBlocks(request) => self.ask_blocks(request).await,
                Message::Blocks(answer) => {
                    self.hub.keys.learn(&answer.keys);
                    let (peer, more) = (self.peer, answer.more == 1);
                    let blocks = self.hub.checker.blocks(answer).await?;
                    self.hand(Input::Answer { peer, blocks, more }).await
                }
                _ => Ok(()),
            },
        }
    }

    async fn hand(&self, input: Input) -> Result<(), End> {
        if self.tell(input).await {
            Ok(())
        } else {
            Err(End::Stopping)
        }
    }

    async fn block(&mut self, body: Bytes) -> Result<(), End> {
        let copy = Block::peek(&body, &self.hub.genesis.id);
        if let Some((height, id)) = copy
            && self.hub.history.knows(&id)
        {
            let peer = self.peer;
            return self.hand(Input::Heights { peer, height }).await;
        }
        match self.hub.checker.block(body.clone()).await {
            Ok(block) => {
                let peer = self.peer;
                self.hand(Input::Block { peer, block }).await
            }
            Err(CheckError::Key(miner)) => {
                tracing::debug!("block of {miner} waits for its key");
                let bytes: usize = self.parked.iter().map(Bytes::len).sum();
                if self.parked.len() < MAX_PARKED && bytes + body.len() <= MAX_PARKED_BYTES {
                    self.parked.push_back(body);
                }
                let ask = Message::Keys(Vec::new()).frame();
                self.hub.network.send(self.peer, ask.into());
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn keys(&mut self, keys: &[ccoin_crypto::PublicKey]) -> Result<(), End> {
        if keys.is_empty() {
            let all = Message::Keys(self.hub.keys.all()).frame();
            self.hub.network.send(self.peer, all.into());
            return Ok(());
        }
        let new = self.hub.keys.learn(keys);
        if new.is_empty() {
            return Ok(());
        }
        let frame = Message::Keys(new).frame();
        self.hub.network.broadcast(frame.into(), Some(self.peer));
        for body in core::mem::take(&mut self.parked) {
            self.block(body).await?;
        }
        Ok(())
    }

    async fn ask_blocks(&self, request: ccoin_core::message::BlockRequest) -> Result<(), End> {
        match answers::answer(&self.hub.history, &self.hub.keys, request).await {
            Ok(answer) => {
                let frame = Message::Blocks(answer).frame();
                self.hub
                    .network
                    .send_when_room(self.peer, frame.into())
                    .await;
            }
            // The asker turns to others; the index catches up or the node ends.
            Err(error) => tracing::warn!("cannot answer a peer's request for blocks: {error}"),
        }
        Ok(())
    }
}

/// Counts what the pool refuses and an honest peer would hardly send.
async fn count_refused(
    hub: Arc<Hub>,
    peer: PeerId,
    refused: Arc<Mutex<Refused>>,
    answer: oneshot::Receiver<Results>,
) {
    let Ok(results) = answer.await else { return };
    let poor = |result: &&Result<_, PoolError>| matches!(result, Err(PoolError::Funds { .. }));
    let poor = results.iter().filter(poor).count();
    let count = refused
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .add(poor, Instant::now());
    if count > MAX_REFUSED {
        let text = format!("{count} transactions in a minute whose senders cannot pay");
        hub.network.disconnect(peer, ByeReason::Invalid, &text);
    }
}

/// Transactions that the pool has refused, in the minute that began with the first.
#[derive(Default)]
struct Refused {
    since: Option<Instant>,
    count: usize,
}

impl Refused {
    fn add(&mut self, more: usize, now: Instant) -> usize {
        if self.since.is_none_or(|since| now - since > MINUTE) {
            self.since = Some(now);
            self.count = 0;
        }
        self.count += more;
        self.count
    }
}

impl From<CheckError> for End {
    fn from(error: CheckError) -> Self {
        let reason = match &error {
            CheckError::Stopping => return Self::Stopping,
            // An answer brings the keys of its miners with it.
            CheckError::Message(_) | CheckError::Key(_) => ByeReason::Malformed,
            CheckError::Block(_) | CheckError::Transaction(_) => ByeReason::Invalid,
        };
        Self::Fault(reason, error.to_string())
    }
}
