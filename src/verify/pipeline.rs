//! Decoding and hashing on several cores, with the results in the order of the log. Knows bytes and
//! threads; judges nothing.

use std::collections::VecDeque;
use std::io;
use std::ops::ControlFlow;
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded};
use ledger_format::event::{Event, EventError};
use ledger_format::hash::EventId;
use ledger_format::head::SignedHead;

use crate::log::Batch;

/// Batches read ahead of the judge. With events of the longest kind a batch takes about 4 MiB, so
/// this bounds the memory of a verification whatever the length of the log.
const AHEAD_BATCHES: usize = 8;

/// Most decoding threads: the judge, who folds alone, is busy with fewer than that.
const WORKERS_MAX: usize = 4;

/// A batch whose events have been read.
pub(super) struct Decoded {
    pub(super) first_seq: u64,
    pub(super) events: Vec<DecodedEvent>,
    pub(super) head: SignedHead,
}

/// An event and the id of its bytes.
pub(super) struct DecodedEvent {
    pub(super) id: EventId,
    pub(super) event: Result<Event, EventError>,
}

struct Job {
    batch: Batch,
    reply: Sender<Decoded>,
}

/// Hands every batch to `take`, decoded and in order, until it breaks off or an error was handed on.
pub(super) fn in_order<E>(
    batches: impl Iterator<Item = Result<Batch, E>>,
    mut take: impl FnMut(Result<Decoded, E>) -> ControlFlow<()>,
) -> io::Result<()> {
    let workers = thread::available_parallelism().map_or(1, |cores| cores.get().min(WORKERS_MAX));
    let (jobs, queue) = bounded::<Job>(AHEAD_BATCHES);
    // The closure owns `jobs`: however it ends, the workers see that there is nothing more.
    thread::scope(move |scope| {
        for _ in 0..workers {
            let queue = queue.clone();
            thread::Builder::new().spawn_scoped(scope, move || work(&queue))?;
        }
        drop(queue);
        let mut waiting = VecDeque::with_capacity(AHEAD_BATCHES);
        for batch in batches {
            if waiting.len() == AHEAD_BATCHES
                && let Some(next) = waiting.pop_front()
                && give(next, &mut take).is_break()
            {
                return Ok(());
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
        Ok(())
    })
}

fn give<E>(
    next: Result<Receiver<Decoded>, E>,
    take: &mut impl FnMut(Result<Decoded, E>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    match next.map(|result| result.recv()) {
        Ok(Ok(decoded)) => take(Ok(decoded)),
        // The worker panicked; the scope passes that on.
        Ok(Err(_)) => ControlFlow::Break(()),
        Err(error) => take(Err(error)),
    }
}

fn work(queue: &Receiver<Job>) {
    for Job { batch, reply } in queue {
        let Batch { first_seq, events, head } = batch;
        let decode =
            |bytes: &Vec<u8>| DecodedEvent { id: EventId::of(bytes), event: Event::decode(bytes) };
        let events = events.iter().map(decode).collect();
        // The judge may have broken off meanwhile.
        let _unheard = reply.send(Decoded { first_seq, events, head });
    }
}
