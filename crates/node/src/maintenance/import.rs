//! Blocks of a file into a block log. Every block is checked as if a peer had sent it, and
//! written only then.

use super::{
    checker::{Checker, Fault},
    export_head::ExportHead,
    on_all_cores::{Feed, on_all_cores},
    survey::Survey,
};
use crate::{
    BadChain,
    chain_paths::ChainPaths,
    commit_batch::kind,
    error::NodeError,
    replay::read_blocks,
    replayer::{Record, Replayer, Taken},
};
use ccoin_core::{
    BlockId, Height,
    block::{Block, SignedHeader},
};
use ccoin_crypto::{Lanes, PublicKey, Verifier};
use ccoin_storage::{BlockLog, ChainLock};
use std::{collections::BTreeSet, path::Path, sync::Arc};

/// What an import has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The network.
    pub genesis: BlockId,
    /// Number of the head.
    pub height: Height,
    /// Number of the newest final block.
    pub last_final: Height,
    /// Blocks that were not here.
    pub added: u64,
    /// Transactions in them.
    pub transactions: u64,
}

impl ChainPaths {
    /// Brings the blocks of `file` that are not here into this chain, which is begun if there is
    /// none. An import that was interrupted goes on when it is repeated. `progress` is told bytes
    /// of the file.
    ///
    /// # Errors
    /// [`BadChain`]; blocks before the one that is named are good and stay.
    pub fn import(
        &self,
        file: &Path,
        wanted: Option<BlockId>,
        keys: &[PublicKey],
        lanes: Lanes,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Imported, BadChain> {
        let head = ExportHead::open(file, wanted)?;
        let _lock = ChainLock::acquire(&self.root).map_err(NodeError::from)?;
        if !self.exist()? {
            self.create(&head.genesis)?;
        }
        let here = self.genesis()?.id;
        head.check_network(Some(here))?;
        let genesis = Arc::clone(&head.genesis);
        let survey = Survey::read(self, &genesis)?;
        let start = super::start(&genesis);
        let replay = read_blocks(self, &start)?;
        let log = replay.blocks.resume().map_err(NodeError::from)?;
        let reader = log.reader();
        let replayer =
            Replayer::continued(self, &start, reader, (replay.machine, replay.positions));
        let mut known = self.miner_keys(&genesis, keys);
        known.learn(&head.keys);
        super::save_keys(&self.root, &known);
        let taker = Taker::new(file, log, replayer);
        let checker = Checker::new(&genesis, known);
        taker.take_all(head, &checker, &Known::of(&survey), lanes, progress)
    }
}

/// What is here already.
#[derive(Default)]
pub(super) struct Known {
    blocks: BTreeSet<BlockId>,
    certified: BTreeSet<BlockId>,
}

impl Known {
    fn of(survey: &Survey) -> Self {
        Self {
            blocks: survey.blocks.keys().copied().collect(),
            certified: survey.certificates.keys().copied().collect(),
        }
    }
}

/// A record of the file that is not here yet.
struct News {
    kind: u8,
    bytes: Vec<u8>,
    at: u64,
    /// Of a block, or of the block of a certificate.
    number: Option<Height>,
    record: Result<Record, Fault>,
}

/// The log that the blocks go into, and the machine that judges them.
pub(super) struct Taker<'a> {
    file: &'a Path,
    log: BlockLog,
    replayer: Replayer<'a>,
    added: u64,
    transactions: u64,
}

impl<'a> Taker<'a> {
    pub(super) fn new(file: &'a Path, log: BlockLog, replayer: Replayer<'a>) -> Self {
        Self {
            file,
            log,
            replayer,
            added: 0,
            transactions: 0,
        }
    }

    /// Takes what is left of the file to its end; all of it is on disk when this returns.
    pub(super) fn take_all(
        mut self,
        head: ExportHead,
        checker: &Checker<'_>,
        known: &Known,
        lanes: Lanes,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Imported, BadChain> {
        let genesis = head.genesis.id;
        let mut reader = head.reader;
        let read = |feed: &mut Feed<'_, (u64, u8, Vec<u8>)>| {
            while let Some((kind, bytes)) = reader.next_record().map_err(NodeError::Archive)? {
                let size = bytes.len();
                if !feed((reader.at(), kind, bytes), size) {
                    break;
                }
            }
            Ok::<_, BadChain>(())
        };
        let work = |(at, kind, bytes): (u64, u8, Vec<u8>), verifier: &mut Verifier| {
            let signed = match kind {
                kind::LATE_BLOCK => Block::peek(&bytes),
                _ => None,
            };
            let here = |signed: &SignedHeader| known.blocks.contains(&signed.id(&genesis));
            if signed.as_ref().is_some_and(here) {
                return None;
            }
            let record = match kind {
                kind::LATE_BLOCK | kind::CERTIFICATE => checker.check(kind, &bytes, verifier),
                other => Err(Fault::Kind(other)),
            };
            let number = match &record {
                Ok(Record::Certificate(certificate))
                    if known.certified.contains(&certificate.id) =>
                {
                    return None;
                }
                Ok(Record::Certificate(certificate)) => Some(certificate.number),
                Err(Fault::Certificate(number, _)) => Some(*number),
                _ => signed.map(|signed| signed.header.number),
            };
            Some(News {
                kind,
                bytes,
                at,
                number,
                record,
            })
        };
        let taken = on_all_cores(lanes, read, work, |news: Option<News>| match news {
            Some(news) => {
                progress(news.at);
                self.take(news)
            }
            None => Ok(()),
        });
        // What is good stays, also where the file ends badly.
        self.log.sync().map_err(NodeError::from)?;
        taken?;
        self.finish(genesis)
    }

    fn take(&mut self, news: News) -> Result<(), BadChain> {
        let bad = |number, error| Err(BadChain { number, error });
        let record = match news.record {
            Ok(record) => record,
            Err(Fault::Key(miner)) => return bad(news.number, NodeError::MinerKey(miner)),
            Err(fault) => return bad(news.number, self.misfit(fault.to_string())),
        };
        if let Record::Block { block, .. } = &record
            && let Some(machine) = self.replayer.machine()
            && machine.chain().contains(&block.id)
        {
            return Ok(());
        }
        let transactions = match &record {
            Record::Block { block, .. } => Some(block.transactions.len() as u64),
            _ => None,
        };
        match self.replayer.take(self.log.end(), record) {
            Ok(Taken::Kept) => {}
            Ok(Taken::Settled) => {
                let reason = "another block with this number is final here".to_owned();
                return bad(news.number, self.misfit(reason));
            }
            Ok(Taken::NoParent) => {
                let reason = "its parent is neither here nor before it in the file".to_owned();
                return bad(news.number, self.misfit(reason));
            }
            Err(NodeError::Record { reason, .. }) => return bad(news.number, self.misfit(reason)),
            Err(error @ NodeError::OldReward { .. }) => {
                return bad(news.number, self.misfit(error.to_string()));
            }
            Err(error) => return bad(news.number, error),
        }
        let written = self.log.append(news.kind, &[&news.bytes]);
        written.map_err(NodeError::from)?;
        if let Some(transactions) = transactions {
            self.added += 1;
            self.transactions += transactions;
        }
        Ok(())
    }

    fn misfit(&self, reason: String) -> NodeError {
        NodeError::BadArchive {
            path: self.file.to_owned(),
            reason,
        }
    }

    fn finish(self, genesis: BlockId) -> Result<Imported, BadChain> {
        let path = self.replayer.log().to_path_buf();
        let machine = self.replayer.machine();
        let machine = machine.ok_or_else(|| self.misfit("no block 1".to_owned()))?;
        if machine.is_alarmed() {
            return Err(NodeError::Alarmed { path }.into());
        }
        Ok(Imported {
            genesis,
            height: machine.chain().height(),
            last_final: machine.last_final().number,
            added: self.added,
            transactions: self.transactions,
        })
    }
}
