//! A network of nodes in virtual time: links with delay that keep their order, silence,
//! kills, hangs and partitions. What nodes say to each other is what their machines and the
//! shipped gossip say; nothing here decides for them.

use crate::{
    adversaries::Forged,
    coverage::{Coverage, Watched},
    delivery::Frame,
    keys::{ghost, ghost_miner_key, key},
    latency::Latency,
    links::{Conn, Link},
    node::{Node, Process},
    payments::Payments,
    random::Random,
    time::at,
    timeline::Timeline,
    vote_lies::VoteLie,
};
use bytes::Bytes;
use ccoin_core::{
    BlockId, MonoTime, Now, PowNonce,
    block::VerifiedBlock,
    consensus::{schedule::Slot, vote::Vote},
    genesis::Genesis,
    machine::{Input, JobId, PeerId},
    message::Message,
};
use ccoin_crypto::{PublicKey, Signature};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

/// How often a peer that is not connected is dialled again.
const RECONNECT: u64 = 500;
/// The key of the first node, if it is no miner.
const FIRST_FOLLOWER: u32 = 4_000;
/// A node never sleeps longer.
const LONGEST_SLEEP: u64 = 1_000;

/// How often nodes compare their clocks with their peers', in ms.
const CLOCKS: u64 = 2_000;

/// What happens to a node, or to the wires.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "few exist at a time")]
pub(crate) enum Event {
    Clocks,
    Joined {
        to: usize,
        conn: PeerId,
    },
    Left {
        to: usize,
        conn: PeerId,
    },
    Frame {
        to: usize,
        conn: PeerId,
        frame: Frame,
    },
    /// A part of a long answer has arrived.
    Receiving {
        to: usize,
        conn: PeerId,
    },
    Wake {
        to: usize,
    },
    Written {
        to: usize,
        life: u32,
    },
    Mined {
        to: usize,
        life: u32,
        job: JobId,
        nonce: PowNonce,
    },
    Signed {
        to: usize,
        life: u32,
        job: JobId,
        signature: Signature,
    },
    VoteSigned {
        to: usize,
        life: u32,
        input: Box<Input>,
    },
    Silence {
        conn: PeerId,
        since: u64,
    },
    Reconnect,
}

/// All nodes, all links, and what is on its way.
pub struct World {
    pub genesis: Arc<Genesis>,
    /// What was said about final blocks lately.
    pub(crate) heard: VecDeque<Box<Message>>,
    /// Votes that liars have signed beside those of their machines.
    pub(crate) second_votes: Vec<Vote>,
    /// The newest forged block of each liar, and how often it was proposed.
    pub(crate) forged: BTreeMap<usize, (Forged, u64)>,
    /// The newest slot of each liar in which it has proposed too often.
    pub(crate) flooded: BTreeMap<usize, Slot>,
    /// How often what the soak must show has happened.
    pub coverage: Coverage,
    /// What of each node's votes the coverage is told from.
    pub(crate) watched: Vec<Watched>,
    pub timeline: Timeline,
    pub nodes: Vec<Node>,
    pub now: u64,
    /// Public keys of the miners, in genesis order.
    pub(crate) keys: Vec<PublicKey>,
    pub(crate) links: Vec<Link>,
    pub(crate) conns: BTreeMap<PeerId, Conn>,
    queue: BTreeMap<(u64, u64), Event>,
    pub(crate) counted: u64,
    /// Greatest extra delay of a frame.
    pub jitter: u64,
    pub random: Random,
    /// How long work takes.
    pub latency: Latency,
    /// One answer of so many breaks its connection; 0: none.
    pub breaks: u64,
    /// One answer of so many is empty, because its blocks are not at hand; 0: none.
    pub losses: u64,
    /// Connections whose last answer was lost.
    pub(crate) lost: BTreeSet<PeerId>,
    pub(crate) payments: Payments,
    /// Blocks that wait at some node for a key, by their bytes.
    pub(crate) parked: BTreeMap<Bytes, VerifiedBlock>,
    /// No branch leaves before this number: checkpoints lie there.
    pub(crate) floor: u64,
    /// Whether clocks are set wrong and right again.
    pub jumps: bool,
    /// No block is dated later by such a clock.
    pub latest: u64,
}

impl World {
    /// Nodes without links that have not started; the first `validators` make blocks.
    #[must_use]
    pub fn new(genesis: &Arc<Genesis>, validators: usize, nodes: usize) -> Self {
        let node = |index| Node::new(genesis, (index < validators).then_some(index));
        Self {
            genesis: Arc::clone(genesis),
            heard: VecDeque::new(),
            second_votes: Vec::new(),
            forged: BTreeMap::new(),
            flooded: BTreeMap::new(),
            coverage: Coverage::default(),
            watched: (0..nodes).map(|_| Watched::default()).collect(),
            timeline: Timeline::default(),
            nodes: (0..nodes).map(node).collect(),
            now: 0,
            keys: (0..validators)
                .map(|index| miner_key(genesis, index))
                .collect(),
            links: Vec::new(),
            conns: BTreeMap::new(),
            queue: BTreeMap::from([((0, 0), Event::Reconnect), ((0, 1), Event::Clocks)]),
            counted: 0,
            jitter: 0,
            random: Random(1),
            latency: Latency::default(),
            breaks: 0,
            losses: 0,
            lost: BTreeSet::new(),
            payments: Payments::default(),
            parked: BTreeMap::new(),
            floor: 1,
            jumps: false,
            latest: 0,
        }
    }

    /// All nodes started, each linked with each.
    #[must_use]
    pub fn mesh(genesis: &Arc<Genesis>, validators: usize, nodes: usize) -> Self {
        let mut world = Self::new(genesis, validators, nodes);
        for b in 0..nodes {
            (0..b).for_each(|a| world.link(a, b, 20));
        }
        (0..nodes).for_each(|node| world.start(node));
        world
    }

    pub(crate) fn schedule(&mut self, at: u64, event: Event) {
        self.counted += 1;
        self.queue.insert((at, self.counted), event);
    }

    /// Time passes.
    pub fn run_until(&mut self, end: u64) {
        while let Some(next) = self.queue.first_entry().filter(|next| next.key().0 <= end) {
            self.now = next.key().0;
            let event = next.remove();
            self.happen(event);
        }
        self.now = end;
    }

    pub(crate) fn happen(&mut self, event: Event) {
        match &event {
            Event::Reconnect => {
                self.reconnect();
                return self.schedule(self.now + RECONNECT, Event::Reconnect);
            }
            Event::Silence { conn, since } => return self.silence(*conn, *since),
            Event::Clocks => {
                self.compare_clocks();
                self.watch_orders();
                return self.schedule(self.now + CLOCKS, Event::Clocks);
            }
            Event::Wake { to }
            | Event::Written { to, .. }
            | Event::Mined { to, .. }
            | Event::Signed { to, .. }
            | Event::VoteSigned { to, .. }
            | Event::Joined { to, .. }
            | Event::Left { to, .. }
            | Event::Receiving { to, .. }
            | Event::Frame { to, .. } => match self.nodes[*to].process {
                Process::Hung if !matches!(event, Event::Wake { .. }) => {
                    return self.nodes[*to].backlog.push_back(event);
                }
                Process::Down | Process::Hung => return,
                Process::Up => {}
            },
        }
        match event {
            Event::Wake { to } if self.nodes[to].wake == self.now => self.wake(to),
            Event::Joined { to, conn } => self.joined(to, conn),
            Event::Left { to, conn } if self.nodes[to].feeds.remove(&conn).is_some() => {
                self.nodes[to].gossip.on_peer_left(conn);
                self.step(to, Input::PeerLeft { peer: conn });
            }
            Event::Frame { to, conn, frame } if self.nodes[to].feeds.contains_key(&conn) => {
                self.hear(to, conn, frame);
            }
            Event::Receiving { to, conn } if self.nodes[to].feeds.contains_key(&conn) => {
                self.step(to, Input::Receiving { peer: conn });
            }
            Event::Written { to, life } if self.nodes[to].life == life => self.publish_written(to),
            Event::Mined {
                to,
                life,
                job,
                nonce,
            } if self.nodes[to].life == life => self.step(to, Input::Mined { job, nonce }),
            Event::Signed {
                to,
                life,
                job,
                signature,
            } if self.nodes[to].life == life => self.step(to, Input::Signed { job, signature }),
            Event::VoteSigned { to, life, input } if self.nodes[to].life == life => {
                self.step(to, *input);
            }
            _ => {}
        }
    }

    /// Every node learns how the clocks of its peers differ from its own.
    fn compare_clocks(&mut self) {
        for index in 0..self.nodes.len() {
            let conns: Vec<_> = self.nodes[index].feeds.keys().copied().collect();
            for conn in conns {
                self.compare_clock(index, conn);
            }
        }
    }

    /// A node learns how a peer's clock differs from its own, if it hears it.
    pub(crate) fn compare_clock(&mut self, index: usize, conn: PeerId) {
        let other = self.other(conn, index);
        let hears = [index, other].map(|node| self.nodes[node].process == Process::Up);
        let cut = self.links[self.conns[&conn].link].cut_since.is_some();
        if hears == [true, true] && !cut {
            let offset_ms = self.nodes[other].skew - self.nodes[index].skew;
            let input = Input::ClockOffset {
                peer: conn,
                offset_ms,
            };
            self.step(index, input);
        }
    }

    pub(crate) fn wake(&mut self, index: usize) {
        self.step(index, Input::Tick);
        if self.votes_by(index, VoteLie::Backdate) {
            self.propose_forged(index);
        }
        if self.votes_by(index, VoteLie::Flood) {
            self.propose_many(index);
        }
    }

    /// One input of one machine, and all that follows from it.
    pub fn step(&mut self, index: usize, input: Input) {
        let now = self.now_at(index);
        let heard = self.watch_input(index, &input);
        let node = &mut self.nodes[index];
        let step = node.shell.machine.step(now, input);
        let wait = node.shell.machine.wake_in(now).unwrap_or(LONGEST_SLEEP);
        let wake = self.now + wait.clamp(1, LONGEST_SLEEP);
        node.wake = wake;
        self.schedule(wake, Event::Wake { to: index });
        self.judge_drops(index, &step.publish);
        self.watch_step(index, heard, &step);
        self.carry_out(index, step);
        for (peer, frame) in self.nodes[index].feed(now.mono) {
            self.say(index, peer, frame);
        }
    }

    /// Both clocks of a node.
    pub(crate) fn now_at(&self, index: usize) -> Now {
        Now {
            wall: at(self.clock(index)),
            mono: MonoTime(self.now),
        }
    }

    /// The public key that a node proves in handshakes.
    #[must_use]
    pub fn public_key(&self, index: usize) -> PublicKey {
        let follower = || ghost(FIRST_FOLLOWER + index as u32);
        let miner = self.nodes[index].shell.index();
        let key = miner.and_then(|miner| self.keys.get(miner));
        key.cloned().unwrap_or_else(follower)
    }

    /// The miners' keys that a node knows.
    #[must_use]
    pub fn keys_of(&self, index: usize) -> Vec<PublicKey> {
        self.nodes[index].gossip.keys.all()
    }

    /// What a node's clock shows, in ms after the start.
    pub(crate) fn clock(&self, index: usize) -> u64 {
        self.now.saturating_add_signed(self.nodes[index].skew)
    }

    #[must_use]
    pub fn head(&self, index: usize) -> BlockId {
        self.nodes[index].shell.machine.chain().head().block.id
    }
}

/// The key of a miner: a ghost's or a real one.
fn miner_key(genesis: &Genesis, index: usize) -> PublicKey {
    let ghost = ghost_miner_key(index);
    if ghost.address() == genesis.config.miners[index] {
        ghost
    } else {
        key(index).public_key().clone()
    }
}
