//! What an ordinary life of a ledger's folder looks like, and what is refused.

use super::*;
use crate::log::memory::MemoryLog;
use crate::log::samples::Author;

pub(super) fn identity(author: &Author) -> Identity {
    Identity { public_key: author.public_key, nonce: author.nonce }
}

/// A new ledger in `dir` with one batch of one event.
pub(super) fn init(dir: &Path, author: &mut Author) -> SledLog {
    let (batch, frontier) = author.batch(1);
    SledLog::init(dir, &identity(author), &batch, &frontier, &OpenOptions::default()).unwrap()
}

pub(super) fn append(log: &mut SledLog, author: &mut Author, count: usize) {
    let size = author.size();
    let (batch, frontier) = author.batch(count);
    log.append(size, &batch, &frontier).unwrap();
}

pub(super) fn open(dir: &Path) -> Result<SledLog, OpenError> {
    SledLog::open(dir, &OpenOptions::default())
}

pub(super) fn all(log: &impl ReadLog) -> Vec<Batch> {
    log.read(0..u64::MAX).collect::<Result<_, _>>().unwrap()
}

#[test]
fn reads_what_the_memory_log_reads_before_and_after_reopening() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("ledger");
    let mut author = Author::new(1);
    let mut memory = MemoryLog::new(author.ledger());
    let (first, frontier) = author.batch(1);
    let options = OpenOptions::default();
    memory.append(0, &first, &frontier).unwrap();
    let mut log = SledLog::init(&dir, &identity(&author), &first, &frontier, &options).unwrap();
    for round in 0..3 {
        for count in [1, 17, 1_000, 3, 40 + round] {
            let size = author.size();
            let (batch, frontier) = author.batch(count);
            log.append(size, &batch, &frontier).unwrap();
            memory.append(size, &batch, &frontier).unwrap();
        }
        for seqs in [0..u64::MAX, 0..1, 1..2, 17..19, 18..1_100, 1_018..1_019, 5..5, 9_999..10_000]
        {
            let read: Vec<_> = log.read(seqs.clone()).map(Result::unwrap).collect();
            let expected: Vec<_> = memory.read(seqs.clone()).map(Result::unwrap).collect();
            assert!(read == expected, "{seqs:?}");
        }
        drop(log);
        log = open(&dir).unwrap();
        assert_eq!(log.relation(), Relation::Settled);
        assert_eq!(log.tip().unwrap(), memory.tip().unwrap());
    }
    assert!(all(&log) == all(&memory));
}
