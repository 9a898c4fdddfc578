//! Signatures whose transactions were refused: their verdict cannot change, so the same
//! transaction sent again costs hashes and no RSA. What depends on the chain or on the queue
//! is judged again each time.

use ccoin_core::{
    TxId,
    transaction::{Transaction, TransactionError},
};
use ccoin_crypto::{Hash, sha256};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

/// Verdicts of a generation; two are remembered, about 10 MB.
const GENERATION: usize = 32_768;

/// Whether the signature fits.
type Verdict = Result<(), TransactionError>;

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<Hash, Verdict>,
    old: HashMap<Hash, Verdict>,
}

/// The cache; all verifiers of a node share it.
#[derive(Debug, Default)]
pub(crate) struct CheckedSignatures(Mutex<Generations>);

/// The id does not cover the signature.
fn key(id: &TxId, txn: &Transaction) -> Hash {
    sha256(&[id.as_bytes(), txn.signature.as_bytes()])
}

impl CheckedSignatures {
    /// What is known of the signature of a transaction with this id.
    pub(crate) fn find(&self, id: &TxId, txn: &Transaction) -> Option<Verdict> {
        let generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = key(id, txn);
        let young = generations.young.get(&key);
        young.or_else(|| generations.old.get(&key)).cloned()
    }

    /// Remembers a verdict on a transaction that is not taken.
    pub(crate) fn remember(&self, id: &TxId, txn: &Transaction, verdict: Verdict) {
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if generations.young.len() >= GENERATION {
            generations.old = core::mem::take(&mut generations.young);
        }
        generations.young.insert(key(id, txn), verdict);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verifier::tests::payment;
    use ccoin_crypto::Signature;

    #[test]
    fn a_verdict_belongs_to_id_and_signature_and_memory_is_bounded() {
        let txn = payment();
        let other = Transaction {
            signature: Signature::new(&[1; 256]).unwrap(),
            ..txn.clone()
        };
        let id = |n: usize| {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&n.to_be_bytes());
            TxId::new(bytes)
        };
        let checked = CheckedSignatures::default();
        for n in 0..3 * GENERATION {
            checked.remember(&id(n), &txn, Ok(()));
        }
        assert_eq!(checked.find(&id(3 * GENERATION - 1), &txn), Some(Ok(())));
        assert_eq!(checked.find(&id(3 * GENERATION - 1), &other), None);
        assert_eq!(checked.find(&id(0), &txn), None);
        let generations = checked.0.lock().unwrap();
        assert!(generations.young.len() + generations.old.len() <= 2 * GENERATION);
    }
}
