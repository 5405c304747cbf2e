//! What reaches in from outside: the clock, randomness, the signer. As traits with a real and a
//! fixed version each, so that nothing else in the library asks the machine for them.

mod clock;
mod random;
mod signer;

pub use clock::{Clock, FixedClock, SystemClock};
pub use random::{FixedRandom, Random, SystemRandom};
pub use signer::{KeySigner, Signer};
