//! A `.glyph` store: a folder of manifest, SQLite database and append-only audit file. Knows its
//! layout and its words; knows no ledger.

mod audit_file;
mod content;
mod create;
mod layout;
mod manifest;
mod tables;
mod unfinished;

use crate::contract::{Contract, ContractError, registry};

pub use audit_file::{AUDIT_TAIL_BYTES_MAX, AuditError, AuditPrefix, migration_line, read_prefix};
pub use content::{
    CONTENT_LISTED_MAX, ContentFileError, ContentFiles, ContentRow, Listed, look_at_content,
};
pub use create::{CreateError, create};
pub use layout::Layout;
pub use manifest::{MANIFEST_BYTES_MAX, Manifest, ManifestError};
pub use tables::{Tables, sort_tables};

/// The contract of `.glyph` stores that this program was built with.
pub fn built_in_contract() -> Result<Contract, ContractError> {
    registry::load_named("glyph-store")
}

/// The version that a contract's token stands for in the manifest: `1-semantic` is a shape of 1.
pub fn manifest_version(token: &str) -> Option<u64> {
    token.split('-').next()?.parse().ok()
}
