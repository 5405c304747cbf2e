//! The clock.

use std::time::{SystemTime, UNIX_EPOCH};

use ledger_format::event::SEQ_MAX;

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Milliseconds since the Unix epoch; 0 for a clock before it.
    fn now_ms(&self) -> u64;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(SEQ_MAX).min(SEQ_MAX)
    }
}

/// A clock that stands still.
#[derive(Debug, Clone, Copy)]
pub struct FixedClock(
    /// Milliseconds since the Unix epoch.
    pub u64,
);

impl Clock for FixedClock {
    fn now_ms(&self) -> u64 {
        self.0
    }
}
