//! The headers from a block up to the first one that a certificate makes final, read from the
//! block log. A certificate lies behind its block there, so no index of certificates is needed.

use crate::commit_batch::kind;
use ccoin_core::{
    BlockId,
    block::{Block, SignedHeader},
    consensus::{certificate::Certificate, vote::Phase},
    encoding::decode,
    genesis::Genesis,
    receipt::{CertifiedHeaders, MAX_HEADERS},
};
use ccoin_storage::{LogReader, Position, StorageError};
use std::collections::BTreeMap;

/// Blocks behind the one in question, on all branches, and their bytes, that a scan passes
/// before it gives up.
const SCAN_BLOCKS: usize = 2 * MAX_HEADERS;
const SCAN_BYTES: usize = 512 << 20;

/// What ends a scan.
pub(crate) enum Stop {
    Found(Certificate),
    TooFar,
    Fault(StorageError),
}

impl From<StorageError> for Stop {
    fn from(error: StorageError) -> Self {
        Self::Fault(error)
    }
}

/// Reads the log behind the block `first` at `from` up to a certificate of phase 2 for it or for
/// a descendant. A certificate is logged after its block, or in the same step; `newest` is one
/// that is known without the log.
pub(crate) fn scan(
    log: &LogReader,
    genesis: &Genesis,
    from: Position,
    first: BlockId,
    newest: Certificate,
) -> Result<Option<CertifiedHeaders>, StorageError> {
    let mut descent = BTreeMap::new();
    if first == genesis.id {
        descent.insert(first, genesis.signed().clone());
    }
    let mut early: BTreeMap<BlockId, Certificate> = BTreeMap::new();
    let (mut blocks, mut bytes) = (0usize, 0usize);
    let stop = log.scan(from, &mut |_, record, payload| {
        match record {
            kind::TIMELY_BLOCK | kind::LATE_BLOCK => {
                (blocks, bytes) = (blocks + 1, bytes.saturating_add(payload.len()));
                if blocks > SCAN_BLOCKS || bytes > SCAN_BYTES {
                    return Err(Stop::TooFar);
                }
                let Some(signed) = Block::peek(payload) else {
                    return Ok(());
                };
                let id = signed.id(&genesis.id);
                if id == first || descent.contains_key(&signed.header.hash_parent) {
                    descent.insert(id, signed);
                    if let Some(certificate) = early.remove(&id) {
                        return Err(Stop::Found(certificate));
                    }
                }
            }
            kind::CERTIFICATE => {
                let read = decode::<Certificate>("certificate", payload);
                let read = read.ok().filter(|read| read.phase == Phase::Two);
                match read {
                    Some(read) if descent.contains_key(&read.id) => return Err(Stop::Found(read)),
                    Some(read) => drop(early.insert(read.id, read)),
                    None => {}
                }
            }
            _ => {}
        }
        Ok(())
    });
    let certificate = match stop {
        Err(Stop::Fault(error)) => return Err(error),
        Err(Stop::TooFar) => return Ok(None),
        Err(Stop::Found(certificate)) => certificate,
        Ok(()) => newest,
    };
    Ok(
        headers_between(&descent, first, &certificate).map(|headers| CertifiedHeaders {
            headers,
            certificate,
        }),
    )
}

/// The headers from `first` to the certified block; `None` if it is no descendant, or one too
/// far above.
fn headers_between(
    descent: &BTreeMap<BlockId, SignedHeader>,
    first: BlockId,
    certificate: &Certificate,
) -> Option<Vec<SignedHeader>> {
    let mut headers = vec![descent.get(&certificate.id)?.clone()];
    let mut at = certificate.id;
    while at != first {
        let parent = headers.last()?.header.hash_parent;
        headers.push(descent.get(&parent)?.clone());
        at = parent;
        if headers.len() > MAX_HEADERS {
            return None;
        }
    }
    headers.reverse();
    Some(headers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ccoin_core::{
        applied::Applied,
        consensus::{ballot::Ballot, vote::Proposed},
        encoding::encode,
    };
    use ccoin_sim::{Network, child, miner};
    use ccoin_storage::BlockLog;
    use std::sync::Arc;
    use tempfile::TempDir;

    struct Log {
        genesis: Arc<Genesis>,
        log: BlockLog,
        _dir: TempDir,
    }

    impl Log {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let genesis = Network::ready(2).found();
            let mut log = BlockLog::create(&dir.path().join("blocks")).unwrap();
            log.append(kind::GENESIS, &[&genesis.encode()]).unwrap();
            Self {
                genesis,
                log,
                _dir: dir,
            }
        }

        fn block(&mut self, parent: &Applied, after_ms: u64) -> (Arc<Applied>, Position) {
            let block = child(&self.genesis, parent, miner(0), after_ms, &[]);
            let bytes = block.block.encode();
            let at = self.log.append(kind::LATE_BLOCK, &[&bytes]).unwrap();
            (block, at)
        }

        fn certificate(&mut self, phase: Phase, block: &Applied) -> Certificate {
            let certificate = certificate(phase, block);
            let bytes = encode(&certificate);
            self.log.append(kind::CERTIFICATE, &[&bytes]).unwrap();
            certificate
        }

        fn scan(&mut self, from: Position, first: BlockId) -> Option<CertifiedHeaders> {
            self.log.sync().unwrap();
            let newest = certificate(Phase::Two, &self.genesis.applied());
            scan(&self.log.reader(), &self.genesis, from, first, newest).unwrap()
        }
    }

    fn certificate(phase: Phase, block: &Applied) -> Certificate {
        let ballot = Ballot(block.block.header().number.get());
        let Proposed { ballot, number, id } = Proposed {
            ballot,
            number: block.block.header().number,
            id: block.block.id,
        };
        Certificate {
            phase,
            ballot,
            number,
            id,
            votes: Vec::new(),
        }
    }

    fn numbers(found: &CertifiedHeaders) -> Vec<u64> {
        let headers = found.headers.iter();
        headers.map(|signed| signed.header.number.get()).collect()
    }

    #[test]
    fn the_first_final_descendant_ends_the_headers_whatever_lies_between() {
        let mut log = Log::new();
        let root = log.genesis.applied();
        let (second, at_second) = log.block(&root, 1_000);
        let (beside, at_beside) = log.block(&root, 1_001);
        let (third, at_third) = log.block(&second, 3_000);
        log.block(&beside, 3_001);
        log.certificate(Phase::One, &third);
        assert!(log.scan(at_second, second.block.id).is_none(), "phase 1");
        let final_third = log.certificate(Phase::Two, &third);
        let (fourth, at_fourth) = log.block(&third, 5_000);
        let final_fourth = log.certificate(Phase::Two, &fourth);

        let found = log.scan(at_second, second.block.id).unwrap();
        assert_eq!(
            (numbers(&found), found.certificate),
            (vec![2, 3], final_third.clone())
        );
        let found = log.scan(at_third, third.block.id).unwrap();
        assert_eq!(
            (numbers(&found), found.certificate),
            (vec![3], final_third.clone())
        );
        let found = log.scan(at_fourth, fourth.block.id).unwrap();
        assert_eq!(
            (numbers(&found), found.certificate),
            (vec![4], final_fourth)
        );
        assert!(
            log.scan(at_beside, beside.block.id).is_none(),
            "a branch that was left"
        );
        let genesis = log.genesis.id;
        let found = log.scan(Position::START, genesis).unwrap();
        assert_eq!(
            (numbers(&found), found.certificate),
            (vec![1, 2, 3], final_third)
        );
    }

    #[test]
    fn a_certificate_that_is_logged_before_its_block_counts() {
        let mut log = Log::new();
        let root = log.genesis.applied();
        let (second, at) = log.block(&root, 1_000);
        let third = child(&log.genesis, &second, miner(0), 3_000, &[]);
        let final_third = log.certificate(Phase::Two, &third);
        log.block(&second, 3_000);
        let found = log.scan(at, second.block.id).unwrap();
        assert_eq!(
            (numbers(&found), found.certificate),
            (vec![2, 3], final_third)
        );
    }

    #[test]
    fn a_certificate_beyond_the_bound_is_too_far() {
        let mut log = Log::new();
        let root = log.genesis.applied();
        let (second, at) = log.block(&root, 1_000);
        let mut last = Arc::clone(&second);
        for index in 1..MAX_HEADERS as u64 {
            last = log.block(&last, 1_000 + 100 * index).0;
        }
        log.certificate(Phase::Two, &last);
        let found = log.scan(at, second.block.id).unwrap();
        assert_eq!(found.headers.len(), MAX_HEADERS);
        let found = log.scan(Position::START, log.genesis.id);
        assert!(found.is_none(), "one header more");
    }
}
