//! What Diesel's `metadata.toml` says beside a migration, as `migrations_internals` reads it.

use serde::Deserialize;

use super::error::Trouble;
use super::folder::Transaction;
use super::tree::Tree;

/// Diesel's own reading of the file: what is there and does not say otherwise means no transaction.
#[derive(Deserialize)]
struct Metadata {
    #[serde(default)]
    run_in_transaction: bool,
}

/// Whether Diesel puts a transaction around the script `file`.
pub(super) fn transaction(tree: &Tree, file: &str) -> Result<Transaction, Trouble> {
    let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
    let path = format!("{folder}/metadata.toml");
    let Some(bytes) = tree.file(&path) else {
        return if tree.has(&path) {
            Err(Trouble::NotAFile { file: path, what: "a folder or link" })
        } else {
            Ok(Transaction::One)
        };
    };
    let text = std::str::from_utf8(bytes)
        .map_err(|error| Trouble::NotUtf8 { file: path.clone(), at: error.valid_up_to() })?;
    // Diesel takes a file that it cannot read for one that is not there; nobody wants that.
    let metadata: Metadata = toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        let line = text.get(..at).unwrap_or(text).matches('\n').count() + 1;
        Trouble::Directive { file: path, line, reason: "no TOML that Diesel would read" }
    })?;
    Ok(if metadata.run_in_transaction { Transaction::One } else { Transaction::None })
}
