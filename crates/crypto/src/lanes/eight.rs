//! The opinion of the lanes on up to eight RSA-2048 signatures. It decides nothing: see
//! [`settle`](super::settle()).

use super::{
    key::{LaneKey, get, set},
    number::{BYTES, LIMBS, Number},
    padding,
    power::{EIGHT, Engine, Moduli, Rows, power},
};
use crate::Hash;

/// What one lane is asked.
pub(crate) struct Question<'a> {
    pub(crate) key: &'a LaneKey,
    /// SHA-256 of the signed message.
    pub(crate) digest: Hash,
    /// A number below the modulus, big-endian.
    pub(crate) signature: &'a [u8; BYTES],
}

/// Whether each of at most eight signatures fits its key and its message.
pub(crate) fn opinions(engine: Engine, questions: &[Question<'_>]) -> Vec<bool> {
    debug_assert!(questions.len() <= EIGHT);
    let mut moduli = Moduli::zero();
    let mut forms: Rows = [[0; EIGHT]; LIMBS];
    let mut bases: Rows = [[0; EIGHT]; LIMBS];
    for (lane, question) in questions.iter().enumerate() {
        question.key.fill(lane, &mut moduli, &mut forms);
        set(&mut bases, lane, &Number::from_bytes(question.signature));
    }
    let powers = power(engine, &bases, &forms, &moduli);
    let opinion = |(lane, question): (usize, &Question<'_>)| {
        let encoded = get(&powers, lane).reduced(&question.key.modulus);
        padding::fits(&encoded.to_bytes(), &question.digest)
    };
    questions.iter().enumerate().map(opinion).collect()
}
