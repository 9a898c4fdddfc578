//! Addresses and ids, whose hex digits people write in upper case as well.

use ccoin_core::{Address, BlockId};
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use std::str::FromStr;

/// Hex digits, and the words for a text that is not.
pub(crate) trait Hex: FromStr {
    /// "`fault`: `advice`".
    const FAULT: &'static str;
}

impl Hex for Address {
    const FAULT: &'static str =
        "is not an address: write 40 hex digits, as create-account prints them";
}

impl Hex for BlockId {
    const FAULT: &'static str = "is not a block id: write the 64 hex digits that initc printed";
}

/// A value whose text may be in upper case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct AnyCase<T>(pub(crate) T);

impl<'de, T: Hex> Deserialize<'de> for AnyCase<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?.to_ascii_lowercase();
        let value = text.parse().map_err(|_| D::Error::custom(T::FAULT))?;
        Ok(Self(value))
    }
}

/// For a field that may be left out.
pub(crate) fn any_case<'de, T: Hex, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    Ok(Option::<AnyCase<T>>::deserialize(deserializer)?.map(|value| value.0))
}

/// For a list.
pub(crate) fn any_case_list<'de, T: Hex, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    let list = Vec::<AnyCase<T>>::deserialize(deserializer)?;
    Ok(list.into_iter().map(|value| value.0).collect())
}
