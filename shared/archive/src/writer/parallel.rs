//! Runs jobs on several threads and passes their results, in order, to the calling thread.
//!
//! One channel distributes jobs; each job has a channel of its own for its result. The calling thread keeps these
//! receivers in the order of the jobs, so it takes results in order without sorting. It starts a new job only after
//! it took a result, which bounds what waits in memory.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::sync::{Mutex, PoisonError};

/// Finished results that may wait in addition to the jobs being worked on, so that one slow job does not stop the other
/// threads.
const WAITING: usize = 2;

/// Runs jobs on `threads` threads and passes their results to `take`, in the order of the jobs.
///
/// Each thread creates its `worker` once. At most `threads + WAITING` jobs are started and not yet taken. The first
/// error, of `jobs` or `take` in this order, ends everything.
pub(crate) fn in_order<J: Send, R: Send, E, W: FnMut(J) -> R>(
    threads: usize,
    jobs: impl IntoIterator<Item = Result<J, E>>,
    worker: impl Fn() -> W + Sync,
    mut take: impl FnMut(R) -> Result<(), E>,
) -> Result<(), E> {
    let (sender, receiver) = channel();
    let queue = Mutex::new(receiver);
    std::thread::scope(|scope| {
        // Moved into the scope, so that it is dropped when the closure returns; then the threads see a closed channel
        // and end. Otherwise the scope would wait for them forever.
        let sender = sender;
        for _ in 0..threads.max(1) {
            scope.spawn(|| serve(&queue, worker()));
        }
        let mut started: VecDeque<Receiver<R>> = VecDeque::new();
        for job in jobs {
            let job = match job {
                Ok(job) => job,
                Err(error) => {
                    take_all(&mut started, 0, &mut take)?;
                    return Err(error);
                }
            };
            let (answer, result) = sync_channel(1);
            if sender.send((job, answer)).is_ok() {
                started.push_back(result);
            }
            let most = threads.saturating_add(WAITING).saturating_sub(1);
            if !take_all(&mut started, most, &mut take)? {
                return Ok(());
            }
        }
        take_all(&mut started, 0, &mut take).map(drop)
    })
}

/// Takes results until `left` of them remain. Returns false if a thread panicked and left no result; the scope then
/// panics, too.
fn take_all<R, E>(
    started: &mut VecDeque<Receiver<R>>,
    left: usize,
    mut take: impl FnMut(R) -> Result<(), E>,
) -> Result<bool, E> {
    while started.len() > left {
        match started.pop_front().map(|result| result.recv()) {
            Some(Ok(result)) => take(result)?,
            _ => return Ok(false),
        }
    }
    Ok(true)
}

fn serve<J, R>(queue: &Mutex<Receiver<(J, SyncSender<R>)>>, mut work: impl FnMut(J) -> R) {
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((job, answer)) = next else {
            return;
        };
        if answer.send(work(job)).is_err() {
            return; // An error ended the work: nobody waits for more.
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn results_come_in_order_and_few_wait() {
        let (started, taken) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let mut results = Vec::new();
        in_order(
            3,
            (0..1000).map(Ok::<_, ()>),
            || {
                |job: usize| {
                    let ahead =
                        started.fetch_add(1, Ordering::SeqCst) - taken.load(Ordering::SeqCst);
                    assert!(ahead <= 3 + WAITING, "{ahead}");
                    job * 2
                }
            },
            |result| {
                results.push(result);
                taken.fetch_add(1, Ordering::SeqCst);
                Ok(())
            },
        )
        .unwrap();
        assert_eq!(results, (0..1000).map(|job| job * 2).collect::<Vec<_>>());
    }

    #[test]
    fn the_first_error_in_the_order_of_the_jobs_ends_all() {
        for (jobs_fail, takes_fail, expected) in [(7, 5, "take 5"), (5, 7, "job 5")] {
            let jobs = (0..100).map(|job| {
                if job == jobs_fail {
                    return Err(format!("job {job}"));
                }
                Ok(job)
            });
            let take = |result| {
                if result == takes_fail {
                    return Err(format!("take {result}"));
                }
                Ok(())
            };
            let error = in_order(4, jobs, || |job: i32| job, take).unwrap_err();
            assert_eq!(error, expected);
        }
    }

    #[test]
    #[should_panic(expected = "a scoped thread panicked")]
    fn a_panic_is_passed_on() {
        let fail = |job: i32| assert!(job < 0, "job {job}");
        in_order(2, (0..100).map(Ok::<_, ()>), || fail, |()| Ok(())).unwrap();
    }
}
