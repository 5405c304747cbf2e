//! Ctrl-C: a run that is under way stops where that is safe. A second one ends the program at once, which is as safe as
//! being killed and leaves more to be done again.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::diagnostic::Exit;

static STOP: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// From now on an interruption is noticed by [`wanted`] and does not end the program.
pub(super) fn listen() -> io::Result<()> {
    let stop = STOP.get_or_init(Arc::default);
    for signal in [SIGINT, SIGTERM] {
        flag::register_conditional_shutdown(signal, Exit::Interrupted as i32, Arc::clone(stop))?;
        flag::register(signal, Arc::clone(stop))?;
    }
    Ok(())
}

/// Whether an interruption was asked for since.
pub(super) fn wanted() -> bool {
    STOP.get().is_some_and(|stop| stop.load(Ordering::Relaxed))
}
