//! Damaged and mixed receipts: always an answer, and never yes.

use super::{
    ledger::Ledger,
    vectors::{judge, proves},
};
use ccoin_core::{
    BlockId,
    receipt::{Receipt, Subject, TxnPath},
};
use ccoin_sim::miner;
use proptest::{prelude::*, sample::Index};
use std::sync::OnceLock;

fn ledger() -> &'static Ledger {
    static LEDGER: OnceLock<Ledger> = OnceLock::new();
    LEDGER.get_or_init(Ledger::new)
}

fn subjects() -> Vec<Receipt> {
    let ledger = ledger();
    vec![
        ledger.txn(2, 0),
        ledger.txn(3, 0),
        ledger.account(2, miner(1)),
    ]
}

fn text(receipt: &Receipt) -> Vec<u8> {
    receipt.to_json().to_string().into_bytes()
}

/// Every byte string that some step decodes.
fn parts(receipt: &mut Receipt) -> Vec<&mut Vec<u8>> {
    let Receipt {
        genesis,
        subject,
        headers,
        certificate,
        keys,
    } = receipt;
    let mut parts = vec![genesis];
    if let Subject::Transaction(path) = subject {
        parts.push(&mut path.transaction);
    }
    parts.extend(headers);
    parts.extend(certificate.votes.iter_mut().map(|(_, signature)| signature));
    parts.extend(keys.iter_mut().map(|(_, key)| key));
    parts
}

#[test]
fn another_network_proves_nothing() {
    let other = Ledger::new();
    for receipt in subjects() {
        let text = text(&receipt);
        assert!(judge(&text, &ledger().genesis.id, None).is_ok());
        let refused = judge(&text, &BlockId::ZERO, None).map(drop).unwrap_err();
        assert_eq!(refused.step, 2);
        // The same receipt behind the genesis header of another network with the same miners.
        let mut moved = receipt;
        moved.genesis = other.txn(2, 0).genesis;
        if other.genesis.id != ledger().genesis.id {
            let refused = moved.verify(&other.genesis.id, None, &mut verifier());
            assert_eq!(refused.map(drop).unwrap_err().step, 3);
        }
    }
}

fn verifier() -> ccoin_crypto::Verifier {
    ccoin_crypto::Verifier::new(8)
}

#[test]
fn no_mix_of_two_receipts_is_verified() {
    let [a, b, c] = <[Receipt; 3]>::try_from(subjects()).unwrap();
    let genesis = ledger().genesis.id;
    for (from, into) in [(&a, &b), (&b, &a), (&b, &c), (&c, &b)] {
        let mut mixed = into.clone();
        mixed.subject = from.subject.clone();
        assert!(mixed.verify(&genesis, None, &mut verifier()).is_err());
    }
    let (Subject::Transaction(path), Subject::Transaction(other)) = (&a.subject, &b.subject) else {
        panic!("both are about transactions");
    };
    let mut mixed = a.clone();
    mixed.subject = Subject::Transaction(TxnPath {
        inclusion: other.inclusion.clone(),
        ..path.clone()
    });
    assert_eq!(
        mixed
            .verify(&genesis, None, &mut verifier())
            .unwrap_err()
            .step,
        6
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_flipped_bit_in_any_part_is_refused(
        which in 0..3usize, part: Index, byte: Index, bit in 0..8u8,
    ) {
        let mut receipt = subjects().swap_remove(which);
        let mut parts = parts(&mut receipt);
        let part = part.get_mut(&mut parts);
        let byte = byte.index(part.len());
        part[byte] ^= 1 << bit;
        prop_assert!(receipt.verify(&ledger().genesis.id, None, &mut verifier()).is_err());
    }

    #[test]
    fn a_changed_text_is_refused_or_means_the_same(
        which in 0..3usize, at: Index, byte: u8, cut: bool,
    ) {
        let receipt = subjects().swap_remove(which);
        let genesis = ledger().genesis.id;
        let mut text = text(&receipt);
        let at = at.index(text.len());
        if cut {
            text.truncate(at);
        } else {
            text[at] = byte;
        }
        if let Ok(verified) = judge(&text, &genesis, None) {
            // Only a member that no step reads may change, such as a name that becomes unknown.
            let whole = receipt.verify(&genesis, None, &mut verifier()).unwrap();
            prop_assert_eq!(proves(&verified), proves(&whole));
        }
    }
}
