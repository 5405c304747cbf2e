//! Work on batches on several cores, with the results in the order of the log. Knows batches and
//! threads; knows not what is done with them.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::Batch;

/// Batches read ahead of whoever takes the results. With events of the longest kind a batch takes
/// about 4 MiB, so this bounds the memory of a reading whatever the length of the log.
const AHEAD_BATCHES: usize = 8;

/// Most working threads: whoever takes the results, alone, is busy with fewer than that.
const WORKERS_MAX: usize = 4;

struct Job<T> {
    batch: Batch,
    reply: Sender<T>,
}

/// Hands what `work` makes of every batch to `take`, in order, until it breaks off or an error was
/// handed on. A machine that gives no thread has the work done here.
pub(crate) fn in_order<T: Send, E>(
    batches: impl Iterator<Item = Result<Batch, E>>,
    work: impl Fn(Batch) -> T + Sync,
    mut take: impl FnMut(Result<T, E>) -> ControlFlow<()>,
) {
    let work = &work;
    let workers = thread::available_parallelism().map_or(1, |cores| cores.get().min(WORKERS_MAX));
    let (jobs, queue) = bounded::<Job<T>>(AHEAD_BATCHES);
    // The closure owns `jobs`: however it ends, the workers see that there is nothing more.
    thread::scope(move |scope| {
        let spawn = |_| {
            let queue = queue.clone();
            thread::Builder::new().spawn_scoped(scope, move || serve(&queue, work)).is_ok()
        };
        if (0..workers).filter(|worker| spawn(*worker)).count() == 0 {
            let _broken_off = batches.map(|batch| batch.map(work)).try_for_each(take);
            return;
        }
        drop(queue);
        let mut waiting = VecDeque::with_capacity(AHEAD_BATCHES);
        for batch in batches {
            if waiting.len() == AHEAD_BATCHES
                && let Some(next) = waiting.pop_front()
                && give(next, &mut take).is_break()
            {
                return;
            }
            waiting.push_back(batch.map(|batch| {
                let (reply, result) = bounded(1);
                // A send fails only if every worker panicked; the scope passes that on.
                let _gone = jobs.send(Job { batch, reply });
                result
            }));
        }
        for next in waiting {
            if give(next, &mut take).is_break() {
                break;
            }
        }
    });
}

fn give<T, E>(
    next: Result<Receiver<T>, E>,
    take: &mut impl FnMut(Result<T, E>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    match next.map(|result| result.recv()) {
        Ok(Ok(done)) => take(Ok(done)),
        // The worker panicked; the scope passes that on.
        Ok(Err(_)) => ControlFlow::Break(()),
        Err(error) => take(Err(error)),
    }
}

fn serve<T>(queue: &Receiver<Job<T>>, work: &impl Fn(Batch) -> T) {
    for Job { batch, reply } in queue {
        // Whoever takes the results may have broken off meanwhile.
        let _unheard = reply.send(work(batch));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::samples::Author;

    #[test]
    fn results_come_in_order_and_nothing_behind_an_error_or_a_break() {
        let (first, _) = Author::new(1).batch(1);
        let batch = |first_seq| Batch { first_seq, ..first.clone() };
        let taken = |fail_at: u64, break_at: u64| {
            let batches =
                (0..100).map(|seq| if seq == fail_at { Err(seq) } else { Ok(batch(seq)) });
            let mut taken = Vec::new();
            in_order(
                batches,
                |batch| batch.first_seq,
                |next| {
                    taken.push(next);
                    match next {
                        Ok(seq) if seq != break_at => ControlFlow::Continue(()),
                        _ => ControlFlow::Break(()),
                    }
                },
            );
            taken
        };
        assert_eq!(taken(100, 100), (0..100).map(Ok).collect::<Vec<_>>());
        assert_eq!(taken(40, 100), (0..40).map(Ok).chain([Err(40)]).collect::<Vec<_>>());
        assert_eq!(taken(100, 3), [Ok(0), Ok(1), Ok(2), Ok(3)]);
    }
}
