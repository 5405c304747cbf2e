//! What the machine can do without any ledger: a durable write, and SHA-256.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};

use crate::error::{Error, at};
use crate::rounds::Tally;

/// Bytes of one durable write: a page.
const PAGE_BYTES: usize = 4_096;

/// Bytes hashed for a node of the tree: a prefix and two hashes.
const NODE_BYTES: usize = 1 + 32 + 32;

/// Appends pages to `file`, each made durable before the next, and returns how many a second.
pub(crate) fn durable_pages(file: &mut File, path: &Path, span: Duration) -> Result<f64, Error> {
    let page = [0x5a; PAGE_BYTES];
    let append = |()| {
        file.write_all(&page)?;
        file.sync_data()?;
        Ok(1)
    };
    Tally::during(span, || (), append).map(Tally::rate).map_err(at(path))
}

/// Hashes, on `threads` threads, what a verification of `events` events of the sizes in `sample` must
/// hash: each as a leaf, and a node for each. Returns events a second.
pub(crate) fn hashes(sample: &[Vec<u8>], events: u64, threads: u32) -> f64 {
    let share = events / u64::from(threads);
    let began = Instant::now();
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| hash_share(sample, share));
        }
    });
    let hashed = share * u64::from(threads);
    crate::report::float(hashed) / began.elapsed().as_secs_f64()
}

fn hash_share(sample: &[Vec<u8>], share: u64) {
    let mut node = [1; NODE_BYTES];
    for (_, event) in (0..share).zip(sample.iter().cycle()) {
        let leaf = Sha256::new().chain_update([0]).chain_update(event).finalize();
        if let Some((left, _)) = node.split_first_chunk_mut::<32>() {
            left.copy_from_slice(&leaf);
        }
        let inner = Sha256::digest(node);
        if let Some(right) = node.last_chunk_mut::<32>() {
            right.copy_from_slice(&inner);
        }
    }
    std::hint::black_box(node);
}
