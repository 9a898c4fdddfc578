//! Dials whom the address book names, when it names them.

use crate::shared::Shared;
use std::{sync::Arc, time::Instant};
use tokio::{select, time::sleep_until};

impl Shared {
    /// The task `dialler`.
    pub(crate) async fn dial(self: Arc<Self>) {
        loop {
            let (places, next) = self.due();
            for place in places {
                self.tasks.spawn(Arc::clone(&self).outgoing(place));
            }
            // peers are dialled for ever, even if nobody says that something has changed
            let longest = Instant::now() + self.limits.longest_pause;
            let next = next.map_or(longest, |next| next.min(longest));
            select! {
                biased;
                () = self.stop.cancelled() => return,
                () = self.changed.notified() => {}
                () = sleep_until(next.into()) => {}
            }
        }
    }
}
