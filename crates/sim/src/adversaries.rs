//! Dishonest miners of a [`World`]: they use their own keys and the rules as they are. An
//! honest machine follows the chain for them; what they sign beside it is made here.

use crate::{
    blocks::{header, seal, verified},
    delivery::Frame,
    keys::ghost,
    lies::{Lie, Misdeed},
    node::Process,
    random::Random,
    shell::STRANGER,
    time::{START, at},
    txns::record,
    vote_lies::VoteLie,
    world::World,
};
use ccoin_core::{
    Address, BlockId, Height, StateHash, applied::Applied, block::SealedBlock,
    consensus::schedule::Schedule, execution::execute, ledger::Draft, machine::Input,
    rules::check_against_parent, transaction::VerifiedTransaction,
};
use std::sync::Arc;

/// The key with which the first node would pay for its bad blocks.
const FIRST_LIAR: u32 = 1_000;

/// How far back a branch may leave the head's.
const DEEP: u64 = 30;

/// The last block that a liar has signed into its past.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Forged {
    pub(crate) number: Height,
    pub(crate) id: BlockId,
}

/// Whether a transaction was made for a bad block.
pub(crate) fn is_a_liars(txn: &VerifiedTransaction) -> bool {
    (0..8).any(|index| ghost(FIRST_LIAR + index).address() == txn.sender())
}

impl World {
    fn misdeed(&self, index: usize) -> Option<Misdeed> {
        match self.nodes[index].lie {
            Some(Lie::Miner(misdeed)) => Some(misdeed),
            _ => None,
        }
    }

    /// A dishonest miner does what it does, if it runs.
    pub fn misbehave(&mut self, index: usize, random: &mut Random) {
        let up = self.nodes[index].process == Process::Up;
        if up && self.nodes[index].lie == Some(Lie::Votes(VoteLie::Replay)) {
            return self.repeat_votes(index, random);
        }
        let backdates = self.votes_by(index, VoteLie::Backdate);
        let misdeed = self
            .misdeed(index)
            .or(backdates.then_some(Misdeed::Backdate));
        let (true, Some(misdeed), Some(miner)) = (up, misdeed, self.nodes[index].shell.miner())
        else {
            return;
        };
        match misdeed {
            Misdeed::Withhold | Misdeed::Hide if self.nodes[index].admits.is_some() => {
                self.reveal(index);
            }
            Misdeed::Withhold | Misdeed::Hide => {
                self.nodes[index].admits = Some(self.nodes[index].view.len());
            }
            Misdeed::Twins => self.twins(index, miner, random),
            Misdeed::Backdate => self.backdate(index, miner, random),
            Misdeed::Flood => {
                let times = self.turns(miner, 0, self.clock(index));
                for time in times.into_iter().rev().take(8) {
                    for salt in ["a", "b", "c"] {
                        self.show_sibling(index, miner, time, salt, random);
                    }
                }
            }
            Misdeed::Early => {
                let now = self.clock(index);
                let ahead = [400, 1_000, 30_000][random.below(3) as usize];
                for time in self.turns(miner, now, now + ahead).into_iter().take(10) {
                    self.show_sibling(index, miner, time, "", random);
                }
            }
            Misdeed::Wrong => self.show_wrong(index, miner, random),
        }
    }

    /// Dishonest miners show what they have kept to themselves, and become honest.
    pub fn reveal_all(&mut self) {
        (0..self.nodes.len()).for_each(|index| self.reveal(index));
    }

    fn reveal(&mut self, index: usize) {
        let Some(admitted) = self.nodes[index].admits.take() else {
            return;
        };
        let view = &self.nodes[index].view;
        let from = admitted.min(view.len().saturating_sub(1));
        let kept: Vec<_> = view[from..].iter().take(20).cloned().collect();
        for block in kept {
            self.say_all(index, None, &Frame::Block(verified(&block)));
        }
    }

    /// A moment in each turn of a miner between two moments.
    fn turns(&self, miner: Address, from: u64, to: u64) -> Vec<u64> {
        let schedule = Schedule::new(&self.genesis.config);
        let slot_ms = self.genesis.config.consensus.slot_ms;
        let moments = (from..=to).step_by(slot_ms as usize / 2);
        let own = moments.filter(|time| schedule.leader(schedule.slot(at(*time))) == Some(miner));
        let mut own: Vec<_> = own.collect();
        own.dedup_by_key(|time| schedule.slot(at(*time)));
        own
    }

    /// A block that keeps every rule, or `None`. It takes some of what waits at the miner, and
    /// something of its own.
    fn forge(
        &self,
        index: usize,
        parent: &Applied,
        miner: Address,
        time: u64,
        salt: &str,
        random: &mut Random,
    ) -> Option<Arc<Applied>> {
        let machine = &self.nodes[index].shell.machine;
        let place = machine.chain().parent_context(&parent.block.id, &miner)?;
        let mut draft = Draft::new(&parent.state);
        let mut txns = Vec::new();
        let some = random.below(4) as usize;
        for txn in machine.pool().ready().take(some) {
            if draft.apply(txn).is_ok() {
                txns.push(txn.clone());
            }
        }
        let key = ghost(FIRST_LIAR + index as u32);
        let mining = &self.genesis.config.block_mining;
        let most = self.genesis.config.transaction.max_data_bytes as usize;
        while txns.len() < (mining.min_bound.max(2) as usize).min(mining.max_bound as usize) {
            let number = draft.account(&key.address()).nonce.get() + 1;
            let text = if salt.is_empty() {
                ""
            } else {
                &"x".repeat(most)
            };
            let txn = record(&self.genesis, &key, number, miner, 0, text);
            draft.apply(&txn).ok()?;
            txns.push(txn);
        }
        let mut header = header(&self.genesis, parent, miner, at(time), &txns);
        header.data = salt.into();
        check_against_parent(&header, txns.len(), &place, &self.genesis).ok()?;
        let block = seal(&self.genesis, header, None, txns);
        execute(block, &parent.state, &self.genesis)
            .ok()
            .map(Arc::new)
    }

    /// Its own machine takes it, and shows it if it is the best.
    fn keep(&mut self, index: usize, block: &SealedBlock) -> bool {
        let (peer, id, block) = (STRANGER, block.id, verified(block));
        self.step(index, Input::Block { peer, block });
        self.nodes[index].shell.machine.chain().get(&id).is_some()
    }

    /// Another child of a recent block, shown to all peers or to some.
    fn show_sibling(
        &mut self,
        index: usize,
        miner: Address,
        time: u64,
        salt: &str,
        random: &mut Random,
    ) {
        let main = self.nodes[index].shell.machine.chain().canonical();
        let back = random.below(3) as usize;
        let parent = Arc::clone(&main[main.len().saturating_sub(1 + back)]);
        if parent.block.header().number.get() < self.floor {
            return;
        }
        let Some(forged) = self.forge(index, &parent, miner, time, salt, random) else {
            return;
        };
        let sides = random.draw() | random.draw();
        let peers: Vec<_> = self.nodes[index].feeds.keys().copied().collect();
        for peer in peers {
            if sides >> (peer % 64) & 1 == 1 {
                self.say(index, peer, Frame::Block(verified(&forged.block)));
            }
        }
    }

    /// One more block for the turn of its newest one, shown to half of its peers.
    fn twins(&mut self, index: usize, miner: Address, random: &mut Random) {
        let main = self.nodes[index].shell.machine.chain().canonical();
        let own = main.iter().rev().take(3).zip(main.iter().rev().skip(1));
        let own = own
            .map(|(block, parent)| (Arc::clone(block), Arc::clone(parent)))
            .find(|(block, _)| block.block.header().coinbase == miner);
        let Some((block, parent)) = own else {
            return;
        };
        if parent.block.header().number.get() < self.floor {
            return;
        }
        let time = block.block.header().time.get() - START;
        let twin = self.forge(index, &parent, miner, time + random.below(3), "t", random);
        let Some(twin) = twin else { return };
        let peers: Vec<_> = self.nodes[index].feeds.keys().copied().collect();
        for peer in peers {
            if random.below(2) == 0 {
                self.say(index, peer, Frame::Block(verified(&twin.block)));
            }
        }
        if random.below(2) == 0 {
            self.keep(index, &twin.block);
        }
    }

    /// A branch from some way back through its own turns since then.
    fn backdate(&mut self, index: usize, miner: Address, random: &mut Random) {
        let main = self.nodes[index].shell.machine.chain().canonical();
        let back = random.below(DEEP.min(main.len() as u64)) as usize;
        let mut tip = Arc::clone(&main[main.len() - 1 - back]);
        if tip.block.header().number.get() < self.floor {
            return;
        }
        let from = tip.block.header().time.get() - START;
        let tells = random.below(2) == 0;
        let now = self.clock(index);
        for time in self.turns(miner, from + 1_000, now).into_iter().take(12) {
            if random.below(4) == 0 {
                continue;
            }
            let Some(next) = self.forge(index, &tip, miner, time, "", random) else {
                continue;
            };
            if !self.keep(index, &next.block) {
                return;
            }
            if tells {
                self.say_all(index, None, &Frame::Block(verified(&next.block)));
            }
            let header = next.block.header();
            let forged = Forged {
                number: header.number,
                id: next.block.id,
            };
            self.forged.insert(index, (forged, 0));
            tip = next;
        }
    }

    fn show_wrong(&mut self, index: usize, miner: Address, random: &mut Random) {
        let head = Arc::clone(self.nodes[index].shell.machine.chain().head());
        let now = self.clock(index);
        let Some(time) = self.turns(miner, now.saturating_sub(8_000), now).pop() else {
            return;
        };
        let Some(good) = self.forge(index, &head, miner, time, "", random) else {
            return;
        };
        let mut header = good.block.header().clone();
        match random.below(3) {
            0 => header.hash_state = StateHash::ZERO,
            1 => header.time = head.block.header().time,
            _ => header.number = head.block.header().number,
        }
        let wrong = seal(&self.genesis, header, None, good.block.transactions.clone());
        self.say_all(index, None, &Frame::Block(verified(&wrong)));
    }
}
