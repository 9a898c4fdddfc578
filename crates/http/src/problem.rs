//! Errors as RFC 9457 problem details: the fault with its values, and advice. Each server
//! adds the kinds that only it has.

use axum::{
    body::Body,
    http::{HeaderValue, Response, StatusCode, header},
    response::IntoResponse,
};
use serde::Serialize;

const MEDIA_TYPE: &str = "application/problem+json";

/// Seconds of `Retry-After` where a problem does not set its own.
const RETRY_AFTER_SECONDS: u32 = 1;

/// The status and the stable code that programs compare.
#[derive(Clone, Copy, Debug)]
pub struct Kind(pub u16, pub &'static str);

const BAD_JSON: Kind = Kind(400, "bad-json");
const BAD_FIELD: Kind = Kind(400, "bad-field");
const METHOD_NOT_ALLOWED: Kind = Kind(405, "method-not-allowed");
const BODY_TOO_LARGE: Kind = Kind(413, "body-too-large");
const INTERNAL: Kind = Kind(500, "internal");
/// For a path; other missing things have kinds of their own.
pub const NOT_FOUND: Kind = Kind(404, "not-found");
pub(crate) const UNSUPPORTED_MEDIA_TYPE: Kind = Kind(415, "unsupported-media-type");
pub(crate) const RATE_LIMITED: Kind = Kind(429, "rate-limited");
pub(crate) const BUSY: Kind = Kind(503, "busy");

/// An error response. As JSON it is the body of the response.
#[derive(Clone, Debug, Serialize)]
pub struct Problem {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    code: &'static str,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    got: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<String>,
    #[serde(skip)]
    retry_after: Option<u32>,
}

impl Problem {
    /// A problem of this kind; `detail` describes this occurrence. The title is the phrase of
    /// the status, as RFC 9457, 4.2.1 has it for the type `about:blank`.
    #[must_use]
    pub fn new(Kind(status, code): Kind, detail: impl Into<String>) -> Self {
        Self {
            kind: "about:blank",
            title: status_code(status).canonical_reason().unwrap_or("Error"),
            status,
            code,
            detail: detail.into(),
            hint: None,
            got: None,
            expected: None,
            retry_after: None,
        }
    }

    /// 400: the body cannot be read as JSON.
    #[must_use]
    pub fn bad_json(detail: impl Into<String>) -> Self {
        Self::new(BAD_JSON, detail)
    }

    /// 400: a value does not fit.
    #[must_use]
    pub fn bad_field(detail: impl Into<String>) -> Self {
        Self::new(BAD_FIELD, detail)
    }

    /// 413.
    #[must_use]
    pub fn body_too_large(detail: impl Into<String>) -> Self {
        Self::new(BODY_TOO_LARGE, detail)
    }

    /// 500.
    #[must_use]
    pub fn internal(detail: impl Into<String>) -> Self {
        Self::new(INTERNAL, detail)
    }

    /// Advice for the next step.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The value seen and the value needed. The caller bounds their lengths.
    #[must_use]
    pub fn values(mut self, got: impl ToString, expected: impl ToString) -> Self {
        self.got = Some(got.to_string());
        self.expected = Some(expected.to_string());
        self
    }

    /// `Retry-After` in seconds; a 429 or 503 has one of 1 if this is not called.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// The problem that a bare error status of the framework stands for.
    fn of_status(status: StatusCode) -> Self {
        match status.as_u16() {
            404 => Self::new(NOT_FOUND, "no such path"),
            405 => Self::new(
                METHOD_NOT_ALLOWED,
                "the Allow header lists the methods of this path",
            ),
            400..=499 => Self::bad_field("the request is not usable"),
            _ => Self::internal("the log of the server says more"),
        }
    }
}

fn status_code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response<Body> {
        let body = serde_json::to_vec(&self).expect("a problem has only text and a number");
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status_code(self.status);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        let retry_after = match self.status {
            429 | 503 => self.retry_after.or(Some(RETRY_AFTER_SECONDS)),
            _ => self.retry_after,
        };
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == 401 {
            let scheme = HeaderValue::from_static("Bearer");
            headers.insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}

/// Turns every error response that is not a problem yet into one.
pub(crate) async fn only_problems(response: Response<Body>) -> Response<Body> {
    let status = response.status();
    let kind = response.headers().get(header::CONTENT_TYPE);
    if status.as_u16() < 400 || kind.is_some_and(|kind| kind == MEDIA_TYPE) {
        return response;
    }
    let mut problem = Problem::of_status(status).into_response();
    if let Some(allow) = response.headers().get(header::ALLOW) {
        problem.headers_mut().insert(header::ALLOW, allow.clone());
    }
    problem
}
