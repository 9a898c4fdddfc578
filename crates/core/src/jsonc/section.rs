//! The keys of one object: what is asked for is read, what nobody asked for
//! is unknown.

use core::fmt::Display;

use ccoin_crypto::Address;
use jsonc_parser::ast::{Object, ObjectProp, Value};
use jsonc_parser::common::Ranged;

use super::{JsoncError, Node, UnknownKeys, shown};

/// The keys of one object, and which of them somebody asked for.
#[derive(Debug)]
pub struct Section<'d> {
    node: Node<'d>,
    object: &'d Object<'d>,
    asked: Vec<&'static str>,
}

impl<'d> Section<'d> {
    pub(super) fn new(node: Node<'d>, object: &'d Object<'d>) -> Self {
        Self {
            node,
            object,
            asked: Vec::new(),
        }
    }

    /// The value of `key`, if it is there.
    pub fn get(&mut self, key: &'static str) -> Option<Node<'d>> {
        self.asked.push(key);
        self.object
            .get(key)
            .map(|property| self.child(key, &property.value))
    }

    /// The value of `key`.
    ///
    /// # Errors
    /// [`JsoncError`] at the start of the object if it is missing; `example` is what to add.
    pub fn require(
        &mut self,
        key: &'static str,
        example: impl Display,
    ) -> Result<Node<'d>, JsoncError> {
        let start = self.object.start();
        self.get(key).ok_or_else(|| {
            let fault = format!("the key \"{}\" is missing", joined(&self.node.path, key));
            self.node
                .document
                .error(start, fault, format!("add {example}"))
        })
    }

    /// The object of `key`, if it is there.
    ///
    /// # Errors
    /// As [`Node::section`].
    pub fn section(&mut self, key: &'static str) -> Result<Option<Section<'d>>, JsoncError> {
        self.get(key).map(Node::section).transpose()
    }

    /// The value of `key` read by `read`, or `default` if it is missing.
    ///
    /// # Errors
    /// Those of `read`.
    pub fn read_or<T>(
        &mut self,
        key: &'static str,
        default: T,
        read: impl FnOnce(Node<'d>) -> Result<T, JsoncError>,
    ) -> Result<T, JsoncError> {
        self.get(key).map_or(Ok(default), read)
    }

    /// All entries of an object whose keys are addresses, in the order of the text.
    ///
    /// # Errors
    /// [`JsoncError`] for a key that is not an address.
    pub fn by_address(self) -> Result<Vec<(Address, Node<'d>)>, JsoncError> {
        let entry = |property: &'d ObjectProp<'d>| {
            let node = self
                .child("", &property.value)
                .named(self.node.path.clone());
            Ok((node.parse_address(property.name.as_str())?, node))
        };
        self.object.properties.iter().map(entry).collect()
    }

    /// A fault of the object as a whole.
    #[must_use]
    pub fn error(&self, fault: impl Display, advice: impl Display) -> JsoncError {
        self.node.document.error(self.object.start(), fault, advice)
    }

    /// Ends the reading: what nobody asked for is unknown.
    ///
    /// # Errors
    /// [`JsoncError`] at the first unknown key, unless the document only warns.
    pub fn finish(self) -> Result<(), JsoncError> {
        let document = self.node.document;
        for property in &self.object.properties {
            let key = property.name.as_str();
            if self.asked.contains(&key) {
                continue;
            }
            let fault = format!("unknown key {}", shown(&joined(&self.node.path, key)));
            let near = self.asked.iter().find(|known| is_near(known, key));
            let advice = match near {
                Some(known) => format!("did you mean \"{known}\"?"),
                None => format!("known here: {}", self.asked.join(", ")),
            };
            match document.unknown_keys {
                UnknownKeys::Refuse => {
                    return Err(document.error(property.start(), fault, advice));
                }
                UnknownKeys::Warn => document.warn(property.start(), format!("{fault}; {advice}")),
            }
        }
        Ok(())
    }

    fn child(&self, key: &str, value: &'d Value<'d>) -> Node<'d> {
        Node {
            document: self.node.document,
            path: joined(&self.node.path, key),
            value,
        }
    }
}

fn joined(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

/// Are two keys one typing mistake apart: case, a separator, one letter more, less or other, or
/// two neighbours exchanged?
fn is_near(known: &str, got: &str) -> bool {
    let plain = |text: &str| -> Vec<char> {
        text.to_lowercase()
            .chars()
            .filter(|c| !matches!(c, '_' | '-'))
            .collect()
    };
    let (known, got) = (plain(known), plain(got));
    let common = known.iter().zip(&got).take_while(|(a, b)| a == b).count();
    let (_, known) = known.split_at(common);
    let (_, got) = got.split_at(common);
    match (known, got) {
        ([], rest) | (rest, []) => rest.len() <= 1,
        ([a, known_rest @ ..], [b, got_rest @ ..]) => {
            let exchanged = known_rest
                .split_first()
                .zip(got_rest.split_first())
                .is_some_and(|((a_next, known_end), (b_next, got_end))| {
                    a == b_next && b == a_next && known_end == got_end
                });
            exchanged || known_rest == got_rest || known_rest == got || known == got_rest
        }
    }
}
