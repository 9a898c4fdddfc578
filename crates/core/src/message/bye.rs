//! The last word on a connection: a code for programs and a text for people.

use serde::{Deserialize, Serialize};

/// Bytes of the longest text.
const MAX_TEXT: usize = 400;

/// Why a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByeReason {
    /// The versions of the protocol differ.
    Version,
    /// The genesis blocks differ.
    Network,
    /// Both sides have the same key.
    OwnAddress,
    /// There is a connection to this address already.
    Duplicate,
    /// The address is not on the allow-list.
    NotAllowed,
    /// The address has broken a rule lately.
    Banned,
    /// No room for another connection.
    Full,
    /// A frame or message that is not well-formed.
    Malformed,
    /// A signature, block or transaction that breaks the rules.
    Invalid,
    /// Nothing was heard for too long, or the handshake took too long.
    Silent,
    /// The other side does not read fast enough.
    Slow,
    /// The node ends.
    Stopping,
    /// A code that this version does not know.
    Other(u8),
}

const CODES: [(ByeReason, u8); 12] = [
    (ByeReason::Version, 1),
    (ByeReason::Network, 2),
    (ByeReason::OwnAddress, 3),
    (ByeReason::Duplicate, 4),
    (ByeReason::NotAllowed, 5),
    (ByeReason::Banned, 6),
    (ByeReason::Full, 7),
    (ByeReason::Malformed, 8),
    (ByeReason::Invalid, 9),
    (ByeReason::Silent, 10),
    (ByeReason::Slow, 11),
    (ByeReason::Stopping, 12),
];

impl ByeReason {
    /// The number on the wire.
    #[must_use]
    pub fn code(self) -> u8 {
        if let Self::Other(code) = self {
            return code;
        }
        let row = CODES.iter().find(|(reason, _)| *reason == self);
        row.map_or(0, |(_, code)| *code)
    }
}

impl From<u8> for ByeReason {
    fn from(code: u8) -> Self {
        let row = CODES.iter().find(|(_, known)| *known == code);
        row.map_or(Self::Other(code), |(reason, _)| *reason)
    }
}

/// Code and text; the text is cut to 400 bytes and holds no control characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bye {
    code: u8,
    text: String,
}

impl Bye {
    /// A last word.
    #[must_use]
    pub fn new(reason: ByeReason, text: &str) -> Self {
        Self {
            code: reason.code(),
            text: printable(text),
        }
    }

    /// Why.
    #[must_use]
    pub fn reason(&self) -> ByeReason {
        self.code.into()
    }

    /// For people, whatever the other side wrote.
    #[must_use]
    pub fn text(&self) -> String {
        printable(&self.text)
    }
}

fn printable(text: &str) -> String {
    let mut bytes = 0usize;
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take_while(|c| {
            bytes = bytes.saturating_add(c.len_utf8());
            bytes <= MAX_TEXT
        })
        .collect()
}
