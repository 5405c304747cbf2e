//! Every target over its seeds and many seeded mutations: what is fuzzed elsewhere for long is run here for a moment. One
//! test, because memory is counted for the whole process.

use std::panic::{AssertUnwindSafe, catch_unwind};

use fuzz::{TARGETS, mutated};
use ledger_format::hash::hex;

/// Mutations of each target, and of those that sync files or start threads.
const MUTATIONS: u64 = 5_000;
const MUTATIONS_OF_SLOW: u64 = 250;
const SLOW: [&str; 3] = ["export", "pack", "salvage"];

#[test]
fn whatever_the_bytes_every_reader_answers_and_keeps_its_promises() {
    for target in TARGETS {
        let seeds = (target.seeds)();
        let run = |input: &[u8], which: &str| {
            let outcome = catch_unwind(AssertUnwindSafe(|| target.run(input)));
            assert!(outcome.is_ok(), "{} fails on {which}: {}", target.name, hex(input));
        };
        for (number, seed) in seeds.iter().enumerate() {
            assert!(seed.len() <= target.input_bytes_max, "a seed of {} is too long", target.name);
            run(seed, &format!("seed {number}"));
        }
        run(&[], "nothing");
        let count = if SLOW.contains(&target.name) { MUTATIONS_OF_SLOW } else { MUTATIONS };
        for number in 0..count {
            let input = mutated(target.name, number, &seeds);
            run(&input, &format!("mutation {number}"));
        }
    }
}
