//! One signature that is claimed to be good: what a verifier judges alone or with others.

use crate::{Hash, PublicKey, Signature, SignatureError};

/// "`signature` is that of `key` over `message`".
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// The alleged signer.
    pub key: &'a PublicKey,
    /// What PSS hashes once more.
    pub message: Hash,
    /// Of any length and value.
    pub signature: &'a Signature,
}

impl Claim<'_> {
    /// Length and `s < n`, before any library or lane sees the signature: libraries differ there.
    pub(crate) fn check_range(&self) -> Result<(), SignatureError> {
        check_range(self.key, self.signature)
    }
}

/// The same for a message of any length.
pub(crate) fn check_range(key: &PublicKey, signature: &Signature) -> Result<(), SignatureError> {
    let (bytes, modulus) = (signature.as_bytes(), key.modulus());
    if bytes.len() != modulus.len() {
        return Err(SignatureError::Length {
            got: bytes.len(),
            expected: modulus.len(),
        });
    }
    if bytes >= modulus {
        return Err(SignatureError::Range);
    }
    Ok(())
}
