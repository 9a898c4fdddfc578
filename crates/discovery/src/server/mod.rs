//! The routes of the service, and its limits. A connection carries one request.

mod page;
mod problem;
mod request;

use crate::{Filter, Member, Service, Vantage, metrics};
use axum::{
    Extension, Json, Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderValue, Method, Response, header},
    middleware::map_response_with_state,
    response::{Html, IntoResponse},
    routing::get,
};
use ccoin_http::{Endpoints, NOT_FOUND, Problem, ServerLimits, body, guard};
use request::Parsed;
use std::{sync::Arc, time::Duration};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

const LIMITS: ServerLimits = ServerLimits {
    // A node needs one, for a moment.
    connections_per_address: 16,
    idle: None,
    lifetime: Some(Duration::from_secs(15)),
    shutdown: Duration::from_secs(2),
};

/// Bytes of a request's body: many times a record with the longest key.
const BODY_LIMIT: usize = 64 << 10;

/// A browser shows the text and style of the page and loads nothing else.
const CONTENT_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'";

/// All routes. A command is accepted at any path, as clients of 2018 expect.
pub fn router(service: Arc<Service>) -> Router {
    let routes = Router::new()
        .route("/", get(page).post(command))
        .route("/members", get(members).post(command))
        .route("/healthz", get(|| async { "ok\n" }).post(command))
        .route("/metrics", get(metrics).post(command))
        .fallback(elsewhere);
    guard(routes)
        .layer(map_response_with_state(Arc::clone(&service), finish))
        .with_state(service)
}

/// Serves until `stop`, then lets open requests finish for a moment.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    ccoin_http::serve(listener, router, LIMITS, stop).await;
}

impl From<Endpoints> for Vantage {
    fn from(ends: Endpoints) -> Self {
        Self {
            caller: ends.remote.ip(),
            reached: ends.local.ip(),
        }
    }
}

async fn elsewhere(
    service: State<Arc<Service>>,
    ends: Extension<Endpoints>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    if request.method() == Method::POST {
        return command(service, ends, request).await;
    }
    Err(Problem::new(NOT_FOUND, "no such path").hint("see / and /members, or POST a command"))
}

async fn command(
    State(service): State<Arc<Service>>,
    Extension(ends): Extension<Endpoints>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    // Clients of 2018 send no type.
    if request.headers().contains_key(header::CONTENT_TYPE) {
        body::require_json(request.headers())?;
    }
    let body = body::read(request, BODY_LIMIT).await?;
    match request::parse(&body)? {
        Parsed::Signed(command, record) => {
            service.apply(command, *record, ends.into())?;
            Ok(Json(true).into_response())
        }
        Parsed::List(filter) => {
            let listed = service.members(&filter, ends.into());
            let members: Vec<Member> = listed.into_iter().map(|one| one.member).collect();
            service.metrics.lists.inc();
            Ok(Json(members).into_response())
        }
    }
}

async fn page(
    State(service): State<Arc<Service>>,
    Extension(ends): Extension<Endpoints>,
) -> Response<Body> {
    let listed = service.members(&Filter::default(), ends.into());
    let page = page::render(&listed, service.now());
    let mut response = Html(page).into_response();
    let policy = HeaderValue::from_static(CONTENT_POLICY);
    response
        .headers_mut()
        .insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}

async fn members(
    State(service): State<Arc<Service>>,
    Extension(ends): Extension<Endpoints>,
) -> Response<Body> {
    Json(service.members(&Filter::default(), ends.into())).into_response()
}

async fn metrics(State(service): State<Arc<Service>>) -> Response<Body> {
    let kind = [(header::CONTENT_TYPE, metrics::MEDIA_TYPE)];
    (kind, service.metrics()).into_response()
}

/// Counts refusals. A browser must not guess the type of an answer or keep it.
async fn finish(
    State(service): State<Arc<Service>>,
    mut response: Response<Body>,
) -> Response<Body> {
    if response.status().as_u16() >= 400 {
        service.metrics.refused.inc();
    }
    let headers = response.headers_mut();
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
