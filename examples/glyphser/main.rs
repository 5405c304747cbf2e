//! Writes the example objects of `fixtures/glyphser` and the vectors of the operators:
//!
//! ```text
//! cargo run --example glyphser -- fixtures/glyphser src/operators/vectors
//! ```
//!
//! Only for a change that is meant. The tests that read these files never write them.

#![expect(clippy::indexing_slicing, reason = "a wrong name in JSON that is made here is to fail")]

mod set;
mod vectors;

use std::path::{Path, PathBuf};

type Made<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Made<()> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(fixtures), Some(vectors)) = (arguments.next(), arguments.next()) else {
        return Err("usage: glyphser FIXTURES VECTORS".into());
    };
    for (name, text) in set::files()? {
        write(&fixtures.join(name), &text)?;
    }
    for (name, text) in vectors::files()? {
        write(&vectors.join(name), &text)?;
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Made<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()).into())
}
