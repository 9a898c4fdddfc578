//! What nodes of a [`World`] say to each other, and what becomes of what they hear: parsing
//! and signatures aside, the path of a frame through the shipped gossip into the machine.

use crate::{
    blocks::verified,
    lies::{Lie, Misdeed},
    vote_lies::VoteLie,
    votes::consensus_input,
    world::{Event, World},
};
use ccoin_core::{
    Height, MonoTime,
    block::{SealedBlock, VerifiedBlock},
    consensus::{
        certificate::{Certificate, VerifiedCertificate},
        vote::VoterIndex,
    },
    gossip::TxFeed,
    machine::{Input, PeerId},
    message::{BlockRequest, MAX_FRAME, Message},
    transaction::VerifiedTransaction,
};
use ccoin_crypto::PublicKey;

/// How long a late answer takes.
const LATE: u64 = 3_900;

/// Bytes of an encoded public key, of a pair of a locator, and of a frame around its body.
const KEY_BYTES: usize = 294;
const PAIR_BYTES: usize = 40;
const FRAME_BYTES: u64 = 16;

/// A message between nodes.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "frames are moved once")]
pub(crate) enum Frame {
    Block(VerifiedBlock),
    Txns(Vec<VerifiedTransaction>),
    Ask(BlockRequest),
    Answer {
        blocks: Vec<VerifiedBlock>,
        keys: Vec<PublicKey>,
        /// Of the newest of them that is final.
        last_final: Option<Certificate>,
        more: bool,
    },
    AskHeights,
    Heights(Height),
    /// Keys of miners; none: a request for all.
    Keys(Vec<PublicKey>),
    /// Votes, proposals, statuses and evidence.
    Consensus(Box<Message>),
}

impl Frame {
    /// About its bytes on the wire.
    pub(crate) fn bytes(&self) -> u64 {
        let body = match self {
            Self::Block(block) => block.size(),
            Self::Txns(txns) => txns.iter().map(|txn| txn.size()).sum(),
            Self::Answer { blocks, keys, .. } => {
                let blocks: usize = blocks.iter().map(VerifiedBlock::size).sum();
                blocks + KEY_BYTES * keys.len()
            }
            Self::Keys(keys) => KEY_BYTES * keys.len(),
            Self::Ask(request) => PAIR_BYTES * request.locator.len(),
            Self::Consensus(message) => message.frame().len(),
            Self::AskHeights | Self::Heights(_) => 0,
        };
        body as u64 + FRAME_BYTES
    }
}

impl World {
    pub(crate) fn joined(&mut self, to: usize, id: PeerId) {
        if !self.conns.get(&id).is_some_and(|conn| conn.open) {
            return;
        }
        let other = self.other(id, to);
        let height = self.nodes[other].claim();
        let validator = self.nodes[other].shell.index();
        let validator = validator.map(|index| VoterIndex::try_from(index).expect("few"));
        let key = self.public_key(other);
        let node = &mut self.nodes[to];
        let feed = TxFeed::new(MonoTime(self.now), id, height, node.height());
        node.feeds.insert(id, feed);
        node.connections += 1;
        self.learn(to, id, &[key]);
        let keys = self.nodes[to].gossip.keys.all();
        self.say(to, id, Frame::Keys(keys));
        let input = Input::PeerJoined {
            peer: id,
            validator,
            height,
        };
        self.step(to, input);
        self.compare_clock(to, id);
    }

    fn learn(&mut self, to: usize, from: PeerId, keys: &[PublicKey]) {
        let new = self.nodes[to].gossip.learn(keys);
        if !new.is_empty() {
            self.say_all(to, Some(from), &Frame::Keys(new));
        }
    }

    pub(crate) fn hear(&mut self, to: usize, peer: PeerId, frame: Frame) {
        let hides = self.nodes[to].admits.is_some()
            && matches!(self.nodes[to].lie, Some(Lie::Miner(Misdeed::Hide)));
        match frame {
            Frame::Block(_) if hides => {}
            Frame::Block(block) => self.hear_block(to, peer, block),
            Frame::Heights(height) => self.hear_height(to, peer, height),
            Frame::AskHeights => {
                let height = self.nodes[to].claim();
                self.say(to, peer, Frame::Heights(height));
            }
            Frame::Txns(txns) => {
                self.nodes[to].heard_txns += txns.len();
                let input = Input::Submit {
                    ticket: 0,
                    txns,
                    from: Some(peer),
                };
                self.step(to, input);
            }
            Frame::Keys(keys) if keys.is_empty() => {
                self.nodes[to].key_requests += 1;
                if let Some(known) = self.nodes[to].gossip.requested_keys() {
                    self.say(to, peer, Frame::Keys(known));
                }
            }
            Frame::Keys(keys) => {
                self.learn(to, peer, &keys);
                for block in self.nodes[to].gossip.unpark(peer) {
                    let block = self.parked[&block].clone();
                    self.hear_block(to, peer, block);
                }
            }
            Frame::Answer {
                blocks,
                keys,
                last_final,
                more,
            } => {
                self.hear_answer(
                    to,
                    peer,
                    if hides { Vec::new() } else { blocks },
                    keys,
                    more && !hides,
                );
                if let Some(certificate) = last_final {
                    let certificate = VerifiedCertificate::already_verified(certificate);
                    self.step(to, Input::FinalBelow { certificate });
                }
            }
            Frame::Ask(request) => self.hear_ask(to, peer, &request),
            Frame::Consensus(message) => {
                if self.is_for_another(to, &message) {
                    return;
                }
                let is_proposal = matches!(*message, Message::Proposal(_));
                if is_proposal && self.votes_by(to, VoteLie::Aim) {
                    self.show_hidden(to);
                }
                if let Some(input) = consensus_input(peer, *message) {
                    self.step(to, input);
                }
            }
        }
    }

    fn hear_height(&mut self, to: usize, peer: PeerId, height: Height) {
        if let Some(feed) = self.nodes[to].feeds.get_mut(&peer) {
            feed.on_height(height);
        }
        self.step(to, Input::Heights { peer, height });
    }

    fn hear_block(&mut self, to: usize, peer: PeerId, block: VerifiedBlock) {
        let (number, id, miner) = (block.header().number, block.id, block.header().coinbase);
        let node = &mut self.nodes[to];
        if let Some(feed) = node.feeds.get_mut(&peer) {
            feed.on_height(number);
        }
        let canonical = node.has(number, &id);
        let known = node
            .gossip
            .on_announced(peer, (number, id), node.height(), canonical);
        if let Some(input) = known {
            return self.step(to, input);
        }
        if node.gossip.keys.get(&miner).is_none() {
            node.gossip.park(peer, miner, block.bytes().clone());
            self.parked.insert(block.bytes().clone(), block);
            return self.ask_keys(to, peer);
        }
        node.checked += 1;
        node.gossip.on_checked(id);
        self.step(to, Input::Block { peer, block });
    }

    fn hear_answer(
        &mut self,
        to: usize,
        peer: PeerId,
        mut blocks: Vec<VerifiedBlock>,
        keys: Vec<PublicKey>,
        mut more: bool,
    ) {
        if !self.nodes[to].gossip.take_asked(peer) {
            return;
        }
        self.learn(to, peer, &keys);
        let node = &mut self.nodes[to];
        let unknown =
            |block: &VerifiedBlock| node.gossip.keys.get(&block.header().coinbase).is_none();
        if blocks.iter().any(unknown) {
            // A peer that has lost the key is not to blame: others have it.
            (blocks, more) = (Vec::new(), false);
            self.ask_keys(to, peer);
        }
        self.step(to, Input::Blocks { peer, blocks, more });
    }

    fn ask_keys(&mut self, from: usize, peer: PeerId) {
        self.nodes[from].asked_keys += 1;
        self.say(from, peer, Frame::Keys(Vec::new()));
    }

    fn hear_ask(&mut self, to: usize, conn: PeerId, request: &BlockRequest) {
        let node = &self.nodes[to];
        let honest = node.serve(request);
        let answer = match &node.lie {
            Some(lie) => lie.twist(honest, request, node.admitted(), &self.genesis.id),
            None => Some(honest),
        };
        let Some((blocks, more)) = answer else { return };
        let keys = node.gossip.keys.all();
        let last_final = node.newest_final_of(&blocks);
        let frame = Frame::Answer {
            blocks,
            keys,
            last_final,
            more,
        };
        let bytes = frame.bytes();
        let fits = node.lie.is_some() || bytes <= MAX_FRAME as u64;
        assert!(fits, "{to} answers with {bytes} bytes");
        if matches!(node.lie, Some(Lie::Late)) {
            let to = self.other(conn, to);
            return self.schedule(self.now + LATE, Event::Frame { to, conn, frame });
        }
        self.answer(to, conn, frame);
    }

    /// An answer whose blocks may not be at hand, or whose connection may break.
    fn answer(&mut self, from: usize, conn: PeerId, mut answer: Frame) {
        if self.breaks > 0 && self.random.below(self.breaks) == 0 {
            return self.close(conn);
        }
        // Not twice in a row: two nodes of one height would keep two heads until the next block.
        let again = self.lost.remove(&conn);
        if !again && self.losses > 0 && self.random.below(self.losses) == 0 {
            self.lost.insert(conn);
            answer = Frame::Answer {
                blocks: Vec::new(),
                keys: Vec::new(),
                last_final: None,
                more: false,
            };
        }
        self.say(from, conn, answer);
    }

    /// A node sends a block over its connection to another node, whatever its machine says.
    pub fn show(&mut self, from: usize, to: usize, block: &SealedBlock) {
        let conn = self.conn_between(from, to);
        self.say(from, conn, Frame::Block(verified(block)));
    }

    /// A node sends public keys over its connection to another node.
    pub fn show_keys(&mut self, from: usize, to: usize, keys: &[PublicKey]) {
        let conn = self.conn_between(from, to);
        self.say(from, conn, Frame::Keys(keys.to_vec()));
    }

    fn conn_between(&self, from: usize, to: usize) -> PeerId {
        let mut conns = self.conns_of(from).into_iter();
        let found = conns.find(|conn| self.other(*conn, from) == to);
        found.expect("the two nodes are connected")
    }
}
