//! What must hold of votes and final blocks, judged from all signatures in existence.

use crate::{time::at, timeline::short, world::World};
use ccoin_core::{
    BlockId, Height,
    consensus::{
        ballot::Ballot,
        vote::{Phase, Proposed, Vote, VoterIndex},
    },
};
use std::collections::{BTreeMap, BTreeSet};

/// Number and parent of each block.
type Parents = BTreeMap<BlockId, (Height, BlockId)>;

/// Voters for each block under each ballot, in one phase.
type Voters = BTreeMap<(Ballot, BlockId), BTreeSet<VoterIndex>>;

impl World {
    /// I1 to I4: one final branch, no certificate beside it, no key that voted twice.
    pub fn assert_finality(&self) {
        let parents = self.parents();
        let finals = self.final_blocks(&parents);
        for pair in finals.windows(2) {
            let [lower, higher] = [&pair[0], &pair[1]];
            assert!(
                extends(&parents, higher, lower),
                "I1: {} is final and does not extend {}, which is final, too",
                block_name(higher),
                block_name(lower)
            );
        }
        for (index, node) in self.honest() {
            let name = self.name(index);
            assert!(!node.shell.alarmed, "{name} raised the alarm");
            for pair in node.shell.finals.windows(2) {
                let [before, after] = [&pair[0], &pair[1]];
                // After a restart a certificate may be told again.
                assert!(
                    after.ballot >= before.ballot || extends(&parents, before, after),
                    "I3: final of {name} went from {} to {}",
                    block_name(before),
                    block_name(after)
                );
            }
            let mut given: BTreeMap<(Phase, Ballot), BlockId> = BTreeMap::new();
            for vote in &node.shell.votes {
                let turn = (vote.phase, vote.block.ballot);
                let first = *given.entry(turn).or_insert(vote.block.id);
                assert!(
                    first == vote.block.id,
                    "I4: {name} voted for two blocks in {turn:?}"
                );
            }
        }
        let quorum = self.genesis.config.consensus.quorum as usize;
        let voters = self.voters(Phase::One);
        let certified = voters.iter().filter(|(_, voters)| voters.len() >= quorum);
        for ((ballot, id), _) in certified {
            let below = finals.iter().rev().find(|last| last.ballot <= *ballot);
            let (Some(below), Some((number, _))) = (below, parents.get(id)) else {
                continue;
            };
            let block = Proposed {
                ballot: *ballot,
                number: *number,
                id: *id,
            };
            assert!(
                extends(&parents, &block, below),
                "I2: {} is certified beside {}, which is final",
                block_name(&block),
                block_name(below)
            );
        }
    }

    /// Blocks that any honest node has called final, or that have a quorum of votes 2, in the
    /// order of ballots.
    fn final_blocks(&self, parents: &Parents) -> Vec<Proposed> {
        let told = self.honest().flat_map(|(_, node)| &node.shell.finals);
        let mut found: Vec<Proposed> = told.copied().collect();
        let quorum = self.genesis.config.consensus.quorum as usize;
        for ((ballot, id), voters) in self.voters(Phase::Two) {
            if let (true, Some((number, _))) = (voters.len() >= quorum, parents.get(&id)) {
                let number = *number;
                found.push(Proposed { ballot, number, id });
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// All votes that were ever signed.
    fn voters(&self, phase: Phase) -> Voters {
        let mut voters = Voters::new();
        let votes = self.nodes.iter().flat_map(|node| &node.shell.votes);
        let votes = votes.chain(&self.second_votes);
        for Vote { block, voter, .. } in votes.filter(|vote| vote.phase == phase) {
            let key = (block.ballot, block.id);
            voters.entry(key).or_default().insert(*voter);
        }
        voters
    }

    /// Number and parent of every block on any disk.
    fn parents(&self) -> Parents {
        let logs = self.nodes.iter().flat_map(|node| &node.shell.log);
        let first = self.genesis.applied().block;
        let blocks = logs.chain(std::iter::once(&first));
        blocks
            .map(|block| {
                let header = block.header();
                (block.id, (header.number, header.hash_parent))
            })
            .collect()
    }

    /// With a quorum of honest validators everything becomes final (I7), within a turn of two
    /// leaders.
    pub(crate) fn lacks_finality(&self) -> Option<String> {
        let consensus = &self.genesis.config.consensus;
        let honest = self.honest().filter(|(_, node)| node.shell.is_validator());
        if honest.count() < consensus.quorum as usize {
            return None;
        }
        let patience = 2 * consensus.slot_ms;
        self.honest().find_map(|(index, _)| {
            let (number, waits) = self.oldest_unfinal(index)?;
            let name = self.name(index);
            (waits > patience).then(|| format!("{name}: block {number} is not final"))
        })
    }

    /// The oldest block of a node's branch that is not final there, and how many ms ago it was
    /// made.
    pub(crate) fn oldest_unfinal(&self, index: usize) -> Option<(Height, u64)> {
        let machine = &self.nodes[index].shell.machine;
        let mut canonical = machine.chain().canonical().iter();
        let last_final = machine.last_final().number;
        let oldest = canonical.find(|block| block.block.header().number > last_final)?;
        let header = oldest.block.header();
        let waits = at(self.now).get().saturating_sub(header.time.get());
        Some((header.number, waits))
    }
}

/// A block as a person finds it in the timeline.
fn block_name(block: &Proposed) -> String {
    format!("block {} ...{}", block.number, short(&block.id))
}

/// Whether `block` is `base` or a descendant of it. What is on no disk any more was never
/// seen by anybody.
fn extends(parents: &Parents, block: &Proposed, base: &Proposed) -> bool {
    let mut cursor = block.id;
    while let Some((number, parent)) = parents.get(&cursor) {
        if *number <= base.number {
            return cursor == base.id;
        }
        cursor = *parent;
    }
    cursor == base.id
}
