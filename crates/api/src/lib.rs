//! The HTTP API of a node: routes, JSON shapes, errors. It reads what the node has
//! published and hands transactions in; it knows no rule and touches no file.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

mod body;
mod front;
mod impatient;
mod limits;
mod original;
mod problem;
mod server;
mod shapes;
mod submission;
mod v1;
mod waiting;
mod wallet;

pub use front::Front;
pub use server::serve;
pub use waiting::{Waiting, waiting_router};
pub use wallet::WalletGuard;

use axum::{Router, routing::get};
use ccoin_node::NodeHandle;
use std::sync::Arc;

/// What every handler holds.
#[derive(Clone)]
struct Api {
    node: NodeHandle,
    guard: Arc<WalletGuard>,
}

/// All routes of a node, for [`serve`] or for a test without sockets.
pub fn router(node: NodeHandle, guard: WalletGuard) -> Router {
    let own = format!("/{}", node.address());
    let api = Api {
        node,
        guard: Arc::new(guard),
    };
    Router::new()
        .nest(&own, original::routes())
        .nest("/v1", v1::routes())
        .route("/healthz", get(v1::healthz))
        .route("/readyz", get(v1::readyz))
        .fallback(|| async { problem::Problem::not_found("no such path") })
        .layer(axum::middleware::from_fn(limits::posts))
        .layer(axum::middleware::map_response(problem::only_problems))
        .layer(axum::middleware::map_response(limits::open_to_readers))
        .with_state(api)
}
