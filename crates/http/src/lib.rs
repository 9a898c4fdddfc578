//! HTTP/1.1 for both servers (`api`, `discovery`) and both clients of this workspace:
//! accept loop, timers, limits, bodies, long answers, problem documents, a client.
//!
//! It has no routes and knows nothing of the chain. Each bound is a constant beside the
//! code that enforces it, or a field of [`ServerLimits`] or [`ClientLimits`].

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

pub mod body;
mod body_tracker;
mod client;
pub mod json;
mod json_stream;
mod limits;
mod place;
mod problem;
mod request_ids;
mod server;
mod timed_stream;
mod tls;

pub use axum::body::Bytes;
pub use client::{Answer, ClientLimits, Connection, Refusal, RequestError};
pub use json_stream::{JsonWriter, stream_json};
pub use limits::{AddressCounts, AddressPermit, address_group, guard};
pub use place::{Away, Place};
pub use problem::{Kind, NOT_FOUND, Problem};
pub use server::{Endpoints, ServerLimits, serve};
