//! `GET /metrics`: the node's figures and those of its HTTP side, for Prometheus.

use crate::Api;
use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderValue, Method, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use prometheus_client::{
    encoding::{EncodeLabelSet, prometheus_text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};
use std::{
    sync::{Mutex, PoisonError},
    time::Instant,
};

/// Media type of the text format 0.0.4.
const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Upper bounds in seconds.
const BOUNDS: [f64; 10] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 1.0, 10.0,
];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabel {
    route: String,
    method: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabel {
    route: String,
}

/// Counts requests by route.
pub(crate) struct HttpMetrics {
    /// Under which the paths of 2018 lie.
    own: String,
    requests: Family<RequestLabel, Counter>,
    seconds: Family<RouteLabel, Histogram, fn() -> Histogram>,
    readers: Gauge,
    registry: Mutex<Registry>,
}

impl HttpMetrics {
    pub(crate) fn new(own: String) -> Self {
        let mut registry = Registry::with_prefix("ccoin");
        let requests = Family::default();
        registry.register("http_requests", "Requests by route", requests.clone());
        let seconds =
            Family::new_with_constructor((|| Histogram::new(BOUNDS)) as fn() -> Histogram);
        registry.register(
            "http_request_seconds",
            "From the head of a request to the head of its answer",
            seconds.clone(),
        );
        let readers = Gauge::default();
        registry.register("event_readers", "Open streams of events", readers.clone());
        Self {
            own,
            requests,
            seconds,
            readers,
            registry: Mutex::new(registry),
        }
    }

    /// The pattern of the path: no label names an account.
    fn route(&self, request: &Request) -> String {
        let Some(path) = request.extensions().get::<MatchedPath>() else {
            return "none".into();
        };
        let path = path.as_str();
        match path.strip_prefix(&self.own) {
            Some(rest) => format!("/{{address}}{rest}"),
            None => path.into(),
        }
    }
}

/// Counts each request.
pub(crate) async fn count(State(api): State<Api>, request: Request, next: Next) -> Response {
    let route = api.metrics.route(&request);
    let method = match *request.method() {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::HEAD => "HEAD",
        _ => "other",
    };
    let began = Instant::now();
    let response = next.run(request).await;
    let label = RequestLabel {
        route: route.clone(),
        method,
        status: response.status().as_u16(),
    };
    api.metrics.requests.get_or_create(&label).inc();
    let seconds = began.elapsed().as_secs_f64();
    let label = RouteLabel { route };
    api.metrics.seconds.get_or_create(&label).observe(seconds);
    response
}

/// `GET /metrics`.
pub(crate) async fn metrics(State(api): State<Api>) -> Response {
    let mut text = api.node.metrics();
    let readers = i64::try_from(api.events.open()).unwrap_or(i64::MAX);
    api.metrics.readers.set(readers);
    let registry = &api.metrics.registry;
    let registry = registry.lock().unwrap_or_else(PoisonError::into_inner);
    encode(&mut text, &registry).expect("writing to a string cannot fail");
    drop(registry);
    let kind = HeaderValue::from_static(MEDIA_TYPE);
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}
