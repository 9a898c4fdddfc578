//! Typed reading of JSON with comments and trailing commas: every fault comes
//! with its line, its column, the value seen and what to write instead.
//!
//! Numbers are read from their digits, never through a float. Nothing here
//! opens a file: text and the name to show for it come in.

mod node;
mod section;

use core::cell::RefCell;
use core::fmt::Display;

use jsonc_parser::ast::Value;
use jsonc_parser::errors::ParseError;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

pub use node::Node;
pub use section::Section;

/// Longest document that is looked at, in bytes; a genesis of 30,000 accounts has 2.5 MB.
pub const MAX_DOCUMENT_BYTES: usize = 16 << 20;

/// Warnings that are kept; a document of thousands of odd entries must not take minutes.
const MAX_WARNINGS: usize = 20;

/// Characters of a foreign value that a message repeats.
const SHOWN_CHARS: usize = 48;

/// A fault in a document, at a place that an editor can jump to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name}:{line}:{column}: {fault}")]
pub struct JsoncError {
    /// The document, as the caller named it.
    pub name: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong, with the value seen.
    pub fault: String,
    /// What to write instead, for a line of its own.
    pub advice: String,
}

/// What becomes of a key that nobody asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownKeys {
    /// The document is refused.
    Refuse,
    /// The document loads, with a warning.
    Warn,
}

/// A parsed document.
#[derive(Debug)]
pub struct Document<'a> {
    name: &'a str,
    text: &'a str,
    value: Option<Value<'a>>,
    unknown_keys: UnknownKeys,
    warnings: RefCell<Vec<String>>,
}

impl<'a> Document<'a> {
    /// Parses `text` of at most [`MAX_DOCUMENT_BYTES`]; `name` stands in messages.
    ///
    /// # Errors
    /// [`JsoncError`] at the first byte that is not JSON with comments.
    pub fn parse(
        text: &'a str,
        name: &'a str,
        unknown_keys: UnknownKeys,
    ) -> Result<Self, JsoncError> {
        let mut document = Self {
            name,
            text,
            value: None,
            unknown_keys,
            warnings: RefCell::default(),
        };
        if text.len() > MAX_DOCUMENT_BYTES {
            let fault = format!("{} bytes are too many", text.len());
            return Err(document.error(0, fault, format!("at most {MAX_DOCUMENT_BYTES} bytes")));
        }
        let parsed = parse_to_ast(text, &CollectOptions::default(), &strict())
            .map_err(|error| document.syntax_error(&error))?;
        document.value = parsed.value;
        Ok(document)
    }

    /// The outermost object.
    ///
    /// # Errors
    /// [`JsoncError`] if there is none.
    pub fn root(&self) -> Result<Section<'_>, JsoncError> {
        match &self.value {
            Some(value) => Node {
                document: self,
                path: String::new(),
                value,
            }
            .section(),
            None => Err(self.error(0, "the document is empty", "write { } with its keys")),
        }
    }

    /// Keeps a remark about the place `offset` for the user.
    fn warn(&self, offset: usize, remark: impl Display) {
        let mut warnings = self.warnings.borrow_mut();
        if warnings.len() < MAX_WARNINGS {
            let (line, column) = self.position(offset);
            warnings.push(format!("{}:{line}:{column}: {remark}", self.name));
        } else if warnings.len() == MAX_WARNINGS {
            warnings.push(format!("{}: more like these are not shown", self.name));
        }
    }

    /// What was odd but readable, in the order of reading.
    #[must_use]
    pub fn into_warnings(self) -> Vec<String> {
        self.warnings.into_inner()
    }

    fn syntax_error(&self, error: &ParseError) -> JsoncError {
        let range = error.range();
        let got = self.text.get(range.start..range.end).unwrap_or_default();
        let mut fault = lower_first(error.kind());
        if !got.is_empty() {
            fault = format!("{fault}, got {}", shown(got));
        }
        let advice = "write JSON in double quotes; comments and trailing commas are allowed";
        self.error(range.start, fault, advice)
    }

    fn position(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |at| at.saturating_add(1));
        let lines = before.matches('\n').count();
        let columns = before.get(line_start..).unwrap_or_default().chars().count();
        (lines.saturating_add(1), columns.saturating_add(1))
    }

    fn error(&self, offset: usize, fault: impl Display, advice: impl Display) -> JsoncError {
        let (line, column) = self.position(offset);
        JsoncError {
            name: self.name.to_owned(),
            line,
            column,
            fault: fault.to_string(),
            advice: advice.to_string(),
        }
    }
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

fn lower_first(text: impl Display) -> String {
    let text = text.to_string();
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_lowercase().chain(chars).collect()
    })
}

/// A foreign text, fit for one line of a message.
fn shown(text: &str) -> String {
    let mut line: String = text
        .chars()
        .take(SHOWN_CHARS)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if text.chars().nth(SHOWN_CHARS).is_some() {
        line.push_str("...");
    }
    line
}

#[cfg(test)]
mod tests {
    use ccoin_crypto::Address;

    use super::*;

    fn fault(text: &str) -> JsoncError {
        let read = |text| -> Result<(), JsoncError> {
            let document = Document::parse(text, "x.json", UnknownKeys::Refuse)?;
            let mut root = document.root()?;
            root.read_or("number", 0, |node| node.integer(1, 100_000_000))?;
            root.read_or("seconds", 1, |node| node.seconds_as_ms(60_000))?;
            root.read_or("flag", true, |node| node.flag())?;
            root.read_or("text", "", |node| node.text())?;
            root.read_or("address", Address::ZERO, |node| node.address())?;
            root.read_or("list", Vec::new(), |node| node.items())?;
            if let Some(inner) = root.section("inner")? {
                inner.finish()?;
            }
            root.finish()
        };
        read(text).expect_err(text)
    }

    fn message(text: &str) -> String {
        let error = fault(text);
        format!("{error} | {}", error.advice)
    }

    #[test]
    fn every_fault_names_place_value_and_remedy() {
        let address = "AB".repeat(20);
        for (text, expected) in [
            (
                "{\n \"number\": 1e7}",
                "x.json:2:12: number 1e7 is not a whole number | write 10000000",
            ),
            (
                "{\"number\": 2.50e1}",
                "number 2.50e1 is not a whole number | write 25",
            ),
            (
                "{\"number\": 0.5}",
                "number 0.5 is not a whole number | write a whole number from 1 to 100000000",
            ),
            (
                "{\"number\": -1}",
                "number -1 is not a whole number | write a whole number from 1",
            ),
            (
                "{\"number\": \"5\"}",
                "x.json:1:12: number \"5\" is not a number | write 5",
            ),
            (
                "{\"number\": null}",
                "number null is not a number | write a whole",
            ),
            (
                "{\"number\": 18446744073709551617}",
                "18446744073709551617 is out of range | write",
            ),
            (
                "{\"number\": 0}",
                "number 0 is out of range | write a whole number from 1",
            ),
            (
                "{\"number\": 1, \"number\": 2}",
                "x.json:1:15: the key number stands here again | keep one of them; the first is at 1:2",
            ),
            (
                "{\"seconds\": 0.0001}",
                "more than 3 decimals | write seconds from 0.001 to 60",
            ),
            ("{\"seconds\": 61}", "seconds 61 is out of range"),
            ("{\"seconds\": 0}", "seconds 0 is out of range"),
            (
                "{\"flag\": 1}",
                "flag 1 is neither true nor false | write true or false",
            ),
            (
                "{\"text\": 1}",
                "text 1 is not text | write it in double quotes",
            ),
            ("{\"text\": \"a\nb\"}", "raw control character"),
            (
                "{\"address\": \"0x12\"}",
                "address: 0x12 is not an address | write 40 hex digits",
            ),
            (
                &format!("{{\"address\": \"{address}0\"}}"),
                "is not an address",
            ),
            ("{\"list\": {}}", "list an object is not a list | write [ ]"),
            ("{\"inner\": []}", "inner a list is not an object"),
            (
                "{\"inner\": {\"é\": 1}}",
                "unknown key inner.é | known here: ",
            ),
            (
                "{\"numbr\": 1}",
                "x.json:1:2: unknown key numbr | did you mean \"number\"?",
            ),
            (
                "{\"é\": 1, \"Flag\": true}",
                "x.json:1:2: unknown key é | known here: number, seconds",
            ),
            ("[]", "x.json:1:1: a list is not an object"),
            (
                "  // nothing\n",
                "x.json:1:1: the document is empty | write { }",
            ),
            (
                "{\"number\": 1 \"flag\": true}",
                "x.json:1:13: expected comma |",
            ),
            (
                "{number: 1}",
                "x.json:1:2: expected string for object property, got number",
            ),
            ("{'number': 1}", "single-quoted strings are not allowed"),
            ("{\"number\": 0x10}", "hexadecimal numbers are not allowed"),
            ("{\"number\": +1}", "unary plus"),
            ("{\"number\": 01}", "expected comma"),
            ("{\"number\": NaN}", "got NaN"),
            ("{\"number\": 1} {}", "more than one JSON value"),
            ("{\"number\": 1", "unterminated object"),
            ("{ /* ", "unterminated comment block"),
        ] {
            let got = message(text);
            assert!(
                got.contains(expected),
                "{text:?}\n  got {got}\n  not {expected}"
            );
            assert!(!got.contains('\n'), "{got}");
        }
    }

    #[test]
    fn comments_trailing_commas_and_upper_case_addresses_are_read() {
        let text = "// one\n{ /* two */ \"a\": 7, // three\n \"b\": [\"AB00000000000000000000000000000000000000\",], \"s\": 0.25, \"t\": 10.5, }";
        let document = Document::parse(text, "x", UnknownKeys::Refuse).unwrap();
        let mut root = document.root().unwrap();
        assert_eq!(root.get("a").unwrap().integer(0, 9), Ok(7));
        let list = root.get("b").unwrap().items().unwrap();
        assert_eq!(
            list[0].address().unwrap().to_string(),
            format!("ab{}", "0".repeat(38))
        );
        assert_eq!(root.get("s").unwrap().seconds_as_ms(1_000), Ok(250));
        assert_eq!(root.get("t").unwrap().seconds_as_ms(20_000), Ok(10_500));
        assert_eq!(root.finish(), Ok(()));
    }

    #[test]
    fn unknown_keys_are_warnings_where_the_caller_wants_it() {
        let text = "{\n \"pears\": [], \"zzz\": 1 }";
        let document = Document::parse(text, "ccoin.json", UnknownKeys::Warn).unwrap();
        let mut root = document.root().unwrap();
        assert!(root.get("peers").is_none());
        root.finish().unwrap();
        let warnings = document.into_warnings();
        assert_eq!(
            warnings[0],
            "ccoin.json:2:2: unknown key pears; did you mean \"peers\"?"
        );
        assert_eq!(
            warnings[1],
            "ccoin.json:2:15: unknown key zzz; known here: peers"
        );

        let many: String = (0..100_000).map(|n| format!("\"k{n}\": 0,")).collect();
        let many = format!("{{{many}}}");
        let document = Document::parse(&many, "x", UnknownKeys::Warn).unwrap();
        document.root().unwrap().finish().unwrap();
        assert_eq!(document.into_warnings().len(), MAX_WARNINGS + 1);
    }

    #[test]
    fn one_typing_mistake_is_recognised_and_two_are_not() {
        for (near, wrong) in [
            ("numbr", "nmbr"),
            ("numbers", "numberess"),
            ("nunber", "nunbar"),
            ("nubmer", "unbmer"),
            ("Number", "numero"),
            ("num_ber", "bar"),
        ] {
            assert!(message(&format!("{{\"{near}\": 1}}")).contains("did you mean \"number\""));
            assert!(
                message(&format!("{{\"{wrong}\": 1}}")).contains("known here"),
                "{wrong}"
            );
        }
    }

    #[test]
    fn hostile_documents_are_errors_and_not_aborts() {
        for open in ["[", "{\"a\":", "[{\"a\":"] {
            let text = open.repeat(200_000);
            let error = Document::parse(&text, "x", UnknownKeys::Refuse).unwrap_err();
            assert!(error.fault.contains("nesting depth"));
        }
        let long = " ".repeat(MAX_DOCUMENT_BYTES + 1);
        let error = Document::parse(&long, "x", UnknownKeys::Refuse).unwrap_err();
        assert_eq!(error.fault, "16777217 bytes are too many");
        let value = format!("{{\"number\": \"{}\"}}", "9".repeat(1_000_000));
        assert!(fault(&value).to_string().len() < 120);
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "[\\{\\}\\[\\]:,\"'/*\\\\ueEé\u{2028}\u{1F600}0-9.+\\- \n\rtrnfals]{0,60}") {
            if let Ok(document) = Document::parse(&text, "x", UnknownKeys::Refuse)
                && let Ok(mut root) = document.root()
            {
                let _ = root.get("").map(|node| (node.integer(0, 9), node.text().map(str::len)));
                let _ = root.finish();
            }
        }
    }
}
