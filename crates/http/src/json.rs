//! JSON that comes in: parsed once, strictly, with errors in our own words. Text that is
//! not JSON is told from a field that does not fit, wherever the first fault is.

use crate::Problem;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::error::Category;

/// Characters of a value or a message that an error repeats.
const EXCERPT: usize = 80;

/// Parses one JSON object; serde alone would also take an array of the fields' values.
///
/// # Errors
/// As [`parse`].
pub fn parse_object<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Problem> {
    match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{') | None => parse(bytes),
        Some(_) => {
            parse::<IgnoredAny>(bytes)?;
            Err(Problem::bad_field("a JSON object is needed"))
        }
    }
}

/// Parses one JSON value; duplicate keys are refused.
///
/// # Errors
/// `bad-json` with the position, or `bad-field` with the name of the field.
pub fn parse<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Problem> {
    serde_json::from_slice(bytes).map_err(|error| {
        if !error.is_data() {
            return not_json(bytes, &error);
        }
        if let Err(syntax) = serde_json::from_slice::<IgnoredAny>(bytes) {
            return not_json(bytes, &syntax);
        }
        unfit::<T>(bytes, error)
    })
}

fn not_json(bytes: &[u8], error: &serde_json::Error) -> Problem {
    let (line, column) = (error.line(), error.column());
    let at = format!("line {line}, column {column}");
    let text = error.to_string();
    Problem::bad_json(match error.classify() {
        Category::Eof if bytes.trim_ascii().is_empty() => "the body is empty".to_owned(),
        Category::Eof => format!("the JSON ends too early, at {at}"),
        _ if text.starts_with("trailing characters") => {
            format!("more text follows the JSON value at {at}")
        }
        _ => format!("this is not JSON at {at}"),
    })
}

/// The text is JSON: it is read a second time to learn which field does not fit.
fn unfit<'a, T: Deserialize<'a>>(bytes: &'a [u8], error: serde_json::Error) -> Problem {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let (path, error) = match serde_path_to_error::deserialize::<_, T>(&mut json) {
        Err(located) => (located.path().to_string(), located.into_inner()),
        Ok(_) => (String::new(), error),
    };
    let text = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    let message = text.strip_suffix(&position).unwrap_or(&text);
    // A path of "." is the whole value.
    let field = Some(path.as_str()).filter(|path| !path.is_empty() && *path != ".");
    let duplicate = message.starts_with("duplicate field");
    let problem = unfit_value(field, message);
    if duplicate {
        return Problem::bad_json(problem);
    }
    match sent_and_needed(message) {
        Some((sent, needed)) => Problem::bad_field(problem).values(sent, needed),
        None => Problem::bad_field(problem),
    }
}

/// serde's message about a value in our words; messages of our own types pass as they are.
/// `field` is its path.
#[must_use]
pub fn unfit_value(field: Option<&str>, message: &str) -> String {
    let name = message.split('`').nth(1).unwrap_or_default();
    let mut path = field.unwrap_or_default();
    let mut within = |said: &str| {
        // The message names the field: the path of the object around it is enough.
        path = path.strip_suffix(name).unwrap_or(path);
        path = path.trim_end_matches('.');
        said.replace("{}", &excerpt(name))
    };
    let said = if message.starts_with("unknown field") {
        within("there is no field {}")
    } else if message.starts_with("duplicate field") {
        within("the field {} is given twice")
    } else if message.starts_with("missing field") {
        format!("the field {name} is missing")
    } else if let Some((_, needed)) = sent_and_needed(message) {
        format!("{needed} is needed")
    } else {
        plain(message)
    };
    match path {
        "" => said,
        path => format!("{}: {said}", excerpt(path)),
    }
}

/// The standard library's messages about numbers in a query.
fn plain(message: &str) -> String {
    match message {
        "invalid digit found in string" | "cannot parse integer from empty string" => {
            "a whole number is needed".to_owned()
        }
        "number too large to fit in target type" => "the number is too large".to_owned(),
        own => excerpt(own),
    }
}

/// The two halves of `invalid type: integer `5`, expected a string`.
fn sent_and_needed(message: &str) -> Option<(String, String)> {
    let rest = ["invalid type: ", "invalid value: ", "invalid length "]
        .iter()
        .find_map(|start| message.strip_prefix(start))?;
    let (sent, needed) = rest.rsplit_once(", expected ")?;
    let sent = match sent {
        "map" => "an object".to_owned(),
        "sequence" => "an array".to_owned(),
        sent if sent.starts_with("string ") => excerpt(&sent["string ".len()..]),
        sent => excerpt(sent.split('`').nth(1).unwrap_or(sent)),
    };
    let needed = match needed {
        "u16" => format!("a whole number up to {}", u16::MAX),
        "u32" => format!("a whole number up to {}", u32::MAX),
        "u8" | "u64" | "usize" => "a whole number".to_owned(),
        needed if needed.starts_with("struct ") => "a JSON object".to_owned(),
        needed => excerpt(needed),
    };
    Some((sent, needed))
}

fn excerpt(text: &str) -> String {
    text.chars().take(EXCERPT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::{body::to_bytes, response::IntoResponse as _};
    use serde_json::{Value, json};
    use std::borrow::Cow;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "only the errors matter")]
    struct Outer<'a> {
        number: u64,
        port: Option<u16>,
        #[serde(borrow)]
        text: Option<Cow<'a, str>>,
        inner: Option<Inner>,
    }

    #[derive(Debug, Deserialize)]
    #[allow(dead_code, reason = "only the errors matter")]
    struct Inner {
        id: String,
    }

    async fn problem(body: &str) -> Value {
        let problem = parse_object::<Outer<'_>>(body.as_bytes()).unwrap_err();
        let response = problem.into_response();
        let bytes = to_bytes(response.into_body(), 2_000).await.unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }

    #[tokio::test]
    async fn errors_are_in_our_own_words() {
        let long = "x".repeat(100_000);
        let deep = format!("{{\"number\": 1, \"inner\": {}", "[".repeat(1_000));
        let long_text = format!("{{\"number\": \"{long}\"}}");
        let long_name = format!("{{\"{long}\": 1}}");
        for (body, code, detail) in [
            ("", "bad-json", "the body is empty"),
            (" \n", "bad-json", "the body is empty"),
            (
                "{",
                "bad-json",
                "the JSON ends too early, at line 1, column 1",
            ),
            (
                "{\"number\":\n x}",
                "bad-json",
                "this is not JSON at line 2, column 2",
            ),
            (
                "{\"number\": 1}}",
                "bad-json",
                "more text follows the JSON value at line 1, column 14",
            ),
            (
                &deep,
                "bad-json",
                "the JSON ends too early, at line 1, column 1023",
            ),
            (
                "{\"number\": 1, \"number\": 2}",
                "bad-json",
                "the field number is given twice",
            ),
            // Not JSON further on: that is the fault to tell.
            (
                "{\"number\": \"1\", x}",
                "bad-json",
                "this is not JSON at line 1, column 17",
            ),
            ("[1]", "bad-field", "a JSON object is needed"),
            ("{}", "bad-field", "the field number is missing"),
            ("{\"fee\": 1}", "bad-field", "there is no field fee"),
            (
                "{\"number\": \"1\"}",
                "bad-field",
                "number: a whole number is needed",
            ),
            (
                "{\"number\": -1}",
                "bad-field",
                "number: a whole number is needed",
            ),
            (
                "{\"number\": null}",
                "bad-field",
                "number: a whole number is needed",
            ),
            (
                "{\"number\": 1, \"port\": 70000}",
                "bad-field",
                "port: a whole number up to 65535 is needed",
            ),
            (
                "{\"number\": 1, \"text\": []}",
                "bad-field",
                "text: a string is needed",
            ),
            (
                "{\"number\": 1, \"inner\": 5}",
                "bad-field",
                "inner: a JSON object is needed",
            ),
            (
                "{\"number\": 1, \"inner\": {}}",
                "bad-field",
                "inner: the field id is missing",
            ),
            (
                "{\"number\": 1, \"inner\": {\"id\": {}}}",
                "bad-field",
                "inner.id: a string is needed",
            ),
            (&long_text, "bad-field", "number: a whole number is needed"),
            (
                &long_name,
                "bad-field",
                &format!("there is no field {}", &long[..80]),
            ),
        ] {
            let said = problem(body).await;
            assert_eq!(said["code"], code, "{body:.80} {said}");
            assert_eq!(said["detail"], detail, "{body:.80}");
        }
    }

    #[tokio::test]
    async fn an_unfit_value_is_shown_with_what_is_needed() {
        for (value, got) in [
            ("\"5\"", "\"5\""),
            ("-5", "-5"),
            ("1.5", "1.5"),
            ("true", "true"),
            ("null", "null"),
            ("[1]", "an array"),
            ("{}", "an object"),
        ] {
            let said = problem(&format!("{{\"number\": {value}}}")).await;
            assert_eq!(said["got"], got, "{said}");
            assert_eq!(said["expected"], json!("a whole number"), "{said}");
        }
    }

    #[test]
    fn words_about_query_parameters_are_ours_too() {
        for (message, said) in [
            (
                "invalid digit found in string",
                "limit: a whole number is needed",
            ),
            (
                "number too large to fit in target type",
                "limit: the number is too large",
            ),
            ("not an address: 5", "limit: not an address: 5"),
        ] {
            assert_eq!(unfit_value(Some("limit"), message), said);
        }
        let unknown = "unknown field `order`, expected `limit` or `after`";
        assert_eq!(unfit_value(None, unknown), "there is no field order");
    }
}
