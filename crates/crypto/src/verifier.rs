//! The one rule for signatures: RSASSA-PSS with SHA-256, MGF1-SHA-256 and a salt
//! of 32 bytes (RFC 8017, 8.1.2), one spelling per signature. Never signs.

#[cfg(not(target_family = "wasm"))]
use crate::pss::PssKey;
#[cfg(target_family = "wasm")]
use crate::pss_portable::PssKey;
use crate::{Hash, KeyError, PublicKey, Signature, SignatureError};
use lru::LruCache;
use std::{fmt, num::NonZeroUsize, sync::Arc};

/// Verifies signatures and remembers parsed keys; one per thread.
pub struct Verifier {
    /// By DER; only keys that have made a good signature, so that junk evicts no key.
    known: LruCache<Arc<[u8]>, (PublicKey, PssKey)>,
}

impl Verifier {
    /// Remembers the `capacity` keys used last (at least one; about 2 KiB each).
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            known: LruCache::new(NonZeroUsize::new(capacity).unwrap_or(NonZeroUsize::MIN)),
        }
    }

    /// The key with this DER, without checking it again if it is remembered.
    ///
    /// # Errors
    /// [`KeyError`] as of [`PublicKey::from_der`].
    pub fn intern(&mut self, der: &[u8]) -> Result<PublicKey, KeyError> {
        match self.known.get(der) {
            Some((key, _)) => Ok(key.clone()),
            None => PublicKey::from_der(der),
        }
    }

    /// Checks that `signature` is `key`'s over `message`, which PSS hashes once more.
    ///
    /// # Errors
    /// [`SignatureError`] if it is not. Length and `s < n` are checked before any
    /// library sees the signature, because libraries differ there.
    pub fn verify(
        &mut self,
        key: &PublicKey,
        message: &Hash,
        signature: &Signature,
    ) -> Result<(), SignatureError> {
        let bytes = signature.as_bytes();
        let modulus = key.modulus();
        if bytes.len() != modulus.len() {
            return Err(SignatureError::Length {
                got: bytes.len(),
                expected: modulus.len(),
            });
        }
        if bytes >= modulus {
            return Err(SignatureError::Range);
        }
        if let Some((_, parsed)) = self.known.get(key.as_der()) {
            return parsed.verify(message, bytes);
        }
        let parsed = PssKey::new(key)?;
        parsed.verify(message, bytes)?;
        self.known
            .put(Arc::clone(key.shared_der()), (key.clone(), parsed));
        Ok(())
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Verifier({} of {} keys)",
            self.known.len(),
            self.known.cap()
        )
    }
}
