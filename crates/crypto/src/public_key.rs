//! RSA public keys that are inside the key profile, and their addresses.
//! Our own check is the only judge: no library parses a key before it has passed.

use crate::{Address, KeyError, sha256};
use base64::{Engine, engine::general_purpose::STANDARD};
use rsa::pkcs8::der::pem::{self, LineEnding};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use std::{
    borrow::Cow,
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

/// The modulus sizes of the key profile, in bits.
pub(crate) const BITS: [usize; 3] = [2048, 3072, 4096];

/// SubjectPublicKeyInfo is these bytes, the modulus, [`SUFFIX`].
const PREFIX: usize = 33;

/// INTEGER 65537.
const SUFFIX: [u8; 5] = [2, 3, 1, 0, 1];

const PEM_LABEL: &str = "PUBLIC KEY";
const PEM_START: &str = "-----BEGIN";

/// More than the longest text form: the hex of a PEM of 4096 bits has about 1,600 characters.
const MAX_TEXT: usize = 4096;

/// An RSA public key of 2048, 3072 or 4096 bits with exponent 65537. Cloning shares it.
///
/// The modulus is odd: the libraries differ in what they do with an even one, and
/// nodes that differ fork the chain.
#[derive(Clone)]
pub struct PublicKey {
    der: Arc<[u8]>,
    address: Address,
}

/// The start of the canonical SubjectPublicKeyInfo (RFC 5280, RFC 8017 A.1) of a
/// key whose modulus has `modulus` bytes and its top bit set.
fn prefix(modulus: usize) -> [u8; PREFIX] {
    let length = |more: usize| {
        u16::try_from(modulus.saturating_add(more))
            .unwrap_or(u16::MAX)
            .to_be_bytes()
    };
    let ([o1, o2], [b1, b2], [s1, s2], [i1, i2]) = (length(34), length(15), length(10), length(1));
    let mut bytes = [0; PREFIX];
    let parts: [&[u8]; 5] = [
        &[0x30, 0x82, o1, o2],
        // SEQUENCE { OID rsaEncryption 1.2.840.113549.1.1.1, NULL }
        &[
            0x30, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0,
        ],
        // BIT STRING without unused bits
        &[0x03, 0x82, b1, b2, 0],
        &[0x30, 0x82, s1, s2],
        // INTEGER, with the zero byte that keeps it positive
        &[0x02, 0x82, i1, i2, 0],
    ];
    for (byte, part) in bytes.iter_mut().zip(parts.into_iter().flatten()) {
        *byte = *part;
    }
    bytes
}

impl PublicKey {
    /// Checks a DER SubjectPublicKeyInfo against the key profile.
    ///
    /// # Errors
    /// [`KeyError`] if it is not the canonical DER of such a key.
    pub fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        let modulus_len = der.len().saturating_sub(PREFIX + SUFFIX.len());
        if !BITS.iter().any(|bits| bits / 8 == modulus_len) {
            return Err(KeyError::Length { got: der.len() });
        }
        let modulus = der
            .strip_prefix(&prefix(modulus_len))
            .and_then(|rest| rest.strip_suffix(&SUFFIX))
            .filter(|modulus| modulus.first().is_some_and(|byte| byte & 0x80 != 0))
            .ok_or(KeyError::NotCanonical)?;
        if modulus.last().is_none_or(|byte| byte & 1 == 0) {
            return Err(KeyError::EvenModulus);
        }
        Ok(Self {
            der: der.into(),
            address: address_of(der),
        })
    }

    /// Reads what people paste: a PEM, the DER in base64 or hex, or the hex of a PEM.
    ///
    /// # Errors
    /// [`KeyError`] if it is none of these or outside the key profile.
    pub fn from_text(text: &str) -> Result<Self, KeyError> {
        if text.len() > MAX_TEXT {
            return Err(KeyError::TextLength {
                got: text.len(),
                max: MAX_TEXT,
            });
        }
        let text = text.trim();
        if text.starts_with(PEM_START) {
            return Self::from_pem(text);
        }
        let Ok(bytes) = hex::decode(text) else {
            let der = STANDARD.decode(text).map_err(|_| KeyError::Text)?;
            return Self::from_der(&der);
        };
        if bytes.starts_with(PEM_START.as_bytes()) {
            let text = std::str::from_utf8(&bytes).map_err(|_| KeyError::Text)?;
            return Self::from_pem(text.trim());
        }
        Self::from_der(&bytes)
    }

    fn from_pem(text: &str) -> Result<Self, KeyError> {
        match pem::decode_vec(text.as_bytes()) {
            Ok((PEM_LABEL, der)) => Self::from_der(&der),
            _ => Err(KeyError::Text),
        }
    }

    /// The DER SubjectPublicKeyInfo: 294, 422 or 550 bytes.
    #[must_use]
    pub fn as_der(&self) -> &[u8] {
        &self.der
    }

    /// The key as SubjectPublicKeyInfo PEM with line feeds.
    #[must_use]
    pub fn to_pem(&self) -> String {
        pem::encode_string(PEM_LABEL, LineEnding::LF, &self.der)
            .expect("at most 550 bytes under a fixed label can be encoded")
    }

    /// The account of this key: the first 20 bytes of SHA-256 over the DER.
    #[must_use]
    pub fn address(&self) -> Address {
        self.address
    }

    /// Size of the modulus in bits: 2048, 3072 or 4096.
    #[must_use]
    pub fn bits(&self) -> usize {
        self.modulus_len().saturating_mul(8)
    }

    /// Size of the modulus, and of every signature, in bytes.
    #[must_use]
    pub fn modulus_len(&self) -> usize {
        self.modulus().len()
    }

    /// The modulus, big-endian.
    pub(crate) fn modulus(&self) -> &[u8] {
        &self.der[PREFIX..self.der.len() - SUFFIX.len()]
    }

    /// The shared DER, for tables that are looked up by it.
    pub(crate) fn shared_der(&self) -> &Arc<[u8]> {
        &self.der
    }
}

fn address_of(der: &[u8]) -> Address {
    let digest = sha256(&[der]);
    let (address, _) = digest
        .as_bytes()
        .split_first_chunk()
        .expect("a digest has 32 bytes");
    Address::new(*address)
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for PublicKey {}

impl PartialOrd for PublicKey {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for PublicKey {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.der.cmp(&other.der)
    }
}

impl Hash for PublicKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.der.hash(state);
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({}, {} bits)", self.address, self.bits())
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.serialize_str(&STANDARD.encode(&self.der))
        } else {
            serializer.serialize_bytes(&self.der)
        }
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let der: Cow<'de, [u8]> = if deserializer.is_human_readable() {
            let text = Cow::<'de, str>::deserialize(deserializer)?;
            if text.len() > MAX_TEXT {
                let error = KeyError::TextLength {
                    got: text.len(),
                    max: MAX_TEXT,
                };
                return Err(D::Error::custom(error));
            }
            STANDARD
                .decode(text.as_bytes())
                .map_err(D::Error::custom)?
                .into()
        } else {
            serde_bytes::deserialize(deserializer)?
        };
        Self::from_der(&der).map_err(D::Error::custom)
    }
}
