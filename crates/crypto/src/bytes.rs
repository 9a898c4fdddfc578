//! The one macro of the project: a newtype over a fixed number of bytes.
//! Hex for people (JSON, logs, command line), raw bytes on the wire.

/// Why a text or a byte string is not a value of the wanted length.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BytesError {
    /// The text has the wrong number of characters.
    #[error("{got} characters where {expected} hex digits are needed")]
    Length {
        /// Characters seen.
        got: usize,
        /// Hex digits needed.
        expected: usize,
    },
    /// The text holds a character that is not a lower-case hex digit.
    #[error("{got:?} at position {position} is not a lower-case hex digit")]
    Digit {
        /// The offending character.
        got: char,
        /// Its position, from 0.
        position: usize,
    },
}

/// Decodes exactly `N` bytes of lower-case hex.
///
/// # Errors
/// [`BytesError`] names the length or the first character that does not fit.
pub fn from_lower_hex<const N: usize>(text: &str) -> Result<[u8; N], BytesError> {
    if let Some((position, got)) = text
        .chars()
        .enumerate()
        .find(|(_, c)| !matches!(c, '0'..='9' | 'a'..='f'))
    {
        return Err(BytesError::Digit { got, position });
    }
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).map_err(|_| BytesError::Length {
        got: text.len(),
        expected: N.saturating_mul(2),
    })?;
    Ok(bytes)
}

/// Declares a newtype over `[u8; $len]` with hex text form and serde.
#[macro_export]
macro_rules! byte_newtype {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $len]);

        impl $name {
            /// All bytes zero.
            pub const ZERO: Self = Self([0; $len]);

            /// Wraps raw bytes.
            #[must_use]
            pub const fn new(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }

            /// The raw bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }
        }

        impl ::core::fmt::Display for $name {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                for byte in &self.0 {
                    write!(f, "{byte:02x}")?;
                }
                Ok(())
            }
        }

        impl ::core::fmt::Debug for $name {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                ::core::fmt::Display::fmt(self, f)
            }
        }

        impl ::core::str::FromStr for $name {
            type Err = $crate::BytesError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $crate::from_lower_hex(text).map(Self)
            }
        }

        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                if s.is_human_readable() {
                    s.collect_str(self)
                } else {
                    s.serialize_bytes(&self.0)
                }
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                if d.is_human_readable() {
                    let text = ::std::borrow::Cow::<'de, str>::deserialize(d)?;
                    text.parse().map_err(::serde::de::Error::custom)
                } else {
                    ::serde_bytes::ByteArray::<$len>::deserialize(d).map(|b| Self(b.into_array()))
                }
            }
        }
    };
}
