//! Every fault of a document, with its place and the remedy.

use ccoin_core::Address;

use super::*;
use std::collections::BTreeMap;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Sample {
    number: u64,
    port: u16,
    interval_ms: u64,
    flag: bool,
    text: String,
    address: Option<AnyCase<Address>>,
    list: Vec<AnyCase<Address>>,
    inner: Option<Inner>,
}

#[derive(Deserialize)]
struct Inner {
    #[serde(default)]
    known: u8,
}

fn read(text: &str, unknown_keys: UnknownKeys) -> Result<(Sample, Vec<String>), JsoncError> {
    let document = Document::parse(text, "x.json", unknown_keys, None)?;
    let sample = document.read()?;
    Ok((sample, document.into_warnings()))
}

fn fault(text: &str) -> JsoncError {
    match read(text, UnknownKeys::Refuse) {
        Ok(_) => panic!("{text}"),
        Err(error) => error,
    }
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
            "number 0.5 is not a whole number | write a whole number from 0 to 9007199254740991",
        ),
        (
            "{\"number\": -1}",
            "number -1 is not a whole number | write a whole number from 0",
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
            "{\"port\": 0}",
            "port 0 is out of range | write a whole number from 1 to 65535",
        ),
        (
            "{\"number\": 1, \"number\": 2}",
            "x.json:1:15: the key number stands here again | keep one of them; the first is at 1:2",
        ),
        (
            "{\"interval\": 0.0001}",
            "more than 3 decimals | write seconds from 0.001 to 31536000",
        ),
        (
            "{\"interval\": 31536001}",
            "interval 31536001 is out of range",
        ),
        ("{\"interval\": 0}", "interval 0 is out of range"),
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
            "address \"0x12\" is not an address | write 40 hex digits",
        ),
        (
            &format!("{{\"address\": \"{address}0\"}}"),
            "is not an address",
        ),
        ("{\"list\": {}}", "list an object is not a list | write [ ]"),
        (
            "{\"list\": [\"12\"]}",
            "x.json:1:11: list \"12\" is not an address",
        ),
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
            "x.json:1:2: unknown key é | known here: number, port, interval, flag",
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
fn a_byte_order_mark_is_skipped() {
    let (sample, _) = read("\u{feff}{\"number\": 7}", UnknownKeys::Refuse).unwrap();
    assert_eq!(sample.number, 7);
    assert!(message("\u{feff}{\"number\": 1e7}").starts_with("x.json:1:12: number 1e7"));
}

#[test]
fn comments_trailing_commas_and_upper_case_addresses_are_read() {
    let text = "// one\n{ /* two */ \"number\": 7, // three\n \"list\": \
        [\"AB00000000000000000000000000000000000000\",], \"interval\": 10.5, \
        \"inner\": {\"known\": 3}, \"address\": null, \"flag\": true, }";
    let (sample, warnings) = read(text, UnknownKeys::Refuse).unwrap();
    assert_eq!((sample.number, sample.flag), (7, true));
    let listed = sample.list[0].0.to_string();
    assert_eq!(listed, format!("ab{}", "0".repeat(38)));
    assert_eq!(sample.interval_ms, 10_500);
    assert_eq!(sample.inner.map(|inner| inner.known), Some(3));
    assert!(sample.address.is_none() && sample.text.is_empty() && warnings.is_empty());
}

#[test]
fn unknown_keys_are_warnings_where_the_caller_wants_it() {
    let text = "{\n \"prot\": [], \"inner\": {\"zzz\": 1 }}";
    let (_, warnings) = read(text, UnknownKeys::Warn).unwrap();
    assert_eq!(
        warnings,
        [
            "x.json:2:2: unknown key prot; did you mean \"port\"?",
            "x.json:2:24: unknown key inner.zzz; known here: known"
        ]
    );
    let many: String = (0..100_000).map(|n| format!("\"k{n}\": 0,")).collect();
    let (_, warnings) = read(&format!("{{{many}}}"), UnknownKeys::Warn).unwrap();
    assert_eq!(warnings.len(), MAX_WARNINGS + 1);
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
        let error = fault(&text);
        assert!(error.fault.contains("nesting depth"));
    }
    let long = " ".repeat(MAX_DOCUMENT_BYTES + 1);
    let error = fault(&long);
    assert_eq!(error.fault, "16777217 bytes are too many");
    let value = format!("{{\"number\": \"{}\"}}", "9".repeat(1_000_000));
    assert!(fault(&value).to_string().len() < 120);
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "[\\{\\}\\[\\]:,\"'/*\\\\ueEé\u{2028}\u{1F600}0-9.+\\- \n\rtrnfals]{0,60}") {
        let _ = read(&text, UnknownKeys::Refuse);
        if let Ok(document) = Document::parse(&text, "x", UnknownKeys::Warn, None) {
            let _ = document.read::<BTreeMap<String, u64>>();
            let _ = document.read::<Vec<String>>();
            let _ = document.read::<serde_json::Value>();
            let _ = document.error_at(&text, "", "");
        }
    }
}
