//! Randomness.

use sha2::{Digest as _, Sha256};

/// The machine gave no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("the system gave no random bytes: {reason}")]
pub struct NoRandomness {
    reason: String,
}

/// Gives bytes nobody can foresee.
pub trait Random: Send + Sync {
    /// 32 fresh bytes.
    fn bytes32(&mut self) -> Result<[u8; 32], NoRandomness>;
}

/// The operating system's generator.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn bytes32(&mut self) -> Result<[u8; 32], NoRandomness> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|error| NoRandomness { reason: error.to_string() })?;
        Ok(bytes)
    }
}

/// A fixed sequence: SHA-256 over a seed and a counter.
#[derive(Debug, Clone)]
pub struct FixedRandom {
    seed: [u8; 32],
    drawn: u64,
}

impl FixedRandom {
    /// The sequence of `seed`.
    pub const fn new(seed: [u8; 32]) -> Self {
        Self { seed, drawn: 0 }
    }
}

impl Random for FixedRandom {
    fn bytes32(&mut self) -> Result<[u8; 32], NoRandomness> {
        let mut hasher = Sha256::new();
        hasher.update(self.seed);
        hasher.update(self.drawn.to_be_bytes());
        self.drawn += 1;
        Ok(hasher.finalize().into())
    }
}
