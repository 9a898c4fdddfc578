//! Work on all cores, with results in the order of the jobs.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use crate::progress::Progress;

/// The cores of this process.
pub(crate) fn cores() -> usize {
    thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

/// Does `work` for each job, and shows the progress in steps of `size`.
///
/// # Errors
/// The first error of a job; later jobs are not begun.
pub(crate) fn on_all_cores<J: Sync, R: Send, E: Send>(
    what: &str,
    jobs: &[J],
    size: impl Fn(&J) -> usize,
    work: impl Fn(&J) -> Result<R, E> + Sync,
) -> Result<Vec<R>, E> {
    let cores = cores();
    let mut progress = Progress::new(what, jobs.iter().map(&size).sum());
    let next = AtomicUsize::new(0);
    let mut results: Vec<Option<R>> = jobs.iter().map(|_| None).collect();
    thread::scope(|scope| {
        let (finished, finishes) = mpsc::channel();
        for _ in 0..cores {
            let (finished, next, work) = (finished.clone(), &next, &work);
            scope.spawn(move || {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(job) = jobs.get(index) else { return };
                    // After an error there is no receiver.
                    if finished.send((index, work(job))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(finished);
        let mut done = 0;
        for (index, result) in finishes {
            results[index] = Some(result?);
            done += size(&jobs[index]);
            progress.tell(done as u64);
        }
        Ok(())
    })?;
    progress.finish();
    Ok(results.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_keep_the_order_and_an_error_ends_it() {
        let jobs: Vec<u64> = (0..1_000).collect();
        let squares = on_all_cores("squares", &jobs, |_| 1, |n| Ok::<_, ()>(n * n)).unwrap();
        assert_eq!(squares, jobs.iter().map(|n| n * n).collect::<Vec<_>>());
        let failed = on_all_cores(
            "errors",
            &jobs,
            |_| 1,
            |n| if *n == 5 { Err(*n) } else { Ok(()) },
        );
        assert_eq!(failed, Err(5));
    }
}
