//! The result of a measurement as JSON and as text.
//! Times in milliseconds, rates per second, sizes in bytes unless the name says otherwise.

use std::fmt;

use serde::Serialize;

use super::process::DiskUse;

/// Width of the names of the lines.
const INDENT: &str = "                 ";

/// The result of a measurement.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub(super) accepted: usize,
    pub(super) included: usize,
    pub(super) seconds: f64,
    pub(super) committed_per_second: f64,
    /// Median over whole seconds; `None` below one second.
    pub(super) median_second: Option<usize>,
    pub(super) latency: Latency,
    pub(super) blocks: usize,
    pub(super) mean_block: f64,
    pub(super) node: Option<NodeCost>,
    pub(super) generator_cpu_seconds: Option<f64>,
    pub(super) disk: Option<DiskCost>,
    pub(super) conditions: Conditions,
}

/// From submission until a block with the transfer was seen.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Latency {
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) max_ms: f64,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct NodeCost {
    pub(super) cpu_seconds: f64,
    pub(super) cpu_us_per_transfer: f64,
    pub(super) rss_kib: u64,
    pub(super) peak_rss_kib: u64,
}

/// Growth of the chain, by the lengths of its files and by the allocated blocks.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct DiskCost {
    pub(super) before: DiskUse,
    pub(super) after: DiskUse,
    pub(super) bytes_per_transfer: f64,
    pub(super) per_encoded_byte: f64,
    pub(super) allocated_bytes_per_transfer: f64,
    pub(super) allocated_per_encoded_byte: f64,
}

/// The settings of node and load.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Conditions {
    pub(super) node: String,
    pub(super) version: String,
    pub(super) validators: usize,
    pub(super) slot_ms: u64,
    pub(super) min_gap_ms: u64,
    pub(super) min_bound: u32,
    pub(super) max_bound: u32,
    pub(super) difficulty: u8,
    pub(super) accounts: usize,
    pub(super) connections: usize,
    pub(super) array: usize,
    /// `None`: closed loop.
    pub(super) rate: Option<u32>,
    pub(super) in_flight: usize,
    /// Mean bytes of a transfer in the encoding of the ledger.
    pub(super) encoded_size: f64,
    pub(super) durability: &'static str,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (accepted, included) = (self.accepted, self.included);
        let (seconds, rate) = (self.seconds, self.committed_per_second);
        let median = self.median_second;
        let median = median.map_or_else(String::new, |median| format!(", median second {median}"));
        let Latency {
            p50_ms,
            p99_ms,
            max_ms,
        } = self.latency;
        let (blocks, mean) = (self.blocks, self.mean_block);
        write!(
            f,
            "accepted {accepted}, included {included}, in {seconds:.1} s\n\
             committed        {rate:.0}/s{median}\n\
             submit->included p50 {p50_ms:.0} ms, p99 {p99_ms:.0} ms, max {max_ms:.0} ms\n\
             blocks           {blocks}, mean {mean:.1} transfers\n"
        )?;
        match &self.node {
            Some(node) => writeln!(f, "node             {node}")?,
            None => writeln!(f, "node             process not known: give -c or --pid")?,
        }
        if let Some(cpu) = self.generator_cpu_seconds {
            writeln!(f, "generator        {cpu:.1} s CPU")?;
        }
        if let Some(disk) = &self.disk {
            writeln!(f, "chain on disk    {disk}")?;
        }
        write!(f, "conditions       {}", self.conditions)
    }
}

impl fmt::Display for NodeCost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |kib: u64| kib as f64 / 1024.0;
        let (micros, seconds) = (self.cpu_us_per_transfer, self.cpu_seconds);
        let (rss, peak) = (mib(self.rss_kib), mib(self.peak_rss_kib));
        write!(
            f,
            "{micros:.1} us CPU per transfer, {seconds:.1} s CPU, RSS {rss:.1} MiB, \
             peak {peak:.1} MiB"
        )
    }
}

impl fmt::Display for DiskCost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (bytes, times) = (self.bytes_per_transfer, self.per_encoded_byte);
        let allocated = self.allocated_bytes_per_transfer;
        let allocated_times = self.allocated_per_encoded_byte;
        write!(
            f,
            "{bytes:.0} bytes per transfer = {times:.2} x encoded; \
             allocated {allocated:.0} = {allocated_times:.2} x"
        )
    }
}

impl fmt::Display for Conditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pace = match self.rate {
            Some(rate) => format!("open loop {rate}/s"),
            None => format!("closed loop, {} in flight", self.in_flight),
        };
        write!(
            f,
            "{} {}, n {}, slot {} ms, gap {} ms, min_bound {}, max_bound {}, difficulty {}\n\
             {INDENT}{:.1} bytes a transfer, {} accounts, {} connections, arrays of {}, {pace}\n\
             {INDENT}{}",
            self.node,
            self.version,
            self.validators,
            self.slot_ms,
            self.min_gap_ms,
            self.min_bound,
            self.max_bound,
            self.difficulty,
            self.encoded_size,
            self.accounts,
            self.connections,
            self.array,
            self.durability,
        )
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::bench) fn conditions() -> Conditions {
        Conditions {
            node: "http://127.0.0.1:4002".to_owned(),
            version: "0.1.0".to_owned(),
            validators: 1,
            slot_ms: 2_000,
            min_gap_ms: 40,
            min_bound: 3,
            max_bound: 4_000,
            difficulty: 3,
            accounts: 64,
            connections: 4,
            array: 5,
            rate: Some(500),
            in_flight: 20_000,
            encoded_size: 595.0,
            durability: "fsync",
        }
    }

    #[test]
    fn the_text_has_one_line_for_each_part() {
        let disk = DiskUse {
            allocated: 1,
            apparent: 2,
        };
        let report = Report {
            accepted: 4,
            included: 4,
            seconds: 3.1,
            committed_per_second: 1.3,
            median_second: Some(1),
            latency: Latency {
                p50_ms: 1_000.0,
                p99_ms: 2_600.0,
                max_ms: 2_600.0,
            },
            blocks: 3,
            mean_block: 1.3,
            node: Some(NodeCost {
                cpu_seconds: 0.1,
                cpu_us_per_transfer: 25.0,
                rss_kib: 1_024,
                peak_rss_kib: 2_048,
            }),
            generator_cpu_seconds: Some(0.2),
            disk: Some(DiskCost {
                before: disk,
                after: disk,
                bytes_per_transfer: 750.0,
                per_encoded_byte: 1.5,
                allocated_bytes_per_transfer: 800.0,
                allocated_per_encoded_byte: 1.6,
            }),
            conditions: conditions(),
        };
        let expected = "\
accepted 4, included 4, in 3.1 s
committed        1/s, median second 1
submit->included p50 1000 ms, p99 2600 ms, max 2600 ms
blocks           3, mean 1.3 transfers
node             25.0 us CPU per transfer, 0.1 s CPU, RSS 1.0 MiB, peak 2.0 MiB
generator        0.2 s CPU
chain on disk    750 bytes per transfer = 1.50 x encoded; allocated 800 = 1.60 x
conditions       http://127.0.0.1:4002 0.1.0, n 1, slot 2000 ms, gap 40 ms, min_bound 3, max_bound 4000, difficulty 3
                 595.0 bytes a transfer, 64 accounts, 4 connections, arrays of 5, open loop 500/s
                 fsync";
        assert_eq!(report.to_string(), expected);
    }
}
