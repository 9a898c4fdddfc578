//! When a key may vote. A key whose record was lost waits until a vote is safe again (A1 to
//! A4). Every key waits until the clocks of its peers agree with its own (C3, C5).

use super::Machine;
use crate::{
    Now,
    consensus::{ballot::Ballot, vote::Proposed, voter_record::Standing},
    machine::{Publish, SealMark, Step, Write},
};
use ccoin_crypto::Address;

impl Machine {
    /// Whether this key may sign votes now: with others only while one is connected and the
    /// clock is not contradicted by most (C3), never after an alarm, and not while the key's signer
    /// does not sign.
    pub(super) fn may_sign_votes(&self) -> bool {
        let voter = self.finality.voter.as_ref();
        voter.is_some_and(|voter| voter.may_vote())
            && self.finality.alarm.is_none()
            && self.signer_fault.is_none()
            && (self.is_alone() || (self.has_peers() && self.clock_is_confirmed()))
    }

    /// Whether nothing of what the key has signed is forgotten, or that does not matter any
    /// more.
    pub(in crate::machine) fn is_record_whole(&self) -> bool {
        let voter = self.finality.voter.as_ref();
        voter.is_none_or(|voter| voter.may_vote())
    }

    /// Whether the record is lost, and no trusted clock has told yet until when the key may
    /// have signed (A2): it seals nothing.
    pub(in crate::machine) fn lacks_floor(&self) -> bool {
        let voter = self.finality.voter.as_ref();
        voter.is_some_and(|voter| voter.record.standing == Standing::Abstains(None))
    }

    fn has_peers(&self) -> bool {
        self.fetcher.peer_ids().next().is_some()
    }

    /// A record whose lock the block log does not hold counts as lost (D3), and so does one that
    /// is older than the blocks and votes of its key in the log (A1).
    pub(in crate::machine) fn check_record(&mut self) {
        let head = self.chain.head().block.id;
        let miner = self.miner.unwrap_or(Address::ZERO);
        let context = self.chain.parent_context(&head, &miner);
        let sealed = context.and_then(|context| context.last_by_signer);
        let sealed = sealed.map(|time| self.schedule().slot(time));
        let voted = self.voted_in_certificates();
        let lock = self.finality.lock.block();
        let last_final = self.finality.last_final.block();
        if let Some(voter) = &mut self.finality.voter {
            let held = [lock, last_final, Proposed::genesis(self.genesis.id)];
            let older = sealed > Some(self.last_sealed.slot) || voted > voter.record.max_vote1;
            if !held.contains(&voter.record.lock) || older {
                voter.lose_record(voted);
            }
        }
    }

    /// The highest ballot for which a known certificate holds a vote of this key.
    fn voted_in_certificates(&self) -> Ballot {
        let Some(voter) = &self.finality.voter else {
            return Ballot::GENESIS;
        };
        let known = self.certificates().into_iter();
        let own = known.filter_map(|certificate| certificate.vote_of(voter.index()));
        let ballots = own.map(|signed| signed.vote.block.ballot);
        ballots.max().unwrap_or_default()
    }

    /// Takes note that the record is older than what the key has signed: up to this ballot and
    /// this block at least.
    pub(super) fn lose_record(&mut self, vote: Ballot, block: SealMark, step: &mut Step) {
        if block > self.last_sealed {
            self.last_sealed = block;
            step.write.push(Write::SealMark(block));
        }
        if let Some(voter) = &mut self.finality.voter {
            let voted = voter.may_vote();
            if voter.lose_record(vote) {
                step.write.push(Write::VoterRecord(voter.record));
            }
            let lost = voted.then_some(Publish::RecordLost);
            step.publish.extend(lost);
        }
    }

    /// Sets the floor of an abstention once the clock can be trusted (A2), and ends it when
    /// all others have shown what they have (A4).
    pub(super) fn guard_standing(&mut self, now: Now, step: &mut Step) {
        let alone = self.is_alone();
        let trusted = alone || (self.has_peers() && self.clock_is_proven());
        let slot = self.schedule().slot(now.wall);
        let shown = if alone {
            self.fetcher.has_shown_all(self.chain.height())
        } else {
            let miners = self.schedule().miners();
            let quorum = usize::try_from(self.genesis.config.consensus.quorum);
            quorum == Ok(miners)
                && self.finality.statuses.all_intact(miners)
                && self.finality.awaited.is_empty()
        };
        let high = self.finality.high.clone();
        let voted = self.voted_in_certificates();
        let Some(voter) = &mut self.finality.voter else {
            return;
        };
        let mut changed = false;
        if trusted && voter.set_floor(slot, voted) {
            changed = true;
            let floor = SealMark::after_lost_record(slot);
            self.last_sealed = self.last_sealed.max(floor);
            step.write.push(Write::SealMark(self.last_sealed));
        }
        let waits = matches!(voter.record.standing, Standing::Abstains(Some(_)));
        if waits && shown && voter.recover(high.block()) {
            changed = true;
            self.finality.lock = high.clone();
        }
        let record = voter.record;
        if changed {
            self.log_certificate(&high, step);
            step.write.push(Write::VoterRecord(record));
        }
    }
}
