//! Work of several threads whose results are taken in order, by the thread that called.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::sync::{Mutex, PoisonError};

/// Results that may wait, beside those being worked at, so that a slow job holds up nobody.
const WAITING: usize = 2;

/// Does jobs on `threads` threads and hands their results to `take`, in the jobs' order.
///
/// Each thread makes its `worker` once. At most `threads` and [`WAITING`] jobs are begun and not yet
/// taken: what they hold is bounded. The first error, of `jobs` or `take` in this order, ends all.
pub(crate) fn in_order<J: Send, R: Send, E, W: FnMut(J) -> R>(
    threads: usize,
    jobs: impl IntoIterator<Item = Result<J, E>>,
    worker: impl Fn() -> W + Sync,
    mut take: impl FnMut(R) -> Result<(), E>,
) -> Result<(), E> {
    let (sender, receiver) = channel();
    let queue = Mutex::new(receiver);
    std::thread::scope(|scope| {
        // Moved in here: when it goes, the threads end.
        let sender = sender;
        for _ in 0..threads.max(1) {
            scope.spawn(|| serve(&queue, worker()));
        }
        let mut begun: VecDeque<Receiver<R>> = VecDeque::new();
        for job in jobs {
            let job = match job {
                Ok(job) => job,
                Err(error) => {
                    take_all(&mut begun, 0, &mut take)?;
                    return Err(error);
                }
            };
            let (answer, result) = sync_channel(1);
            if sender.send((job, answer)).is_ok() {
                begun.push_back(result);
            }
            let most = threads.saturating_add(WAITING).saturating_sub(1);
            if !take_all(&mut begun, most, &mut take)? {
                return Ok(());
            }
        }
        take_all(&mut begun, 0, &mut take).map(drop)
    })
}

/// Takes results until so many are left. False where a thread panicked, which has no result: the scope
/// panics in its turn.
fn take_all<R, E>(
    begun: &mut VecDeque<Receiver<R>>,
    left: usize,
    mut take: impl FnMut(R) -> Result<(), E>,
) -> Result<bool, E> {
    while begun.len() > left {
        match begun.pop_front().map(|result| result.recv()) {
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
        let (begun, taken) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let mut results = Vec::new();
        in_order(
            3,
            (0..1000).map(Ok::<_, ()>),
            || {
                |job: usize| {
                    let ahead = begun.fetch_add(1, Ordering::SeqCst) - taken.load(Ordering::SeqCst);
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
