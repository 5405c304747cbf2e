//! A disk that fails on purpose: a file system in memory, served to the kernel over FUSE, so that a
//! whole program with its store engine and its database writes to it without knowing.
//!
//! [`Disk`] is the model: what programs see, what would still be there after the power went, and in
//! which order the difference came about. [`Fault`] says which call is to fail, and how. [`Mounted`]
//! serves a disk and keeps count; [`Keeper`] has another process do that, as it must be.
//!
//! Knows nothing of what is stored on it. Never makes up bytes that nobody wrote.

mod content;
mod cut;
mod disk;
mod fault;
mod keeper;
mod mount;
mod seed;

pub use disk::Disk;
pub use fault::{Call, Counts, Effect, Fault};
pub use keeper::{DiskId, Keeper, NotAFault, keep};
pub use mount::{Mounted, unavailable};
pub use seed::Draw;
