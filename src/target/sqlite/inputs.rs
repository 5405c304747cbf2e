//! What a step reads beside the database: a clock and randomness, both given from outside, so that a
//! step can be run again and do the same. Knows no real clock and no entropy.
//!
//! What stays SQLite's own is its process-wide generator, which decides only which free rowid a table
//! takes after the largest possible one is in use.

use std::sync::{Arc, Mutex, PoisonError};

use ledger_format::hash::HASH_BYTES;
use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;
use rusqlite::limits::Limit;
use rusqlite::types::ValueRef;
use sha2::{Digest as _, Sha256};

/// The clock and the randomness of one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepInputs {
    /// The time of every statement, in milliseconds since 1970.
    pub clock_ms: i64,
    /// Where `random()` and `randomblob()` begin.
    pub seed: [u8; HASH_BYTES],
}

impl StepInputs {
    /// The inputs of step `step`, counted from 0, on the object `object_id` in a run with this clock
    /// and seed. Every step has a generator of its own, so that a run that is resumed draws the same:
    /// `seed = SHA-256(run seed ‖ object id ‖ step)`, the step as 8 bytes, big-endian.
    #[must_use]
    pub fn of_step(clock_ms: i64, run_seed: &[u8; HASH_BYTES], object_id: &str, step: u64) -> Self {
        let hasher = Sha256::new().chain_update(run_seed).chain_update(object_id);
        let seed = hasher.chain_update(step.to_be_bytes()).finalize().into();
        Self { clock_ms, seed }
    }

    /// Puts `random()` and `randomblob()` that draw from the seed in the place of SQLite's, on this
    /// connection.
    pub(super) fn replace_randomness(&self, connection: &Connection) -> rusqlite::Result<()> {
        let generator = Arc::new(Mutex::new(Generator { seed: self.seed, drawn: 0 }));
        let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_INNOCUOUS;
        let shared = Arc::clone(&generator);
        connection.create_scalar_function("random", 0, flags, move |_| {
            let mut number = [0; 8];
            draw(&shared, &mut number);
            Ok(i64::from_be_bytes(number))
        })?;
        let bytes_max = connection.limit(Limit::SQLITE_LIMIT_LENGTH)?;
        connection.create_scalar_function("randomblob", 1, flags, move |call| {
            let wanted = integer(call.get_raw(0)).max(1);
            if wanted > i64::from(bytes_max) {
                return Err(rusqlite::Error::UserFunctionError("string or blob too big".into()));
            }
            let mut blob = vec![0; usize::try_from(wanted).unwrap_or_default()];
            draw(&generator, &mut blob);
            Ok(blob)
        })
    }
}

/// SHA-256 of the seed and a counter, block after block.
struct Generator {
    seed: [u8; HASH_BYTES],
    drawn: u64,
}

/// Fills `out` with whole blocks of its own; what is left of the last one is not used.
fn draw(generator: &Mutex<Generator>, out: &mut [u8]) {
    let mut generator = generator.lock().unwrap_or_else(PoisonError::into_inner);
    for piece in out.chunks_mut(HASH_BYTES) {
        let hasher = Sha256::new().chain_update(generator.seed);
        let block = hasher.chain_update(generator.drawn.to_be_bytes()).finalize();
        generator.drawn += 1;
        piece.iter_mut().zip(block).for_each(|(to, from)| *to = from);
    }
}

/// The number SQLite would take an argument for.
fn integer(value: ValueRef<'_>) -> i64 {
    match value {
        ValueRef::Integer(number) => number,
        #[allow(clippy::cast_possible_truncation)] // a blob's length: fractions do not count
        ValueRef::Real(number) => number as i64,
        ValueRef::Text(text) => {
            std::str::from_utf8(text).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
        }
        ValueRef::Null | ValueRef::Blob(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draws(inputs: &StepInputs) -> (i64, i64, Vec<u8>) {
        let connection = Connection::open_in_memory().unwrap();
        inputs.replace_randomness(&connection).unwrap();
        let sql = "SELECT random(), random(), randomblob(40)";
        connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap()
    }

    #[test]
    fn a_step_draws_the_same_again_and_no_other_step_does() {
        let of = |seed, object, step| StepInputs::of_step(0, &[seed; 32], object, step);
        let (one, two, blob) = draws(&of(1, "db", 0));
        assert_eq!(draws(&of(1, "db", 0)), (one, two, blob.clone()));
        assert!(one != two && blob.len() == 40);
        for other in [of(2, "db", 0), of(1, "other", 0), of(1, "db", 1)] {
            assert_ne!(draws(&other).0, one);
        }
    }

    #[test]
    fn lengths_are_taken_as_sqlite_takes_them() {
        let connection = Connection::open_in_memory().unwrap();
        let sql = "SELECT length(randomblob(0)), length(randomblob(NULL)), length(randomblob('7')),
            length(randomblob(2.9)), length(randomblob(-5))";
        let lengths = || {
            connection
                .query_row(sql, [], |row| {
                    (0..5).map(|at| row.get(at)).collect::<Result<Vec<i64>, _>>()
                })
                .unwrap()
        };
        let theirs = lengths();
        StepInputs { clock_ms: 0, seed: [0; 32] }.replace_randomness(&connection).unwrap();
        assert_eq!(lengths(), theirs);
        let huge = connection.query_row("SELECT randomblob(1 << 40)", [], |_| Ok(()));
        assert!(huge.is_err());
    }
}
