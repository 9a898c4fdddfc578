//! One value of a document, read as the type that the caller wants.
//! A value of another type is a fault, never converted.

use core::fmt::Display;

use ccoin_crypto::Address;
use jsonc_parser::ast::Value;
use jsonc_parser::common::Ranged;

use super::{Document, JsoncError, Section, shown};

/// One value of a document and the dotted path that leads to it.
#[derive(Clone, Debug)]
pub struct Node<'d> {
    pub(super) document: &'d Document<'d>,
    pub(super) path: String,
    pub(super) value: &'d Value<'d>,
}

impl<'d> Node<'d> {
    /// The same value under the name that messages shall use.
    #[must_use]
    pub fn named(self, path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            ..self
        }
    }

    /// The value as it is written, shortened and without control characters.
    #[must_use]
    pub fn shown(&self) -> String {
        match self.value {
            Value::Object(_) => "an object".to_owned(),
            Value::Array(_) => "a list".to_owned(),
            _ => shown(self.source()),
        }
    }

    /// Is it `null`?
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self.value, Value::NullKeyword(_))
    }

    /// A fault of this value: "`path` `value` `fault`".
    #[must_use]
    pub fn error(&self, fault: impl Display, advice: impl Display) -> JsoncError {
        let fault = if self.path.is_empty() {
            format!("{} {fault}", self.shown())
        } else {
            format!("{} {} {fault}", self.path, self.shown())
        };
        self.document.error(self.value.start(), fault, advice)
    }

    /// Keeps a remark about this value for the user.
    pub fn warn(&self, remark: impl Display) {
        self.document.warn(self.value.start(), remark);
    }

    /// The value as a whole number within `min..=max`.
    ///
    /// # Errors
    /// [`JsoncError`] for another type, a sign, a fraction, an exponent or a number out of range.
    pub fn integer(&self, min: u64, max: u64) -> Result<u64, JsoncError> {
        let range = format!("write a whole number from {min} to {max}");
        let in_range = |number: &u64| (min..=max).contains(number);
        let Value::NumberLit(literal) = self.value else {
            // A quoted number is the commonest mistake; show the number without its quotes.
            let quoted = self
                .value
                .as_string_lit()
                .and_then(|text| text.value.parse().ok());
            let advice = quoted
                .filter(in_range)
                .map_or(range, |n: u64| format!("write {n}"));
            return Err(self.error("is not a number", advice));
        };
        if !literal.value.bytes().all(|byte| byte.is_ascii_digit()) {
            let meant = whole_number(literal.value).filter(in_range);
            let advice = meant.map_or(range, |number| format!("write {number}"));
            return Err(self.error("is not a whole number", advice));
        }
        let number = literal.value.parse().ok().filter(in_range);
        number.ok_or_else(|| self.error("is out of range", range))
    }

    /// The value as a `u32` within `min..=max`.
    ///
    /// # Errors
    /// As [`Node::integer`].
    pub fn integer32(&self, min: u32, max: u32) -> Result<u32, JsoncError> {
        let number = self.integer(min.into(), max.into())?;
        Ok(u32::try_from(number).expect("the range was checked against a u32"))
    }

    /// Seconds with at most three decimals, in milliseconds within `1..=max_ms`.
    ///
    /// # Errors
    /// [`JsoncError`] for anything else.
    pub fn seconds_as_ms(&self, max_ms: u64) -> Result<u64, JsoncError> {
        let advice = format!(
            "write seconds from 0.001 to {}, at most 3 decimals",
            max_ms / 1000
        );
        let Value::NumberLit(literal) = self.value else {
            return Err(self.error("is not a number", advice));
        };
        let (whole, fraction) = literal.value.split_once('.').unwrap_or((literal.value, ""));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || fraction.len() > 3 {
            return Err(self.error("has a sign, an exponent or more than 3 decimals", advice));
        }
        let ms = format!("{whole}{fraction:0<3}").parse().ok();
        ms.filter(|ms| (1..=max_ms).contains(ms))
            .ok_or_else(|| self.error("is out of range", advice))
    }

    /// The value as a boolean.
    ///
    /// # Errors
    /// [`JsoncError`] for another type.
    pub fn flag(&self) -> Result<bool, JsoncError> {
        match self.value {
            Value::BooleanLit(literal) => Ok(literal.value),
            _ => Err(self.error("is neither true nor false", "write true or false")),
        }
    }

    /// The value as text.
    ///
    /// # Errors
    /// [`JsoncError`] for another type or a raw control character (RFC 8259, 7).
    pub fn text(&self) -> Result<&'d str, JsoncError> {
        let Value::StringLit(literal) = self.value else {
            return Err(self.error("is not text", "write it in double quotes"));
        };
        if self.source().chars().any(|c| c < ' ') {
            let advice = "close the quotes on the same line; write \\n or \\t inside";
            return Err(self.error("holds a raw control character", advice));
        }
        Ok(&literal.value)
    }

    /// The value as an address of 40 hex digits, upper case allowed.
    ///
    /// # Errors
    /// [`JsoncError`] for anything else.
    pub fn address(&self) -> Result<Address, JsoncError> {
        self.parse_address(self.text()?)
    }

    pub(super) fn parse_address(&self, text: &str) -> Result<Address, JsoncError> {
        text.to_ascii_lowercase().parse().map_err(|_| {
            let fault = format!("{}: {} is not an address", self.path, shown(text));
            let advice = "write 40 hex digits, as create-account prints them";
            self.document.error(self.value.start(), fault, advice)
        })
    }

    /// The elements of a list.
    ///
    /// # Errors
    /// [`JsoncError`] for another type.
    pub fn items(&self) -> Result<Vec<Node<'d>>, JsoncError> {
        let Value::Array(array) = self.value else {
            return Err(self.error("is not a list", "write [ ]"));
        };
        let item = |value| Node {
            document: self.document,
            path: self.path.clone(),
            value,
        };
        Ok(array.elements.iter().map(item).collect())
    }

    /// The keys of an object, each at most once.
    ///
    /// # Errors
    /// [`JsoncError`] for another type or a key that stands there twice.
    pub fn section(self) -> Result<Section<'d>, JsoncError> {
        let Value::Object(object) = self.value else {
            return Err(self.error("is not an object", "write { } with its keys"));
        };
        let mut names: Vec<_> = object.properties.iter().collect();
        names.sort_by_key(|property| (property.name.as_str(), property.start()));
        for (first, second) in names.iter().zip(names.iter().skip(1)) {
            if first.name.as_str() == second.name.as_str() {
                let (line, column) = self.document.position(first.start());
                let fault = format!("the key {} stands here again", shown(second.name.as_str()));
                let advice = format!("keep one of them; the first is at {line}:{column}");
                return Err(self.document.error(second.start(), fault, advice));
            }
        }
        Ok(Section::new(self, object))
    }

    fn source(&self) -> &'d str {
        let range = self.value.range();
        self.document
            .text
            .get(range.start..range.end)
            .unwrap_or_default()
    }
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
