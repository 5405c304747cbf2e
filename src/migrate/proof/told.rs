//! What is said of proofs that cannot be made, kept or believed.

use super::{ProofFileError, ProveError};
use crate::diagnostic::{
    CASES_UNSUPPORTED, Failure, IO, OUTCOME_INVALID, PROOF_INVALID, PROOF_TAKEN,
};
use crate::failure::plainly;
use crate::schema::cases::CasesError;

impl From<ProofFileError> for Failure {
    fn from(error: ProofFileError) -> Self {
        let (code, path) = match &error {
            ProofFileError::Io { path, .. } => (&IO, path),
            ProofFileError::NoFolder { path } | ProofFileError::Taken { path } => {
                (&PROOF_TAKEN, path)
            }
            ProofFileError::Form { path, .. }
            | ProofFileError::Edited { path, .. }
            | ProofFileError::Contradicts { path, .. } => (&PROOF_INVALID, path),
        };
        plainly(code, &error).at(path)
    }
}

impl From<ProveError> for Failure {
    fn from(error: ProveError) -> Self {
        Self::from(&error)
    }
}

impl From<&ProveError> for Failure {
    fn from(error: &ProveError) -> Self {
        let failure = match error {
            ProveError::Unsupported { .. } => plainly(&OUTCOME_INVALID, error),
            ProveError::Cases(CasesError::Unsupported { place, .. }) => {
                plainly(&CASES_UNSUPPORTED, error).at(place.to_string())
            }
            ProveError::Cases(CasesError::NoneValid { .. })
            | ProveError::NoSchema { .. }
            | ProveError::Unwritable { .. } => plainly(&CASES_UNSUPPORTED, error),
            ProveError::Reread(_) | ProveError::Thread(_) => plainly(&IO, error),
        };
        failure.not_done("no proof was made, and nothing was written")
    }
}
