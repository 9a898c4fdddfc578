//! The API of a node that has no chain yet: most paths answer 503 with the reason.

use crate::{finish, problem::NOT_READY};
use axum::{Json, Router, extract::State, routing::get};
use ccoin_core::{Address, machine::NodeState};
use ccoin_http::Problem;
use serde_json::{Value, json};
use tokio::sync::watch;

/// The state of a node without a chain.
#[derive(Clone)]
pub struct NoChain {
    /// The node's account.
    pub address: Address,
    /// `basic` or `validator`.
    pub node_type: &'static str,
    /// How many peers are connected.
    pub peers: watch::Receiver<usize>,
}

impl NoChain {
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
pub fn no_chain_router(node: NoChain) -> Router {
    let own = format!("/{}", node.address);
    let routes = Router::new()
        .route(&own, get(root))
        .route(&format!("{own}/blk/cnt"), get(|| async { Json(0) }))
        .route("/v1/status", get(status))
        .route("/healthz", get(crate::v1::status::healthz))
        .merge(crate::explorer::routes())
        .fallback(not_ready);
    finish(routes).with_state(node)
}

async fn root(State(node): State<NoChain>) -> Json<Value> {
    Json(json!({"address": node.address, "height": 0, "peers": node.peers()}))
}

async fn status(State(node): State<NoChain>) -> Json<Value> {
    Json(json!({
        "address": node.address,
        "node_type": node.node_type,
        "version": env!("CARGO_PKG_VERSION"),
        "network_id": null, "genesis_id": null, "height": 0, "head": null, "final": null,
        "seconds_since_final": null, "leader": null,
        "blocks_by_hand": false,
        "state": NodeState::Genesis.letter(),
        "state_word": NodeState::Genesis.word(),
        "peers": node.peers(),
        "queue": {"txns": 0, "bytes": 0},
        "ready": false,
        "not_ready": [node.reason()],
    }))
}

async fn not_ready(State(node): State<NoChain>) -> Problem {
    Problem::new(NOT_READY, node.reason()).hint("wait for a peer, or found a network with initc")
}
