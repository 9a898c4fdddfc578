//! The readers' end of the index thread: short questions, answered before all else, and slices
//! of long reads, which come last and take at most half of the thread's time.

use ccoin_core::Height;
use ccoin_storage::{Index, IndexError};
use std::time::Duration;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, sleep_until},
};

/// Questions that may wait; then the caller waits.
const WAITING_QUESTIONS: usize = 256;

/// Slices of long reads that may wait; then the caller waits.
const WAITING_SLICES: usize = 64;

/// Time that slices may take in one go; then they rest as long.
const SLICES_AT_ONCE: Duration = Duration::from_millis(4);

/// How long a reader waits for the index to catch up.
const PATIENCE: Duration = Duration::from_secs(2);

pub(crate) type Question = Box<dyn FnOnce(&mut Index) + Send>;

/// The readers' end.
#[derive(Clone, Debug)]
pub(crate) struct IndexHandle {
    questions: mpsc::Sender<Question>,
    slices: mpsc::Sender<Question>,
    height: watch::Receiver<Height>,
}

/// The index does not answer: it is far behind or built again, or the node is ending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the index has not caught up yet")]
pub struct IndexBehind;

impl IndexHandle {
    /// Asks the index thread a short question, once everything up to `height` is indexed.
    ///
    /// # Errors
    /// [`IndexBehind`] also if the index turns out to be damaged: the index thread sees that
    /// by itself.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        height: Height,
        question: impl FnOnce(&mut Index) -> Result<T, IndexError> + Send + 'static,
    ) -> Result<T, IndexBehind> {
        self.ask_through(&self.questions, height, question).await
    }

    /// Asks for a slice of a long read, of some milliseconds at most. It comes behind blocks
    /// and short questions, and all slices together take at most half of the thread's time.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub(crate) async fn ask_slice<T: Send + 'static>(
        &self,
        height: Height,
        question: impl FnOnce(&mut Index) -> Result<T, IndexError> + Send + 'static,
    ) -> Result<T, IndexBehind> {
        self.ask_through(&self.slices, height, question).await
    }

    async fn ask_through<T: Send + 'static>(
        &self,
        queue: &mpsc::Sender<Question>,
        height: Height,
        question: impl FnOnce(&mut Index) -> Result<T, IndexError> + Send + 'static,
    ) -> Result<T, IndexBehind> {
        let mut indexed = self.height.clone();
        let caught_up = indexed.wait_for(|indexed| *indexed >= height);
        tokio::time::timeout(PATIENCE, caught_up)
            .await
            .map_err(|_| IndexBehind)?
            .map_err(|_| IndexBehind)?;
        let (answer, answered) = oneshot::channel();
        let question = move |index: &mut Index| {
            // It may have lost blocks while the question waited.
            if answer.is_closed() {
                return;
            }
            let found = (index.height() >= height).then(|| question(index));
            // The caller may have gone away.
            let _ = answer.send(found.and_then(Result::ok));
        };
        let sent = queue.send(Box::new(question)).await;
        sent.map_err(|_| IndexBehind)?;
        answered.await.ok().flatten().ok_or(IndexBehind)
    }
}

/// What the readers' end asks.
pub(crate) struct Questions {
    short: mpsc::Receiver<Question>,
    slices: mpsc::Receiver<Question>,
    /// Time that slices took since their last rest.
    taken: Duration,
    rest_until: Instant,
}

/// Both ends, and where the index tells its height.
pub(crate) fn open(height: Height) -> (IndexHandle, Questions, watch::Sender<Height>) {
    let (questions, short) = mpsc::channel(WAITING_QUESTIONS);
    let (asked_slices, slices) = mpsc::channel(WAITING_SLICES);
    let (told, height) = watch::channel(height);
    let handle = IndexHandle {
        questions,
        slices: asked_slices,
        height,
    };
    let questions = Questions {
        short,
        slices,
        taken: Duration::ZERO,
        rest_until: Instant::now(),
    };
    (handle, questions, told)
}

impl Questions {
    /// A short question that waits.
    pub(crate) fn waiting(&mut self) -> Option<Question> {
        self.short.try_recv().ok()
    }

    /// What comes next: short questions, blocks, slices when they have rested.
    pub(crate) async fn next<V>(&mut self, view: &mut watch::Receiver<V>) -> Woken {
        let (slices, rest_until) = (&mut self.slices, self.rest_until);
        let slice = async {
            sleep_until(rest_until).await;
            slices.recv().await
        };
        tokio::select! {
            biased;
            question = self.short.recv() => Woken::by(question, Woken::Question),
            changed = view.changed() => Woken::by(changed.ok(), |()| Woken::View),
            slice = slice => Woken::by(slice, Woken::Slice),
        }
    }

    /// Slices that took their time rest as long.
    pub(crate) fn took(&mut self, time: Duration) {
        self.taken += time;
        if self.taken >= SLICES_AT_ONCE {
            self.rest_until = Instant::now() + std::mem::take(&mut self.taken);
        }
    }
}

/// What the index thread does next.
pub(crate) enum Woken {
    End,
    View,
    Question(Question),
    Slice(Question),
}

impl Woken {
    /// A queue that has ended ends the thread.
    fn by<T>(came: Option<T>, next: impl FnOnce(T) -> Self) -> Self {
        came.map_or(Self::End, next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question() -> Question {
        Box::new(|_| {})
    }

    #[tokio::test]
    async fn slices_come_last_and_rest_as_long_as_they_took() {
        let (handle, mut questions, _height) = open(Height::ZERO);
        let (_view, mut view) = watch::channel(());
        handle.slices.send(question()).await.unwrap();
        handle.slices.send(question()).await.unwrap();
        handle.questions.send(question()).await.unwrap();
        let next = questions.next(&mut view).await;
        assert!(matches!(next, Woken::Question(_)), "a short one first");
        assert!(matches!(questions.next(&mut view).await, Woken::Slice(_)));
        questions.took(Duration::from_millis(30));
        let before = Instant::now();
        assert!(matches!(questions.next(&mut view).await, Woken::Slice(_)));
        assert!(before.elapsed() >= Duration::from_millis(30));
    }
}
