//! Every record of a block log checked as if it came from a stranger: all signatures, all
//! certificates, all roots, from block 1 on. It changes nothing.

use super::{
    checker::{Checker, Fault},
    on_all_cores::{Feed, on_all_cores},
    survey::{Survey, checkpoint_head},
};
use crate::{
    chain_paths::ChainPaths,
    error::NodeError,
    recovered_queue::id_of,
    replayer::{Record, Replayer, Taken},
};
use ccoin_core::{Height, block::Block, machine::Start};
use ccoin_crypto::{LaneFault, Lanes, PublicKey};
use ccoin_home::{ExitCode, Failure};
use ccoin_storage::{BlockLog, ChainLock, PoolLog, Position, StorageError};
use std::sync::Arc;

/// What a check has found good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainReport {
    /// Number of the head.
    pub height: Height,
    /// Number of the newest final block.
    pub last_final: Height,
    /// Blocks of all branches, block 1 included.
    pub blocks: u64,
    /// Transactions in them.
    pub transactions: u64,
    /// Certificates.
    pub certificates: u64,
    /// Proofs that a validator signed twice.
    pub evidence: u64,
}

/// The first thing that is wrong with a chain.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct BadChain {
    /// The first block that is wrong, cannot be read, or has a wrong certificate; `None`: not
    /// the blocks.
    pub number: Option<Height>,
    /// What is wrong.
    pub error: NodeError,
}

impl From<BadChain> for Failure {
    fn from(bad: BadChain) -> Self {
        // The bytes are as they were written: it is what they say that is wrong.
        let false_content = bad.number.is_some()
            && matches!(
                bad.error,
                NodeError::Record { .. } | NodeError::OldReward { .. }
            );
        let no_verdict = matches!(bad.error, NodeError::MinerKey(_) | NodeError::Lanes(_));
        let failure = Self::from(bad.error);
        let message = match bad.number {
            Some(number) if no_verdict => format!("at block {number}: {}", failure.message),
            Some(number) => format!("block {number} is the first bad one: {}", failure.message),
            None => failure.message,
        };
        Self {
            code: if false_content {
                ExitCode::No
            } else {
                failure.code
            },
            message,
            hints: failure.hints,
        }
    }
}

impl From<NodeError> for BadChain {
    fn from(error: NodeError) -> Self {
        Self {
            number: None,
            error,
        }
    }
}

impl From<LaneFault> for BadChain {
    fn from(fault: LaneFault) -> Self {
        NodeError::from(fault).into()
    }
}

/// Why the log was read no further.
enum Stop {
    /// The checks have failed.
    Ended,
    Fault(StorageError),
}

impl From<StorageError> for Stop {
    fn from(error: StorageError) -> Self {
        Self::Fault(error)
    }
}

/// A record on its way through the checks.
struct Raw {
    position: Position,
    kind: u8,
    bytes: Vec<u8>,
}

struct Checked {
    position: Position,
    number: Option<Height>,
    record: Result<Record, Fault>,
}

impl ChainPaths {
    /// Checks block log and pool log with the miners' keys of this directory and `keys`. No
    /// other process may use it meanwhile. `progress` is told bytes of the log.
    ///
    /// # Errors
    /// [`BadChain`].
    pub fn verify(
        &self,
        keys: &[PublicKey],
        lanes: Lanes,
        progress: &mut dyn FnMut(u64),
    ) -> Result<ChainReport, BadChain> {
        let _lock = ChainLock::hold(&self.root).map_err(NodeError::from)?;
        let genesis = Arc::new(self.genesis()?);
        let checker = Checker::new(&genesis, self.miner_keys(&genesis, keys));
        let start = super::start(&genesis);
        let mut verified = Verified::new(self, &start)?;
        let read = |feed: &mut Feed<'_, Raw>| {
            let read = BlockLog::read(
                &self.blocks,
                Position::START,
                &mut |position, kind, bytes| {
                    let bytes = bytes.to_vec();
                    let size = bytes.len();
                    let raw = Raw {
                        position,
                        kind,
                        bytes,
                    };
                    feed(raw, size).then_some(()).ok_or(Stop::Ended)
                },
            );
            match read {
                Ok(_) | Err(Stop::Ended) => Ok(()),
                Err(Stop::Fault(error)) => Err(BadChain::from(NodeError::from(error))),
            }
        };
        let work = |raw: Raw, verifier: &mut _| {
            let Raw {
                position,
                kind,
                bytes,
            } = raw;
            let record = checker.check(kind, &bytes, verifier);
            Checked {
                position,
                number: number(&record, &bytes),
                record,
            }
        };
        on_all_cores(lanes, read, work, |checked: Checked| {
            progress(checked.position.0 - Position::START.0);
            verified.take(checked)
        })
        .map_err(|bad| verified.behind_the_last(bad))?;
        let report = verified.finish()?;
        Survey::read(self, &genesis)?.check_end(self, checkpoint_head(self)?)?;
        PoolLog::read(&self.pool, &id_of(&genesis)).map_err(NodeError::Pool)?;
        Ok(report)
    }

    /// Bytes of the files of the block log: what [`verify`](Self::verify) reads at most.
    ///
    /// # Errors
    /// [`NodeError::File`].
    pub fn log_bytes(&self) -> Result<u64, NodeError> {
        let io = |source| NodeError::file(&self.blocks, source);
        let mut bytes = 0u64;
        for entry in std::fs::read_dir(&self.blocks).map_err(io)? {
            let length = entry.and_then(|entry| entry.metadata()).map_err(io)?.len();
            bytes = bytes.saturating_add(length);
        }
        Ok(bytes)
    }
}

/// The block that a record is about.
fn number(record: &Result<Record, Fault>, bytes: &[u8]) -> Option<Height> {
    match record {
        Ok(Record::Block { block, .. }) => Some(block.header().number),
        Ok(Record::Certificate(certificate)) => Some(certificate.number),
        Err(Fault::Certificate(number, _)) => Some(*number),
        Ok(_) => None,
        Err(_) => Block::peek(bytes).map(|signed| signed.header.number),
    }
}

/// What has been checked so far.
struct Verified<'a> {
    replayer: Replayer<'a>,
    report: ChainReport,
}

impl<'a> Verified<'a> {
    fn new(paths: &'a ChainPaths, start: &'a Start) -> Result<Self, NodeError> {
        let reader = BlockLog::reader_of(&paths.blocks)?;
        let report = ChainReport {
            height: Height::GENESIS,
            last_final: Height::GENESIS,
            blocks: 0,
            transactions: 0,
            certificates: 0,
            evidence: 0,
        };
        Ok(Self {
            replayer: Replayer::new(paths, start, reader, None),
            report,
        })
    }

    fn take(&mut self, checked: Checked) -> Result<(), BadChain> {
        let Checked {
            position,
            number,
            record,
        } = checked;
        let bad = |number, error| Err(BadChain { number, error });
        let record = match record {
            Ok(record) => record,
            Err(Fault::Key(miner)) => return bad(number, NodeError::MinerKey(miner)),
            Err(fault) => return bad(number, self.replayer.misfit(position, &fault)),
        };
        match &record {
            Record::Block { block, .. } => {
                self.report.blocks += 1;
                self.report.transactions += block.transactions.len() as u64;
            }
            Record::Genesis if position == Position::START => self.report.blocks += 1,
            Record::Genesis => {
                let error = self.replayer.misfit(position, &"a second block 1");
                return bad(Some(Height::GENESIS), error);
            }
            Record::Certificate(_) => self.report.certificates += 1,
            Record::Evidence(_) => self.report.evidence += 1,
            Record::Unknown => {}
        }
        match self.replayer.take(position, record) {
            Err(error) => bad(number, error),
            Ok(Taken::NoParent) => {
                let reason = "its parent is not in the log before it";
                bad(number, self.replayer.misfit(position, &reason))
            }
            Ok(Taken::Kept | Taken::Settled) => Ok(()),
        }
    }

    /// Names the block that is missing where the log cannot be read.
    fn behind_the_last(&self, bad: BadChain) -> BadChain {
        let machine = self.replayer.machine();
        let next = machine.map_or(Some(Height::GENESIS), |machine| {
            machine.chain().height().next()
        });
        BadChain {
            number: bad.number.or(next),
            ..bad
        }
    }

    fn finish(self) -> Result<ChainReport, BadChain> {
        let log = self.replayer.log().to_path_buf();
        let (machine, _) = self.replayer.finish(Position::START)?;
        if machine.is_alarmed() {
            return Err(NodeError::Alarmed { path: log }.into());
        }
        Ok(ChainReport {
            height: machine.chain().height(),
            last_final: machine.last_final().number,
            ..self.report
        })
    }
}
