//! What the log of a node shows.

use crate::{shell::Shell, time::START};
use ccoin_core::{BlockId, Height, applied::Applied, block::SealedBlock, machine::SealMark};
use std::{collections::BTreeMap, sync::Arc};

impl Shell {
    /// Whether a block of the log came in time.
    pub(crate) fn is_timely(&self, id: &BlockId) -> bool {
        !self.late.contains(id)
    }

    /// Puts what is on its disk on another one.
    pub(crate) fn copy_disk_to(&self, other: &mut Self) {
        other.log.clone_from(&self.log);
        other.late.clone_from(&self.late);
        other.certificates.clone_from(&self.certificates);
        other.pool_log.clone_from(&self.pool_log);
        other.checkpoint.clone_from(&self.checkpoint);
        (other.mark, other.record) = (self.mark, self.record);
    }

    /// The mark of a node whose log a test has put in place: it has made its blocks itself.
    pub(crate) fn newest_own_block(&self) -> SealMark {
        let own = |block: &&SealedBlock| Some(block.header().coinbase) == self.miner();
        let newest = self.log.iter().filter(own).map(|block| SealMark {
            slot: self.genesis.schedule.slot(block.header().time),
            number: block.header().number,
        });
        newest.max().unwrap_or_default()
    }

    /// The head's branch from block 1 on; what lies below the window comes from the log.
    pub fn canonical(&self) -> Vec<SealedBlock> {
        let newest = self.machine.chain().canonical().iter();
        let mut branch: Vec<_> = newest.rev().map(|applied| applied.block.clone()).collect();
        let records: BTreeMap<_, _> = self.log.iter().map(|block| (block.id, block)).collect();
        while let Some(parent) = branch.last().map(|oldest| oldest.header().hash_parent) {
            let Some(parent) = records.get(&parent) else {
                break;
            };
            branch.push((*parent).clone());
        }
        if branch
            .last()
            .is_some_and(|oldest| oldest.id != self.genesis.id)
        {
            branch.push(self.genesis.applied().block);
        }
        branch.reverse();
        branch
    }

    /// Blocks of the log.
    pub(crate) fn logged(&self, keys: &[(Height, BlockId)]) -> Vec<SealedBlock> {
        let find = |(_, id): &(Height, BlockId)| self.log.iter().rfind(|block| block.id == *id);
        let found: Vec<_> = keys.iter().filter_map(find).cloned().collect();
        assert_eq!(
            found.len(),
            keys.len(),
            "a block is persisted before it is head"
        );
        found
    }

    /// (number, ms after the start, transactions) of every block after genesis.
    pub fn blocks(&self) -> Vec<(u64, u64, usize)> {
        let shown = |block: &Arc<Applied>| {
            let header = block.block.header();
            let after = header.time.get() - START;
            (header.number.get(), after, block.block.transactions.len())
        };
        let chain = self.machine.chain();
        chain.canonical().iter().skip(1).map(shown).collect()
    }
}
