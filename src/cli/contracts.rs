//! Which contract an argument means: a file, or a built-in one by its name.

use std::path::Path;

use crate::contract::{ContractError, Source, registry};

/// The contract in the file `argument`, or, if there is no such file, the built-in one of that name.
pub(super) fn named(argument: &str) -> Result<Source, ContractError> {
    let path = Path::new(argument);
    // What is neither there nor written like a file's name can only be meant as a name.
    let is_name = path.extension().is_none() && path.components().count() == 1;
    if !path.exists() && (is_name || registry::names().any(|name| name == argument)) {
        return registry::source_named(argument);
    }
    Source::read(path)
}
