//! JSON as receipts use it: no member twice, no number but integers from 0 to 2^53 - 1, so
//! that every language reads the same values. It knows nothing of receipts.

use crate::MAX_INTEGER;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ccoin_crypto::{Hash, from_lower_hex};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
};
use std::{collections::BTreeMap, fmt};

/// A parsed text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Json {
    Null,
    Bool,
    Number(u64),
    Text(String),
    List(Vec<Json>),
    Object(BTreeMap<String, Json>),
}

impl Json {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(bytes).map_err(|error| error.to_string())
    }

    /// The members of an object.
    pub(super) fn object(&self, name: &str) -> Result<Members<'_>, String> {
        match self {
            Self::Object(members) => Ok(Members(members)),
            _ => Err(unfit(name, "an object")),
        }
    }
}

/// The members of one object.
#[derive(Clone, Copy)]
pub(super) struct Members<'a>(&'a BTreeMap<String, Json>);

impl<'a> Members<'a> {
    /// A member; null counts as absent.
    pub(super) fn get(self, name: &str) -> Option<&'a Json> {
        self.0.get(name).filter(|value| **value != Json::Null)
    }

    fn need(self, name: &str) -> Result<&'a Json, String> {
        let missing = || format!("the member {name} is missing");
        self.get(name).ok_or_else(missing)
    }

    pub(super) fn object(self, name: &str) -> Result<Members<'a>, String> {
        self.need(name)?.object(name)
    }

    pub(super) fn number(self, name: &str) -> Result<u64, String> {
        match self.need(name)? {
            Json::Number(number) => Ok(*number),
            _ => Err(unfit(name, "a number")),
        }
    }

    /// Exactly `N` bytes in hex.
    pub(super) fn bytes<const N: usize>(self, name: &str) -> Result<[u8; N], String> {
        fixed(self.need(name)?, name)
    }

    /// Bytes in base64.
    pub(super) fn binary(self, name: &str) -> Result<Vec<u8>, String> {
        binary(self.need(name)?, name)
    }

    /// A list of at most `max` items.
    pub(super) fn list<T>(
        self,
        name: &str,
        max: usize,
        item: impl Fn(&'a Json) -> Result<T, String>,
    ) -> Result<Vec<T>, String> {
        match self.need(name)? {
            Json::List(items) if items.len() <= max => items.iter().map(item).collect(),
            Json::List(items) => {
                let got = items.len();
                Err(format!("{name} has {got} items, at most {max} are read"))
            }
            _ => Err(unfit(name, "a list")),
        }
    }

    /// A list of at most `max` hashes.
    pub(super) fn hashes(self, name: &str, max: usize) -> Result<Vec<Hash>, String> {
        self.list(name, max, |item| fixed(item, name).map(Hash::new))
    }
}

fn fixed<const N: usize>(value: &Json, name: &str) -> Result<[u8; N], String> {
    match value {
        Json::Text(text) => from_lower_hex(text).map_err(|error| format!("{name}: {error}")),
        _ => Err(unfit(name, "a text of hex digits")),
    }
}

/// Standard base64 with padding, one spelling for each value (RFC 4648, 3.5).
pub(super) fn binary(value: &Json, name: &str) -> Result<Vec<u8>, String> {
    let decoded = match value {
        Json::Text(text) => STANDARD.decode(text).ok(),
        _ => None,
    };
    decoded.ok_or_else(|| unfit(name, "base64"))
}

fn unfit(name: &str, expected: &str) -> String {
    format!("{name} is not {expected}")
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Strict)
    }
}

struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JSON whose numbers are integers from 0 to {MAX_INTEGER}")
    }

    fn visit_unit<E: Error>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Json, E> {
        Ok(Json::Bool)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Json, E> {
        if number > MAX_INTEGER {
            return Err(E::invalid_value(
                serde::de::Unexpected::Unsigned(number),
                &self,
            ));
        }
        Ok(Json::Number(number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Self)? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json, A::Error> {
        let mut members = BTreeMap::new();
        while let Some(name) = entries.next_key::<String>()? {
            if members.contains_key(&name) {
                let name: String = name.chars().take(40).collect();
                return Err(A::Error::custom(format!("the member {name} stands twice")));
            }
            members.insert(name, entries.next_value_seed(Self)?);
        }
        Ok(Json::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_values_that_every_language_reads_alike_are_read() {
        for good in [
            "{}",
            r#" {"a": [null, true, "\u00e9", 0, 9007199254740991]} "#,
            r#"{"a": {"b": 1}, "b": {"a": 1}}"#,
        ] {
            assert!(Json::parse(good.as_bytes()).is_ok(), "{good}");
        }
        for bad in [
            "",
            "{} {}",
            "\u{feff}{}",
            r#"{"a": 1, "a": 1}"#,
            r#"{"a": 1, "\u0061": 1}"#,
            r#"{"x": [{"a": 1, "a": 2}]}"#,
            r#"{"a": 1.0}"#,
            r#"{"a": 1e2}"#,
            r#"{"a": -0}"#,
            r#"{"a": -1}"#,
            r#"{"a": 01}"#,
            r#"{"a": 9007199254740992}"#,
            r#"{"a": 99999999999999999999999}"#,
            r#"{"a": NaN}"#,
            r#"{"a": "\ud800"}"#,
            "{\"a\": \"\n\"}",
        ] {
            assert!(Json::parse(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(Json::parse(b"{\"a\": \"\xff\"}").is_err());
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(Json::parse(nested(127).as_bytes()).is_ok());
        assert!(Json::parse(nested(128).as_bytes()).is_err());
        assert!(Json::parse("[".repeat(4 << 20).as_bytes()).is_err());
    }
}
