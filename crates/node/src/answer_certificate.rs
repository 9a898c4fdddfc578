//! The certificate that goes with blocks which a peer has asked for (Y1).

use crate::{certified_headers::Stop, commit_batch::kind};
use bytes::Bytes;
use ccoin_core::{
    BlockId,
    block::Block,
    consensus::{certificate::Certificate, vote::Phase},
    encoding::decode,
};
use ccoin_storage::{LogReader, Position, StorageError};
use std::collections::HashSet;

/// Records behind the last of the blocks that are looked at, and their bytes: a certificate
/// is logged soon after its block.
const LOOK_RECORDS: usize = 64;
const LOOK_BYTES: usize = 4 << 20;

/// A certificate that makes one of these blocks final, as new as a short look finds it; the
/// last of them lies at `last`, and `newest` makes this node's newest final block final.
pub(crate) fn find(
    log: &LogReader,
    genesis: &BlockId,
    blocks: &[Bytes],
    last: Position,
    newest: Certificate,
) -> Result<Option<Certificate>, StorageError> {
    let signed = blocks.iter().filter_map(|bytes| Block::peek(bytes));
    let ids: HashSet<BlockId> = signed.map(|signed| signed.id(genesis)).collect();
    if ids.contains(&newest.id) {
        return Ok(Some(newest));
    }
    let (mut records, mut bytes) = (0usize, 0usize);
    let stop = log.scan(last, &mut |_, record, payload| {
        (records, bytes) = (records + 1, bytes.saturating_add(payload.len()));
        if records > LOOK_RECORDS || bytes > LOOK_BYTES {
            return Err(Stop::TooFar);
        }
        if record == kind::CERTIFICATE
            && let Ok(read) = decode::<Certificate>("certificate", payload)
            && read.phase == Phase::Two
            && ids.contains(&read.id)
        {
            return Err(Stop::Found(read));
        }
        Ok(())
    });
    match stop {
        Err(Stop::Found(certificate)) => Ok(Some(certificate)),
        Err(Stop::Fault(error)) => Err(error),
        Err(Stop::TooFar) | Ok(()) => Ok(None),
    }
}
