//! A `.glyph` store: a folder of manifest, SQLite database and append-only audit file. Knows its
//! layout, its words and its built-in contract; knows no ledger.

mod audit_file;
mod create;
mod layout;
mod manifest;

use std::collections::BTreeMap;

use crate::contract::{Contract, ContractError, load_bytes};

pub use audit_file::{AUDIT_TAIL_BYTES_MAX, AuditError, AuditPrefix, migration_line, read_prefix};
pub use create::{CreateError, create};
pub use layout::Layout;
pub use manifest::{MANIFEST_BYTES_MAX, Manifest, ManifestError};

/// The contract of `.glyph` stores that this program was built with.
pub fn built_in_contract() -> Result<Contract, ContractError> {
    let scripts: [(&str, &[u8]); 3] = [
        (
            "0002_publication_semantics.sql",
            include_bytes!("glyph_store/contract/0002_publication_semantics.sql"),
        ),
        (
            "0002_declare_version.sql",
            include_bytes!("glyph_store/contract/0002_declare_version.sql"),
        ),
        ("0003_source_labels.sql", include_bytes!("glyph_store/contract/0003_source_labels.sql")),
    ];
    let scripts: BTreeMap<_, _> =
        scripts.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect();
    let text = include_bytes!("glyph_store/contract/contract.yaml");
    load_bytes("built-in contract glyph-store", text, scripts)
}

/// The version that a contract's token stands for in the manifest: `1-semantic` is a shape of 1.
pub fn manifest_version(token: &str) -> Option<u64> {
    token.split('-').next()?.parse().ok()
}
