//! Work on several cores with the results in order. Knows threads; knows not what is worked on.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded};

/// How many work, and how far ahead of whoever takes the results: that bounds the memory they need.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Crew {
    pub(crate) workers: usize,
    /// Items that are worked on, or done and not taken yet.
    pub(crate) ahead: usize,
}

struct Job<I, T> {
    item: I,
    reply: Sender<T>,
}

/// Hands what `work` makes of every item to `take`, in order, until it breaks off. Items are drawn, and results taken, on
/// the calling thread. A machine that gives no thread has the work done there too.
pub(crate) fn in_order<I: Send, T: Send>(
    items: impl Iterator<Item = I>,
    crew: Crew,
    work: impl Fn(I) -> T + Sync,
    take: impl FnMut(T) -> ControlFlow<()>,
) {
    in_order_while(items, crew, |_| true, work, take);
}

/// The same where it is told by what waits to be taken whether one more is drawn before the next is taken.
fn in_order_while<I: Send, T: Send>(
    items: impl Iterator<Item = I>,
    crew: Crew,
    may_draw: impl Fn(usize) -> bool,
    work: impl Fn(I) -> T + Sync,
    mut take: impl FnMut(T) -> ControlFlow<()>,
) {
    let work = &work;
    let ahead = crew.ahead.max(1);
    let (jobs, queue) = bounded::<Job<I, T>>(ahead);
    // The closure owns `jobs`: however it ends, the workers see that there is nothing more.
    thread::scope(move |scope| {
        let spawn = |_| {
            let queue = queue.clone();
            thread::Builder::new().spawn_scoped(scope, move || serve(&queue, work)).is_ok()
        };
        if (0..crew.workers.max(1)).filter(|worker| spawn(*worker)).count() == 0 {
            let _broken_off = items.map(work).try_for_each(take);
            return;
        }
        drop(queue);
        let mut waiting = VecDeque::with_capacity(ahead);
        for item in items {
            while (waiting.len() == ahead || !may_draw(waiting.len()))
                && let Some(next) = waiting.pop_front()
            {
                if give(&next, &mut take).is_break() {
                    return;
                }
            }
            let (reply, result) = bounded(1);
            // A send fails only if every worker panicked; the scope passes that on.
            let _gone = jobs.send(Job { item, reply });
            waiting.push_back(result);
        }
        for next in waiting {
            if give(&next, &mut take).is_break() {
                break;
            }
        }
    });
}

/// The same where taking a result may fail: the first failure is the last result taken.
pub(crate) fn try_in_order<I: Send, T: Send, E>(
    items: impl Iterator<Item = I>,
    crew: Crew,
    work: impl Fn(I) -> T + Sync,
    take: impl FnMut(T) -> Result<(), E>,
) -> Result<(), E> {
    try_in_order_while(items, crew, |_| true, work, take)
}

/// The same where `may_draw` tells by how many wait to be taken whether one more is drawn before the next is taken. One is
/// drawn in any case when none waits.
pub(crate) fn try_in_order_while<I: Send, T: Send, E>(
    items: impl Iterator<Item = I>,
    crew: Crew,
    may_draw: impl Fn(usize) -> bool,
    work: impl Fn(I) -> T + Sync,
    mut take: impl FnMut(T) -> Result<(), E>,
) -> Result<(), E> {
    let mut taken = Ok(());
    in_order_while(items, crew, may_draw, work, |result| {
        taken = take(result);
        if taken.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    taken
}

fn give<T>(next: &Receiver<T>, take: &mut impl FnMut(T) -> ControlFlow<()>) -> ControlFlow<()> {
    // Without a result the worker panicked; the scope passes that on.
    next.recv().map_or(ControlFlow::Break(()), take)
}

fn serve<I, T>(queue: &Receiver<Job<I, T>>, work: &impl Fn(I) -> T) {
    for Job { item, reply } in queue {
        // Whoever takes the results may have broken off meanwhile.
        let _unheard = reply.send(work(item));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_and_nothing_behind_a_break() {
        for workers in [1, 2, 7] {
            let taken = |break_at: u64| {
                let mut taken = Vec::new();
                let crew = Crew { workers, ahead: 8 };
                in_order(
                    0..100_u64,
                    crew,
                    |item| item * 2,
                    |next| {
                        taken.push(next);
                        if next == break_at * 2 {
                            ControlFlow::Break(())
                        } else {
                            ControlFlow::Continue(())
                        }
                    },
                );
                taken
            };
            assert_eq!(taken(100), (0..100).map(|item| item * 2).collect::<Vec<_>>());
            assert_eq!(taken(3), [0, 2, 4, 6]);
        }
    }

    #[test]
    fn no_more_is_drawn_ahead_than_is_allowed_by_what_waits() {
        for allowed in [0, 1, 3, 100] {
            let drawn = std::cell::Cell::new(0_usize);
            let items = (0..50_usize).inspect(|_| drawn.set(drawn.get() + 1));
            let (crew, mut taken) = (Crew { workers: 2, ahead: 8 }, Vec::new());
            let done: Result<(), ()> = try_in_order_while(
                items,
                crew,
                |waiting| waiting < allowed,
                |item| item,
                |item| {
                    let ahead = drawn.get() - taken.len();
                    assert!(ahead <= allowed.clamp(1, 8) + 1, "{ahead} of {allowed}");
                    taken.push(item);
                    Ok(())
                },
            );
            assert_eq!((done, taken), (Ok(()), (0..50).collect()));
        }
    }

    #[test]
    fn a_failure_is_handed_on_and_no_item_is_drawn_far_beyond_it() {
        let mut drawn = 0;
        let items = (0..1_000).inspect(|_| drawn += 1);
        let crew = Crew { workers: 2, ahead: 4 };
        let failed = try_in_order(
            items,
            crew,
            |item| item,
            |item| if item == 10 { Err(item) } else { Ok(()) },
        );
        assert_eq!(failed, Err(10));
        assert!(drawn <= 16, "{drawn}");
    }
}
