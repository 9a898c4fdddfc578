//! A block into the chain: the rules that need it, execution, the head.

use super::{Machine, Publish, Step, Write};
use crate::{
    Now,
    applied::Applied,
    block::{SealedBlock, VerifiedBlock},
    chain::Reorg,
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
        asked: bool,
        step: &mut Step,
    ) -> Result<(), BlockError> {
        let header = block.header();
        if self.chain.contains(&block.id) {
            return self.accept_again(block, asked);
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
        if !asked && self.chain.siblings(header.number, header.time) >= MAX_SIBLINGS {
            return Err(BlockError::Rivals {
                signer: header.coinbase,
                number: header.number,
            });
        }
        let slot_end = self.schedule().end(self.schedule().slot(header.time));
        let timely = now.wall.get() <= slot_end.saturating_add(skew);
        let (block, bytes) = block.into_parts();
        let applied = self.execute(block)?;
        self.insert(applied, bytes, timely, step);
        Ok(())
    }

    /// A block that was executed before. If its body and state were dropped and a peer was
    /// asked for its branch, it is executed again, for the blocks behind it.
    fn accept_again(&mut self, block: VerifiedBlock, asked: bool) -> Result<(), BlockError> {
        if !asked || self.chain.get(&block.id).is_some() {
            return Err(BlockError::Known(block.id));
        }
        let (block, _) = block.into_parts();
        let applied = self.execute(block)?;
        self.chain.restore(applied);
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
        timely: bool,
        step: &mut Step,
    ) {
        self.compare_with_sibling(&applied, step);
        step.write.push(Write::Block {
            applied: Arc::clone(&applied),
            bytes: bytes.clone(),
            timely,
        });
        if let Some(reorg) = self.chain.insert(applied, timely) {
            self.follower.head_bytes = Some((self.chain.head().block.id, bytes));
            self.follow_head(reorg, step);
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
