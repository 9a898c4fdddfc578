//! RSASSA-PSS by aws-lc-rs, on the machines that run nodes. The verifier has checked length
//! and range before.

use crate::{Hash, PublicKey, SignatureError};
use aws_lc_rs::signature::{ParsedPublicKey, RSA_PSS_2048_8192_SHA256};

/// A key as the library holds it.
pub(crate) struct PssKey(ParsedPublicKey);

impl PssKey {
    pub(crate) fn new(key: &PublicKey) -> Result<Self, SignatureError> {
        ParsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, key.as_der())
            .map(Self)
            .map_err(|_| SignatureError::Mismatch)
    }

    /// Whether these bytes are the key's signature over `message`.
    pub(crate) fn verify(&self, message: &Hash, signature: &[u8]) -> Result<(), SignatureError> {
        self.0
            .verify_sig(message.as_bytes(), signature)
            .map_err(|_| SignatureError::Mismatch)
    }
}
