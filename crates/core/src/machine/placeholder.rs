//! The text of a block or payment that was made without one.

use crate::{block::MAX_BLOCK_DATA, genesis_config::Placeholder};
use ccoin_crypto::sha256;

/// Text for blocks of a miner and payments of a wallet.
#[derive(Clone, Debug)]
pub enum PlaceholderText {
    /// Always the same.
    Fixed(String),
    /// Random letters and digits, drawn from a seed that the shell provides.
    Random {
        /// How many characters.
        length: usize,
        /// Unpredictable bytes.
        seed: [u8; 32],
    },
}

impl PlaceholderText {
    /// What the operator configured, else what the genesis placeholder says.
    #[must_use]
    pub fn new(
        configured: Option<String>,
        placeholder: Option<&Placeholder>,
        seed: [u8; 32],
    ) -> Self {
        match (configured, placeholder) {
            (Some(text), _) => Self::Fixed(text),
            (None, Some(Placeholder::Fixed(text))) => Self::Fixed(text.clone()),
            (None, Some(Placeholder::Random(length))) => Self::Random {
                length: usize::try_from(*length).unwrap_or(MAX_BLOCK_DATA),
                seed,
            },
            (None, None) => Self::Fixed(String::new()),
        }
    }

    /// The next text.
    pub fn draw(&mut self) -> String {
        match self {
            Self::Fixed(text) => text.clone(),
            Self::Random { length, seed } => {
                const ALPHABET: &[u8; 62] =
                    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
                let mut text = String::with_capacity(*length);
                while text.len() < *length {
                    *seed = *sha256(&[b"ccoin/1/rnd", &*seed]).as_bytes();
                    let letters = seed
                        .iter()
                        .filter_map(|byte| ALPHABET.get(usize::from(byte >> 2)));
                    text.extend(
                        letters
                            .take(length.saturating_sub(text.len()))
                            .map(|b| char::from(*b)),
                    );
                }
                text
            }
        }
    }
}
