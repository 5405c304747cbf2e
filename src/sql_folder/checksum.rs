//! The checksums that tools keep of migrations.

/// How wide refinery takes a version to be when it computes a checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// 32 bits, as it does unless told otherwise.
    Four,
    /// 64 bits, with its feature `int8-versions` and before version 0.3.
    Eight,
}
