//! What the process uses, under the names that Prometheus has for it. Linux tells; elsewhere
//! only time and start are known.

use super::{FloatGauge, Names, whole};
use prometheus_client::metrics::{counter::Counter, gauge::Gauge};
use rustix::time::{ClockId, clock_gettime};
use std::{fs, sync::atomic::AtomicU64};

#[derive(Debug)]
pub(super) struct Gauges {
    cpu: Counter<f64, AtomicU64>,
    resident: Gauge,
    open: Gauge,
}

impl Gauges {
    // Times below the year 9999 are exact in a double.
    #[allow(clippy::cast_precision_loss)]
    pub(super) fn new(names: &mut Names) -> Self {
        let start: FloatGauge =
            names.figure("process_start_time_seconds", "When the process started");
        start.set(crate::clock::wall().get() as f64 / 1_000.0);
        Self {
            cpu: names.figure("process_cpu_seconds", "Processor time used"),
            resident: names.figure("process_resident_memory_bytes", "Resident memory"),
            open: names.figure("process_open_fds", "Open file descriptors"),
        }
    }

    #[allow(clippy::cast_precision_loss)]
    pub(super) fn set(&self) {
        let used = clock_gettime(ClockId::ProcessCPUTime);
        let used = used.tv_sec as f64 + used.tv_nsec as f64 / 1e9;
        self.cpu.inc_by((used - self.cpu.get()).max(0.0));
        if let Some(kibibytes) = resident() {
            self.resident.set(whole(kibibytes.saturating_mul(1_024)));
        }
        if let Ok(open) = fs::read_dir("/proc/self/fd") {
            // One of them reads this list.
            self.open.set(whole(open.count().saturating_sub(1)));
        }
    }
}

fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}
