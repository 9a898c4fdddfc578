//! The signer of a key: the key itself, or a program that holds it (`home::CommandSigner`).
//! Signing may wait for a device or a service, so no thread that others wait for calls it.

use crate::{Hash, KeyError, PublicKey, SecretKey, Signature};
use std::fmt;

/// How long a signature may wait behind others of the same key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// It goes first: a block or a vote.
    High,
    /// It may wait for those.
    Low,
}

/// Why there is no signature.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The key itself fails, and will not recover.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The program that holds the key does not sign now; it may later.
    #[error("the signer does not sign: {0}")]
    Unavailable(String),
}

/// Makes the signatures of one key.
pub trait KeySigner: fmt::Debug + Send + Sync {
    /// The public half of the key.
    fn public_key(&self) -> &PublicKey;

    /// Signs a message, which PSS hashes once more. The signature has been verified where it
    /// comes from outside. Blocks the calling thread.
    ///
    /// # Errors
    /// [`SignError`] tells whether a later call can succeed.
    fn signature(&self, message: &Hash, urgency: Urgency) -> Result<Signature, SignError>;
}

impl KeySigner for SecretKey {
    fn public_key(&self) -> &PublicKey {
        Self::public_key(self)
    }

    fn signature(&self, message: &Hash, _: Urgency) -> Result<Signature, SignError> {
        Ok(self.sign(message)?)
    }
}
