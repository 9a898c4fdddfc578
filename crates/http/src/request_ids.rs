//! `x-request-id` and `traceparent` (W3C Trace Context 1, 3.2): what a caller or a proxy calls
//! a request. Both stand in the span of its log lines and in the answer. Anything else than
//! the bounded, plain form is ignored.

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, Response},
    middleware::Next,
};
use std::time::Instant;
use tracing::{Instrument as _, field::Empty};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Longest id of a request, in characters.
const MAX_ID: usize = 64;

/// Letters, digits, `-`, `_` and `.`: nothing that could steer a log or a header.
fn is_request_id(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=MAX_ID).contains(&text.len()) && text.bytes().all(plain)
}

/// `00-<32 hex>-<16 hex>-<2 hex>` in small letters, neither id all zeros.
fn is_traceparent(text: &str) -> bool {
    let parts: Vec<_> = text.split('-').collect();
    let hex = |part: &str, digits| {
        part.len() == digits && part.bytes().all(|byte| b"0123456789abcdef".contains(&byte))
    };
    let some = |part: &str| part.bytes().any(|byte| byte != b'0');
    match parts[..] {
        ["00", trace, parent, flags] => {
            hex(trace, 32) && some(trace) && hex(parent, 16) && some(parent) && hex(flags, 2)
        }
        _ => false,
    }
}

/// The one header with this name, if it is well-formed.
fn taken(headers: &HeaderMap, name: &HeaderName, fits: fn(&str) -> bool) -> Option<HeaderValue> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().filter(|_| values.next().is_none())?;
    value.to_str().is_ok_and(fits).then(|| value.clone())
}

/// Names the request in the log, and in its answer what it was called.
pub(crate) async fn name(request: Request, next: Next) -> Response<Body> {
    let request_id = taken(request.headers(), &REQUEST_ID, is_request_id);
    let traceparent = taken(request.headers(), &TRACEPARENT, is_traceparent);
    let span = tracing::info_span!("request", request_id = Empty, traceparent = Empty);
    let named = [
        ("request_id", REQUEST_ID, request_id),
        ("traceparent", TRACEPARENT, traceparent),
    ];
    for (field, _, value) in &named {
        if let Some(text) = value.as_ref().and_then(|value| value.to_str().ok()) {
            span.record(*field, text);
        }
    }
    async {
        let (method, began) = (request.method().clone(), Instant::now());
        let mut response = next.run(request).await;
        let seconds = began.elapsed().as_secs_f64();
        tracing::debug!(
            "{method} answered {} in {seconds:.6} s",
            response.status().as_u16()
        );
        for (_, name, value) in named {
            if let Some(value) = value {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
    .instrument(span)
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn only_bounded_plain_ids_are_taken() {
        for (text, fits) in [
            ("a", true),
            ("3F2.b_9-x", true),
            (&"x".repeat(64), true),
            (&"x".repeat(65), false),
            ("", false),
            ("a b", false),
            ("a\"b", false),
            ("ä", false),
        ] {
            assert_eq!(is_request_id(text), fits, "{text}");
        }
        assert!(is_traceparent(TRACE));
        for (from, to) in [
            ("00-4b", "01-4b"),
            ("4bf92f", "4BF92F"),
            ("-01", ""),
            ("-01", "-01-x"),
            ("00f067aa0ba902b7", "0000000000000000"),
            (
                "4bf92f3577b34da6a3ce929d0e0e4736",
                "00000000000000000000000000000000",
            ),
            ("4bf92", "bf92"),
        ] {
            assert!(!is_traceparent(&TRACE.replacen(from, to, 1)), "{from} {to}");
        }
    }

    #[test]
    fn a_name_that_is_given_twice_is_none() {
        let mut headers = HeaderMap::new();
        headers.append(REQUEST_ID, HeaderValue::from_static("a"));
        assert!(taken(&headers, &REQUEST_ID, is_request_id).is_some());
        headers.append(REQUEST_ID, HeaderValue::from_static("b"));
        assert!(taken(&headers, &REQUEST_ID, is_request_id).is_none());
    }
}
