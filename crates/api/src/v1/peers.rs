//! The connected peers.

use crate::schema::{AddressText, TimeText, Whole};
use crate::{Api, json::Time};
use axum::{Json, extract::State};
use ccoin_core::{Address, Height, message::NodeType};
use serde::Serialize;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
struct Peer {
    address: Address,
    node_type: &'static str,
    agent: String,
    /// Host and port of the other end of the connection.
    remote: String,
    /// `out`: this node has dialled.
    direction: &'static str,
    since: Time,
    /// As it last announced.
    height: Height,
    bytes_in: u64,
    bytes_out: u64,
    /// Its clock minus ours, in milliseconds, once measured.
    clock_offset_ms: Option<i64>,
    round_trip_ms: Option<f64>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Peers {
    items: Vec<Peer>,
}

/// `GET /v1/peers`.
#[utoipa::path(get, path = "/peers",
    responses((status = 200, description = "The connected peers", body = Peers)))]
pub(super) async fn list(State(api): State<Api>) -> Json<Peers> {
    let peers = api.node.peers().into_iter();
    let items = peers
        .map(|peer| Peer {
            address: peer.address,
            node_type: match peer.node_type {
                NodeType::Basic => "basic",
                NodeType::Validator => "validator",
            },
            agent: peer.agent,
            remote: peer.remote.to_string(),
            direction: if peer.outgoing { "out" } else { "in" },
            since: Time::Rfc3339(peer.since),
            height: peer.heights.height,
            bytes_in: peer.bytes_in,
            bytes_out: peer.bytes_out,
            clock_offset_ms: peer.clock_offset_ms,
            round_trip_ms: peer.round_trip.map(|trip| trip.as_secs_f64() * 1000.0),
        })
        .collect();
    Json(Peers { items })
}
