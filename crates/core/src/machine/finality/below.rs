//! Certificates of older final blocks, which come with the blocks that a node fetches: final
//! moves along with them (Y1), and the log of this node can prove them to others.

use crate::{
    Height, Now,
    consensus::{certificate::VerifiedCertificate, vote::Phase},
    machine::{Machine, Step, finality::certify::Source},
};

/// Certificates that wait for their blocks; the highest goes first. There are no more answers
/// in flight.
const MAX_BELOW: usize = 64;

impl Machine {
    pub(in crate::machine) fn on_final_below(
        &mut self,
        now: Now,
        certificate: VerifiedCertificate,
        step: &mut Step,
    ) {
        if certificate.phase == Phase::Two {
            let below = &mut self.finality.below;
            below.insert(certificate.number, certificate);
            if below.len() > MAX_BELOW {
                below.pop_last();
            }
            self.take_below(now, step);
        }
    }

    /// Takes those whose blocks have come, the lowest first.
    pub(super) fn take_below(&mut self, now: Now, step: &mut Step) {
        let last_final = self.finality.last_final.ballot;
        self.finality
            .below
            .retain(|_, certificate| certificate.ballot > last_final);
        let chain = &self.chain;
        let is_here = |certificate: &VerifiedCertificate| chain.is_here(&certificate.id);
        let below = &self.finality.below;
        let here = below.iter().filter(|(_, below)| is_here(below));
        let here: Vec<Height> = here.map(|(number, _)| *number).collect();
        for number in here {
            if let Some(certificate) = self.finality.below.remove(&number) {
                self.on_certificate(now, certificate, Source::Awaited, step);
            }
        }
    }
}
