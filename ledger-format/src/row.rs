//! A JSON object being written, column after column, in the form of SPEC §4. Knows no event.

use crate::line::LineError;

/// A line being written.
pub(crate) struct Row(String);

impl Default for Row {
    /// With room for an ordinary event.
    fn default() -> Self {
        Self::with_capacity(2_048)
    }
}

impl Row {
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self(String::with_capacity(bytes))
    }

    /// A text of which it is known that no character needs an escape: most of a line is hexadecimal
    /// digits.
    pub(crate) fn plain(&mut self, column: &str, text: &str) {
        self.name(column);
        self.0.push('"');
        self.0.push_str(text);
        self.0.push('"');
    }

    /// Any text; null without one.
    pub(crate) fn escaped(&mut self, column: &str, text: Option<&str>) -> Result<(), LineError> {
        self.name(column);
        let text = serde_json::to_string(&text);
        self.0.push_str(&text.map_err(|error| LineError::Json(error.to_string()))?);
        Ok(())
    }

    pub(crate) fn number(&mut self, column: &str, number: u64) {
        self.name(column);
        self.0.push_str(&number.to_string());
    }

    pub(crate) fn boolean(&mut self, column: &str, truth: bool) {
        self.name(column);
        self.0.push_str(if truth { "true" } else { "false" });
    }

    pub(crate) fn null(&mut self, column: &str) {
        self.name(column);
        self.0.push_str("null");
    }

    fn name(&mut self, column: &str) {
        self.0.push_str(if self.0.is_empty() { "{\"" } else { ",\"" });
        self.0.push_str(column);
        self.0.push_str("\":");
    }

    pub(crate) fn finish(mut self) -> String {
        self.0.push('}');
        self.0
    }
}
