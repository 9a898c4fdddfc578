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

/// The part that all problems with one code share.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    status: StatusCode,
    code: &'static str,
    title: &'static str,
}

impl Kind {
    /// `code` is stable: programs compare it.
    #[must_use]
    pub const fn new(status: StatusCode, code: &'static str, title: &'static str) -> Self {
        Self {
            status,
            code,
            title,
        }
    }
}

/// An error response. As JSON it is the body of the response.
#[derive(Clone, Debug, Serialize)]
pub struct Problem {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    #[serde(serialize_with = "status_number")]
    status: StatusCode,
    code: &'static str,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    got: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<String>,
    #[serde(skip)]
    retry_after: u32,
}

fn status_number<S: serde::Serializer>(
    status: &StatusCode,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

const BAD_JSON: Kind = Kind::new(
    StatusCode::BAD_REQUEST,
    "bad-json",
    "The body is not the JSON that is needed",
);
const BAD_FIELD: Kind = Kind::new(
    StatusCode::BAD_REQUEST,
    "bad-field",
    "A field or parameter is not usable",
);
const NOT_FOUND: Kind = Kind::new(
    StatusCode::NOT_FOUND,
    "not-found",
    "There is nothing at this path",
);
const METHOD_NOT_ALLOWED: Kind = Kind::new(
    StatusCode::METHOD_NOT_ALLOWED,
    "method-not-allowed",
    "This path does not take that method",
);
const BODY_TOO_LARGE: Kind = Kind::new(
    StatusCode::PAYLOAD_TOO_LARGE,
    "body-too-large",
    "The body is too large",
);
const UNSUPPORTED_MEDIA_TYPE: Kind = Kind::new(
    StatusCode::UNSUPPORTED_MEDIA_TYPE,
    "unsupported-media-type",
    "The body must be JSON",
);
const RATE_LIMITED: Kind = Kind::new(
    StatusCode::TOO_MANY_REQUESTS,
    "rate-limited",
    "Too many requests",
);
const INTERNAL: Kind = Kind::new(
    StatusCode::INTERNAL_SERVER_ERROR,
    "internal",
    "The server has failed",
);

impl Problem {
    /// A problem of this kind; `detail` describes this occurrence.
    #[must_use]
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self {
            kind: "about:blank",
            title: kind.title,
            status: kind.status,
            code: kind.code,
            detail: detail.into(),
            hint: None,
            got: None,
            expected: None,
            retry_after: RETRY_AFTER_SECONDS,
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

    /// 404 for a path; other missing things have kinds of their own.
    #[must_use]
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(NOT_FOUND, detail)
    }

    /// 413.
    #[must_use]
    pub fn body_too_large(detail: impl Into<String>) -> Self {
        Self::new(BODY_TOO_LARGE, detail)
    }

    /// 415.
    #[must_use]
    pub fn unsupported_media_type(detail: impl Into<String>) -> Self {
        Self::new(UNSUPPORTED_MEDIA_TYPE, detail)
    }

    /// 429.
    #[must_use]
    pub fn rate_limited(detail: impl Into<String>) -> Self {
        Self::new(RATE_LIMITED, detail)
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

    /// `Retry-After` of a 429 or 503 in seconds; 1 if this is not called.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = seconds;
        self
    }

    /// The problem that a bare error status of the framework stands for.
    fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::not_found("no such path"),
            StatusCode::METHOD_NOT_ALLOWED => Self::new(
                METHOD_NOT_ALLOWED,
                "the Allow header lists the methods of this path",
            ),
            StatusCode::PAYLOAD_TOO_LARGE => Self::body_too_large("the body is too large"),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => {
                Self::unsupported_media_type("send Content-Type: application/json")
            }
            status if status.is_client_error() => Self::bad_field("the request is not usable"),
            _ => Self::internal("the log of the server says more"),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response<Body> {
        let body = serde_json::to_vec(&self).expect("a problem has only text and a number");
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if matches!(
            self.status,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
        ) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(self.retry_after));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
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
