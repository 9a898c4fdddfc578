//! The one byte form of every structure that is hashed, signed, stored or sent:
//! a MessagePack array of the fields in their listed order, every header in its
//! shortest form. Bytes that are not the encoding of what they decode to are refused.

use serde::{Serialize, de::DeserializeOwned};

/// Deepest nesting that any of our structures needs, with room to spare.
const MAX_DEPTH: usize = 16;

/// Why bytes are not a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// More bytes than such a value may have.
    #[error("{got} bytes where at most {max} are allowed")]
    Size {
        /// Bytes seen.
        got: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// Not MessagePack, or not of the wanted shape, or a field out of range.
    #[error("not a valid {kind}: {reason}")]
    Malformed {
        /// What was expected.
        kind: &'static str,
        /// What the decoder says.
        reason: String,
    },
    /// A second spelling of the same value, or bytes left over.
    #[error("not the canonical encoding of a {kind}")]
    NotCanonical {
        /// What was expected.
        kind: &'static str,
    },
}

/// The canonical bytes of `value`.
#[must_use]
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    rmp_serde::to_vec(value).expect("our types have known lengths and writing to memory succeeds")
}

/// Parses bytes that must be the one encoding of a `T`; `kind` names it in errors.
///
/// # Errors
/// [`DecodeError`] if they are not.
pub fn decode<T: Serialize + DeserializeOwned>(
    kind: &'static str,
    bytes: &[u8],
) -> Result<T, DecodeError> {
    let mut decoder = rmp_serde::Deserializer::from_read_ref(bytes);
    decoder.set_max_depth(MAX_DEPTH);
    let value = T::deserialize(&mut decoder).map_err(|error| DecodeError::Malformed {
        kind,
        reason: error.to_string(),
    })?;
    if encode(&value) == bytes {
        Ok(value)
    } else {
        Err(DecodeError::NotCanonical { kind })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Amount, TxId};

    #[test]
    fn second_spellings_are_refused() {
        let value = (
            Amount::new(5).unwrap(),
            TxId::new([7; 32]),
            String::from("a"),
        );
        let bytes = encode(&value);
        assert_eq!(bytes.len(), 1 + 1 + 34 + 2);
        type Value = (Amount, TxId, String);
        assert_eq!(decode::<Value>("x", &bytes), Ok(value));
        // 5 as uint8 instead of fixint
        let mut long = bytes.clone();
        long.splice(1..2, [0xcc, 5]);
        assert_eq!(
            decode::<Value>("x", &long),
            Err(DecodeError::NotCanonical { kind: "x" })
        );
        let mut trailing = bytes.clone();
        trailing.push(0);
        assert_eq!(
            decode::<Value>("x", &trailing),
            Err(DecodeError::NotCanonical { kind: "x" })
        );
        for cut in 0..bytes.len() {
            assert!(decode::<Value>("x", &bytes[..cut]).is_err());
        }
    }

    #[test]
    fn bombs_end_in_errors() {
        for bomb in [
            vec![0x91; 100_000],
            vec![0xdd, 0xff, 0xff, 0xff, 0xff],
            vec![0xc6, 0xff, 0xff, 0xff, 0xff],
            vec![0xdf, 0xff, 0xff, 0xff, 0xff],
        ] {
            assert!(decode::<Vec<Vec<TxId>>>("x", &bomb).is_err());
            assert!(decode::<TxId>("x", &bomb).is_err());
        }
    }
}
