//! What reaches in from outside: the clock, randomness, the signer, the disk's promise to keep and its room. As traits with a real and a
//! fixed version each, so that nothing else in the library asks the machine for them.

mod clock;
mod random;
mod signer;
pub(crate) mod space;
pub(crate) mod syncs;

pub use clock::{Clock, FixedClock, SystemClock};
pub use random::{FixedRandom, NoRandomness, Random, SystemRandom};
pub use signer::{KeySigner, Signer};
pub use syncs::{KernelSyncs, Syncs};
