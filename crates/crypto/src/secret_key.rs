//! RSA secret keys: generation, signing, and the PKCS#8 PEM that `openssl pkey` opens.
//! Secret bytes are wiped when dropped and never printed; nothing is ever decrypted with a key.

use crate::{Hash, KeyError, PublicKey, SigStructure, Signature, public_key::BITS, random_bytes};
use aws_lc_rs::{
    encoding::{AsDer, PublicKeyX509Der},
    rand::SystemRandom,
    signature::{KeyPair as _, RSA_PSS_SHA256, RsaKeyPair},
};
use getrandom::SysRng;
use rsa::{
    PrivateKey,
    pkcs8::{
        EncodePrivateKey, EncryptedPrivateKeyInfoRef, PrivateKeyInfoRef, SecretDocument,
        der::pem::{LineEnding, PemLabel},
        pkcs5::pbes2,
    },
};
use std::fmt;
use zeroize::Zeroizing;

/// PBKDF2 rounds of the files written here (OWASP password storage, 2023).
const ROUNDS: u32 = 600_000;

/// PBKDF2 rounds of a file beyond which it is refused: about ten seconds.
const MAX_ROUNDS: u32 = 20_000_000;

/// Longest PEM read: an encrypted key of 4096 bits has about 3,400 bytes.
const MAX_PEM: usize = 16 * 1024;

/// An RSA key that can sign.
pub struct SecretKey {
    /// PKCS#8.
    der: SecretDocument,
    pair: RsaKeyPair,
    public: PublicKey,
}

impl SecretKey {
    /// Makes a new key of 2048, 3072 or 4096 bits.
    ///
    /// # Errors
    /// [`KeyError::Bits`] for another size, [`KeyError::Library`] if the operating
    /// system has no randomness.
    pub fn generate(bits: usize) -> Result<Self, KeyError> {
        if !BITS.contains(&bits) {
            return Err(KeyError::Bits { got: bits });
        }
        let failed = KeyError::Library {
            action: "generate a key",
        };
        let key = PrivateKey::new(&mut SysRng, bits).map_err(|_| failed.clone())?;
        Self::from_pkcs8(key.to_pkcs8_der().map_err(|_| failed)?)
    }

    /// Reads a PKCS#8 PEM, encrypted or not; a passphrase that is not needed is ignored.
    ///
    /// # Errors
    /// [`KeyError`] tells a locked key, a wrong passphrase, a broken file and a key
    /// outside the key profile apart.
    pub fn from_pem(text: &str, passphrase: Option<&str>) -> Result<Self, KeyError> {
        if text.len() > MAX_PEM {
            return Err(KeyError::TextLength {
                got: text.len(),
                max: MAX_PEM,
            });
        }
        let (label, document) =
            SecretDocument::from_pem(text.trim()).map_err(|_| KeyError::Malformed)?;
        match label {
            PrivateKeyInfoRef::PEM_LABEL => Self::from_pkcs8(document),
            EncryptedPrivateKeyInfoRef::PEM_LABEL => {
                Self::from_pkcs8(decrypt(&document, passphrase.ok_or(KeyError::Locked)?)?)
            }
            _ => Err(KeyError::Malformed),
        }
    }

    fn from_pkcs8(der: SecretDocument) -> Result<Self, KeyError> {
        let pair = RsaKeyPair::from_pkcs8(der.as_bytes()).map_err(|_| KeyError::Malformed)?;
        let public: PublicKeyX509Der<'_> = pair
            .public_key()
            .as_der()
            .map_err(|_| KeyError::Malformed)?;
        let public = PublicKey::from_der(public.as_ref())?;
        Ok(Self { der, pair, public })
    }

    /// The PKCS#8 PEM; with a passphrase PBES2 = PBKDF2-HMAC-SHA256 with 600,000
    /// rounds + AES-256-CBC (RFC 8018).
    #[must_use]
    pub fn to_pem(&self, passphrase: Option<&str>) -> Zeroizing<String> {
        let Some(passphrase) = passphrase else {
            return self
                .der
                .to_pem(PrivateKeyInfoRef::PEM_LABEL, LineEnding::LF)
                .expect("a document that was decoded can be encoded");
        };
        let (salt, iv) = (random_bytes::<16>(), random_bytes());
        let scheme = pbes2::Parameters::generate_pbkdf2_sha256_aes256cbc(ROUNDS, &salt, iv)
            .expect("a salt of 16 bytes and these rounds are within the library's limits");
        PrivateKeyInfoRef::try_from(self.der.as_bytes())
            .and_then(|key| key.encrypt_with_params(scheme, passphrase))
            .and_then(|sealed| {
                Ok(sealed.to_pem(EncryptedPrivateKeyInfoRef::PEM_LABEL, LineEnding::LF)?)
            })
            .expect("a document that was decoded can be encoded")
    }

    /// The public half.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// Signs a message, which PSS hashes once more, with a fresh salt of 32 bytes.
    ///
    /// # Errors
    /// [`KeyError::Library`] if the library finds a fault in its own computation.
    pub fn sign(&self, message: &Hash) -> Result<Signature, KeyError> {
        self.sign_bytes(message.as_bytes())
    }

    /// Signs for COSE as PS256 (RFC 8230, 2). The message can be no block, vote, transaction or
    /// handshake: [`SigStructure`] says why.
    ///
    /// # Errors
    /// [`KeyError::Library`] as of [`sign`](Self::sign).
    pub fn sign_cose(&self, message: SigStructure<'_>) -> Result<Signature, KeyError> {
        self.sign_bytes(message.as_bytes())
    }

    fn sign_bytes(&self, message: &[u8]) -> Result<Signature, KeyError> {
        let failed = KeyError::Library { action: "sign" };
        let mut bytes = vec![0; self.public.modulus_len()];
        self.pair
            .sign(&RSA_PSS_SHA256, &SystemRandom::new(), message, &mut bytes)
            .map_err(|_| failed.clone())?;
        Signature::new(&bytes).map_err(|_| failed)
    }
}

fn decrypt(document: &SecretDocument, passphrase: &str) -> Result<SecretDocument, KeyError> {
    let sealed: EncryptedPrivateKeyInfoRef<'_> =
        document.decode_msg().map_err(|_| KeyError::Encryption)?;
    // scrypt is refused with the rest: its parameters ask for memory before anything is checked
    let rounds = sealed
        .encryption_algorithm
        .pbes2()
        .and_then(|scheme| scheme.kdf.pbkdf2())
        .map(|kdf| kdf.iteration_count);
    if rounds.is_none_or(|rounds| rounds > MAX_ROUNDS) {
        return Err(KeyError::Encryption);
    }
    sealed
        .decrypt(passphrase)
        .map_err(|_| KeyError::WrongPassphrase)
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(...)")
    }
}
