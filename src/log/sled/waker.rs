//! Wakes calls into the engine that it forgets.
//!
//! When a write fails in one of the engine's own threads, whoever waits for it is not always woken; another flush wakes
//! him, as it finds the failure. Knows when a call lasts too long. Knows nothing of what is written.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How often is looked whether a call still lasts. Ordinary writing takes far less.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// One thread that looks after the calls of one store. It ends, and lets go of the store, when this is dropped.
#[derive(Debug)]
pub(super) struct Waker {
    /// Counts beginnings and ends of calls: odd while one lasts.
    turns: Arc<AtomicU64>,
    /// Dropped to end the thread.
    ended: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Waker {
    /// Starts looking. What `wake` gives is called, each time in a thread of its own since it may come to wait itself,
    /// when a call was there at two looks in a row, and then ever more rarely. Where there is no thread to be had, calls
    /// go on unwatched.
    pub(super) fn start(wake: impl Fn() -> Box<dyn FnOnce() + Send> + Send + 'static) -> Self {
        let turns = Arc::new(AtomicU64::new(0));
        let (ended, waiting) = mpsc::channel();
        let seen = Arc::clone(&turns);
        let thread = thread::Builder::new().spawn(move || {
            let (mut last, mut looks) = (0, 0_u32);
            while waiting.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
                let turn = seen.load(Ordering::SeqCst);
                looks = if turn == last && turn % 2 == 1 { looks.saturating_add(1) } else { 0 };
                last = turn;
                if looks.is_power_of_two() {
                    let _goes_its_own_way = thread::Builder::new().spawn(wake());
                }
            }
        });
        Self { turns, ended: Some(ended), thread: thread.ok() }
    }

    /// Makes one call that may be forgotten. Calls do not overlap, and do not unwind.
    pub(super) fn over<T>(&self, call: impl FnOnce() -> T) -> T {
        self.turns.fetch_add(1, Ordering::SeqCst);
        let answer = call();
        self.turns.fetch_add(1, Ordering::SeqCst);
        answer
    }
}

impl Drop for Waker {
    fn drop(&mut self) {
        drop(self.ended.take());
        if let Some(thread) = self.thread.take() {
            // It does not panic; if it did, nobody is looked after any more, and nobody needs to be.
            let _ended = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_is_forgotten_is_woken_and_a_short_one_is_left_alone() {
        let (woken, waits) = mpsc::channel();
        let waker = Waker::start(move || {
            let woken = woken.clone();
            Box::new(move || {
                let _nobody_waits_any_more = woken.send(());
            })
        });
        assert_eq!(waker.over(|| 7), 7);
        assert!(waits.try_recv().is_err());
        // Returns because it is woken, and for no other reason.
        assert_eq!(waker.over(|| waits.recv()), Ok(()));
        drop(waker);
        // Whoever was to wake has let go of what it held.
        assert!(waits.iter().count() <= 1);
    }
}
