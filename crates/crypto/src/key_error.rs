//! Why bytes or a text are not a key that this ledger accepts.
//! Never carries key material.

/// Why a key is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not one of the three modulus sizes (`got` in bits).
    #[error("an RSA key of {got} bits where 2048, 3072 or 4096 are allowed")]
    Bits {
        /// Bits asked for.
        got: usize,
    },
    /// The DER has a length that no key of the profile has.
    #[error(
        "{got} bytes of DER where an RSA public key of 2048, 3072 or 4096 bits has 294, 422 or 550"
    )]
    Length {
        /// Bytes seen.
        got: usize,
    },
    /// Right length, but another algorithm, exponent or spelling, or a modulus with a zero top bit.
    #[error("not the canonical DER of an RSA public key with exponent 65537 and a full modulus")]
    NotCanonical,
    /// The modulus is even, so it is no product of two large primes.
    #[error("the RSA modulus is even")]
    EvenModulus,
    /// The text is longer than any form of a key.
    #[error("a key text of {got} bytes where at most {max} are read")]
    TextLength {
        /// Bytes seen.
        got: usize,
        /// Bytes read at most.
        max: usize,
    },
    /// The text of a public key is in none of the known forms.
    #[error("neither PEM nor base64 nor hex of a public key")]
    Text,
    /// The secret key is encrypted and no passphrase was given.
    #[error("the key is locked with a passphrase and none was given")]
    Locked,
    /// The passphrase does not open the secret key.
    #[error("wrong passphrase")]
    WrongPassphrase,
    /// The file is encrypted in a way that is not read.
    #[error("unknown encryption of the key file, only PBES2 with PBKDF2 is read")]
    Encryption,
    /// The text is not a PKCS#8 PEM of an RSA key whose parts fit together.
    #[error("not a PKCS#8 PEM of a sound RSA key of 2048, 3072 or 4096 bits")]
    Malformed,
    /// The cryptographic library refused to generate or to sign.
    #[error("the cryptographic library failed to {action}")]
    Library {
        /// What it should have done.
        action: &'static str,
    },
}
