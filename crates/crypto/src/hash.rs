//! SHA-256 values and addresses.

use sha2::{Digest, Sha256};

crate::byte_newtype! {
    /// A SHA-256 digest whose meaning the caller knows; where two digests
    /// could be confused, `core` wraps them in their own type.
    Hash, 32
}

crate::byte_newtype! {
    /// An account: the first 20 bytes of SHA-256 over the DER of its public key.
    Address, 20
}

/// SHA-256 over the concatenation of `parts` (FIPS 180-4).
#[must_use]
pub fn sha256(parts: &[&[u8]]) -> Hash {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    Hash::new(hasher.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_lower_case_and_exact() {
        let hash = sha256(&[b"a", b"bc"]);
        let text = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hash.to_string(), text);
        assert_eq!(text.parse(), Ok(hash));
        assert!(text.to_uppercase().parse::<Hash>().is_err());
        assert!(text[1..].parse::<Hash>().is_err());
        assert!(format!("{text}00").parse::<Address>().is_err());
        assert!("é".repeat(20).parse::<Address>().is_err());
    }
}
