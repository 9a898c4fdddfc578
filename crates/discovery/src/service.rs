//! The registry as all connections share it, with the clock, the signature check and
//! the metrics. It knows nothing of HTTP.

use crate::{
    Command, Filter, Listed, Record, RecordError, Registry, RegistryError, Unproven, Vantage,
    metrics::Metrics,
};
use ccoin_core::Timestamp;
use ccoin_crypto::{Verifier, random_u32};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Parsed keys that are remembered, about 2 KiB each: those of a large network.
const KNOWN_KEYS: usize = 1_000;

/// Reads the wall clock.
pub type Clock = fn() -> Timestamp;

/// Why a record was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RefusedError {
    /// Its content is wrong at any time.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// It conflicts with the registry or the clock of now.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

/// A registry that is being served.
#[derive(Debug)]
pub struct Service {
    registry: Mutex<Registry>,
    verifier: Mutex<Verifier>,
    clock: Clock,
    pub(crate) metrics: Metrics,
}

impl Service {
    /// Serves the content of `registry`.
    #[must_use]
    pub fn new(registry: Registry, clock: Clock) -> Self {
        Self {
            registry: Mutex::new(registry),
            verifier: Mutex::new(Verifier::new(KNOWN_KEYS)),
            clock,
            metrics: Metrics::new(),
        }
    }

    /// Verifies a record and applies it to the registry.
    pub(crate) fn apply(
        &self,
        command: Command,
        record: Record,
        vantage: Vantage,
    ) -> Result<(), RefusedError> {
        // A caller that panicked here has left nothing half done: both are changed last.
        let mut verifier = self.verifier.lock().unwrap_or_else(PoisonError::into_inner);
        let verified = record.verify(command, &mut verifier)?;
        drop(verifier);
        self.registry()
            .apply(&verified, vantage.caller, self.now())?;
        match command {
            Command::Add => self.metrics.added.inc(),
            Command::Remove => self.metrics.removed.inc(),
        };
        Ok(())
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    pub(crate) fn members(&self, filter: &Filter, vantage: Vantage) -> Vec<Listed> {
        let chance = random_u32();
        self.registry().members(filter, vantage, self.now(), chance)
    }

    /// The next place that should prove its address.
    pub(crate) fn next_unproven(&self) -> Option<Unproven> {
        self.registry().next_unproven(self.now())
    }

    /// Whether a place has proven its address.
    pub(crate) fn on_asked(&self, asked: &Unproven, proven: bool) {
        self.registry().on_asked(asked, proven, self.now());
    }

    /// The metrics as text.
    pub(crate) fn metrics(&self) -> String {
        let registry = self.registry();
        let (records, entries) = (registry.count(self.now()), registry.entries().count());
        drop(registry);
        self.metrics.render(records, entries)
    }

    pub(crate) fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
