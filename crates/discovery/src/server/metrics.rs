//! Figures for Prometheus, in its text format 0.0.4. They name no node and no caller.

use crate::{MAX_ENTRIES, Service};
use std::sync::atomic::{AtomicU64, Ordering};

/// Media type of the format.
pub(super) const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All figures of now.
pub(super) fn render(service: &Service) -> String {
    let counters = &service.counters;
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed).to_string();
    let remembered = service.registry().entries().count();
    [
        (
            "records",
            "gauge",
            "Nodes that are listed.",
            service.count().to_string(),
        ),
        (
            "entries",
            "gauge",
            "Nodes that are listed or were a moment ago.",
            remembered.to_string(),
        ),
        (
            "entries_limit",
            "gauge",
            "Entries beyond which new nodes are refused.",
            MAX_ENTRIES.to_string(),
        ),
        (
            "added_total",
            "counter",
            "Records taken, renewals included.",
            read(&counters.added),
        ),
        (
            "removed_total",
            "counter",
            "Removals taken.",
            read(&counters.removed),
        ),
        (
            "lists_total",
            "counter",
            "Lists given to programs.",
            read(&counters.listed),
        ),
        (
            "refused_total",
            "counter",
            "Requests answered with a status from 400 on.",
            read(&counters.refused),
        ),
        (
            "failed_writes_total",
            "counter",
            "Times the registry could not be written to disk.",
            read(&counters.failed_writes),
        ),
    ]
    .iter()
    .map(|(name, kind, help, value)| {
        let name = format!("ccoin_discovery_{name}");
        format!("# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n")
    })
    .collect()
}
