//! The HTTP side: routes, and an accept loop with bounded connections. Connections are
//! short here: one request each, and a deadline for the whole.
//!
//! What is no HTTP never reaches a route: the library answers a garbled request line or
//! header with 400, too long ones with 414 or 431, all without a body, and closes.

mod metrics;
mod page;
mod problem;
mod request;
mod shares;

use crate::{Filter, Member, Service, Vantage, service::Counters};
use axum::{
    Extension, Json, Router,
    body::{Body, HttpBody as _, to_bytes},
    extract::{Request, State},
    http::{HeaderValue, Method, Response, header},
    response::{Html, IntoResponse},
    routing::get,
};
use http_body_util::LengthLimitError;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use problem::Problem;
use request::Asked;
use shares::Shares;
use std::{io, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower_http::add_extension::AddExtension;

/// Open connections; further ones wait in the system's queue.
const CONNECTIONS: usize = 256;

/// Longest time for a request's headers.
const HEADER_PATIENCE: Duration = Duration::from_secs(5);

/// Longest time for a request's body.
const BODY_PATIENCE: Duration = Duration::from_secs(5);

/// Longest time for a connection, the answer included.
const CONNECTION_PATIENCE: Duration = Duration::from_secs(15);

/// Longest time for open requests after the end was announced.
const FAREWELL: Duration = Duration::from_secs(2);

/// Bytes of a request's body: many times a record with the longest key.
const BODY_LIMIT: usize = 64 << 10;

/// What the page may do in a browser: show its own text and style.
const CONTENT_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'";

/// All routes. Commands are taken at any path, as they always were.
pub fn router(service: Arc<Service>) -> Router {
    Router::new()
        .route("/", get(page).post(command))
        .route("/members", get(members).post(command))
        .route("/healthz", get(|| async { "ok\n" }).post(command))
        .route("/metrics", get(metrics).post(command))
        .fallback(elsewhere)
        .layer(axum::middleware::map_response_with_state(
            Arc::clone(&service),
            finish,
        ))
        .with_state(service)
}

async fn elsewhere(
    service: State<Arc<Service>>,
    vantage: Extension<Vantage>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    if request.method() == Method::POST {
        return command(service, vantage, request).await;
    }
    Err(Problem::not_found("no such path").hint("see / and /members, or POST a command"))
}

async fn command(
    State(service): State<Arc<Service>>,
    Extension(vantage): Extension<Vantage>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    request::accept_json(request.headers())?;
    let too_large = || Problem::body_too_large(format!("at most {BODY_LIMIT} bytes are read"));
    // A length that is announced is judged before anything is read.
    if request.body().size_hint().lower() > BODY_LIMIT as u64 {
        return Err(too_large());
    }
    let body = to_bytes(request.into_body(), BODY_LIMIT);
    let body = tokio::time::timeout(BODY_PATIENCE, body).await;
    let body = body.map_err(|_| {
        let patience = BODY_PATIENCE.as_secs();
        Problem::bad_json(format!("the body did not arrive within {patience} s"))
    })?;
    let body = body.map_err(|error| match error.into_inner().downcast() {
        // It was too long without saying so.
        Ok::<Box<LengthLimitError>, _>(_) => too_large(),
        Err(error) => Problem::bad_json(format!("the body broke off: {error}")),
    })?;
    match request::parse(&body)? {
        Asked::Signed(command, record) => {
            service.apply(command, *record, vantage)?;
            Ok(Json(true).into_response())
        }
        Asked::List(filter) => {
            let listed = service.members(&filter, vantage);
            let members: Vec<Member> = listed.into_iter().map(|one| one.member).collect();
            Counters::count(&service.counters.listed);
            Ok(Json(members).into_response())
        }
    }
}

async fn page(
    State(service): State<Arc<Service>>,
    Extension(vantage): Extension<Vantage>,
) -> Response<Body> {
    let listed = service.members(&Filter::default(), vantage);
    let page = page::render(&listed, crate::clock::now());
    let mut response = Html(page).into_response();
    let policy = HeaderValue::from_static(CONTENT_POLICY);
    response
        .headers_mut()
        .insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}

async fn members(
    State(service): State<Arc<Service>>,
    Extension(vantage): Extension<Vantage>,
) -> Response<Body> {
    Json(service.members(&Filter::default(), vantage)).into_response()
}

async fn metrics(State(service): State<Arc<Service>>) -> Response<Body> {
    let kind = [(header::CONTENT_TYPE, metrics::MEDIA_TYPE)];
    (kind, metrics::render(&service)).into_response()
}

/// Makes every refusal a problem, counts it, and lets nobody guess or keep an answer.
async fn finish(State(service): State<Arc<Service>>, response: Response<Body>) -> Response<Body> {
    let mut response = problem::only_problems(response);
    if response.status().as_u16() >= 400 {
        Counters::count(&service.counters.refused);
    }
    let headers = response.headers_mut();
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Serves until `stop`, then lets open requests finish for a moment.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let shares = Shares::default();
    let connections = TaskTracker::new();
    loop {
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            next = next => next,
        };
        match accepted {
            Ok((stream, caller)) => {
                let Some(share) = shares.take(caller.ip()) else {
                    tracing::debug!("{caller} has its share of connections");
                    continue;
                };
                let (router, stop) = (router.clone(), stop.clone());
                connections.spawn(async move {
                    let talk = talk(stream, router, stop);
                    if tokio::time::timeout(CONNECTION_PATIENCE, talk)
                        .await
                        .is_err()
                    {
                        tracing::debug!("{caller} took too long");
                    }
                    drop((place, share));
                });
            }
            Err(error) => {
                tracing::warn!("cannot accept a connection: {error}");
                // Out of file descriptors, usually: give others time to close.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    connections.close();
    let _ = tokio::time::timeout(FAREWELL, connections.wait()).await;
}

/// Who is at the other end, and which of our addresses they know.
fn vantage(stream: &TcpStream) -> io::Result<Vantage> {
    Ok(Vantage {
        caller: stream.peer_addr()?.ip(),
        reached: stream.local_addr()?.ip(),
    })
}

async fn talk(stream: TcpStream, router: Router, stop: CancellationToken) {
    // It may have gone again.
    let Ok(vantage) = vantage(&stream) else {
        return;
    };
    // Small answers must not wait for an acknowledgement.
    let _ = stream.set_nodelay(true);
    let service = AddExtension::new(router, vantage);
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_PATIENCE)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!("connection of {} ended: {error}", vantage.caller);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpSocket;

    #[tokio::test]
    async fn both_ends_of_a_connection_are_told_apart() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
        let connecting = socket.connect(listener.local_addr().unwrap());
        let (connected, accepted) = tokio::join!(connecting, listener.accept());
        let expected = Vantage {
            caller: "127.0.0.2".parse().unwrap(),
            reached: "127.0.0.1".parse().unwrap(),
        };
        assert_eq!(vantage(&accepted.unwrap().0).unwrap(), expected);
        drop(connected);
    }
}
