//! The block in the making: its nonce is found, its id is signed, or it is dropped.

use super::{JobId, Machine, NodeState, Publish, SealMark, Step, Write, produce::Job};
use crate::{
    Height, Now, PowNonce,
    applied::Applied,
    block::{SealedBlock, SignedHeader, VerifiedBlock, block_id},
    chain::Origin,
    consensus::vote::Proposed,
};
use ccoin_crypto::Signature;
use std::sync::Arc;

impl Machine {
    /// A nonce is found: what is about to be signed is persisted first.
    pub(super) fn on_mined(&mut self, now: Now, job: JobId, nonce: PowNonce, step: &mut Step) {
        self.drop_stale_job(now, step);
        let Some(job) = self
            .job
            .as_mut()
            .filter(|open| open.id == job && open.nonce.is_none())
        else {
            return;
        };
        job.nonce = Some(nonce);
        let mark = SealMark {
            slot: job.slot,
            number: job.header.number,
        };
        self.last_sealed = mark;
        step.write.push(Write::SealMark(mark));
        step.publish.push(Publish::Sign {
            job: job.id,
            message: block_id(&job.mining_hash, nonce).into(),
        });
    }

    /// The signature is there: the block joins the chain, unless another branch became final
    /// meanwhile.
    pub(super) fn on_signed(&mut self, job: JobId, signature: Signature, step: &mut Step) {
        let Some(job) = self
            .job
            .take_if(|open| open.id == job && open.nonce.is_some())
        else {
            return;
        };
        let Job {
            header,
            mining_hash,
            transactions,
            state,
            changes,
            nonce,
            ..
        } = job;
        let Some(nonce) = nonce else { return };
        let last_final = self.last_final().block();
        if !self.chain.extends(&header.hash_parent, &last_final) {
            return;
        }
        let id = block_id(&mining_hash, nonce);
        let signed = SignedHeader {
            header,
            nonce,
            signature,
        };
        let block = SealedBlock {
            id,
            signed,
            transactions,
        };
        self.asked = false;
        let (block, bytes) = VerifiedBlock::made_here(block).into_parts();
        let applied = Arc::new(Applied {
            block,
            state,
            changes,
        });
        // What this key has signed is in the log, head or not (A1).
        step.write.push(Write::Block {
            applied: Arc::clone(&applied),
            bytes: bytes.clone(),
            timely: true,
        });
        self.insert(applied, bytes, (true, Origin::Log), step);
    }

    /// There is no signature: the block is given up. Its slot and number stay used, because the
    /// signer may have made a signature that did not arrive (T2).
    pub(super) fn on_not_signed(&mut self, job: JobId) {
        self.job
            .take_if(|open| open.id == job && open.nonce.is_some());
    }

    /// Drops the block in the making when its slot is over, the node ends, the key may not sign
    /// it any more, or the head has moved to a rival: a descendant of the same parent, or a
    /// block with more slots behind it. Once the key signs, it is too late.
    pub(super) fn drop_stale_job(&mut self, now: Now, step: &mut Step) {
        let Some(job) = self.job.as_ref().filter(|job| job.nonce.is_none()) else {
            return;
        };
        let parent = job.header.hash_parent;
        let head = self.chain.head();
        let before = job.header.number.checked_sub(1).unwrap_or(Height::ZERO);
        let rival = head.block.id != parent
            && (self.chain.canonical_at(before) == Some(parent)
                || self.chain.merit(&head.block.id) > self.chain.merit(&parent));
        let (number, id) = self.chain.high();
        let certified = Proposed {
            ballot: self.high().ballot,
            number,
            id,
        };
        let uncertified = !self.chain.extends(&parent, &certified);
        let mark = SealMark {
            slot: job.slot,
            number: job.header.number,
        };
        let barred = self.is_alarmed()
            || self.lacks_floor()
            || self.signer_fault.is_some()
            || mark <= self.last_sealed;
        if rival
            || barred
            || uncertified
            || self.must_not_seal()
            || self.schedule().slot(now.wall) != job.slot
            || self.state != NodeState::Ready
        {
            step.publish.push(Publish::CancelMining(job.id));
            self.job = None;
        }
    }
}
