//! Only the owner spends: every signature that is not the sender's own over exactly this
//! payment on this network is refused, and no id depends on one (L4).

use ccoin_core::{
    Amount, BlockId, Timestamp,
    transaction::{Payment, Transaction, TransactionError, VerifiedTransaction},
};
use ccoin_crypto::{Lanes, Signature, SignatureError, Verifier};
use ccoin_sim::{arrived, at, coins, ghost, header, key, miner, open_network, seal, signed};

fn verify(txn: &Transaction, genesis: &BlockId) -> Result<VerifiedTransaction, TransactionError> {
    VerifiedTransaction::verify(txn.clone(), genesis, 64, &mut Verifier::new(4))
}

#[test]
fn only_the_senders_own_signature_is_accepted() {
    let genesis = open_network();
    let good = signed(&genesis, 0, 1, miner(1), 5);
    let id = good.id(&genesis.id);
    assert!(verify(&good, &genesis.id).is_ok());
    let bytes = good.signature.as_bytes().to_vec();
    let modulus = key(0).public_key().as_der()[33..289].to_vec();
    let zero_first: Vec<u8> = [&[0], &bytes[..]].concat();
    let wrong: [(&str, Vec<u8>); 9] = [
        ("none", Vec::new()),
        ("short", bytes[..255].to_vec()),
        ("long", [&bytes[..], &[0]].concat()),
        ("leading zero", zero_first),
        (
            "spoilt",
            bytes
                .iter()
                .enumerate()
                .map(|(i, b)| b ^ u8::from(i == 99))
                .collect(),
        ),
        ("s = n", modulus.clone()),
        ("s + n", plus(&bytes, &modulus)),
        ("all ones", vec![0xff; 256]),
        ("zeros", vec![0; 256]),
    ];
    for (name, bytes) in wrong {
        let forged = Transaction {
            signature: Signature::new(&bytes).unwrap(),
            ..good.clone()
        };
        assert_eq!(
            forged.id(&genesis.id),
            id,
            "the id does not cover the signature"
        );
        assert!(verify(&forged, &genesis.id).is_err(), "{name}");
    }
    assert!(matches!(
        verify(
            &Transaction {
                signature: Signature::new(&modulus).unwrap(),
                ..good.clone()
            },
            &genesis.id
        ),
        Err(TransactionError::Signature {
            source: SignatureError::Range,
            ..
        })
    ));
}

/// `a + b` modulo 2^2048, big-endian.
fn plus(a: &[u8], b: &[u8]) -> Vec<u8> {
    let mut carry = 0u16;
    let mut sum: Vec<u8> = a
        .iter()
        .zip(b)
        .rev()
        .map(|(a, b)| {
            carry = u16::from(*a) + u16::from(*b) + (carry >> 8);
            carry as u8
        })
        .collect();
    sum.reverse();
    sum
}

/// Every field but the signature is signed, and the network too.
#[test]
fn a_signature_serves_one_payment_on_one_open_network() {
    let genesis = open_network();
    let good = signed(&genesis, 0, 1, miner(1), 5);
    let changed = [
        Transaction {
            number: ccoin_core::AccountNonce::new(2).unwrap(),
            ..good.clone()
        },
        Transaction {
            from: key(2).public_key().clone(),
            ..good.clone()
        },
        Transaction {
            from: ghost(1),
            ..good.clone()
        },
        Transaction {
            to: miner(2),
            ..good.clone()
        },
        Transaction {
            amount: coins(6),
            ..good.clone()
        },
        Transaction {
            data: " ".into(),
            ..good.clone()
        },
        Transaction {
            time: Timestamp::ZERO,
            ..good.clone()
        },
    ];
    for forged in changed {
        assert_ne!(forged.id(&genesis.id), good.id(&genesis.id));
        assert!(verify(&forged, &genesis.id).is_err(), "{forged:?}");
    }
    assert!(
        verify(&good, &ccoin_sim::NOWHERE).is_err(),
        "another network"
    );
}

#[test]
fn signing_again_makes_another_signature_and_no_other_id() {
    let genesis = open_network();
    let (once, twice) = (
        signed(&genesis, 0, 1, miner(1), 5),
        signed(&genesis, 0, 1, miner(1), 5),
    );
    assert_ne!(once.signature, twice.signature, "PSS is randomised");
    assert_eq!(
        verify(&once, &genesis.id).unwrap().id(),
        verify(&twice, &genesis.id).unwrap().id()
    );
    let parent = genesis.applied();
    let made = |txn: &Transaction| {
        let txns = [VerifiedTransaction::already_verified(
            txn.clone(),
            &genesis.id,
        )];
        let block = seal(
            &genesis,
            header(&genesis, &parent, miner(0), at(1_000), &txns),
            Some(key(0)),
            txns.to_vec(),
        );
        (block.id, arrived(&block).signed.signature)
    };
    let ((id, signature), (same, other)) = (made(&once), made(&twice));
    assert_eq!(id, same, "the block id covers no signature");
    assert_ne!(signature, other);
}

/// In the toy the text of a key was cut to find its address.
#[test]
fn a_key_that_contains_a_victims_key_pays_from_its_own_address() {
    let genesis = open_network();
    let payment = Payment {
        number: ccoin_core::AccountNonce::new(1).unwrap(),
        to: miner(1),
        amount: Amount::MAX,
        data: key(0).public_key().to_pem()[..64].into(),
        time: at(0),
    };
    let txn = Transaction::sign(payment, key(3), &genesis.id).unwrap();
    assert_eq!(verify(&txn, &genesis.id).unwrap().sender(), miner(3));
    for cut in [1, 20, 33, 100] {
        let mut der = key(3).public_key().as_der().to_vec();
        der[60..60 + cut].copy_from_slice(&key(0).public_key().as_der()[60..60 + cut]);
        let key = ccoin_crypto::PublicKey::from_der(&der).unwrap();
        assert_ne!(key.address(), miner(0));
    }
}

/// The limit is one of bytes, and it is the network's.
#[test]
fn data_is_bounded_by_its_bytes() {
    let genesis = open_network();
    let long = |data: String| Transaction {
        data,
        ..signed(&genesis, 0, 1, miner(1), 5)
    };
    let refused = verify(&long("é".repeat(32) + "x"), &genesis.id);
    assert_eq!(
        refused.unwrap_err(),
        TransactionError::Data { got: 65, max: 64 }
    );
    let kept = verify(&long("é".repeat(32)), &genesis.id);
    assert!(
        matches!(kept, Err(TransactionError::Signature { .. })),
        "the length passes"
    );
}

#[test]
fn many_transactions_are_judged_in_their_order_as_each_alone() {
    let genesis = open_network();
    let good: Vec<_> = (1..=10)
        .map(|number| signed(&genesis, 0, number, miner(1), 5))
        .collect();
    let forged = Transaction {
        amount: coins(6),
        ..good[3].clone()
    };
    let long = Transaction {
        data: "x".repeat(65),
        ..good[5].clone()
    };
    let mut txns = good.clone();
    txns[3] = forged;
    txns[5] = long;
    for lanes in [Lanes::off(), Lanes::detect()] {
        let mut verifier = Verifier::with_lanes(4, lanes);
        let many = VerifiedTransaction::verify_many(txns.clone(), &genesis.id, 64, &mut verifier);
        assert_eq!(many.len(), txns.len());
        for (index, (outcome, txn)) in many.into_iter().zip(&txns).enumerate() {
            let alone = verify(txn, &genesis.id);
            assert_eq!(outcome.is_ok(), good.contains(txn), "{index}");
            assert_eq!(
                outcome.map(|verified| *verified.id()),
                alone.map(|verified| *verified.id()),
                "{index}"
            );
        }
    }
}
