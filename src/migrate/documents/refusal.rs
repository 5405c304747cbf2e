//! Why a document is not migrated. One document can be refused for several reasons.

use serde::Serialize;

use crate::contract::{PathError, VersionError};
use crate::diagnostic::{
    Code, LOSS_UNDECLARED, MIGRATION_ABOVE_CURRENT, MIGRATION_BELOW_MINIMUM,
    MIGRATION_PATH_MISSING, MIGRATION_VERSION_AMBIGUOUS, MIGRATION_VERSION_TYPE,
    MIGRATION_VERSION_UNKNOWN, OUTCOME_INVALID, STEP_FAILED, STORE_INVALID,
};
use crate::document::{Pointer, ReadError, WriteError};
use crate::link::LinkError;
use crate::schema::Violation;
use crate::transform::{StepError, missing_parameter};

/// One reason why a document is not migrated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// The registered code.
    #[serde(serialize_with = "id")]
    pub code: &'static Code,
    /// Where in the document, if it is a place in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<Pointer>,
    /// What is wrong.
    pub message: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn id<S: serde::Serializer>(code: &&'static Code, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(code.id)
}

impl Refusal {
    pub(in crate::migrate) fn new(code: &'static Code, message: impl Into<String>) -> Self {
        Self { code, path: None, message: message.into() }
    }

    pub(super) fn at(self, path: Pointer) -> Self {
        Self { path: Some(path), ..self }
    }

    /// A value is lost that nobody declared.
    pub(super) fn undeclared(edge: &str, path: Pointer) -> Self {
        let message = format!("{edge} loses what stands at {path}, and does not declare it");
        Self::new(&LOSS_UNDECLARED, message).at(path)
    }

    /// The result is not what the contract says that it is.
    pub(super) fn outcome(message: impl Into<String>) -> Self {
        Self::new(&OUTCOME_INVALID, message)
    }
}

impl From<ReadError> for Refusal {
    fn from(error: ReadError) -> Self {
        Self::new(&STORE_INVALID, error.to_string())
    }
}

impl From<WriteError> for Refusal {
    fn from(error: WriteError) -> Self {
        Self::outcome(error.to_string())
    }
}

impl From<VersionError> for Refusal {
    fn from(error: VersionError) -> Self {
        let code = match &error {
            VersionError::Newer { .. } => &MIGRATION_ABOVE_CURRENT,
            VersionError::Older { .. } => &MIGRATION_BELOW_MINIMUM,
            VersionError::WrongType { .. } => &MIGRATION_VERSION_TYPE,
            VersionError::Unknown { .. } => &MIGRATION_VERSION_UNKNOWN,
            VersionError::Ambiguous { .. } | VersionError::Mixed { .. } => {
                &MIGRATION_VERSION_AMBIGUOUS
            }
        };
        Self::new(code, error.to_string())
    }
}

impl From<PathError> for Refusal {
    fn from(error: PathError) -> Self {
        Self::new(&MIGRATION_PATH_MISSING, error.to_string())
    }
}

impl From<StepError> for Refusal {
    fn from(error: StepError) -> Self {
        let (path, mut message) = (error.path.clone(), error.to_string());
        if let Some(name) = missing_parameter(&message) {
            message = format!("{message}; it is given with --set {name}=VALUE");
        }
        Self::new(&STEP_FAILED, message).at(path)
    }
}

impl From<Violation> for Refusal {
    fn from(violation: Violation) -> Self {
        let Violation { path, keyword, message } = violation;
        Self::outcome(format!("the result breaks its schema ({keyword}): {message}")).at(path)
    }
}

impl From<LinkError> for Refusal {
    fn from(error: LinkError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}
