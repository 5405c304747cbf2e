//! Which contract an argument means: a file, or a built-in one by its name.

use std::path::Path;

use crate::contract::{ContractError, Source, registry};

/// The contract in the file `argument`, or, if there is no such file, the built-in one of that name.
pub(super) fn named(argument: &str) -> Result<Source, ContractError> {
    let path = Path::new(argument);
    if !path.exists() && registry::names().any(|name| name == argument) {
        return registry::source_named(argument);
    }
    Source::read(path)
}
