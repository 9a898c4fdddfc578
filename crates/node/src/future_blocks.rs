//! The blocks that a lone validator has made while its clock was ahead, taken out of its
//! chain: they stay on disk beside it, and their transactions wait again.

use crate::{
    NodeError,
    chain_paths::{ChainPaths, remove},
    clock,
    commit_batch::kind,
    recovered_queue::id_of,
};
use ccoin_core::{
    BlockId, Height, Timestamp,
    block::Block,
    consensus::certificate::Certificate,
    encoding::{decode, encode},
    genesis::Genesis,
};
use ccoin_storage::{BlockLog, PoolLog, Position};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
};

/// What [`ChainPaths::drop_future_blocks`] has taken out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FutureBlocks {
    /// How many blocks.
    pub blocks: u64,
    /// The lowest number of them.
    pub first: Height,
    /// The latest time of them.
    pub until: Timestamp,
    /// How many transactions of them wait again.
    pub txns: u64,
    /// The log as it was.
    pub kept_in: PathBuf,
}

impl ChainPaths {
    /// Takes out of the chain the blocks that are dated more than the tolerated skew after the
    /// clock, and what stands on them. `None`: there are none, and nothing is changed. Only for
    /// a chain that no other node has, and no node uses: other nodes hold the blocks as final.
    ///
    /// A crash leaves the chain as it was or without these blocks.
    ///
    /// # Errors
    /// [`NodeError`] if the chain is damaged or cannot be written.
    pub fn drop_future_blocks(&self, genesis: &Genesis) -> Result<Option<FutureBlocks>, NodeError> {
        let now = clock::wall();
        let skew = genesis.config.consensus.max_skew_ms;
        let latest = Timestamp::new(now.get().saturating_add(skew)).unwrap_or(now);
        let Some(mut found) = self.find_future(genesis, latest)? else {
            return Ok(None);
        };
        let shorter = self.unfinished();
        remove(&shorter)?;
        self.copy_until(genesis, latest, &shorter, now)?;
        // They may know the blocks.
        remove(&self.state)?;
        remove(&self.index)?;
        let io = |source| NodeError::file(&self.blocks, source);
        let exchange = renameat_with(CWD, &self.blocks, CWD, &shorter, RenameFlags::EXCHANGE);
        exchange.map_err(|error| io(error.into()))?;
        self.sync_root()?;
        found.kept_in = self.root.join(format!("blocks.ahead-{}", now.get()));
        fs::rename(&shorter, &found.kept_in).map_err(io)?;
        self.sync_root()?;
        Ok(Some(found))
    }

    /// Counts what is dated later than `latest`, and what stands on that.
    fn find_future(
        &self,
        genesis: &Genesis,
        latest: Timestamp,
    ) -> Result<Option<FutureBlocks>, NodeError> {
        let mut found: Option<FutureBlocks> = None;
        self.visit(genesis, latest, &mut |entry| {
            if let Entry::Future(block) = entry {
                let header = &block.signed.header;
                let found = found.get_or_insert_with(|| FutureBlocks {
                    blocks: 0,
                    first: header.number,
                    until: header.time,
                    txns: 0,
                    kept_in: PathBuf::new(),
                });
                found.blocks += 1;
                found.txns += block.transactions.len() as u64;
                found.first = found.first.min(header.number);
                found.until = found.until.max(header.time);
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// Writes a log without these blocks, and their transactions into the pool log.
    fn copy_until(
        &self,
        genesis: &Genesis,
        latest: Timestamp,
        to: &Path,
        now: Timestamp,
    ) -> Result<(), NodeError> {
        let mut blocks = BlockLog::create(to)?;
        let id_of = id_of(genesis);
        let (mut pool, _) = PoolLog::open(&self.pool, &id_of).map_err(NodeError::Pool)?;
        self.visit(genesis, latest, &mut |entry| match entry {
            Entry::Kept(kind, bytes) => Ok(blocks.append(kind, &[bytes]).map(drop)?),
            Entry::Future(block) => {
                let waits = |txn| pool.append(now, &encode(txn)).map_err(NodeError::Pool);
                block.transactions.iter().try_for_each(waits)
            }
        })?;
        pool.sync().map_err(NodeError::Pool)?;
        Ok(blocks.sync()?)
    }

    /// All records, in the order of the log; certificates of blocks that are left out are too.
    fn visit(
        &self,
        genesis: &Genesis,
        latest: Timestamp,
        visit: &mut dyn FnMut(Entry<'_>) -> Result<(), NodeError>,
    ) -> Result<(), NodeError> {
        let mut future = HashSet::<BlockId>::new();
        let read = BlockLog::read(
            &self.blocks,
            Position::START,
            &mut |position, record, bytes| {
                let misfit = |error: &dyn std::error::Error| {
                    NodeError::record(&self.blocks, position, error.to_string())
                };
                match record {
                    kind::TIMELY_BLOCK | kind::LATE_BLOCK => {
                        let block = Block::decode(bytes).map_err(|error| misfit(&error))?;
                        let header = &block.signed.header;
                        if header.time > latest || future.contains(&header.hash_parent) {
                            future.insert(block.signed.id(&genesis.id));
                            return visit(Entry::Future(&block));
                        }
                    }
                    kind::CERTIFICATE => {
                        let certificate: Certificate =
                            decode("certificate", bytes).map_err(|error| misfit(&error))?;
                        if future.contains(&certificate.id) {
                            return Ok(());
                        }
                    }
                    _ => {}
                }
                visit(Entry::Kept(record, bytes))
            },
        )?;
        drop(read);
        Ok(())
    }
}

/// A record of the log.
enum Entry<'a> {
    /// Kind and content.
    Kept(u8, &'a [u8]),
    Future(&'a Block),
}

#[cfg(test)]
mod tests {
    use super::*;
    use ccoin_core::{
        consensus::{ballot::Ballot, vote::Phase},
        machine::{Machine, PlaceholderText, SealMark, Start},
    };
    use ccoin_sim::{Network, START, child, miner, pay};
    use std::sync::Arc;

    const HOUR: u64 = 3_600_000;

    #[test]
    fn what_was_made_by_a_clock_ahead_leaves_the_chain_and_its_payments_wait_again() {
        let place = tempfile::tempdir().unwrap();
        let genesis = Network::ready(1).found();
        let chain = ChainPaths::new(place.path().join("chain"));
        fs::create_dir(&chain.root).unwrap();
        chain.create(&genesis).unwrap();
        let now = clock::wall().get() - START;
        let mut log = BlockLog::read(&chain.blocks, Position::START, &mut |_, _, _: &[u8]| {
            Ok::<_, NodeError>(())
        })
        .unwrap()
        .resume()
        .unwrap();
        let mut tip = Arc::new(genesis.applied());
        let mut ids = Vec::new();
        for (number, after) in [
            (1, now - HOUR),
            (2, now - 5_000),
            (3, now + HOUR),
            (4, now + 2 * HOUR),
        ] {
            tip = child(&genesis, &tip, miner(0), after, &[pay(&genesis, 0, number)]);
            log.append(kind::TIMELY_BLOCK, &[&tip.block.encode()])
                .unwrap();
            let certificate = Certificate {
                phase: Phase::Two,
                ballot: Ballot(number),
                number: tip.block.header().number,
                id: tip.block.id,
                votes: Vec::new(),
            };
            log.append(kind::CERTIFICATE, &[&encode(&certificate)])
                .unwrap();
            ids.push(tip.block.id);
        }
        log.sync().unwrap();
        drop(log);
        fs::create_dir(&chain.index).unwrap();

        let dropped = chain.drop_future_blocks(&genesis).unwrap().unwrap();
        assert_eq!(
            (dropped.blocks, dropped.txns, dropped.first.get()),
            (2, 2, 4)
        );
        assert_eq!(dropped.until, tip.block.header().time);
        assert!(dropped.kept_in.exists() && !chain.index.exists());
        let start = Start {
            checkpoint: None,
            miner: Some(miner(0)),
            last_sealed: SealMark::default(),
            voter_record: None,
            block_text: PlaceholderText::new(None, None, [0; 32]),
            genesis: Arc::clone(&genesis),
        };
        let machine: Machine = crate::replay::read_blocks(&chain, &start).unwrap().machine;
        assert_eq!(machine.chain().head().block.id, ids[1]);
        assert_eq!(machine.chain().last_final().1, ids[1]);
        let waiting = PoolLog::read(&chain.pool, &id_of(&genesis))
            .unwrap()
            .waiting;
        assert_eq!(waiting.len(), 2);
        assert_eq!(chain.drop_future_blocks(&genesis).unwrap(), None);
        let record = chain.recover_votes(&genesis, &[]).unwrap();
        assert_eq!(record.voter.lock.id, ids[1]);
        let slot = genesis.schedule.slot(clock::wall());
        assert!(record.last_sealed_slot <= slot + 1);
    }
}
