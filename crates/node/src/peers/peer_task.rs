//! One peer: its frames one after another, each understood before the next is read, so
//! a peer that sends more than this node can verify has to wait. Transactions and requests
//! wait beside the rest: blocks overtake them.

use super::{PeerContext, answers, verify::CheckError, tx_gossip::feed, tx_inbound::take_transactions};
use crate::chain_thread::Event;
use bytes::Bytes;
use ccoin_core::{
    Height,
    block::Block,
    machine::{Input, PeerId},
    message::{BlockAnswer, BlockRequest, ByeReason, Header, Message, NodeType},
};
use ccoin_crypto::PublicKey;
use ccoin_p2p::{Connection, Frame};
use std::{collections::VecDeque, sync::Arc};
use tokio::sync::mpsc;

/// Blocks that wait for their miner's key, and their bytes.
const MAX_PARKED: usize = 8;
const MAX_PARKED_BYTES: usize = 6 << 20;

/// Messages of transactions that wait to be verified: few, so that the peer waits and
/// tells its others first; blocks overtake them.
const WAITING_TXNS: usize = 2;

/// Requests that wait for the answer before: an honest peer has one in flight.
const WAITING_REQUESTS: usize = 1;

/// Blocks so far below the head are no news, whoever announces them.
const OLD_NEWS: u64 = 1_024;

/// Why a conversation ends.
pub(super) enum End {
    /// The peer has broken a rule.
    Fault(ByeReason, String),
    /// The node is ending.
    Stopping,
}

struct Conversation {
    context: Arc<PeerContext>,
    peer: PeerId,
    /// Blocks of miners whose keys were asked for.
    parked: VecDeque<Bytes>,
}

/// Talks to a peer until one of both ends it.
pub(super) async fn converse(context: Arc<PeerContext>, mut connection: Connection) {
    let (peer, hello) = (connection.id, &connection.hello);
    context.places.met(&connection);
    let known = hello.genesis_id == context.genesis.id;
    let miners = &context.genesis.config.miners;
    let joined = Input::Joined {
        peer,
        validator: hello.node_type == NodeType::Validator && miners.contains(&hello.address),
        height: if known { hello.height } else { Height::ZERO },
    };
    context.learn(core::slice::from_ref(&hello.public_key), peer);
    context.network
        .send(peer, Message::Keys(context.keys.all()).frame().into());
    let mut conversation = Conversation {
        context: Arc::clone(&context),
        peer,
        parked: VecDeque::new(),
    };
    if !conversation.tell(joined).await {
        return;
    }
    let (txns, waiting_txns) = mpsc::channel(WAITING_TXNS);
    let (requests, waiting_requests) = mpsc::channel(WAITING_REQUESTS);
    let talk = async {
        while let Some(Frame { header, body }) = connection.frames.recv().await {
            if &header == b"TXN" {
                txns.send(body).await.map_err(|_| End::Stopping)?;
                continue;
            }
            if let Some(request) = conversation.understand(header, body).await? {
                requests.send(request).await.map_err(|_| End::Stopping)?;
            }
        }
        Ok(())
    };
    let feed = async {
        if known {
            feed(Arc::clone(&context), peer).await;
        }
        core::future::pending::<()>().await;
    };
    let ended = tokio::select! {
        ended = talk => ended,
        Err(end) = take_transactions(&context, peer, waiting_txns) => Err(end),
        () = serve(&context, peer, waiting_requests) => Ok(()),
        () = feed => Ok(()),
    };
    if let Err(End::Fault(reason, text)) = ended {
        context.network.ban(peer, reason, &text);
    }
    conversation.tell(Input::Left { peer }).await;
}

/// Answers requests for blocks, one after another, as fast as the peer reads.
async fn serve(context: &Arc<PeerContext>, peer: PeerId, mut waiting: mpsc::Receiver<BlockRequest>) {
    while let Some(request) = waiting.recv().await {
        let answer = serve::answer(&context.reader, &context.keys, request).await;
        let frame = Message::Blocks(answer).frame();
        context.network.send_when_room(peer, frame.into()).await;
    }
}

impl PeerContext {
    /// Takes keys of miners, and tells everybody but the teller of the new ones.
    fn learn(&self, keys: &[PublicKey], teller: PeerId) {
        let new = self.keys.learn(keys);
        if !new.is_empty() {
            let frame = Message::Keys(new).frame();
            self.network.broadcast(frame.into(), Some(teller));
        }
    }
}

impl Conversation {
    /// Hands an input to the machine; false when the node is ending.
    async fn tell(&self, input: Input) -> bool {
        self.context
            .events
            .send(Event::Input(Box::new(input)))
            .await
            .is_ok()
    }

    /// Does what a frame asks for; a request for blocks is given back.
    async fn understand(
        &mut self,
        header: Header,
        body: Bytes,
    ) -> Result<Option<BlockRequest>, End> {
        if &header == b"BLK" {
            return self.block(body).await.map(|()| None);
        }
        if &header == b"ABL" && !self.context.memory.take_asked(self.peer) {
            // Checking what nobody has asked for would cost its sender nothing.
            return Ok(None);
        }
        match Message::decode(header, &body).map_err(CheckError::from)? {
            Message::Keys(keys) => self.keys(&keys).await?,
            Message::Heights(heights) => self.height(heights.height).await?,
            Message::Blocks(answer) => self.blocks(answer).await?,
            Message::AskBlocks(request) => return Ok(Some(request)),
            _ => {}
        }
        Ok(None)
    }

    async fn hand(&self, input: Input) -> Result<(), End> {
        if self.tell(input).await {
            Ok(())
        } else {
            Err(End::Stopping)
        }
    }

    async fn height(&self, height: Height) -> Result<(), End> {
        let peer = self.peer;
        self.hand(Input::Heights { peer, height }).await
    }

    async fn block(&mut self, body: Bytes) -> Result<(), End> {
        if let Some(signed) = Block::peek(&body) {
            let (id, height) = (signed.id(&self.context.genesis.id), signed.header.number);
            let own = self.context.reader.view.borrow().height();
            let old = height.get().saturating_add(OLD_NEWS) < own.get();
            if old || self.context.reader.knows(&id) {
                return self.height(height).await;
            }
            if self.context.memory.has_seen(&id) {
                let peer = self.peer;
                return self.hand(Input::Copy { peer, id, height }).await;
            }
        }
        match self.context.checker.block(body.clone()).await {
            Ok(block) => {
                self.context.memory.see(block.id);
                let peer = self.peer;
                self.hand(Input::Block { peer, block }).await
            }
            Err(CheckError::Key(miner)) => {
                tracing::debug!("block of {miner} waits for its key");
                let bytes: usize = self.parked.iter().map(Bytes::len).sum();
                if self.parked.len() < MAX_PARKED && bytes + body.len() <= MAX_PARKED_BYTES {
                    self.parked.push_back(body);
                }
                self.ask_keys();
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn blocks(&mut self, answer: BlockAnswer) -> Result<(), End> {
        self.context.learn(&answer.keys, self.peer);
        let (peer, more) = (self.peer, answer.more == 1);
        let (blocks, more) = match self.context.checker.blocks(answer).await {
            Ok(blocks) => (blocks, more),
            Err(CheckError::Key(miner)) => {
                // Whoever has lost it is not to blame: others have it.
                tracing::debug!("blocks of {miner} came without its key");
                self.ask_keys();
                (Vec::new(), false)
            }
            Err(error) => return Err(error.into()),
        };
        self.hand(Input::Answer { peer, blocks, more }).await
    }

    fn ask_keys(&self) {
        let ask = Message::Keys(Vec::new()).frame();
        self.context.network.send(self.peer, ask.into());
    }

    async fn keys(&mut self, keys: &[PublicKey]) -> Result<(), End> {
        if keys.is_empty() {
            let all = Message::Keys(self.context.keys.all()).frame();
            self.context.network.send(self.peer, all.into());
            return Ok(());
        }
        self.context.learn(keys, self.peer);
        // The key may have come from somebody else meanwhile.
        for body in core::mem::take(&mut self.parked) {
            self.block(body).await?;
        }
        Ok(())
    }
}

impl From<CheckError> for End {
    fn from(error: CheckError) -> Self {
        let reason = match &error {
            CheckError::Stopping => return Self::Stopping,
            CheckError::Message(_) | CheckError::Key(_) => ByeReason::Malformed,
            CheckError::Block(_) | CheckError::Transaction(_) => ByeReason::Invalid,
        };
        Self::Fault(reason, error.to_string())
    }
}
