//! Data that is filled in where none was given, and its form in JSON.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use serde_json::Value;

/// Data that is filled in where none was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placeholder {
    /// This many random letters or digits; `["rnd", 15]`.
    Random(u32),
    /// This text; `["predef", "text"]`.
    Fixed(String),
}

impl Placeholder {
    /// Bytes that it fills.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        match self {
            Self::Random(count) => u64::from(*count),
            Self::Fixed(text) => text.len() as u64,
        }
    }
}

impl Serialize for Placeholder {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Random(count) => ("rnd", count).serialize(serializer),
            Self::Fixed(text) => ("predef", text).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Placeholder {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let items = value.as_array().map(Vec::as_slice);
        match items.unwrap_or_default() {
            [kind, count] if kind == "rnd" => {
                let count = count.as_u64().and_then(|count| u32::try_from(count).ok());
                count.map(Self::Random)
            }
            [kind, text] if kind == "predef" => text.as_str().map(|text| Self::Fixed(text.into())),
            _ => None,
        }
        .ok_or_else(|| {
            let advice = r#"write ["rnd", 15], ["predef", "text"] or null"#;
            D::Error::custom(format!("is not a placeholder: {advice}"))
        })
    }
}
