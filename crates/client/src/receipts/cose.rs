//! A COSE Receipt (RFC 9942): that a transaction stands in a block, under the signature of one
//! miner, for archives that ask for a standard. It says nothing of finality.
//!
//! The tree is that of `hash_txns`, which RFC 9162 calls by the same rules; its items are the
//! transaction ids.

use ccoin_core::{Hash, TxId, receipt::Inclusion};
use ccoin_crypto::{
    KeyError, PublicKey, SecretKey, SigStructure, Signature, SignatureError, Verifier, merkle,
};
use coset::{
    CborSerializable as _, CoseError, CoseSign1, CoseSign1Builder, Header, HeaderBuilder, Label,
    TaggedCborSerializable as _, cbor::value::Value, iana::Algorithm,
};

/// Bytes of the longest one read: a signature of 512 bytes and 64 hashes take less.
const MAX_BYTES: usize = 4_096;

/// Header parameter of the kind of tree (RFC 9942).
const TREE: i64 = 395;

/// RFC9162_SHA256 as the kind of tree.
const RFC9162_SHA256: u64 = 1;

/// Header parameter of the proofs (RFC 9942).
const PROOFS: i64 = 396;

/// Proofs of inclusion among the proofs of RFC9162_SHA256.
const INCLUSIONS: i64 = -1;

/// Why there is no COSE Receipt, or why one does not hold.
#[derive(Debug, thiserror::Error)]
pub(super) enum CoseReceiptError {
    /// Longer than any.
    #[error("{got} bytes, at most {MAX_BYTES} are read")]
    Length {
        /// Its bytes.
        got: usize,
    },
    /// No COSE, or not in the shortest form.
    #[error(transparent)]
    Cose(#[from] CoseError),
    /// COSE that says something else.
    #[error("it is not one proof of inclusion in the shortest form, signed with PS256 by {0}")]
    Form(ccoin_core::Address),
    /// The path cannot be of a tree of this size.
    #[error("a path of {steps} steps from {index} of {size} leads nowhere")]
    Path {
        /// Its hashes.
        steps: usize,
        /// Place of the transaction.
        index: u64,
        /// Transactions of the block.
        size: u64,
    },
    /// The signature is not over this root.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The key does not sign.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// Signs that `txn` has a place in a block.
///
/// # Errors
/// [`CoseReceiptError::Path`] and [`CoseReceiptError::Key`].
pub(super) fn sign(
    txn: &TxId,
    inclusion: &Inclusion,
    key: &SecretKey,
) -> Result<Vec<u8>, CoseReceiptError> {
    let root = root(txn, inclusion)?;
    let unsigned = unsigned(inclusion, key.public_key());
    let message = unsigned.tbs_detached_data(root.as_bytes(), &[]);
    let signature = key.sign_cose(structure(&message, key.public_key())?)?;
    Ok(signed(unsigned, &signature).to_tagged_vec()?)
}

/// Checks a receipt that [`sign`] made: what it says of `txn`, signed by `key`. Neither the place
/// nor the size of the block is proven, only that a path leads to the signed root.
///
/// # Errors
/// [`CoseReceiptError`].
pub(super) fn check(
    bytes: &[u8],
    txn: &TxId,
    key: &PublicKey,
    verifier: &mut Verifier,
) -> Result<Inclusion, CoseReceiptError> {
    if bytes.len() > MAX_BYTES {
        return Err(CoseReceiptError::Length { got: bytes.len() });
    }
    let form = || CoseReceiptError::Form(key.address());
    let read = CoseSign1::from_tagged_slice(bytes)?;
    let inclusion = proof(&read.unprotected).ok_or_else(form)?;
    let signature = Signature::new(&read.signature)?;
    let unsigned = unsigned(&inclusion, key);
    let message = unsigned.tbs_detached_data(root(txn, &inclusion)?.as_bytes(), &[]);
    // One spelling: what differs from what would be written for these values is refused.
    if signed(unsigned, &signature).to_tagged_vec()? != bytes {
        return Err(form());
    }
    verifier.verify_cose(key, structure(&message, key)?, &signature)?;
    Ok(inclusion)
}

fn structure<'a>(message: &'a [u8], key: &PublicKey) -> Result<SigStructure<'a>, CoseReceiptError> {
    SigStructure::new(message).ok_or_else(|| CoseReceiptError::Form(key.address()))
}

/// The root of the block's transactions: the payload, which is detached.
fn root(txn: &TxId, inclusion: &Inclusion) -> Result<Hash, CoseReceiptError> {
    let Inclusion { index, size, path } = inclusion;
    merkle::path_root(&(*txn).into(), *index, *size, path).ok_or(CoseReceiptError::Path {
        steps: path.len(),
        index: *index,
        size: *size,
    })
}

fn unsigned(inclusion: &Inclusion, key: &PublicKey) -> CoseSign1 {
    let protected = HeaderBuilder::new()
        .algorithm(Algorithm::PS256)
        .key_id(key.address().as_bytes().to_vec())
        .value(TREE, RFC9162_SHA256.into());
    let proofs = vec![(INCLUSIONS.into(), Value::Array(vec![encoded(inclusion)]))];
    let unprotected = HeaderBuilder::new().value(PROOFS, Value::Map(proofs));
    CoseSign1Builder::new()
        .protected(protected.build())
        .unprotected(unprotected.build())
        .build()
}

fn signed(unsigned: CoseSign1, signature: &Signature) -> CoseSign1 {
    CoseSign1 {
        signature: signature.as_bytes().to_vec(),
        ..unsigned
    }
}

/// `bstr .cbor [size, index, [hash...]]`
fn encoded(inclusion: &Inclusion) -> Value {
    let path = inclusion.path.iter();
    let path = path.map(|hash| Value::Bytes(hash.as_bytes().to_vec()));
    let proof = Value::Array(vec![
        inclusion.size.into(),
        inclusion.index.into(),
        Value::Array(path.collect()),
    ]);
    Value::Bytes(
        proof
            .to_vec()
            .expect("arrays, integers and bytes can be encoded"),
    )
}

/// The one proof of inclusion in an unprotected header.
fn proof(header: &Header) -> Option<Inclusion> {
    let (_, proofs) = header
        .rest
        .iter()
        .find(|(label, _)| *label == Label::Int(PROOFS))?;
    let [(_, Value::Array(inclusions))] = proofs.as_map()?.as_slice() else {
        return None;
    };
    let [Value::Bytes(proof)] = inclusions.as_slice() else {
        return None;
    };
    let proof = Value::from_slice(proof).ok()?;
    let [
        Value::Integer(size),
        Value::Integer(index),
        Value::Array(path),
    ] = proof.as_array()?.as_slice()
    else {
        return None;
    };
    let hash = |hash: &Value| hash.as_bytes()?.as_slice().try_into().ok().map(Hash::new);
    Some(Inclusion {
        index: (*index).try_into().ok()?,
        size: (*size).try_into().ok()?,
        path: path.iter().map(hash).collect::<Option<_>>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A block of `count` transactions, and the place of the last one.
    fn block(count: usize) -> (TxId, Inclusion) {
        let ids: Vec<Hash> = (1..=count).map(|n| Hash::new([n as u8; 32])).collect();
        let inclusion = Inclusion {
            index: count as u64 - 1,
            size: count as u64,
            path: merkle::path(&ids, count - 1),
        };
        (ids[count - 1].into(), inclusion)
    }

    fn good(bytes: &[u8], txn: &TxId, key: &SecretKey) -> Option<Inclusion> {
        check(bytes, txn, key.public_key(), &mut Verifier::new(1)).ok()
    }

    #[test]
    fn what_is_signed_is_read_back_in_blocks_of_any_size_with_keys_of_any_size() {
        for (bits, counts) in [(2048, 1..=9), (3072, 4..=4), (4096, 5..=5)] {
            let key = SecretKey::generate(bits).unwrap();
            for count in counts {
                let (txn, inclusion) = block(count);
                let bytes = sign(&txn, &inclusion, &key).unwrap();
                assert_eq!(good(&bytes, &txn, &key), Some(inclusion), "{count}");
            }
        }
    }

    #[test]
    fn a_receipt_with_any_bit_changed_or_a_byte_more_or_less_is_refused() {
        let key = SecretKey::generate(2048).unwrap();
        let (txn, inclusion) = block(4);
        let bytes = sign(&txn, &inclusion, &key).unwrap();
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut other = bytes.clone();
                other[at] ^= 1 << bit;
                assert_eq!(good(&other, &txn, &key), None, "byte {at}, bit {bit}");
            }
            assert_eq!(good(&bytes[..at], &txn, &key), None, "{at} bytes");
        }
        assert_eq!(good(&[&bytes[..], &[0]].concat(), &txn, &key), None);
        assert_eq!(good(&vec![0; MAX_BYTES + 1], &txn, &key), None);
    }

    #[test]
    fn a_receipt_is_good_for_its_transaction_and_its_key_only() {
        let keys = [(); 2].map(|()| SecretKey::generate(2048).unwrap());
        let (txn, inclusion) = block(3);
        let bytes = sign(&txn, &inclusion, &keys[0]).unwrap();
        assert!(good(&bytes, &txn, &keys[0]).is_some());
        assert!(good(&bytes, &Hash::new([1; 32]).into(), &keys[0]).is_none());
        assert!(good(&bytes, &txn, &keys[1]).is_none());
    }

    #[test]
    fn a_place_that_no_block_has_is_not_signed() {
        let key = SecretKey::generate(2048).unwrap();
        let (txn, inclusion) = block(3);
        let refused = sign(
            &txn,
            &Inclusion {
                size: 9,
                ..inclusion
            },
            &key,
        );
        assert!(matches!(refused, Err(CoseReceiptError::Path { .. })));
    }
}
