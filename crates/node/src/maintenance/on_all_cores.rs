//! Work on all cores whose results are taken in the order of the items, while further items are
//! read. What waits is bounded.

use ccoin_crypto::{LaneFault, Lanes, Verifier};
use std::{
    mem,
    num::NonZero,
    sync::{Arc, Mutex, OnceLock, PoisonError, mpsc},
    thread,
};

/// Bytes of items that one thread works on before another may help.
const PORTION: usize = 64 << 10;

/// Portions for each core that are read ahead.
const AHEAD: usize = 4;

/// Parsed keys that a thread remembers.
const CACHED_KEYS: usize = 4_096;

/// The receiver of items and their bytes; false: no more are wanted.
pub(super) type Feed<'a, T> = dyn FnMut(T, usize) -> bool + 'a;

/// Gives what `work` makes of each item of `source` to `sink`, in the order of the items.
///
/// # Errors
/// The first error of `sink`, else a [`LaneFault`], which ends the work, else that of `source`,
/// after what it had given.
pub(super) fn on_all_cores<T: Send, R: Send, S: Send, E: Send + From<LaneFault>>(
    lanes: Lanes,
    source: impl FnOnce(&mut Feed<'_, T>) -> Result<S, E> + Send,
    work: impl Fn(T, &mut Verifier) -> R + Sync,
    mut sink: impl FnMut(R) -> Result<(), E>,
) -> Result<S, E> {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let (work, fault) = (&work, &OnceLock::new());
    thread::scope(|scope| {
        let (portions, portion) = mpsc::sync_channel::<(Vec<T>, mpsc::SyncSender<Vec<R>>)>(AHEAD);
        let (promises, promised) = mpsc::sync_channel::<mpsc::Receiver<Vec<R>>>(AHEAD * cores);
        let portion = Arc::new(Mutex::new(portion));
        for _ in 0..cores {
            let portion = Arc::clone(&portion);
            scope.spawn(move || {
                let mut verifier = Verifier::with_lanes(CACHED_KEYS, lanes);
                loop {
                    let next = portion
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .recv();
                    let Ok((items, answer)) = next else { return };
                    let results = items.into_iter().map(|item| work(item, &mut verifier));
                    let results = results.collect();
                    if let Some(found) = verifier.lane_fault() {
                        let _ = fault.set(found.clone());
                        return;
                    }
                    // After an error nobody waits for it.
                    let _ = answer.send(results);
                }
            });
        }
        drop(portion);
        let reading = scope.spawn(move || {
            let send = |items: Vec<T>| {
                let (answer, answered) = mpsc::sync_channel(1);
                promises.send(answered).is_ok() && portions.send((items, answer)).is_ok()
            };
            let (mut items, mut bytes) = (Vec::new(), 0usize);
            let read = source(&mut |item, size| {
                items.push(item);
                bytes = bytes.saturating_add(size);
                if bytes < PORTION {
                    return true;
                }
                bytes = 0;
                send(mem::take(&mut items))
            });
            // What was read before an error counts.
            send(items);
            read
        });
        let results = promised.iter().map_while(|answered| answered.recv().ok());
        let sunk = results.flatten().try_for_each(&mut sink);
        drop(promised);
        let read = reading.join();
        sunk?;
        if let Some(fault) = fault.get() {
            return Err(fault.clone().into());
        }
        read.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct Fault(String);

    impl From<LaneFault> for Fault {
        fn from(fault: LaneFault) -> Self {
            Self(fault.to_string())
        }
    }

    impl From<&str> for Fault {
        fn from(text: &str) -> Self {
            Self(text.to_owned())
        }
    }

    fn run(fail_at: u64, read_to: u64) -> (Result<u64, Fault>, Vec<u64>) {
        let mut seen = Vec::new();
        let outcome = on_all_cores(
            Lanes::detect(),
            |feed| {
                let mut read = 0;
                while read < read_to && feed(read, PORTION / 3) {
                    read += 1;
                }
                match read_to {
                    500 => Err("source".into()),
                    _ => Ok(read),
                }
            },
            |item, _| item * item,
            |square| {
                if square == fail_at * fail_at {
                    return Err("sink".into());
                }
                seen.push(square);
                Ok(())
            },
        );
        (outcome, seen)
    }

    #[test]
    fn results_keep_the_order_and_the_first_error_ends_the_reading() {
        let squares = |to: u64| (0..to).map(|n| n * n).collect::<Vec<_>>();
        assert_eq!(run(u64::MAX >> 32, 1_001), (Ok(1_001), squares(1_001)));
        assert_eq!(run(20, u64::MAX), (Err("sink".into()), squares(20)));
        // What came before an error of the source is seen, and an error in it comes first.
        assert_eq!(
            run(u64::MAX >> 32, 500),
            (Err("source".into()), squares(500))
        );
        assert_eq!(run(499, 500), (Err("sink".into()), squares(499)));
    }
}
