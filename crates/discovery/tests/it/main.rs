//! The service and its client over sockets, at a time that the tests choose.

mod client;
mod fixtures;
mod http;
