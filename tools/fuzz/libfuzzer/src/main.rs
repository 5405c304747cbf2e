//! The target that the environment variable `FUZZ_TARGET` names, under libFuzzer.

#![no_main]

use std::sync::OnceLock;

use fuzz::Target;
use libfuzzer_sys::fuzz_target;

static TARGET: OnceLock<&'static Target> = OnceLock::new();

fuzz_target!(
    init: {
        let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
        let target = Target::named(&name).unwrap_or_else(|| panic!("FUZZ_TARGET names no target: {name:?}"));
        TARGET.set(target).unwrap_or_else(|_| panic!("called twice"));
    },
    |input: &[u8]| TARGET.get().expect("set before the first input").run(input)
);
