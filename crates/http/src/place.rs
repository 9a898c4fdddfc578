//! The places of a server's connections. A request that only waits leaves its place to others:
//! those who wait have places of their own kind, with limits of their own.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The place of a connection among the ordinary ones; an extension of each of its requests.
#[derive(Clone, Debug)]
pub struct Place {
    places: Arc<Semaphore>,
    held: Arc<Mutex<Option<OwnedSemaphorePermit>>>,
}

/// A request that has left its place. Dropped, it takes one back if there is one: else the
/// connection closes behind the answer.
#[derive(Debug)]
pub struct Away(Place);

impl Place {
    pub(crate) async fn take(places: &Arc<Semaphore>) -> Self {
        let permit = Arc::clone(places).acquire_owned().await;
        let permit = permit.expect("nothing closes this semaphore");
        Self {
            places: Arc::clone(places),
            held: Arc::new(Mutex::new(Some(permit))),
        }
    }

    /// Lets another connection have the place.
    #[must_use]
    pub fn leave(&self) -> Away {
        self.held().take();
        Away(self.clone())
    }

    pub(crate) fn is_held(&self) -> bool {
        self.held().is_some()
    }

    fn held(&self) -> MutexGuard<'_, Option<OwnedSemaphorePermit>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Away {
    fn drop(&mut self) {
        let permit = Arc::clone(&self.0.places).try_acquire_owned();
        *self.0.held() = permit.ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_place_that_was_left_is_another_connections() {
        let places = Arc::new(Semaphore::new(1));
        let place = Place::take(&places).await;
        let away = place.leave();
        assert!(!place.is_held());
        let other = Place::take(&places).await;
        drop(away);
        assert!(!place.is_held(), "the other one has it");
        let away = place.leave();
        drop(other);
        drop(away);
        assert!(place.is_held());
        assert_eq!(places.available_permits(), 0);
        drop(place);
        assert_eq!(places.available_permits(), 1);
    }
}
