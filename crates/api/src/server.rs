//! The accept loop: bounded connections, a timer on headers, an orderly end.

use crate::impatient::Impatient;
use axum::{Router, extract::ConnectInfo};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{net::TcpListener, sync::Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::Layer;
use tower_http::{add_extension::AddExtension, normalize_path::NormalizePathLayer};

/// Open connections; further ones wait in the system's queue.
const CONNECTIONS: usize = 256;

/// Longest time for a request's headers.
const HEADER_PATIENCE: Duration = Duration::from_secs(5);

/// Longest time for open requests after the end was announced: one that does not send its
/// body keeps everybody waiting who wants the node to end.
const FAREWELL: Duration = Duration::from_secs(1);

/// Serves until `stop`, then lets open requests finish for a moment.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let router = NormalizePathLayer::trim_trailing_slash().layer(router);
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
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!("cannot accept a connection: {error}");
                // Out of file descriptors, usually: give others time to close.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        // Small answers must not wait for an acknowledgement.
        let _ = stream.set_nodelay(true);
        let service: AddExtension<_, ConnectInfo<SocketAddr>> =
            AddExtension::new(router.clone(), ConnectInfo(peer));
        let stop = stop.clone();
        connections.spawn(async move {
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADER_PATIENCE)
                .serve_connection(
                    TokioIo::new(Impatient::new(stream)),
                    TowerToHyperService::new(service),
                );
            tokio::pin!(connection);
            let ended = tokio::select! {
                ended = connection.as_mut() => ended,
                () = stop.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = ended {
                tracing::debug!("connection of {peer} ended: {error}");
            }
            drop(place);
        });
    }
    connections.close();
    let _ = tokio::time::timeout(FAREWELL, connections.wait()).await;
}
