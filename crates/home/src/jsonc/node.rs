//! One value of a document, read as the type that asks for it. A value of another type is
//! a fault, never converted.

use std::fmt::Display;
use std::iter;

use ccoin_core::MAX_INTEGER;
use ccoin_core::genesis_config::MAX_INTERVAL_MS;
use jsonc_parser::ast::{Object, ObjectProp, Value};
use jsonc_parser::common::Ranged;
use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{IntoDeserializer, Visitor};
use serde::{Deserializer, forward_to_deserialize_any};

use super::{Document, JsoncError, UnknownKeys, shown};

/// The key that is written in seconds, and its field, which counts milliseconds.
const INTERVAL: (&str, &str) = ("interval", "interval_ms");

/// One value of a document and the dotted path that leads to it.
#[derive(Clone)]
pub(super) struct Node<'d> {
    pub(super) document: &'d Document<'d>,
    pub(super) path: String,
    pub(super) value: &'d Value<'d>,
}

impl<'d> Node<'d> {
    /// A fault of this value: "`path` `value` `fault`".
    pub(super) fn error(&self, fault: impl Display, advice: impl Display) -> JsoncError {
        let fault = format!("{}{fault}", self.name());
        self.document.error(self.value.start(), fault, advice)
    }

    /// A fault that its type finds is a fault of this value.
    fn visited(self) -> Self {
        let place = (self.value.start(), self.name());
        self.document.last.replace(place);
        self
    }

    /// The path without the positions in lists, and the value.
    fn name(&self) -> String {
        let parts = self.path.split('.');
        let keys: Vec<_> = parts
            .filter(|part| part.len() > 3 || !is_digits(part))
            .collect();
        let value = match self.value {
            Value::Object(_) => "an object".to_owned(),
            Value::Array(_) => "a list".to_owned(),
            _ => shown(self.source()),
        };
        format!("{} {value} ", keys.join("."))
            .trim_start()
            .to_owned()
    }

    fn child(&self, path: String, value: &'d Value<'d>) -> Self {
        let document = self.document;
        Self {
            document,
            path,
            value,
        }
    }

    fn source(&self) -> &'d str {
        let range = self.value.range();
        let text = self.document.text.get(range.start..range.end);
        text.unwrap_or_default()
    }

    /// A whole number within `min..=max`: no sign, fraction or exponent.
    fn integer(&self, min: u64, max: u64) -> Result<u64, JsoncError> {
        let in_range = |number: &u64| (min..=max).contains(number);
        let (fault, meant) = match self.value {
            Value::NumberLit(literal) if is_digits(literal.value) => {
                match literal.value.parse().ok().filter(in_range) {
                    Some(number) => return Ok(number),
                    None => ("is out of range", None),
                }
            }
            Value::NumberLit(literal) => ("is not a whole number", whole_number(literal.value)),
            // A quoted number is the commonest mistake; show the number without its quotes.
            Value::StringLit(text) => ("is not a number", text.value.parse().ok()),
            _ => ("is not a number", None),
        };
        let advice = match meant.filter(in_range) {
            Some(number) => format!("write {number}"),
            None => format!("write a whole number from {min} to {max}"),
        };
        Err(self.error(fault, advice))
    }

    fn seconds_as_ms(&self) -> Result<u64, JsoncError> {
        let Value::NumberLit(literal) = self.value else {
            return Err(self.seconds_error("is not a number"));
        };
        let (whole, fraction) = literal.value.split_once('.').unwrap_or((literal.value, ""));
        if !is_digits(whole) || !is_digits(fraction) || fraction.len() > 3 {
            return Err(self.seconds_error("has a sign, an exponent or more than 3 decimals"));
        }
        let ms = format!("{whole}{fraction:0<3}").parse().ok();
        ms.filter(|ms| (1..=MAX_INTERVAL_MS).contains(ms))
            .ok_or_else(|| self.seconds_error("is out of range"))
    }

    fn seconds_error(&self, fault: &str) -> JsoncError {
        let most = MAX_INTERVAL_MS / 1000;
        let advice = format!("write seconds from 0.001 to {most}, at most 3 decimals");
        self.error(fault, advice)
    }

    /// A raw control character is a fault (RFC 8259, 7).
    fn text(&self) -> Result<String, JsoncError> {
        let Value::StringLit(literal) = self.value else {
            return Err(self.error("is not text", "write it in double quotes"));
        };
        if self.source().chars().any(|c| c < ' ') {
            let advice = "close the quotes on the same line; write \\n or \\t inside";
            return Err(self.error("holds a raw control character", advice));
        }
        match self.document.variables {
            Some(variables) => variables.expand(&literal.value).map_err(|fault| {
                let (fault, advice) = fault.split_once(": ").unwrap_or((&fault, ""));
                self.error(fault, advice)
            }),
            None => Ok(literal.value.clone().into_owned()),
        }
    }

    /// The entries of an object, each key at most once, of a type with these `fields`; a map
    /// has none, and its keys are no part of names.
    fn visit_entries<V: Visitor<'d>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, JsoncError> {
        let Value::Object(object) = self.value else {
            return Err(self.error("is not an object", "write { } with its keys"));
        };
        self.refuse_doubles(object)?;
        self.judge_unknown(object, fields)?;
        let last = &self.document.last;
        let entries = object.properties.iter().filter_map(|property| {
            let key = property.name.as_str();
            let field = if key == INTERVAL.0 { INTERVAL.1 } else { key };
            if fields.is_empty() {
                last.replace((property.start(), format!("{}: {} ", self.path, shown(key))));
                return Some((key, self.child(format!("{} ", self.path), &property.value)));
            }
            let path = joined(&self.path, key);
            fields
                .contains(&field)
                .then(|| (field, self.child(path, &property.value)))
        });
        // A missing key is a fault of the object.
        let end = iter::from_fn(|| {
            last.replace((self.value.start(), String::new()));
            None
        });
        visitor.visit_map(MapDeserializer::new(entries.chain(end)))
    }

    fn judge_unknown(
        &self,
        object: &Object<'_>,
        fields: &'static [&'static str],
    ) -> Result<(), JsoncError> {
        let written = |field: &&'static str| {
            if *field == INTERVAL.1 {
                INTERVAL.0
            } else {
                *field
            }
        };
        let known: Vec<_> = fields.iter().map(written).collect();
        for property in &object.properties {
            if known.is_empty() || known.contains(&property.name.as_str()) {
                continue;
            }
            let error = || self.unknown(property, &known);
            match self.document.unknown_keys {
                UnknownKeys::Refuse => return Err(error()),
                UnknownKeys::Warn => self.document.warn(|| {
                    let error = error();
                    format!("{error}; {}", error.advice)
                }),
            }
        }
        Ok(())
    }

    fn refuse_doubles(&self, object: &'d Object<'d>) -> Result<(), JsoncError> {
        let mut names: Vec<_> = object.properties.iter().collect();
        let name = |property: &ObjectProp<'_>| property.name.as_str().to_ascii_lowercase();
        names.sort_by_cached_key(|property| (name(property), property.start()));
        for (first, second) in names.iter().zip(names.iter().skip(1)) {
            if name(first) == name(second) {
                let first = self.document.error(first.start(), "", "");
                let fault = format!("the key {} stands here again", shown(second.name.as_str()));
                let advice = format!(
                    "keep one of them; the first is at {}:{}",
                    first.line, first.column
                );
                return Err(self.document.error(second.start(), fault, advice));
            }
        }
        Ok(())
    }

    fn unknown(&self, property: &ObjectProp<'_>, known: &[&str]) -> JsoncError {
        let key = property.name.as_str();
        // At most one typing mistake apart; case and separators do not count.
        let plain = |text: &str| text.to_lowercase().replace(['_', '-'], "");
        let is_near = |known: &&&str| {
            key.len() < 100 && strsim::osa_distance(&plain(known), &plain(key)) <= 1
        };
        let advice = match known.iter().find(is_near) {
            Some(known) => format!("did you mean \"{known}\"?"),
            None => format!("known here: {}", known.join(", ")),
        };
        let fault = format!("unknown key {}", shown(&joined(&self.path, key)));
        self.document.error(property.start(), fault, advice)
    }
}

impl<'de> Deserializer<'de> for Node<'de> {
    type Error = JsoncError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsoncError> {
        match self.value {
            Value::NullKeyword(_) => visitor.visit_unit(),
            Value::BooleanLit(literal) => visitor.visit_bool(literal.value),
            Value::NumberLit(_) => self.deserialize_u64(visitor),
            Value::StringLit(_) => self.deserialize_string(visitor),
            Value::Array(_) => self.deserialize_seq(visitor),
            Value::Object(_) => self.deserialize_map(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsoncError> {
        match self.value {
            Value::BooleanLit(literal) => visitor.visit_bool(literal.value),
            _ => Err(self.error("is neither true nor false", "write true or false")),
        }
    }

    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsoncError> {
        visitor.visit_u64(self.integer(0, u8::MAX.into())?)
    }

    /// A TCP port.
    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsoncError> {
        visitor.visit_u64(self.integer(1, u16::MAX.into())?)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsoncError> {
        visitor.visit_u64(self.integer(0, u32::MAX.into())?)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsoncError> {
        visitor.visit_u64(if self.path.ends_with(INTERVAL.0) {
            self.seconds_as_ms()?
        } else {
            self.integer(0, MAX_INTEGER)?
        })
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsoncError> {
        visitor.visit_string(self.visited().text()?)
    }

    /// `null` and an empty text stand for a value that is not given.
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsoncError> {
        match self.value {
            Value::NullKeyword(_) => visitor.visit_none(),
            Value::StringLit(_) if self.text()?.is_empty() => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsoncError> {
        let Value::Array(array) = self.value else {
            return Err(self.error("is not a list", "write [ ]"));
        };
        let item = |value| self.child(self.path.clone(), value);
        let list = visitor.visit_seq(SeqDeserializer::new(array.elements.iter().map(item)))?;
        self.visited();
        Ok(list)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, JsoncError> {
        self.visit_entries(&[], visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, JsoncError> {
        self.visit_entries(fields, visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, JsoncError> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 f32 f64 char str bytes byte_buf unit unit_struct tuple tuple_struct enum
        identifier ignored_any
    }
}

impl<'de> IntoDeserializer<'de, JsoncError> for Node<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

fn joined(path: &str, key: &str) -> String {
    let dot = if matches!(path.chars().next_back(), None | Some(' ')) {
        ""
    } else {
        "."
    };
    format!("{path}{dot}{key}")
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The whole number that `1e7` or `5.0` stands for.
fn whole_number(text: &str) -> Option<u64> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let fraction = fraction.trim_end_matches('0');
    let exponent: usize = exponent.trim_start_matches('+').parse().ok()?;
    if exponent > 20 || fraction.len() > exponent {
        return None;
    }
    format!("{whole}{fraction:0<exponent$}").parse().ok()
}
