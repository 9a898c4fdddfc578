//! Certificates: they move `high` and `final`, and with them the head.

use super::{Finality, MAX_KEPT, Machine};
use crate::{
    Height, Now,
    consensus::{certificate::VerifiedCertificate, vote::Phase},
    machine::{PeerId, Publish, Step, Write},
};

/// Where a certificate comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// Votes counted here.
    Tally,
    /// A peer's message.
    Peer(PeerId),
    /// It was here, and waited for its block.
    Awaited,
    /// The own block log: the pool follows when the whole log is read.
    Log,
}

impl Finality {
    /// Keeps the highest certificate of each phase whose block is not here.
    fn await_block(&mut self, certificate: VerifiedCertificate) {
        let awaited = self.awaited.get(&certificate.phase);
        if awaited.is_none_or(|awaited| awaited.ballot < certificate.ballot) {
            self.awaited.insert(certificate.phase, certificate);
        }
    }
}

impl Machine {
    /// Takes a certificate (R5): of a block that is here at once, of another when it comes.
    pub(super) fn on_certificate(
        &mut self,
        now: Now,
        certificate: VerifiedCertificate,
        source: Source,
        step: &mut Step,
    ) {
        let last_final = self.finality.last_final.block();
        if self.finality.alarm.is_some() || certificate.ballot < last_final.ballot {
            return;
        }
        let block = certificate.block();
        let branches = &self.chain;
        if self.is_beside_high(&certificate) {
            self.raise_alarm(certificate, step);
        } else if branches.is_here(&block.id) && branches.extends(&block.id, &last_final) {
            self.take_certificate(certificate, source, step);
            self.give_votes2(now, step);
        } else if branches.is_here(&block.id) || block.number <= last_final.number {
            self.raise_alarm(certificate, step);
        } else {
            self.await_block(now, certificate, source);
        }
    }

    /// Takes a certificate of the own log. What follows from it became visible before.
    pub(in crate::machine) fn restore_certificate(&mut self, certificate: VerifiedCertificate) {
        let block = certificate.block();
        let finality = &mut self.finality;
        finality
            .logged
            .insert((certificate.ballot, certificate.phase));
        let lock = finality.voter.as_ref().map(|voter| voter.record.lock);
        if lock == Some(block) {
            finality.lock = certificate.clone();
        }
        let last_final = finality.last_final.block();
        if certificate.ballot < last_final.ballot {
            return;
        }
        let branches = &self.chain;
        let is_here = branches.is_here(&block.id);
        let root = self.chain.canonical().front();
        let root = root.map(|root| root.block.header().number);
        let may_extend = block.number > last_final.number || block == last_final;
        let mut seen = Step::default();
        if self.is_beside_high(&certificate) {
            self.raise_alarm(certificate, &mut seen);
        } else if is_here && branches.extends(&block.id, &last_final) {
            self.take_certificate(certificate, Source::Log, &mut seen);
        } else if Some(block.number) < root && may_extend {
            self.restore_settled(certificate);
        } else if is_here || block.number <= last_final.number {
            self.raise_alarm(certificate, &mut seen);
        } else {
            self.finality.await_block(certificate);
        }
    }

    /// The certificate that conflicts with the final block, from a checkpoint.
    pub(in crate::machine) fn restore_alarm(&mut self, conflicting: VerifiedCertificate) {
        self.raise_alarm(conflicting, &mut Step::default());
    }

    /// Takes certificates of the log that came before their blocks.
    pub(in crate::machine) fn restore_awaited(&mut self) {
        let awaited = core::mem::take(&mut self.finality.awaited);
        for certificate in awaited.into_values() {
            self.restore_certificate(certificate);
        }
    }

    /// A certificate of a block below the window.
    fn restore_settled(&mut self, certificate: VerifiedCertificate) {
        let block = certificate.block();
        let finality = &mut self.finality;
        if block.ballot > finality.high.ballot {
            finality.high = certificate.clone();
            let _ = self.chain.set_high(&block);
        }
        if certificate.phase == Phase::Two {
            finality.last_final = certificate;
            self.chain.set_final(&block);
        }
    }

    fn take_certificate(
        &mut self,
        certificate: VerifiedCertificate,
        source: Source,
        step: &mut Step,
    ) {
        let block = certificate.block();
        let finality = &mut self.finality;
        if certificate.phase == Phase::One {
            let certified = &mut finality.certified;
            certified.insert(block.ballot, certificate.clone());
            let is_over = certified.len() > MAX_KEPT;
            let dropped = is_over.then(|| certified.pop_first()).flatten();
            if let Some(voter) = &mut finality.voter {
                voter.on_certified(&block);
                dropped
                    .iter()
                    .for_each(|(oldest, _)| voter.forget_certified(*oldest));
            }
        }
        let raises_high = block.ballot > finality.high.ballot;
        if raises_high {
            finality.high = certificate.clone();
            self.log_certificate(&certificate, step);
            if let Some(reorg) = self.chain.set_high(&block)
                && source != Source::Log
            {
                self.follow_head(reorg, step);
            }
        }
        let raises_final =
            certificate.phase == Phase::Two && block.ballot > self.finality.last_final.ballot;
        if raises_final {
            self.raise_final(certificate, step);
        }
        if matches!(source, Source::Peer(_) | Source::Awaited) && (raises_high || raises_final) {
            self.tell_of_certificate(raises_final);
        }
    }

    fn raise_final(&mut self, certificate: VerifiedCertificate, step: &mut Step) {
        let block = certificate.block();
        self.log_certificate(&certificate, step);
        let finality = &mut self.finality;
        let rises = block.id != finality.last_final.id;
        finality.last_final = certificate.clone();
        if block.ballot > finality.lock.ballot {
            finality.lock = certificate.clone();
        }
        if let Some(voter) = &mut finality.voter
            && voter.on_final(block)
        {
            step.write.push(Write::VoterRecord(voter.record));
        }
        finality.forget_settled();
        if rises {
            self.chain.set_final(&block);
            self.orphans
                .forget_if(|orphan| orphan.block.header().number <= block.number);
            step.publish.push(Publish::Final(certificate));
        }
    }

    /// Writes a certificate that is not in the block log, behind its block if that is here.
    pub(super) fn log_certificate(&mut self, certificate: &VerifiedCertificate, step: &mut Step) {
        let key = (certificate.ballot, certificate.phase);
        if self.finality.logged.insert(key) {
            let branch = self.chain.take_unlogged_to(&certificate.id);
            self.log_blocks(branch, step);
            step.write.push(Write::Certificate(certificate.clone()));
        }
    }

    /// Whether a block is final beside the one of the highest certificate, whose ballot is not
    /// lower (I2).
    fn is_beside_high(&self, certificate: &VerifiedCertificate) -> bool {
        let (high, block) = (self.finality.high.block(), certificate.block());
        let branches = &self.chain;
        certificate.phase == Phase::Two
            && block.ballot > self.finality.last_final.ballot
            && block.ballot <= high.ballot
            && branches.is_here(&block.id)
            && !branches.extends(&high.id, &block)
    }

    /// A certificate proves that more validators broke the rules than the network tolerates:
    /// this node signs nothing any more, and goes on serving.
    fn raise_alarm(&mut self, certificate: VerifiedCertificate, step: &mut Step) {
        self.log_certificate(&certificate, step);
        let finality = &self.finality;
        let (last_final, conflicting) = if self.is_beside_high(&certificate) {
            (certificate.clone(), finality.high.clone())
        } else {
            (finality.last_final.clone(), certificate.clone())
        };
        self.finality.alarm = Some(certificate);
        step.publish.push(Publish::SafetyAlarm {
            last_final,
            conflicting,
        });
    }

    /// Whether two certificates conflict: this node signs nothing any more.
    #[must_use]
    pub fn is_alarmed(&self) -> bool {
        self.finality.alarm.is_some()
    }

    /// Keeps a certificate, and asks its sender for the block.
    fn await_block(&mut self, now: Now, certificate: VerifiedCertificate, source: Source) {
        if let Source::Peer(peer) = source {
            self.want(now, peer, (certificate.number, certificate.id));
        }
        self.finality.await_block(certificate);
    }

    /// Whether a certificate waits for a block with this number or one above.
    pub(in crate::machine) fn awaits_from(&self, number: Height) -> bool {
        let mut awaited = self.finality.awaited.values();
        awaited.any(|awaited| awaited.number >= number)
    }

    /// Takes the certificates whose blocks have come.
    pub(super) fn take_awaited(&mut self, now: Now, step: &mut Step) {
        self.take_below(now, step);
        for phase in [Phase::One, Phase::Two] {
            let chain = &self.chain;
            let here = |awaited: &VerifiedCertificate| chain.is_here(&awaited.id);
            let is_here = self.finality.awaited.get(&phase).is_some_and(here);
            if is_here && let Some(certificate) = self.finality.awaited.remove(&phase) {
                self.on_certificate(now, certificate, Source::Awaited, step);
            }
        }
    }
}
