//! RSASSA-PSS in pure Rust, for targets without a C library: it verifies receipts in
//! WebAssembly. A test holds it to the library that nodes use.

use crate::{PublicKey, SignatureError};
use rsa::{
    pkcs8::DecodePublicKey as _,
    pss::{Signature, VerifyingKey},
    signature::Verifier as _,
};
use sha2::Sha256;

/// A key as the library holds it.
pub(crate) struct PssKey(VerifyingKey<Sha256>);

impl PssKey {
    pub(crate) fn new(key: &PublicKey) -> Result<Self, SignatureError> {
        // The salt is as long as the digest.
        rsa::PublicKey::from_public_key_der(key.as_der())
            .map(|key| Self(VerifyingKey::new(key)))
            .map_err(|_| SignatureError::Mismatch)
    }

    /// Whether these bytes are the key's signature over `message`.
    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
        let signature = Signature::try_from(signature).map_err(|_| SignatureError::Mismatch)?;
        self.0
            .verify(message, &signature)
            .map_err(|_| SignatureError::Mismatch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Hash, SecretKey, pss, sha256};
    use getrandom::SysRng;
    use rsa::{
        pkcs8::EncodePublicKey as _,
        pss::SigningKey,
        signature::{RandomizedSigner as _, SignatureEncoding as _},
    };

    fn both(key: &PublicKey, message: &Hash, signature: &[u8]) -> bool {
        let message = message.as_bytes();
        let ours = PssKey::new(key).unwrap().verify(message, signature);
        let theirs = pss::PssKey::new(key).unwrap().verify(message, signature);
        assert_eq!(ours, theirs);
        ours.is_ok()
    }

    #[test]
    fn it_agrees_with_the_library_of_the_nodes() {
        for bits in [2048, 3072, 4096] {
            let secret = SecretKey::generate(bits).unwrap();
            let key = secret.public_key();
            let message = sha256(&[b"message"]);
            let good = secret.sign(&message).unwrap();
            assert!(both(key, &message, good.as_bytes()));
            assert!(!both(key, &Hash::ZERO, good.as_bytes()));
            for at in (0..good.as_bytes().len()).step_by(7) {
                let mut bad = good.as_bytes().to_vec();
                bad[at] ^= 1;
                assert!(!both(key, &message, &bad), "byte {at}");
            }
            assert!(!both(key, &message, &vec![0; bits / 8]));
            assert!(!both(key, &message, &vec![0xff; bits / 8]));
            assert!(!both(key, &message, &good.as_bytes()[1..]));
            assert!(!both(key, &message, &[]));
        }
    }

    #[test]
    fn only_a_salt_of_32_bytes_is_good() {
        let secret = rsa::PrivateKey::new(&mut SysRng, 2048).unwrap();
        let der = secret.as_public_key().to_public_key_der().unwrap();
        let key = PublicKey::from_der(der.as_bytes()).unwrap();
        let message = sha256(&[b"message"]);
        for (salt, good) in [(0, false), (20, false), (32, true), (33, false)] {
            let signer = SigningKey::<Sha256>::new_with_salt_len(secret.clone(), salt);
            let signature = signer.try_sign_with_rng(&mut SysRng, message.as_bytes());
            assert_eq!(
                both(&key, &message, &signature.unwrap().to_bytes()),
                good,
                "salt {salt}"
            );
        }
    }
}
