//! A machine with a disk that remembers what was written, a miner that finds every nonce at
//! once, and a key. It carries out steps in their binding order and never decides anything.

use crate::{
    keys::key,
    network::Network,
    time::{START, at},
    trace,
};
use ccoin_core::{
    Address, BlockId, Height, MonoTime, Now, PowNonce, Timestamp,
    applied::Applied,
    block::SealedBlock,
    chain::{Score, Window},
    consensus::{
        certificate::{Certificate, VerifiedCertificate},
        vote::{Phase, Proposed, SignedVote, VerifiedVote, Vote},
        voter_record::{Standing, VoterRecord},
    },
    genesis::Genesis,
    machine::{
        Ask, Input, Machine, PeerId, PlaceholderText, Publish, SealMark, Start, Step, Write,
    },
    pow::Midstate,
    rules::BlockError,
    transaction::VerifiedTransaction,
};
use ccoin_crypto::{Hash, Signature};
use std::{collections::BTreeSet, sync::Arc};

/// The sender of blocks that a test hands in by itself: a connection without a handshake.
pub const STRANGER: PeerId = 0;

/// A node: the machine, what is on its disk, and what it has told the world.
pub struct Shell {
    pub machine: Machine,
    /// How much its chain keeps in memory.
    window: Window,
    pub genesis: Arc<Genesis>,
    /// Position among the miners; `None`: it only follows.
    index: Option<usize>,
    /// Whether `Mine` is answered by itself.
    pub mines: bool,
    /// Whether `Sign` is answered by itself.
    pub signs: bool,
    /// Whether a filler takes the place of signatures.
    fills: bool,
    /// What it has asked, in order.
    pub asks: Vec<Ask>,
    /// What became visible and no part of the shell has used up, in order.
    pub published: Vec<Publish>,
    pub mark: SealMark,
    pub log: Vec<SealedBlock>,
    /// Blocks of the log that came late.
    pub(crate) late: BTreeSet<BlockId>,
    /// Certificates in the log, each behind so many blocks.
    pub certificates: Vec<(usize, Certificate)>,
    /// What the key has voted.
    pub record: VoterRecord,
    /// All votes that the key has signed, across restarts.
    pub votes: Vec<Vote>,
    /// Final blocks that readers have seen, in order.
    pub finals: Vec<Proposed>,
    pub alarmed: bool,
    /// Where a restart begins, and how much of the log lies before.
    pub checkpoint: Option<(Arc<Applied>, Score, usize)>,
    pub pool_log: Vec<(Timestamp, VerifiedTransaction)>,
    /// Names of all writes and publications in the order in which they were carried out.
    pub trace: Vec<&'static str>,
    /// Everything signed, with the mark under which it was.
    pub signed: Vec<(SealMark, Hash)>,
    /// Blocks made here and not yet collected.
    pub made: Vec<SealedBlock>,
    pub dropped: Vec<VerifiedTransaction>,
    /// The monotonic clock: it never goes back, whatever moment an input names.
    mono: MonoTime,
}

impl Shell {
    /// A node of miner `index` with an empty disk.
    #[must_use]
    pub fn new(genesis: &Arc<Genesis>, index: usize) -> Self {
        Self::with(genesis, Some(index), false)
    }

    /// A node whose blocks carry a filler instead of a signature.
    #[must_use]
    pub fn unsigned(genesis: &Arc<Genesis>, index: Option<usize>) -> Self {
        Self::with(genesis, index, true)
    }

    fn with(genesis: &Arc<Genesis>, index: Option<usize>, fills: bool) -> Self {
        Self {
            machine: boot(
                genesis,
                index,
                (SealMark::default(), never_voted(genesis)),
                None,
                Window::default(),
            ),
            window: Window::default(),
            genesis: Arc::clone(genesis),
            index,
            mines: true,
            signs: true,
            fills,
            asks: Vec::new(),
            published: Vec::new(),
            mark: SealMark::default(),
            log: Vec::new(),
            late: BTreeSet::new(),
            certificates: Vec::new(),
            record: never_voted(genesis),
            votes: Vec::new(),
            finals: Vec::new(),
            alarmed: false,
            checkpoint: None,
            pool_log: Vec::new(),
            trace: Vec::new(),
            signed: Vec::new(),
            made: Vec::new(),
            dropped: Vec::new(),
            mono: MonoTime::default(),
        }
    }

    /// A node of a [`crate::World`], which does the work.
    pub(crate) fn of_world(genesis: &Arc<Genesis>, index: Option<usize>) -> Self {
        Self {
            mines: false,
            signs: false,
            ..Self::with(genesis, index, true)
        }
    }

    /// Bounds the memory of its chain from the next start on.
    pub fn set_window(&mut self, window: Window) {
        self.window = window;
    }

    /// Kills the node and starts it again from its disk, long after its last block.
    pub fn restart(&mut self) {
        self.restart_at(Timestamp::MAX.get() - START);
    }

    /// Kills the node and starts it again from its disk.
    pub fn restart_at(&mut self, after_ms: u64) {
        let checkpoint = self.checkpoint.clone();
        let before = checkpoint.as_ref().map_or(0, |(_, _, before)| *before);
        let root = checkpoint.map(|(block, score, _)| (block, score));
        // A small memory forgets the worst of the other branches, in another order than before.
        let may_miss = root.is_some() || self.window != Window::default();
        if self.mark == SealMark::default() {
            self.mark = self.newest_own_block();
        }
        let signed = (self.mark, self.record);
        self.machine = boot(&self.genesis, self.index, signed, root, self.window);
        self.published.clear();
        let mut certificates = self.certificates.iter().peekable();
        for place in before..=self.log.len() {
            while let Some((_, certificate)) = certificates.next_if(|(at, _)| *at <= place) {
                self.machine.replay_certificate(certificate.clone());
            }
            let Some(block) = self.log.get(place) else {
                break;
            };
            let path = self.machine.chain().bare_path(&block.header().hash_parent);
            for bare in self.logged(&path) {
                let replayed = self.machine.replay(bare, true);
                replayed.expect("it was executed before");
            }
            match self
                .machine
                .replay(block.clone(), !self.late.contains(&block.id))
            {
                Err(BlockError::Parent(_) | BlockError::Settled { .. }) if may_miss => {}
                replayed => replayed.expect("the log is this chain's"),
            }
        }
        self.machine
            .requeue(self.now(after_ms), self.pool_log.clone());
    }

    /// The address that it mines with.
    pub fn miner(&self) -> Option<Address> {
        self.index.map(|index| self.genesis.config.miners[index])
    }

    /// Both clocks at a moment of the wall clock.
    pub fn now(&self, after_ms: u64) -> Now {
        Now {
            wall: at(after_ms),
            mono: self.mono.max(MonoTime(after_ms)),
        }
    }

    /// One input at `after_ms`, and all that follows from it at the same moment.
    pub fn input(&mut self, after_ms: u64, input: Input) {
        self.input_at(self.now(after_ms), input);
    }

    /// The same at a moment of two clocks that need not agree.
    pub fn input_at(&mut self, now: Now, input: Input) {
        self.mono = now.mono;
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            let Step {
                ask,
                write,
                publish,
            } = self.machine.step(now, input);
            self.asks.extend(ask);
            for write in write {
                self.write(write);
            }
            for publish in publish {
                inputs.extend(self.publish(publish));
            }
        }
    }

    pub fn tick(&mut self, after_ms: u64) {
        self.input(after_ms, Input::Tick);
    }

    pub fn submit(&mut self, after_ms: u64, txns: &[VerifiedTransaction]) {
        let input = Input::Submit {
            ticket: 0,
            txns: txns.to_vec(),
            from: None,
        };
        self.input(after_ms, input);
    }

    pub fn block(&mut self, after_ms: u64, block: &SealedBlock) {
        let input = Input::Block {
            peer: STRANGER,
            block: crate::verified(block),
        };
        self.input(after_ms, input);
    }

    /// Brings a record to the disk; the block, if it was made here.
    pub fn write(&mut self, write: Write) -> Option<(Height, BlockId)> {
        self.trace.push(trace::of_write(&write));
        match write {
            Write::Transactions { arrived, txns } => {
                let txns = txns.into_iter().map(|txn| (arrived, txn));
                self.pool_log.extend(txns);
            }
            Write::Dropped(dropped) => {
                let ids: Vec<_> = dropped.iter().map(|(txn, _)| *txn.id()).collect();
                self.pool_log.retain(|(_, txn)| !ids.contains(txn.id()));
            }
            Write::SealMark(mark) => self.mark = mark,
            Write::Certificate(certificate) => {
                let place = self.log.len();
                self.certificates.push((place, (*certificate).clone()));
            }
            Write::VoterRecord(record) => {
                let recovers = |standing| matches!(standing, Standing::Recovering(_));
                let begins = recovers(record.standing) && !recovers(self.record.standing);
                let goes_on = record.max_vote1 >= self.record.max_vote1
                    && (begins || record.lock.ballot >= self.record.lock.ballot);
                assert!(goes_on, "I5: {:?} became {record:?}", self.record);
                self.record = record;
            }
            Write::Evidence(_) => {}
            Write::Block {
                applied, timely, ..
            } => {
                if !timely {
                    self.late.insert(applied.block.id);
                }
                let block = &applied.block;
                self.log.push(block.clone());
                if self.signed.iter().any(|(_, id)| *id == block.id.into()) {
                    self.made.push(block.clone());
                    return Some((block.header().number, block.id));
                }
            }
        }
        None
    }

    /// Makes something visible; what the miner or the key answer at once.
    pub fn publish(&mut self, publish: Publish) -> Option<Input> {
        self.trace.push(trace::of_publish(&publish));
        match publish {
            Publish::Mine {
                job,
                mining_hash,
                difficulty,
            } if self.mines => {
                let nonce =
                    Midstate::new(&mining_hash).search(difficulty, PowNonce::ZERO, u64::MAX)?;
                return Some(Input::Mined { job, nonce });
            }
            Publish::Sign { job, message } if self.signs => {
                self.signed.push((self.mark, message));
                let index = self.index.expect("a node that only follows signs nothing");
                let signature = if self.fills {
                    Signature::new(&[0xab; 256]).expect("not too long")
                } else {
                    key(index).sign(&message).expect("a fresh key signs")
                };
                return Some(Input::Signed { job, signature });
            }
            Publish::SignVote { vote, justify } if self.signs => {
                return Some(self.sign_vote(vote, justify));
            }
            Publish::Final(certificate) => self.finals.push(certificate.block()),
            Publish::SafetyAlarm { .. } => self.alarmed = true,
            Publish::Head { dropped, .. } => {
                self.dropped.extend(dropped.into_iter().map(|(txn, _)| txn));
            }
            other => self.published.push(other),
        }
        None
    }

    /// The key signs a vote; its record must allow it.
    pub(crate) fn sign_vote(&mut self, vote: Vote, justify: Option<VerifiedCertificate>) -> Input {
        let allowed = match vote.phase {
            Phase::One => self.record.max_vote1 >= vote.block.ballot,
            Phase::Two => self.record.lock.ballot >= vote.block.ballot,
        };
        assert!(allowed, "the record on disk does not allow {vote:?}");
        self.votes.push(vote);
        let index = self.index.expect("a node that only follows signs nothing");
        let signature = if self.fills {
            Signature::new(&[0xcd; 256]).expect("not too long")
        } else {
            let digest = vote.digest(&self.genesis.id);
            key(index).sign(&digest).expect("a fresh key signs")
        };
        let vote = VerifiedVote::already_verified(SignedVote { vote, signature });
        Input::VoteSigned { vote, justify }
    }

    pub fn is_validator(&self) -> bool {
        self.index.is_some()
    }

    /// Position of its key among the miners.
    pub(crate) fn index(&self) -> Option<usize> {
        self.index
    }

    /// A long run of many nodes keeps its disks, and nothing else.
    pub(crate) fn forget_what_tests_look_at(&mut self) {
        self.trace.clear();
        self.published.clear();
        self.made.clear();
        self.dropped.clear();
    }
}

/// A network and the node of its first miner.
#[must_use]
pub fn node(network: &Network) -> (Shell, Arc<Genesis>) {
    let genesis = network.found();
    (Shell::new(&genesis, 0), genesis)
}

fn boot(
    genesis: &Arc<Genesis>,
    index: Option<usize>,
    (last_sealed, record): (SealMark, VoterRecord),
    checkpoint: Option<(Arc<Applied>, Score)>,
    window: Window,
) -> Machine {
    let start = Start {
        genesis: Arc::clone(genesis),
        checkpoint,
        miner: index.map(|index| genesis.config.miners[index]),
        last_sealed,
        voter_record: index.map(|_| record),
        block_text: PlaceholderText::Fixed(String::new()),
    };
    Machine::with_window(start, window)
}

/// The record of a key that has never voted.
fn never_voted(genesis: &Genesis) -> VoterRecord {
    VoterRecord::never_voted(genesis.id)
}
