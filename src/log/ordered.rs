//! Work on batches on several cores, with the results in the order of the log. Knows batches; knows not what is done with
//! them.

use std::ops::ControlFlow;
use std::thread;

use super::Batch;
use crate::ordered::{self, Crew};

/// Batches read ahead of whoever takes the results. With events of the longest kind a batch takes
/// about 4 MiB, so this bounds the memory of a reading whatever the length of the log.
const AHEAD_BATCHES: usize = 8;

/// Most working threads: whoever takes the results, alone, is busy with fewer than that.
const WORKERS_MAX: usize = 4;

/// As many batches of as many events together are done sooner than threads are started for them.
const FEW_BATCHES: usize = AHEAD_BATCHES;
const FEW_EVENTS: usize = 200;

/// Hands what `work` makes of every batch to `take`, in order, until it breaks off.
pub(crate) fn in_order<T: Send, E: Send>(
    mut batches: impl Iterator<Item = Result<Batch, E>>,
    work: impl Fn(Batch) -> T + Sync,
    mut take: impl FnMut(Result<T, E>) -> ControlFlow<()>,
) {
    let first: Vec<_> = batches.by_ref().take(FEW_BATCHES + 1).collect();
    let events: usize = first.iter().flatten().map(|batch| batch.events.len()).sum();
    if first.len() <= FEW_BATCHES && events <= FEW_EVENTS {
        let _broken_off = first.into_iter().map(|batch| batch.map(&work)).try_for_each(&mut take);
        return;
    }
    let batches = first.into_iter().chain(batches);
    let workers = thread::available_parallelism().map_or(1, |cores| cores.get().min(WORKERS_MAX));
    let crew = Crew { workers, ahead: AHEAD_BATCHES };
    ordered::in_order(batches, crew, |batch| batch.map(&work), take);
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
