//! A block into the chain: the rules that need it, execution, the head.

use super::{Machine, Publish, Step, Write, surplus::Sender};
use crate::{
    Now,
    applied::Applied,
    block::{SealedBlock, VerifiedBlock},
    chain::{Origin, Reorg, Unlogged},
    consensus::evidence::Evidence,
    execution::execute,
    rules::{BlockError, check_against_parent, check_body},
};
use bytes::Bytes;
use std::sync::Arc;

/// Blocks of one signer for one number and slot that are kept unasked: two prove its fault
/// (E2). Peers may have kept other ones, and a chain may go on behind any of them.
const MAX_SIBLINGS: u8 = 2;

impl Machine {
    /// The rules from 8 on, in order. A refused block has changed nothing.
    pub(super) fn accept(
        &mut self,
        now: Now,
        block: VerifiedBlock,
        from: Sender,
        step: &mut Step,
    ) -> Result<(), BlockError> {
        let header = block.header();
        if self.chain.contains(&block.id) {
            return self.accept_again(block, from.asked, step);
        }
        let (last_final, _) = self.chain.last_final();
        if header.number <= last_final {
            return Err(BlockError::Settled {
                id: block.id,
                number: header.number,
                last_final,
            });
        }
        if let Some((number, expected)) = self.trusted
            && number == header.number
            && expected != block.id
        {
            let got = block.id;
            return Err(BlockError::Untrusted {
                number,
                got,
                expected,
            });
        }
        let skew = self.genesis.config.consensus.max_skew_ms;
        let ahead_ms = header.time.get().saturating_sub(now.wall.get());
        if ahead_ms > skew {
            return Err(BlockError::Future {
                time: header.time,
                ahead_ms,
                tolerated_ms: skew,
            });
        }
        let is_surplus = self.chain.siblings(header.number, header.time) >= MAX_SIBLINGS;
        if is_surplus && !(from.asked && self.takes_surplus(now, from.peer, &block)) {
            return Err(BlockError::Rivals {
                signer: header.coinbase,
                number: header.number,
            });
        }
        let slot_end = self.schedule().end(self.schedule().slot(header.time));
        let timely = now.wall.get() <= slot_end.saturating_add(skew);
        let (block, bytes) = block.into_parts();
        let applied = self.execute(block)?;
        let origin = match from.asked {
            true => Origin::Fetched,
            false => Origin::Announced,
        };
        self.insert(applied, bytes, (timely, origin), step);
        Ok(())
    }

    /// A block that was executed before. If its body and state were dropped and a peer was
    /// asked for its branch, it is executed again, for the blocks behind it.
    fn accept_again(
        &mut self,
        block: VerifiedBlock,
        asked: bool,
        step: &mut Step,
    ) -> Result<(), BlockError> {
        if asked {
            self.chain.note_fetched(&block.id);
        }
        if !asked || self.chain.get(&block.id).is_some() {
            return Err(BlockError::Known(block.id));
        }
        let (block, _) = block.into_parts();
        let applied = self.execute(block)?;
        self.chain.restore(applied);
        self.log_unlogged(step);
        Ok(())
    }

    /// Rules 9 to 14: the body against the header, the block against its parent.
    pub(super) fn execute(&self, block: SealedBlock) -> Result<Arc<Applied>, BlockError> {
        let header = block.header();
        check_body(header, block.txn_ids())?;
        let id = header.hash_parent;
        let context = self.chain.parent_context(&id, &header.coinbase);
        let (Some(parent), Some(context)) = (self.chain.get(&id), context) else {
            return Err(BlockError::Parent(id));
        };
        let txns = block.transactions.len();
        check_against_parent(header, txns, &context, &self.genesis)?;
        execute(block, &parent.state, &self.genesis).map(Arc::new)
    }

    /// Adds an executed block, and brings pool and readers along if it is the head.
    pub(super) fn insert(
        &mut self,
        applied: Arc<Applied>,
        bytes: Bytes,
        (timely, origin): (bool, Origin),
        step: &mut Step,
    ) {
        self.compare_with_sibling(&applied, step);
        match self.chain.insert(applied, timely, origin) {
            Some(reorg) => {
                self.follower.head_bytes = Some((self.chain.head().block.id, bytes));
                self.follow_head(reorg, step);
            }
            None => self.log_unlogged(step),
        }
    }

    /// Writes what the log lacks of the head's branch and of what has lost its body.
    fn log_unlogged(&mut self, step: &mut Step) {
        let unlogged = self.chain.take_unlogged();
        self.log_blocks(unlogged, step);
    }

    /// Writes blocks; peers, readers and the key hear of them only then.
    pub(super) fn log_blocks(&self, blocks: Vec<Unlogged>, step: &mut Step) {
        for Unlogged { applied, timely } in blocks {
            let known = self.follower.head_bytes.as_ref();
            let known = known.filter(|(of, _)| *of == applied.block.id);
            let bytes = known.map(|(_, bytes)| bytes.clone());
            let bytes = bytes.unwrap_or_else(|| applied.block.encode().into());
            step.write.push(Write::Block {
                applied,
                bytes,
                timely,
            });
        }
    }

    /// Two headers of one leader for one (slot, number) prove its fault (E1).
    fn compare_with_sibling(&mut self, applied: &Applied, step: &mut Step) {
        let (header, signed) = (applied.block.header(), &applied.block.signed);
        let evidence = self
            .chain
            .sibling(header.number, header.time)
            .and_then(|sibling| {
                let genesis = self.chain.genesis();
                Evidence::of_headers(&sibling.block.signed, signed, self.schedule(), &genesis)
            });
        if let Some(evidence) = evidence {
            self.on_evidence(evidence, None, step);
        }
    }

    /// Brings the pool along with the head, and tells readers.
    pub(super) fn follow_head(&mut self, reorg: Reorg, step: &mut Step) {
        self.log_unlogged(step);
        let dropped = if reorg.reverted.is_empty() && reorg.older_applied.is_empty() {
            self.settle(&reorg)
        } else {
            self.readmit(&reorg, step)
        };
        if !reorg.older_reverted.is_empty() {
            self.returning = self.returning.saturating_add(1);
        }
        if !dropped.is_empty() {
            step.write.push(Write::Dropped(dropped.clone()));
        }
        step.publish.push(Publish::Head { reorg, dropped });
    }
}
