//! Work on numbers in parallel, its results in their order, with few of them in memory.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;

/// Does `work` for each number on `threads` threads, each with a state of its own; at most twice
/// as many results wait for `sink`.
///
/// # Errors
/// The first error of `sink`.
pub(super) fn in_order<S, R: Send, E>(
    threads: usize,
    numbers: RangeInclusive<u64>,
    state: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, u64) -> R + Sync,
    mut sink: impl FnMut(R) -> Result<(), E>,
) -> Result<(), E> {
    let over = AtomicBool::new(false);
    let (jobs, job) = mpsc::channel::<(u64, mpsc::SyncSender<R>)>();
    let job = Mutex::new(job);
    let worker = || {
        let mut state = state();
        while !over.load(Ordering::Relaxed) {
            let next = job.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok((number, answer)) = next else { return };
            // After an error nobody waits for it.
            let _ = answer.send(work(&mut state, number));
        }
    };
    thread::scope(|scope| {
        let jobs = jobs;
        for _ in 0..threads {
            scope.spawn(worker);
        }
        let mut promised: VecDeque<mpsc::Receiver<R>> = VecDeque::new();
        let mut take = |answered: Option<mpsc::Receiver<R>>| {
            let result = answered.and_then(|answered| answered.recv().ok());
            result.map_or(Ok(()), &mut sink)
        };
        let all = || {
            for number in numbers {
                let (answer, answered) = mpsc::sync_channel(1);
                // The receiver outlives the scope.
                let _ = jobs.send((number, answer));
                promised.push_back(answered);
                if promised.len() >= 2 * threads {
                    take(promised.pop_front())?;
                }
            }
            while let Some(answered) = promised.pop_front() {
                take(Some(answered))?;
            }
            Ok(())
        };
        let done = all();
        over.store(true, Ordering::Relaxed);
        drop(jobs);
        done
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_keep_the_order_and_an_error_ends_it() {
        let mut seen = Vec::new();
        let run = |seen: &mut Vec<u64>, stop: u64| {
            let sink = |n| {
                seen.push(n);
                if n == stop { Err(n) } else { Ok(()) }
            };
            in_order(3, 1..=500, || (), |(), n| n, sink)
        };
        assert_eq!(run(&mut seen, 0), Ok(()));
        assert_eq!(seen, (1..=500).collect::<Vec<_>>());
        seen.clear();
        assert_eq!(run(&mut seen, 20), Err(20));
        assert_eq!(seen, (1..=20).collect::<Vec<_>>());
    }
}
