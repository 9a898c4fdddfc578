//! The named threads of a node: each tells when it ends, so that a panic in one stops the
//! node.

use crate::NodeError;
use std::thread::{self, JoinHandle};
use tokio::sync::mpsc;

/// How a thread, and with it the node, has ended.
pub type Ending = Result<(), NodeError>;

/// Running threads, in the order in which they were started.
pub(crate) struct Threads {
    running: Vec<(&'static str, JoinHandle<Ending>)>,
    ended: mpsc::Sender<()>,
}

impl Threads {
    /// No threads yet; the receiver hears when one has ended.
    pub(crate) fn new() -> (Self, mpsc::Receiver<()>) {
        let (ended, endings) = mpsc::channel(8);
        let threads = Self {
            running: Vec::new(),
            ended,
        };
        (threads, endings)
    }

    /// Starts a thread.
    ///
    /// # Errors
    /// [`NodeError::Thread`] if the system has no more.
    pub(crate) fn spawn(
        &mut self,
        name: &'static str,
        run: impl FnOnce() -> Ending + Send + 'static,
    ) -> Result<(), NodeError> {
        let ended = TellEnd(self.ended.clone());
        let run = move || {
            let _ended = ended;
            run()
        };
        let thread = thread::Builder::new().name(name.into()).spawn(run);
        self.running
            .push((name, thread.map_err(NodeError::Thread)?));
        Ok(())
    }

    /// Waits for all threads, the last one first; the first error of them.
    pub(crate) fn join(self) -> Ending {
        let mut ending = Ok(());
        for (name, thread) in self.running.into_iter().rev() {
            let result = thread.join().unwrap_or(Err(NodeError::Panic(name)));
            ending = ending.and(result);
        }
        ending
    }
}

/// Tells on drop, so a panic is told too.
struct TellEnd(mpsc::Sender<()>);

impl Drop for TellEnd {
    fn drop(&mut self) {
        let _ = self.0.try_send(());
    }
}

/// A runtime for one thread that waits for channels and timers.
pub(crate) fn own_runtime() -> Result<tokio::runtime::Runtime, NodeError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(NodeError::Thread)
}
