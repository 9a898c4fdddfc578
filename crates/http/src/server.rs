//! The accept loop: bounded connections, a timer for each phase of a connection, an
//! orderly end.
//!
//! Bytes that are not HTTP never reach a route: hyper answers a garbled request line or
//! header with 400, too long ones with 414 or 431, without a body, and closes.

use crate::{
    body_tracker::track,
    limits::{AddressCounts, AddressPermit},
    place::Place,
    timed_stream::{RequestCounter, TimedStream},
};
use axum::{
    body::Body,
    http::{HeaderValue, Request, Response, header::CONNECTION},
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::net::sockopt::set_socket_send_buffer_size;
use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::Instant,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::{Service, ServiceExt as _};

/// Bytes of answers that the system keeps for a connection; Linux takes twice as many.
const SYSTEM_BUFFER: usize = 128 << 10;

/// Bytes of answers that wait in a connection before its service is asked for more; also the
/// longest head of a request.
const BUFFER: usize = 64 << 10;

/// Open connections of one server, but for those that [`Place::leave`]; further ones wait in the system's queue.
const CONNECTIONS: usize = 256;

/// Shortest time between two log lines about connections that cannot be accepted.
const WARNING_INTERVAL: Duration = Duration::from_secs(60);

/// The limits in which servers differ.
#[derive(Clone, Copy, Debug)]
pub struct ServerLimits {
    /// Open connections of one [address group](crate::address_group); connections from
    /// this machine are not counted.
    pub connections_per_address: usize,
    /// Longest time from an answer to the end of the next request's head. `None`: the
    /// connection closes after one request.
    pub idle: Option<Duration>,
    /// Longest life of a connection.
    pub lifetime: Option<Duration>,
    /// Longest time for open requests after the server was told to stop.
    pub shutdown: Duration,
}

/// Both ends of a connection; an extension of each of its requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// The client.
    pub remote: SocketAddr,
    /// The address of this server that the client has reached.
    pub local: SocketAddr,
}

/// Serves until `stop`, then lets open requests finish within `limits.shutdown`.
pub async fn serve<S>(
    listener: TcpListener,
    service: S,
    limits: ServerLimits,
    stop: CancellationToken,
) where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
{
    let mut acceptor = Acceptor {
        listener,
        places: Arc::new(Semaphore::new(CONNECTIONS)),
        counts: AddressCounts::new(limits.connections_per_address),
        next_warning: Instant::now(),
    };
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = acceptor.next() => accepted,
        };
        let (service, stop) = (service.clone(), stop.clone());
        connections.spawn(async move {
            let remote = accepted.endpoints.remote;
            let exchange = exchange(accepted, service, limits.idle, stop);
            let ended = match limits.lifetime {
                Some(lifetime) => tokio::time::timeout(lifetime, exchange).await,
                None => Ok(exchange.await),
            };
            match ended {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::debug!("connection of {remote} ended: {error}"),
                Err(_) => tracing::debug!("connection of {remote} took too long"),
            }
        });
    }
    // Closed first: the system refuses further connections at once.
    drop(acceptor);
    connections.close();
    let _ = tokio::time::timeout(limits.shutdown, connections.wait()).await;
}

/// A connection and its share of the limits.
struct Accepted {
    stream: TcpStream,
    endpoints: Endpoints,
    place: Place,
    _permit: AddressPermit,
}

struct Acceptor {
    listener: TcpListener,
    places: Arc<Semaphore>,
    counts: AddressCounts,
    next_warning: Instant,
}

impl Acceptor {
    /// The next connection that the limits allow.
    async fn next(&mut self) -> Accepted {
        let place = Place::take(&self.places).await;
        loop {
            let (stream, remote) = match self.listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    self.warn(&error);
                    // Other connections need time to close.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            // A connection that was reset has no addresses any more.
            let Ok(local) = stream.local_addr() else {
                continue;
            };
            let Some(permit) = self.counts.take(remote.ip()) else {
                tracing::debug!("{remote} has too many connections");
                continue;
            };
            return Accepted {
                stream,
                endpoints: Endpoints { remote, local },
                place,
                _permit: permit,
            };
        }
    }

    fn warn(&mut self, error: &std::io::Error) {
        if Instant::now() >= self.next_warning {
            self.next_warning = Instant::now() + WARNING_INTERVAL;
            tracing::warn!(
                "cannot accept a connection: {error}; if file descriptors ran out, raise ulimit -n"
            );
        }
    }
}

async fn exchange<S>(
    accepted: Accepted,
    service: S,
    idle: Option<Duration>,
    stop: CancellationToken,
) -> hyper::Result<()>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone,
{
    let Accepted {
        stream,
        endpoints,
        place,
        _permit,
    } = accepted;
    // Small answers must not wait for an acknowledgement.
    let _ = stream.set_nodelay(true);
    // The system would keep megabytes for each slow reader.
    let _ = set_socket_send_buffer_size(&stream, SYSTEM_BUFFER);
    let stream = TimedStream::new(stream);
    let requests = stream.requests();
    let service = service_fn(move |request| {
        let service = service.clone();
        let connection = (endpoints, place.clone());
        answer(service, request, connection, requests.clone())
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .max_buf_size(BUFFER)
        // hyper runs this timer from the last answer on.
        .header_read_timeout(idle)
        .keep_alive(idle.is_some())
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    }
}

/// An answer that leaves a body unread says that the connection closes: the rest of the
/// body would be taken for the next request. So does one whose place is another's by now.
async fn answer<S>(
    service: S,
    request: Request<Incoming>,
    (endpoints, place): (Endpoints, Place),
    requests: RequestCounter,
) -> Result<Response<Body>, Infallible>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    let _in_request = requests.begin();
    let (parts, body) = request.into_parts();
    let (body, end) = track(body);
    let mut request = Request::from_parts(parts, body);
    request.extensions_mut().insert(endpoints);
    request.extensions_mut().insert(place.clone());
    let mut response = service.oneshot(request).await?;
    if !end.is_reached() || !place.is_held() {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
    }
    Ok(response)
}
