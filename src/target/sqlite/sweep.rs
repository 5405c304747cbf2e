//! Every page of a database read once, in order, while what was read before is worked on by other threads. Knows pages and
//! chunks of them; what becomes of them is the caller's.

use std::thread;

use super::DatabaseError;
use super::page::{PageSource, Pages};
use crate::ordered::{Crew, try_in_order};

/// Pages are handed to a thread in chunks of so many bytes, or a page each if that is larger.
const CHUNK_BYTES: u32 = 1 << 18;

/// Chunks that lie ready for each thread, and as many that it has done: together they bound the memory.
const CHUNKS_AHEAD: usize = 4;

/// Has `work` make something of every chunk of the pages of `source`, on all cores, and hands that to `take`, in the order of
/// the pages, on the calling thread.
pub(super) fn sweep<T: Send, E: From<DatabaseError>>(
    source: &impl PageSource,
    work: impl Fn(Pages) -> T + Sync,
    mut take: impl FnMut(T) -> Result<(), E>,
) -> Result<(), E> {
    let mut swept = Ok(());
    let pages_a_chunk = (CHUNK_BYTES / source.page_size().bytes()).max(1);
    source.in_chunks(pages_a_chunk, &mut |chunks| {
        let work = |chunk: Result<Pages, DatabaseError>| chunk.map(&work);
        swept = try_in_order(chunks, crew(), work, |done| take(done?));
    })?;
    swept
}

/// All cores: reading and writing take less of the calling thread than hashing takes of the others.
fn crew() -> Crew {
    let workers = thread::available_parallelism().map_or(1, usize::from);
    Crew { workers, ahead: workers.saturating_mul(CHUNKS_AHEAD) }
}
