//! JSON with comments and trailing commas, read into any type that serde knows: every fault
//! comes with its line, its column, the value seen and what to write instead.
//!
//! Numbers are read from their digits, never through a float. Nothing here
//! opens a file: text and the name to show for it come in.

mod any_case;
mod error;
mod node;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::fmt::Display;

use jsonc_parser::ast::{ObjectProp, Value};
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use serde::Deserialize;

use crate::variables::Variables;

pub(crate) use any_case::{AnyCase, any_case, any_case_list};
pub use error::JsoncError;
use error::{lower_first, shown};
use node::Node;

/// Longest document that is looked at, in bytes; a genesis of 30,000 accounts has 2.5 MB.
pub(crate) const MAX_DOCUMENT_BYTES: usize = 16 << 20;

/// Warnings that are kept; a document of thousands of odd entries must not take minutes.
const MAX_WARNINGS: usize = 20;

/// The treatment of a key that the type does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UnknownKeys {
    /// The document is refused.
    Refuse,
    /// The document loads, with a warning.
    Warn,
}

/// A parsed document.
pub(crate) struct Document<'a> {
    name: &'a str,
    text: &'a str,
    root: Value<'a>,
    unknown_keys: UnknownKeys,
    variables: Option<Variables<'a>>,
    warnings: RefCell<Vec<String>>,
    /// Place and name of the value that was read last: a type that refuses it does so before
    /// another one is read.
    last: RefCell<(usize, String)>,
}

impl<'a> Document<'a> {
    /// Parses `text` of at most [`MAX_DOCUMENT_BYTES`]; `name` stands in messages. With
    /// `variables`, `${VAR}` in a text stands for one.
    pub(crate) fn parse(
        text: &'a str,
        name: &'a str,
        unknown_keys: UnknownKeys,
        variables: Option<Variables<'a>>,
    ) -> Result<Self, JsoncError> {
        let text = without_byte_order_mark(text);
        if text.len() > MAX_DOCUMENT_BYTES {
            let fault = format!("{} bytes are too many", text.len());
            let advice = format!("at most {MAX_DOCUMENT_BYTES} bytes");
            return Err(JsoncError::new(name, text, 0, fault, advice));
        }
        let parsed =
            parse_to_ast(text, &CollectOptions::default(), &strict()).map_err(|error| {
                let range = error.range();
                let mut fault = lower_first(error.kind());
                if let Some(got) = text
                    .get(range.start..range.end)
                    .filter(|got| !got.is_empty())
                {
                    fault = format!("{fault}, got {}", shown(got));
                }
                let advice =
                    "write JSON in double quotes; comments and trailing commas are allowed";
                JsoncError::new(name, text, range.start, fault, advice)
            })?;
        let Some(root) = parsed.value else {
            let fault = "the document is empty";
            return Err(JsoncError::new(
                name,
                text,
                0,
                fault,
                "write { } with its keys",
            ));
        };
        Ok(Self {
            name,
            text,
            root,
            unknown_keys,
            variables,
            warnings: RefCell::default(),
            last: RefCell::default(),
        })
    }

    /// The whole document as a value of this type.
    pub(crate) fn read<'s, T: Deserialize<'s>>(&'s self) -> Result<T, JsoncError> {
        T::deserialize(self.node("", &self.root)).map_err(|error| match error.line {
            0 => {
                let (at, name) = &*self.last.borrow();
                self.error(*at, format!("{name}{}", error.fault), error.advice)
            }
            _ => error,
        })
    }

    /// A fault of the value at `key`, the keys from the root on with dots between them, or of
    /// the object in which it is missing.
    pub(crate) fn error_at(
        &self,
        key: &str,
        fault: impl Display,
        advice: impl Display,
    ) -> JsoncError {
        let mut value = &self.root;
        for part in key.split('.') {
            let next = match value {
                Value::Object(object) => {
                    let names = |property: &&ObjectProp<'_>| {
                        property.name.as_str().eq_ignore_ascii_case(part)
                    };
                    object
                        .properties
                        .iter()
                        .find(names)
                        .map(|property| &property.value)
                }
                Value::Array(array) => part
                    .parse()
                    .ok()
                    .and_then(|at: usize| array.elements.get(at)),
                _ => None,
            };
            let Some(next) = next else {
                let fault = format!("{key} is left out, and its default {fault}");
                return self.error(value.start(), fault, format!("add it: {advice}"));
            };
            value = next;
        }
        self.node(key, value).error(fault, advice)
    }

    /// Refuses a document whose root has one of `keys`: it is a document of another `kind`.
    pub(crate) fn refuse(&self, keys: &[&str], kind: &str, advice: &str) -> Result<(), JsoncError> {
        let root = self.root.as_object();
        match root.and_then(|root| keys.iter().find_map(|key| root.get(key))) {
            Some(property) => {
                let fault = format!("{} stands in {kind}", property.name.as_str());
                Err(self.error(property.start(), fault, advice))
            }
            None => Ok(()),
        }
    }

    /// Remarks on odd but readable places, in the order of reading.
    pub(crate) fn into_warnings(self) -> Vec<String> {
        self.warnings.into_inner()
    }

    /// Keeps a remark about the value at `key`.
    pub(crate) fn warn_at(&self, key: &str, remark: impl Display) {
        self.warn(|| {
            let mut error = self.error_at(key, "", "");
            error.fault = remark.to_string();
            error.to_string()
        });
    }

    fn warn(&self, warning: impl FnOnce() -> String) {
        let mut warnings = self.warnings.borrow_mut();
        match warnings.len() {
            0..MAX_WARNINGS => warnings.push(warning()),
            MAX_WARNINGS => warnings.push("more like these are not shown".to_owned()),
            _ => {}
        }
    }

    fn node<'s>(&'s self, path: &str, value: &'s Value<'s>) -> Node<'s> {
        Node {
            document: self,
            path: path.to_owned(),
            value,
        }
    }

    fn error(&self, at: usize, fault: impl Display, advice: impl Display) -> JsoncError {
        JsoncError::new(self.name, self.text, at, fault, advice)
    }
}

/// Editors of some systems begin every file with one.
pub(crate) fn without_byte_order_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// RFC 8259 plus comments and trailing commas.
fn strict() -> ParseOptions {
    ParseOptions {
        allow_comments: true,
        allow_trailing_commas: true,
        allow_loose_object_property_names: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    }
}
