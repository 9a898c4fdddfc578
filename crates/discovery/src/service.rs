//! The registry as all connections share it, with the clock, the signature check and
//! the counters. It knows nothing of HTTP.

use crate::{
    Command, Filter, Listed, Record, RecordError, Registry, RegistryError, Vantage, clock,
};
use ccoin_crypto::Verifier;
use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};

/// Parsed keys that are remembered, about 2 KiB each: those of a large network.
const KNOWN_KEYS: usize = 1_000;

/// Why a record was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RefusedError {
    /// It is not good.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// It is good, but not now.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

/// Requests since the start.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) added: AtomicU64,
    pub(crate) removed: AtomicU64,
    pub(crate) listed: AtomicU64,
    /// Answers from 400 on.
    pub(crate) refused: AtomicU64,
    /// Times the file of the registry could not be written.
    pub(crate) failed_writes: AtomicU64,
}

impl Counters {
    pub(crate) fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// A registry that is being served.
#[derive(Debug)]
pub struct Service {
    registry: Mutex<Registry>,
    verifier: Mutex<Verifier>,
    pub(crate) counters: Counters,
}

impl Service {
    /// Serves what is in `registry` already.
    #[must_use]
    pub fn new(registry: Registry) -> Self {
        Self {
            registry: Mutex::new(registry),
            verifier: Mutex::new(Verifier::new(KNOWN_KEYS)),
            counters: Counters::default(),
        }
    }

    /// Takes a record of whoever has signed it.
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
            .apply(&verified, vantage.caller, clock::now())?;
        Counters::count(match command {
            Command::Add => &self.counters.added,
            Command::Remove => &self.counters.removed,
        });
        Ok(())
    }

    pub(crate) fn members(&self, filter: &Filter, vantage: Vantage) -> Vec<Listed> {
        self.registry().members(filter, vantage, clock::now())
    }

    pub(crate) fn count(&self) -> usize {
        self.registry().count(clock::now())
    }

    pub(crate) fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
