//! Where blocks are read and decoded for users: one thread of low priority, so that readers of
//! any number cost blocks nothing. Each job is short and holds the memory of one block.

use crate::{NodeError, index_handle::IndexBehind};
use std::thread;
use tokio::sync::{mpsc, oneshot};

/// Jobs that may wait; beyond that callers wait.
const WAITING_JOBS: usize = 64;

/// Added to the niceness of the process: a tenth of the processor where others want it.
const NICENESS: i32 = 10;

type Job = Box<dyn FnOnce() + Send>;

/// The callers' end; the thread ends with the last of them.
#[derive(Clone, Debug)]
pub(crate) struct ReadThread(mpsc::Sender<Job>);

impl ReadThread {
    /// Starts the thread.
    ///
    /// # Errors
    /// [`NodeError::Thread`] if the system has no more.
    pub(crate) fn spawn() -> Result<Self, NodeError> {
        let (jobs, mut waiting) = mpsc::channel::<Job>(WAITING_JOBS);
        let run = move || {
            // Where the system refuses, reads have the priority of all else.
            let _ = rustix::process::nice(NICENESS);
            while let Some(job) = waiting.blocking_recv() {
                job();
            }
        };
        let thread = thread::Builder::new().name("reads".into()).spawn(run);
        thread.map_err(NodeError::Thread)?;
        Ok(Self(jobs))
    }

    /// Runs a job in its turn.
    ///
    /// # Errors
    /// [`IndexBehind`] when the node is ending.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, IndexBehind> {
        let (answer, answered) = oneshot::channel::<T>();
        let job = Box::new(move || {
            // A caller that has gone away costs nothing more.
            if !answer.is_closed() {
                let _ = answer.send(job());
            }
        });
        self.0.send(job).await.map_err(|_| IndexBehind)?;
        answered.await.map_err(|_| IndexBehind)
    }
}
