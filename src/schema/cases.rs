//! Documents that a schema allows, made from a number: the same for the same number on every machine and in every version.
//!
//! A stated subset of JSON Schema is understood; what is not is named by its place, never passed over. Every document is
//! judged by the whole schema before it is handed out. Knows schemas and documents; no clock, no randomness but its seed.

mod dice;
mod make;
mod number;
mod shape;
mod shrink;
mod subset;
#[cfg(test)]
mod tests;
mod text;

use ledger_format::hash::CommitHash;

use super::Schema;
use crate::document::{Pointer, Value};
use dice::Dice;

pub use shrink::{STEPS_MAX, shrink};

/// How often a document is drawn anew before it is given up: what `oneOf`, `uniqueItems` and patterns refuse is drawn again.
const TRIES_MAX: u64 = 200;

/// Makes documents that a schema allows.
#[derive(Debug, Clone, Copy)]
pub struct Generator<'a> {
    schema: &'a Schema,
    contract: CommitHash,
}

/// A schema for which no documents can be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CasesError {
    /// A keyword that is not of the subset.
    #[error("schema {schema}: no documents can be made for `{keyword}` at {place}")]
    Unsupported {
        /// The schema's name.
        schema: String,
        /// Where the keyword stands.
        place: Pointer,
        /// The keyword, or what it says.
        keyword: String,
    },
    /// Everything that was drawn was refused by the schema.
    #[error("schema {schema}: none of {TRIES_MAX} documents drawn for case {case} is valid")]
    NoneValid {
        /// The schema's name.
        schema: String,
        /// The number of the case.
        case: u64,
    },
}

impl<'a> Generator<'a> {
    /// For `schema`, with the digest of the contract that it belongs to as part of every seed.
    pub fn new(schema: &'a Schema, contract: CommitHash) -> Result<Self, CasesError> {
        match subset::first_unsupported(schema.source()) {
            None => Ok(Self { schema, contract }),
            Some((place, keyword)) => {
                Err(CasesError::Unsupported { schema: schema.name().to_owned(), place, keyword })
            }
        }
    }

    /// The document number `case`. The first ones lean towards the edges: 0 is as small as the schema allows, 1 as large.
    pub fn case(&self, case: u64) -> Result<Value, CasesError> {
        let drawn = (0..TRIES_MAX).filter_map(|attempt| {
            let mut dice = Dice::new(&self.contract, case, attempt);
            make::document(self.schema.source(), make::Lean::of(case), &mut dice)
        });
        let mut valid = drawn.filter(|document| self.schema.is_valid(document));
        valid
            .next()
            .ok_or_else(|| CasesError::NoneValid { schema: self.schema.name().to_owned(), case })
    }
}
