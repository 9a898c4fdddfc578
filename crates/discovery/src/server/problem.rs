//! Errors as RFC 9457 problem details: what happened, with the values, and what to
//! do next. Every response from 400 on is one, the framework's own included.

use crate::{RecordError, RegistryError, service::RefusedError};
use axum::{
    body::Body,
    http::{HeaderValue, Response, StatusCode, header},
    response::IntoResponse,
};
use serde::Serialize;

/// Media type of RFC 9457.
const MEDIA_TYPE: &str = "application/problem+json";

/// Seconds after which a full registry may have room: the life of a record.
const RETRY_AFTER_SECONDS: u32 = 90;

/// An error response.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Problem {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    /// Stable, for programs.
    code: &'static str,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'static str>,
}

macro_rules! problems {
    ($($name:ident $status:literal $code:literal $title:literal;)*) => {
        impl Problem {$(
            #[doc = $title]
            pub(crate) fn $name(detail: impl Into<String>) -> Self {
                Self {
                    kind: "about:blank",
                    title: $title,
                    status: $status,
                    code: $code,
                    detail: detail.into(),
                    hint: None,
                }
            }
        )*}
    };
}

problems! {
    bad_json 400 "bad-json" "The body is not the JSON that is needed";
    bad_field 400 "bad-field" "A field is not usable";
    unsigned 403 "unsigned" "Only the owner of an id can write its record";
    foreign 403 "foreign" "The record is somebody else's";
    bad_signature 403 "bad-signature" "The signature does not fit";
    not_found 404 "not-found" "There is nothing at this path";
    method_not_allowed 405 "method-not-allowed" "This path does not take that method";
    stale 409 "stale" "A newer record is known";
    body_too_large 413 "body-too-large" "The body is too large";
    unsupported_media_type 415 "unsupported-media-type" "The body must be JSON";
    clock 422 "clock" "The clocks differ too much";
    too_many_records 429 "too-many-records" "Too many records from your address";
    registry_full 503 "registry-full" "The registry is full";
    internal 500 "internal" "The service has failed";
}

impl Problem {
    /// What to do next.
    pub(crate) fn hint(mut self, hint: &'static str) -> Self {
        self.hint = Some(hint);
        self
    }

    /// The problem that a bare error status of the framework stands for.
    fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::not_found("no such path"),
            StatusCode::METHOD_NOT_ALLOWED => {
                Self::method_not_allowed("see the Allow header for what this path takes")
            }
            status if status.is_client_error() => Self::bad_field("the request is not usable"),
            _ => Self::internal("the log of the service says more"),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response<Body> {
        let body = serde_json::to_vec(&self).expect("a problem has only text and a number");
        let mut response = Response::new(Body::from(body));
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if matches!(self.status, 429 | 503) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
        }
        response
    }
}

/// Turns an error response that is not a problem yet into one.
pub(crate) fn only_problems(response: Response<Body>) -> Response<Body> {
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

impl From<RefusedError> for Problem {
    fn from(error: RefusedError) -> Self {
        let detail = error.to_string();
        match error {
            RefusedError::Record(RecordError::Foreign { .. }) => Self::foreign(detail)
                .hint("id is the first 20 bytes of SHA-256 over the DER of the public key"),
            RefusedError::Record(RecordError::Signature(_)) => Self::bad_signature(detail).hint(
                "sign the SHA-256 of \"ccoin/1/dsc\" and the encoding of the command and its fields",
            ),
            RefusedError::Record(RecordError::Host(_) | RecordError::Port) => {
                Self::bad_field(detail)
            }
            RefusedError::Registry(RegistryError::Clock { .. }) => {
                Self::clock(detail).hint("set the clock of your machine")
            }
            RefusedError::Registry(RegistryError::Stale { .. }) => {
                Self::stale(detail).hint("sign a record with the time of now")
            }
            RefusedError::Registry(RegistryError::CallerFull) => Self::too_many_records(detail),
            RefusedError::Registry(RegistryError::Full) => Self::registry_full(detail),
        }
    }
}
