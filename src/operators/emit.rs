//! `Glyphser.Error.Emit`: an error as a record, made of what the catalogue says of its code.

use super::registry::ERROR_EMIT;
use crate::diagnostic::{self, Code, Severity};
use crate::document::{Map, Pointer, Value};

/// An error in the form in which operators emit it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message} ({})", code.id)]
pub struct ErrorRecord {
    /// Its code, with number, category, severity and what to do.
    pub code: &'static Code,
    /// The operator that failed.
    pub operator_id: String,
    /// Where, as an RFC 6901 pointer into what it was called with.
    pub path: String,
    /// What happened.
    pub message: String,
}

/// The record of an error under a registered code. A code that is not registered cannot be emitted.
pub fn emit(
    code_id: &str,
    operator_id: &str,
    path: &Pointer,
    message: &str,
) -> Result<ErrorRecord, ErrorRecord> {
    if let Some(code) = diagnostic::CATALOGUE.iter().find(|code| code.id == code_id) {
        return Ok(ErrorRecord::of(code, operator_id, path.to_string(), message));
    }
    let message = format!("{code_id} is no registered code");
    Err(ErrorRecord::of(&diagnostic::CODE_UNREGISTERED, ERROR_EMIT, "/code_id", message))
}

impl ErrorRecord {
    pub(super) fn of(
        code: &'static Code,
        operator_id: &str,
        path: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        let operator_id = operator_id.to_owned();
        Self { code, operator_id, path: path.into(), message: message.into() }
    }

    /// The record as a value.
    pub fn to_value(&self) -> Value {
        let text = |text: &str| Value::text(text);
        let entries: [(&str, Value); 9] = [
            ("code_id", text(self.code.id)),
            ("numeric_code", i64::from(self.code.number).into()),
            ("category", text(self.code.category())),
            ("severity", text(severity(self.code.severity))),
            ("retryable", self.code.retryable.into()),
            ("operator_id", text(&self.operator_id)),
            ("path", text(&self.path)),
            ("message", text(&self.message)),
            ("remediation", text(self.code.remedy)),
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
