//! Metrics for Prometheus. They name no node and no caller.

use crate::MAX_ENTRIES;
use prometheus_client::{
    encoding::prometheus_text::encode,
    metrics::{counter::Counter, gauge::Gauge},
    registry::Registry,
};

/// Media type of the text format 0.0.4.
pub(crate) const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Counted since the start, but for the gauges.
#[derive(Debug)]
pub(crate) struct Metrics {
    pub(crate) added: Counter,
    pub(crate) removed: Counter,
    pub(crate) lists: Counter,
    pub(crate) refused: Counter,
    pub(crate) failed_writes: Counter,
    records: Gauge,
    entries: Gauge,
    registry: Registry,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("ccoin_discovery");
        let mut gauge = |name: &str, help: &str| {
            let gauge = Gauge::default();
            registry.register(name, help, gauge.clone());
            gauge
        };
        let records = gauge("records", "Nodes that are listed");
        let entries = gauge("entries", "Nodes that are listed or were a moment ago");
        let limit = gauge(
            "entries_limit",
            "Entries from which on new nodes are refused",
        );
        limit.set(i64::try_from(MAX_ENTRIES).unwrap_or(i64::MAX));
        let mut counter = |name: &str, help: &str| {
            let counter = Counter::default();
            registry.register(name, help, counter.clone());
            counter
        };
        Self {
            added: counter("added", "Records taken, renewals included"),
            removed: counter("removed", "Removals taken"),
            lists: counter("lists", "Lists given to programs"),
            refused: counter("refused", "Requests answered with a status from 400 on"),
            failed_writes: counter("failed_writes", "Failed writes of the registry to disk"),
            records,
            entries,
            registry,
        }
    }

    /// All metrics as text, with the gauges as of now.
    pub(crate) fn render(&self, records: usize, entries: usize) -> String {
        let set = |gauge: &Gauge, value| gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        set(&self.records, records);
        set(&self.entries, entries);
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("writing to a string cannot fail");
        text
    }
}
