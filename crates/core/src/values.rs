//! Newtypes wherever two values share a representation. A value that exists
//! is in range; arithmetic is checked.

use ccoin_crypto::{Hash, byte_newtype};
use serde::{Deserialize, Serialize};

/// Largest integer that every JSON reader keeps exactly: 2^53 - 1 (RFC 8259, 6).
pub const MAX_INTEGER: u64 = (1 << 53) - 1;

/// Last millisecond of the year 9999, the largest time that RFC 3339 can write.
const MAX_TIME: u64 = 253_402_300_799_999;

byte_newtype! {
    /// Identifies a block: the HashCash digest of its header.
    BlockId, 32
}
byte_newtype! {
    /// Identifies a transaction: digest of its first six fields, without the signature.
    TxId, 32
}
byte_newtype! {
    /// Root of the state tree.
    StateHash, 32
}
byte_newtype! {
    /// Root of the RFC 6962 tree over the transaction ids of a block.
    TxnsHash, 32
}

macro_rules! from_hash {
    ($($name:ident)*) => {$(
        impl From<Hash> for $name {
            fn from(hash: Hash) -> Self {
                Self::new(*hash.as_bytes())
            }
        }
        impl From<$name> for Hash {
            fn from(value: $name) -> Self {
                Self::new(*value.as_bytes())
            }
        }
    )*};
}
from_hash!(BlockId TxId StateHash TxnsHash);

/// A number that does not fit its type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{got} is greater than {max}")]
pub struct ValueError {
    /// The number.
    pub got: u64,
    /// The greatest one allowed.
    pub max: u64,
}

macro_rules! number {
    ($(#[$doc:meta])* $name:ident, $max:expr) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(try_from = "u64", into = "u64")]
        pub struct $name(u64);

        impl $name {
            /// The greatest value.
            pub const MAX: Self = Self($max);
            /// Zero.
            pub const ZERO: Self = Self(0);

            /// The value, if it is in range.
            ///
            /// # Errors
            /// [`ValueError`] with the number and the limit.
            pub const fn new(value: u64) -> Result<Self, ValueError> {
                if value <= $max {
                    Ok(Self(value))
                } else {
                    Err(ValueError { got: value, max: $max })
                }
            }

            /// The plain number.
            #[must_use]
            pub const fn get(self) -> u64 {
                self.0
            }

            /// The sum, `None` beyond the range.
            #[must_use]
            pub fn checked_add(self, other: u64) -> Option<Self> {
                self.0.checked_add(other).and_then(|sum| Self::new(sum).ok())
            }

            /// The difference, `None` below zero.
            #[must_use]
            pub fn checked_sub(self, other: u64) -> Option<Self> {
                self.0.checked_sub(other).map(Self)
            }
        }

        impl TryFrom<u64> for $name {
            type Error = ValueError;
            fn try_from(value: u64) -> Result<Self, ValueError> {
                Self::new(value)
            }
        }

        impl From<$name> for u64 {
            fn from(value: $name) -> u64 {
                value.0
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number! {
    /// Whole coins.
    Amount, MAX_INTEGER
}
number! {
    /// Transactions an account has sent; the next one carries this plus one.
    AccountNonce, MAX_INTEGER
}
number! {
    /// Number of a block; genesis is 1, so it is also the number of blocks up to it.
    Height, MAX_INTEGER
}
number! {
    /// The HashCash counter of a block.
    PowNonce, MAX_INTEGER
}
number! {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    Timestamp, MAX_TIME
}

impl Height {
    /// The genesis block.
    pub const GENESIS: Self = Self(1);

    /// The number of the child of a block with this number.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        self.checked_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_exact_in_json() {
        assert_eq!(Amount::new(MAX_INTEGER).map(Amount::get), Ok(MAX_INTEGER));
        assert_eq!(
            Amount::new(MAX_INTEGER + 1),
            Err(ValueError {
                got: 1 << 53,
                max: MAX_INTEGER
            })
        );
        assert_eq!(Amount::MAX.checked_add(1), None);
        assert_eq!(Amount::ZERO.checked_sub(1), None);
        assert!(Timestamp::new(MAX_TIME + 1).is_err());
    }
}
