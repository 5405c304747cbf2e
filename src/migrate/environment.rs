//! What a run ran under: recorded with it, and left out of its claim.

use ledger_format::cbor::{self, Value};
use ledger_format::hash::ContentHash;

/// The environment of this program as canonical bytes: versions, platform, and the digest of the
/// lock file it was built from.
pub(super) fn bytes() -> Vec<u8> {
    let lockfile = ContentHash::of(include_bytes!("../../Cargo.lock"));
    cbor::map([
        ("tool", Value::from(concat!("glyph-ledger/", env!("CARGO_PKG_VERSION")))),
        ("sqlite", Value::from(rusqlite::version())),
        ("platform", Value::Text(format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS))),
        ("lockfile", lockfile.into()),
    ])
    .encode()
}
