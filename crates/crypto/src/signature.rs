//! Signature bytes as they travel: bounded, not yet judged.
//! Whether they fit a key and a message is the question of the verifier.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use std::{borrow::Cow, fmt};

/// Bytes of the longest signature: the modulus of RSA-4096.
pub const MAX_SIGNATURE: usize = 512;

/// Why a signature is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Longer than the signature of any key.
    #[error("a signature of {got} bytes where at most {MAX_SIGNATURE} are possible")]
    TooLong {
        /// Bytes seen.
        got: usize,
    },
    /// Not as long as the modulus of the key.
    #[error("a signature of {got} bytes where the key needs {expected}")]
    Length {
        /// Bytes seen.
        got: usize,
        /// Bytes of the modulus.
        expected: usize,
    },
    /// As a number not below the modulus: a second spelling of another signature.
    #[error("the signature is not below the modulus of the key")]
    Range,
    /// Made by another key or for another message.
    #[error("the signature does not fit the key and the message")]
    Mismatch,
}

/// An RSA signature, or none: 0 to 512 bytes, big-endian.
#[derive(Clone, PartialEq, Eq)]
pub struct Signature(Box<[u8]>);

impl Signature {
    /// Takes bytes of any origin.
    ///
    /// # Errors
    /// [`SignatureError::TooLong`] beyond 512 bytes.
    pub fn new(bytes: &[u8]) -> Result<Self, SignatureError> {
        if bytes.len() > MAX_SIGNATURE {
            return Err(SignatureError::TooLong { got: bytes.len() });
        }
        Ok(Self(bytes.into()))
    }

    /// The absent signature, as in block 1.
    #[must_use]
    pub fn empty() -> Self {
        Self(Box::default())
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = self.0.len().min(4);
        write!(
            f,
            "Signature({} bytes, {}..)",
            self.0.len(),
            hex::encode(&self.0[..end])
        )
    }
}

impl Serialize for Signature {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.serialize_str(&STANDARD.encode(&self.0))
        } else {
            serializer.serialize_bytes(&self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Signature {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !deserializer.is_human_readable() {
            let bytes: Cow<'de, [u8]> = serde_bytes::deserialize(deserializer)?;
            return Self::new(&bytes).map_err(D::Error::custom);
        }
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        let got = text.len() / 4 * 3;
        // two bytes of slack: padding may stand for up to two
        if got > MAX_SIGNATURE + 2 {
            return Err(D::Error::custom(SignatureError::TooLong { got }));
        }
        let bytes = STANDARD.decode(text.as_bytes()).map_err(D::Error::custom)?;
        Self::new(&bytes).map_err(D::Error::custom)
    }
}
