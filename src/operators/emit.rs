//! `Glyphser.Error.Emit`: an error as a record, made of what the catalogue says of its code.

use serde::{Deserialize, Serialize};

use super::registry::ERROR_EMIT;
use crate::diagnostic::{self, Code, Severity};
use crate::document::{Map, Pointer, Value};

/// An error in the form in which operators emit it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorRecord {
    /// Its code.
    pub code_id: String,
    /// The code's number.
    pub numeric_code: u16,
    /// The area the number lies in.
    pub category: String,
    /// `FATAL`, `ERROR` or `WARN`.
    pub severity: String,
    /// Whether the same call may succeed later.
    pub retryable: bool,
    /// The operator that failed.
    pub operator_id: String,
    /// Where, as an RFC 6901 pointer.
    pub path: String,
    /// What happened.
    pub message: String,
    /// What to do.
    pub remediation: String,
}

/// The record of an error under a registered code. A code that is not registered cannot be emitted.
pub fn emit(
    code_id: &str,
    operator_id: &str,
    path: &Pointer,
    message: &str,
) -> Result<ErrorRecord, ErrorRecord> {
    let registered = diagnostic::CATALOGUE.iter().find(|code| code.id == code_id);
    match registered {
        Some(code) => Ok(ErrorRecord::of(code, operator_id, path.to_string(), message)),
        None => {
            let message = format!("{code_id} is no registered code");
            Err(ErrorRecord::of(
                &diagnostic::CODE_UNREGISTERED,
                ERROR_EMIT,
                "/code_id",
                message,
            ))
        }
    }
}

impl ErrorRecord {
    pub(super) fn of(
        code: &'static Code,
        operator_id: &str,
        path: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            code_id: code.id.to_owned(),
            numeric_code: code.number,
            category: code.category().to_owned(),
            severity: severity(code.severity).to_owned(),
            retryable: code.retryable,
            operator_id: operator_id.to_owned(),
            path: path.into(),
            message: message.into(),
            remediation: code.remedy.to_owned(),
        }
    }

    /// The record as a value.
    pub fn to_value(&self) -> Value {
        let texts = |value: &String| Value::text(value.as_str());
        let entries: [(&str, Value); 9] = [
            ("code_id", texts(&self.code_id)),
            ("numeric_code", i64::from(self.numeric_code).into()),
            ("category", texts(&self.category)),
            ("severity", texts(&self.severity)),
            ("retryable", self.retryable.into()),
            ("operator_id", texts(&self.operator_id)),
            ("path", texts(&self.path)),
            ("message", texts(&self.message)),
            ("remediation", texts(&self.remediation)),
        ];
        entries.into_iter().collect::<Map>().into()
    }
}

const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Fatal => "FATAL",
        Severity::Error => "ERROR",
        Severity::Warn => "WARN",
    }
}
