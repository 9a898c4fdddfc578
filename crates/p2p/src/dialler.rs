//! Dials whom the address book names, when it names them.

use crate::shared::Shared;
use std::sync::Arc;
use tokio::{select, time::sleep_until};

impl Shared {
    /// The task `dialler`.
    pub(crate) async fn dial(self: Arc<Self>) {
        loop {
            let (places, next) = self.due();
            for place in places {
                self.tasks.spawn(Arc::clone(&self).outgoing(place));
            }
            let later = async {
                match next {
                    Some(next) => sleep_until(next.into()).await,
                    None => std::future::pending().await,
                }
            };
            select! {
                biased;
                () = self.stop.cancelled() => return,
                () = self.changed.notified() => {}
                () = later => {}
            }
        }
    }
}
