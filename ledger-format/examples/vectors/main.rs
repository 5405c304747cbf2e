//! Writes the known-answer vectors of SPEC.md into a folder:
//!
//! ```text
//! cargo run -p ledger-format --example vectors -- ledger-format/vectors
//! ```
//!
//! Only for a change of the format that is meant. The test that compares the vectors with the code
//! never writes them.

mod history;
mod make;

use std::path::PathBuf;

fn main() -> make::Made<()> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from);
    let folder = folder.ok_or("usage: vectors FOLDER")?;
    for (name, text) in make::files()? {
        let path = folder.join(name);
        std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}
