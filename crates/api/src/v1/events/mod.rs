//! `GET /v1/events`: what happens on the chain, as server-sent events.
//!
//! An id stands for a place in the chain, so a reader goes on at any node of the network and
//! after any restart. Each event comes at least once: a `block` event with a number that was
//! there before replaces that block and all above it.

mod feed;
mod follower;
mod frames;
mod output;
mod place;

use super::Params;
use crate::{Api, problem::RATE_LIMITED, request::address, schema::Whole};
use axum::{
    Extension,
    body::{Body, Bytes, HttpBody},
    extract::State,
    http::{HeaderMap, HeaderValue, Response, header},
};
use ccoin_core::{Address, Height};
use ccoin_http::{Place as ConnectionPlace, Problem};
pub(crate) use feed::Feed;
use feed::READERS;
use follower::Follower;
use frames::{Kinds, NAMES};
use hyper::body::Frame as BodyFrame;
use output::EventOutput;
use place::Place;
use serde::Deserialize;
use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use utoipa::IntoParams;

/// Cancelled when the server ends: streams end then, too.
#[derive(Clone, Debug)]
pub(crate) struct Ending(pub(crate) CancellationToken);

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Query {
    /// All if absent.
    #[param(example = "block,final")]
    types: Option<String>,
    /// Only transactions from and to this account.
    #[param(pattern = "^[0-9a-f]{40}$")]
    address: Option<String>,
    /// Begins with this block; with what comes next if absent.
    #[param(value_type = Option<Whole>)]
    from_block: Option<u64>,
    /// 1: only what can never be undone.
    #[param(pattern = "^[01]$")]
    r#final: Option<String>,
}

/// What one reader asks for.
#[derive(Clone, Copy)]
struct Wanted {
    kinds: Kinds,
    address: Option<Address>,
    from_block: Option<Height>,
    final_only: bool,
    place: Option<Place>,
}

impl Wanted {
    fn new(query: &Query, headers: &HeaderMap) -> Result<Self, Problem> {
        let kinds = query.types.as_deref().map(Kinds::parse).transpose();
        let kinds = kinds.map_err(|word| Problem::bad_field("types").values(short(word), NAMES))?;
        let final_only = match query.r#final.as_deref() {
            None | Some("0") => false,
            Some("1") => true,
            Some(other) => {
                return Err(Problem::bad_field("final").values(short(other), "0 or 1"));
            }
        };
        let from_block = query.from_block.map(|number| {
            Height::new(number).map_err(|_| {
                Problem::bad_field("from_block").values(number, "the number of a block")
            })
        });
        let place = headers.get("last-event-id").map(|value| {
            let text = value.to_str().unwrap_or("");
            Place::parse(text).ok_or_else(|| {
                Problem::bad_field("Last-Event-ID")
                    .values(short(text), "the id of an event of this network")
                    .hint("leave it away and use ?from_block=")
            })
        });
        Ok(Self {
            kinds: kinds.unwrap_or(Kinds::ALL),
            address: query.address.as_deref().map(address).transpose()?,
            from_block: from_block.transpose()?,
            final_only,
            place: place.transpose()?,
        })
    }
}

/// A hostile value is cut before it is repeated.
fn short(text: &str) -> String {
    text.chars().take(40).collect()
}

/// `GET /v1/events`: what happens on the chain, until the reader leaves.
#[utoipa::path(get, path = "/events",
    params(Query, ("Last-Event-ID" = Option<String>, Header, description = "Goes on behind this event")),
    responses((status = 200, description = "Server-sent events", body = String, content_type = "text/event-stream")))]
pub(super) async fn stream(
    State(api): State<Api>,
    ending: Option<Extension<Ending>>,
    connection: Option<Extension<ConnectionPlace>>,
    Params(query): Params<Query>,
    headers: HeaderMap,
) -> Result<Response<Body>, Problem> {
    let wanted = Wanted::new(&query, &headers)?;
    let readers = Arc::clone(&api.events.readers);
    let reader = readers.try_acquire_owned().map_err(|_| {
        let detail = format!("{READERS} readers follow the events of this node already");
        Problem::new(RATE_LIMITED, detail)
            .retry_after(10)
            .hint("ask another node: ids of events are the same on every node")
    })?;
    let stop = ending.map_or_else(CancellationToken::new, |Extension(Ending(stop))| stop);
    let (output, chunks) = EventOutput::new(stop);
    let follower = Follower::new(&api.node, &api.events, wanted, output);
    // The connection has a place among the readers now.
    let away = connection.map(|Extension(connection)| connection.leave());
    tokio::spawn(async move {
        let _places = (reader, away);
        follower.run().await;
    });
    let mut response = Response::new(Body::new(Chunks(chunks)));
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        // nginx passes on what is not finished.
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    Ok(response)
}

/// The body of an answer that goes on.
struct Chunks(mpsc::Receiver<Bytes>);

impl HttpBody for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<BodyFrame<Bytes>, Infallible>>> {
        let chunk = self.0.poll_recv(context);
        chunk.map(|chunk| chunk.map(|bytes| Ok(BodyFrame::data(bytes))))
    }
}
