//! The API of a node that has no chain yet: it says so.

use crate::{limits, problem, problem::Problem};
use axum::{Json, Router, extract::State, routing::get};
use ccoin_core::{Address, machine::NodeState};
use serde_json::{Value, json};
use tokio::sync::watch;

/// What is known before there is a chain.
#[derive(Clone)]
pub struct Waiting {
    /// The node's account.
    pub address: Address,
    /// `basic` or `validator`.
    pub node_type: &'static str,
    /// How many peers are connected.
    pub peers: watch::Receiver<usize>,
}

impl Waiting {
    fn peers(&self) -> usize {
        *self.peers.borrow()
    }

    fn reason(&self) -> String {
        match self.peers() {
            0 => "no chain here, and no peer is connected that could offer one".into(),
            1 => "no chain here, and the connected peer has none either".into(),
            peers => format!("no chain here, and none of {peers} connected peers offers one"),
        }
    }
}

/// The routes of a node without a chain.
pub fn waiting_router(waiting: Waiting) -> Router {
    let own = format!("/{}", waiting.address);
    Router::new()
        .route(&own, get(root))
        .route(&format!("{own}/blk/cnt"), get(|| async { Json(0) }))
        .route("/v1/status", get(status))
        .route("/healthz", get(crate::v1::healthz))
        .fallback(not_ready)
        .layer(axum::middleware::from_fn(limits::posts))
        .layer(axum::middleware::map_response(problem::only_problems))
        .layer(axum::middleware::map_response(limits::open_to_readers))
        .with_state(waiting)
}

async fn root(State(waiting): State<Waiting>) -> Json<Value> {
    Json(json!({"address": waiting.address, "height": 0, "peers": waiting.peers()}))
}

async fn status(State(waiting): State<Waiting>) -> Json<Value> {
    Json(json!({
        "address": waiting.address,
        "node_type": waiting.node_type,
        "version": env!("CARGO_PKG_VERSION"),
        "network_id": null, "genesis_id": null, "height": 0, "head": null, "final": null,
        "seconds_since_final": null, "leader": null,
        "state": NodeState::Genesis.letter(),
        "state_word": NodeState::Genesis.word(),
        "peers": waiting.peers(),
        "queue": {"txns": 0, "bytes": 0},
        "ready": false,
        "not_ready": [waiting.reason()],
    }))
}

async fn not_ready(State(waiting): State<Waiting>) -> Problem {
    Problem::not_ready(waiting.reason()).hint("wait for a peer, or found a network with initc")
}
