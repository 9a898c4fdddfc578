//! What a key signs for COSE: the only messages that are not 32 bytes long. It checks what keeps
//! them apart from all others, and does not read the rest.

/// Array of four, and the text of ten bytes that a `COSE_Sign1` begins with.
const START: &[u8] = b"\x84\x6aSignature1";

/// The bytes under a signature of a `COSE_Sign1`: its `Sig_structure` (RFC 9052, 4.4).
///
/// Everything that the ledger signs (transactions, blocks, votes, handshakes, records of the
/// registry) is a message of 32 bytes. This one is CBOR that begins with `0x84 0x6a
/// "Signature1"` and never 32 bytes long, so no signature over it is one over any of those.
///
/// # Examples
/// ```
/// use ccoin_crypto::SigStructure;
///
/// assert!(SigStructure::new(b"\x84\x6aSignature1\x40\x40\x40").is_some());
/// assert!(SigStructure::new(&[7; 32]).is_none());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct SigStructure<'a>(&'a [u8]);

impl<'a> SigStructure<'a> {
    /// `None` if the bytes do not begin as such a structure does, or are 32.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Option<Self> {
        (bytes.starts_with(START) && bytes.len() != 32).then_some(Self(bytes))
    }

    pub(crate) fn as_bytes(&self) -> &'a [u8] {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Hash, SecretKey, Verifier};

    #[test]
    fn a_signature_for_cose_is_good_for_that_message_and_key_only() {
        let keys = [(); 2].map(|()| SecretKey::generate(2048).unwrap());
        let message = [START, b"\x40\x40\x41x"].concat();
        let other = [START, b"\x40\x40\x41y"].concat();
        let [message, other] = [&message, &other].map(|bytes| SigStructure::new(bytes).unwrap());
        let signature = keys[0].sign_cose(message).unwrap();
        let mut verifier = Verifier::new(1);
        let mut good = |key: &SecretKey, message| {
            let verdict = verifier.verify_cose(key.public_key(), message, &signature);
            verdict.is_ok()
        };
        assert!(good(&keys[0], message));
        assert!(!good(&keys[0], other));
        assert!(!good(&keys[1], message));
    }

    #[test]
    fn nothing_of_32_bytes_and_nothing_else_is_signed_for_cose() {
        let mut bytes = START.to_vec();
        bytes.resize(32, 0x40);
        assert!(SigStructure::new(&bytes).is_none());
        assert!(SigStructure::new(&bytes[..31]).is_some());
        assert!(SigStructure::new(Hash::ZERO.as_bytes()).is_none());
        assert!(SigStructure::new(b"\x85\x69Signature\x40\x40\x40\x40").is_none());
        assert!(SigStructure::new(&START[..11]).is_none());
        assert!(SigStructure::new(&[]).is_none());
    }
}
