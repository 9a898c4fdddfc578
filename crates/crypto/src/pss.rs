//! RSASSA-PSS by aws-lc-rs, on the machines that run nodes. The verifier has checked length
//! and range before.

use crate::{PublicKey, SignatureError};
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
    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
        self.0
            .verify_sig(message, signature)
            .map_err(|_| SignatureError::Mismatch)
    }
}
