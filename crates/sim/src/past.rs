//! What a [`World`] starts from: a chain that all nodes have, and checkpoints.

use crate::{
    blocks::child, keys::ghost, node::Node, random::Random, time::at, txns::give_from, world::World,
};
use ccoin_core::consensus::schedule::Schedule;
use std::sync::Arc;

/// Who pays for the blocks of the past.
const ANCIENT: u32 = 2_000;
/// A turn or more between two of them.
const GAP: u64 = 2_500;
/// What has been everybody's chain for a shorter time may still be left: a clock may have
/// been ahead.
const UNSETTLED: u64 = 120_000;

impl World {
    /// Gives all nodes, before they start, the same so many blocks.
    pub fn grow(&mut self, count: u64) {
        let schedule = Schedule::new(&self.genesis.config);
        let mut tip = Arc::new(self.genesis.applied());
        for number in 1..=count {
            let time = number * GAP;
            let leader = schedule.leader(schedule.slot(at(time))).expect("a miner");
            let txn = give_from(&self.genesis, &ghost(ANCIENT), number);
            tip = child(&self.genesis, &tip, leader, time, &[txn]);
            for node in &mut self.nodes {
                node.shell.log.push(tip.block.clone());
            }
        }
    }

    /// A node writes a checkpoint. The machine's anchor is block 1 as long as a chain is short: a
    /// nearer block is as good if no branch leaves before it.
    pub fn checkpoint(&mut self, index: usize, random: &mut Random) {
        let settled = |place: usize| {
            let id = self.nodes[index].view[place].id;
            let agreed = |node: &Node| {
                let number = self.nodes[index].view[place].header().number;
                let decided = node.shell.machine.chain().canonical_at(number);
                let same = node.view.get(place).is_some_and(|block| block.id == id);
                same && decided.is_none_or(|decided| decided == id)
                    && node.since[place] + UNSETTLED < self.now
            };
            self.nodes.iter().all(agreed)
        };
        let view = &self.nodes[index].view;
        let newest = (0..view.len()).rev().find(|place| settled(*place));
        let Some(newest) = newest.filter(|newest| *newest > 0) else {
            return;
        };
        let place = newest - random.below(5.min(newest as u64)) as usize;
        let node = &mut self.nodes[index];
        let id = node.view[place].id;
        let chain = node.shell.machine.chain();
        let record = node.shell.log.iter().position(|block| block.id == id);
        if let (Some(block), Some(score), Some(record)) = (chain.get(&id), chain.score(&id), record)
        {
            let before = record + 1;
            node.shell.checkpoint = Some((Arc::clone(block), score.clone(), before));
            self.floor = self.floor.max(place as u64 + 1);
        }
    }

    /// When what the clock that is most ahead dates now is no longer of the future.
    #[must_use]
    pub fn future(&self) -> u64 {
        let ahead = self.nodes.iter().map(|node| node.skew.max(0) as u64).max();
        self.now + ahead.unwrap_or(0)
    }
}
