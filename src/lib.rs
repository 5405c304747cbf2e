//! lib
pub mod log;
