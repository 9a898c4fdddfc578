//! Eights made of claims, with their keys from a verifier's cache.

use super::{
    LaneKey,
    eight::{Question, opinions},
    key::modulus_2048,
    number::BYTES,
    power::{EIGHT, Engine},
};
use crate::{Claim, PublicKey, Verifier, sha256, verifier::KnownKey};
use std::sync::Arc;

/// Fewer claims are not worth an eight: it takes the same time however many seats are taken,
/// about as long as the library takes for two (`cargo bench -p ccoin-crypto --bench signatures`).
const FEWEST: usize = 3;

impl Verifier {
    /// The opinion of the lanes on each claim; `false` also where they were not asked.
    pub(crate) fn ask_lanes(&mut self, claims: &[Claim<'_>]) -> Vec<bool> {
        let mut accepted = vec![false; claims.len()];
        let Some(engine) = self.lanes.0 else {
            return accepted;
        };
        let fits = |claim: &Claim<'_>| {
            claim.signature.as_bytes().len() == BYTES && claim.check_range().is_ok()
        };
        let fitting = claims.iter().enumerate().filter(|(_, claim)| fits(claim));
        let fitting: Vec<_> = fitting.collect();
        for eight in fitting.chunks(EIGHT).filter(|eight| eight.len() >= FEWEST) {
            let keys = self.keys_of(engine, eight.iter().map(|(_, claim)| claim.key));
            let (mut asked, mut questions) = (Vec::new(), Vec::new());
            for ((index, claim), known) in eight.iter().zip(&keys) {
                if let Some(known) = known
                    && let Some(key) = known.lane.get()
                    && let Ok(signature) = claim.signature.as_bytes().try_into()
                {
                    let digest = sha256(&[claim.message.as_bytes()]);
                    questions.push(Question {
                        key,
                        digest,
                        signature,
                    });
                    asked.push((*index, known));
                }
            }
            for ((index, known), is_accepted) in asked.into_iter().zip(opinions(engine, &questions))
            {
                accepted[index] = is_accepted;
                if is_accepted {
                    self.remember(known);
                }
            }
        }
        accepted
    }

    /// Each key, of the cache or read now, with its constants for the lanes; `None` if the
    /// library does not read it.
    fn keys_of<'k>(
        &mut self,
        engine: Engine,
        keys: impl Iterator<Item = &'k PublicKey>,
    ) -> Vec<Option<Arc<KnownKey>>> {
        let mut found: Vec<Option<Arc<KnownKey>>> = Vec::with_capacity(EIGHT);
        let mut bare = Vec::new();
        for key in keys {
            let same = found.iter().flatten().find(|known| known.key == *key);
            let known = same.cloned().or_else(|| self.find_or_read(key).ok());
            if let Some(known) = &known
                && known.lane.get().is_none()
                && let Some(modulus) = modulus_2048(key)
            {
                bare.push((Arc::clone(known), modulus));
            }
            found.push(known);
        }
        bare.dedup_by(|a, b| Arc::ptr_eq(&a.0, &b.0));
        let moduli: Vec<_> = bare.iter().map(|(_, modulus)| *modulus).collect();
        for ((known, _), key) in bare.iter().zip(LaneKey::of_moduli(engine, &moduli)) {
            // Another place of this eight may have set the same.
            let _ = known.lane.set(key);
        }
        found
    }
}
