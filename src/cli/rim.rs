//! The rim of the program: a panic below it is a defect, and is reported like any other failure.

use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::{Mutex, PoisonError};

use crate::diagnostic::{Failure, INTERNAL};

/// The newest panic: what it said and where it began.
static NEWEST: Mutex<Option<(String, Option<String>)>> = Mutex::new(None);

/// Runs `work`; a panic in it becomes a failure. It reaches the terminal only when a backtrace is
/// asked for with `RUST_BACKTRACE`.
pub(super) fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, Failure> {
    let usual = panic::take_hook();
    let traced = std::env::var_os("RUST_BACKTRACE").is_some_and(|value| value != "0");
    panic::set_hook(Box::new(move |panic| {
        *newest() = Some((said(panic), panic.location().map(ToString::to_string)));
        if traced {
            usual(panic);
        }
    }));
    // Nothing that `work` may have left half done is looked at again: the program ends.
    let result = panic::catch_unwind(AssertUnwindSafe(work));
    result.map_err(|_| {
        let (said, place) = newest().take().unwrap_or_default();
        let failure = Failure::new(&INTERNAL, format!("the program failed: {said}"))
            .not_done("the command stopped half-way");
        place.into_iter().fold(failure, Failure::at)
    })
}

fn newest() -> std::sync::MutexGuard<'static, Option<(String, Option<String>)>> {
    NEWEST.lock().unwrap_or_else(PoisonError::into_inner)
}

fn said(panic: &PanicHookInfo<'_>) -> String {
    panic.payload_as_str().unwrap_or("no reason was given").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_failure_that_names_its_place() {
        assert_eq!(guarded(|| 7), Ok(7));
        let failure = guarded(|| -> u8 { panic!("two and two are {}", 5) }).unwrap_err();
        assert_eq!(failure.code, &INTERNAL);
        assert_eq!(failure.message, "the program failed: two and two are 5");
        assert!(failure.place.unwrap().contains("rim.rs:"));
    }
}
