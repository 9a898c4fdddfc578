//! The HTTP API of a node: routes, JSON, errors. It reads what the node has published
//! and submits transactions. It contains no rule of the chain and touches no file.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod explorer;
mod json;
mod legacy;
mod metrics;
mod no_chain;
mod openapi;
mod problem;
mod request;
mod rows;
mod schema;
mod swap_router;
mod v1;
mod verify_page;
mod waits;
mod wallet;

pub use no_chain::{NoChain, no_chain_router};
pub use swap_router::SwapRouter;
pub use wallet::WalletGuard;

use axum::{
    Extension, Router,
    body::Body,
    http::{HeaderValue, Method, Response, header::ACCESS_CONTROL_ALLOW_ORIGIN},
    middleware::{from_fn_with_state, map_response},
    routing::get,
};
use ccoin_core::{Height, TxId, transaction::VerifiedTransaction};
use ccoin_http::{NOT_FOUND, Problem, ServerLimits, guard};
use ccoin_node::{BlockHead, NodeHandle, OpenBlock, TxStatus};
use problem::{BLOCK_NOT_FOUND, TXN_NOT_FOUND, unreadable};
use std::{sync::Arc, time::Duration};
use tokio::{net::TcpListener, sync::Semaphore};
use tokio_util::sync::CancellationToken;
use tower::Layer as _;
use tower_http::normalize_path::NormalizePathLayer;
use utoipa_axum::{router::OpenApiRouter, routes};

const LIMITS: ServerLimits = ServerLimits {
    // A quarter of all: one host cannot keep the others out.
    connections_per_address: 64,
    idle: Some(Duration::from_secs(60)),
    lifetime: None,
    // A request that does not send its body delays the end of the node.
    shutdown: Duration::from_secs(1),
};

/// The state of every handler.
#[derive(Clone)]
struct Api {
    node: NodeHandle,
    guard: Arc<WalletGuard>,
    events: Arc<v1::events::Feed>,
    waits: waits::Waits,
    /// Places for receipts that are made or sent.
    receipts: Arc<Semaphore>,
    metrics: Arc<metrics::HttpMetrics>,
}

/// All routes of a node, for [`serve`] or for a test without sockets.
pub fn router(node: NodeHandle, guard: WalletGuard) -> Router {
    let own = format!("/{}", node.address());
    let api = Api {
        node,
        guard: Arc::new(guard),
        events: Arc::new(v1::events::Feed::new()),
        waits: waits::Waits::new(),
        receipts: Arc::new(Semaphore::new(v1::proofs::RECEIPTS)),
        metrics: Arc::new(metrics::HttpMetrics::new(own.clone())),
    };
    let described = OpenApiRouter::with_openapi(openapi::start())
        .nest(&own, legacy::routes())
        .nest("/v1", v1::routes())
        .routes(routes!(v1::status::healthz))
        .routes(routes!(v1::status::readyz));
    let routes = openapi::describe(described)
        .route("/metrics", get(metrics::metrics))
        .merge(explorer::routes())
        .fallback(|| async {
            Problem::new(NOT_FOUND, "no such path").hint("GET /docs shows all paths")
        });
    let count = from_fn_with_state(api.clone(), metrics::count);
    finish(routes).layer(count).with_state(api)
}

/// Serves until `stop`, then lets open requests finish for a moment. A slash at the end
/// of a path is optional.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    let router = router.layer(Extension(v1::events::Ending(stop.clone())));
    let router = NormalizePathLayer::trim_trailing_slash().layer(router);
    ccoin_http::serve(listener, router, LIMITS, stop).await;
}

/// The layers that the routers with and without a chain share.
fn finish<S: Clone + Send + Sync + 'static>(routes: Router<S>) -> Router<S> {
    let routes = routes.route("/verify", get(verify_page::page));
    guard(routes).layer(map_response(open_to_readers))
}

/// Pages of any origin may read. None may write: POST has no CORS header.
async fn open_to_readers(method: Method, mut response: Response<Body>) -> Response<Body> {
    if method == Method::GET || method == Method::HEAD {
        let any = HeaderValue::from_static("*");
        response
            .headers_mut()
            .insert(ACCESS_CONTROL_ALLOW_ORIGIN, any);
    }
    response
}

impl Api {
    async fn head(&self, number: Height) -> Result<BlockHead, Problem> {
        let found = self.node.reader().head_of(number).await;
        found
            .map_err(unreadable)?
            .ok_or_else(|| no_such_block(number))
    }

    async fn open_block(&self, number: Height) -> Result<OpenBlock, Problem> {
        let found = self.node.reader().open_block(number).await;
        found
            .map_err(unreadable)?
            .ok_or_else(|| no_such_block(number))
    }

    async fn transaction(&self, id: TxId) -> Result<(VerifiedTransaction, TxStatus), Problem> {
        let found = self.node.reader().transaction(id).await;
        found
            .map_err(unreadable)?
            .ok_or_else(|| Problem::new(TXN_NOT_FOUND, format!("there is no transaction {id}")))
    }
}

fn no_such_block(number: Height) -> Problem {
    Problem::new(BLOCK_NOT_FOUND, format!("there is no block {number}"))
}
