//! What a text has beside its values, and loses when it is written again.

use std::fmt;

use serde::Serialize;

/// One thing of a text that its style does not describe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct LostForm {
    /// Its line, from 1.
    pub line: usize,
    /// What it is.
    pub what: FormKind,
}

/// Kinds of form that are lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FormKind {
    /// A comment.
    Comment,
    /// The name of a place, which nothing refers to.
    Anchor,
    /// A list or map in brackets.
    Brackets,
    /// Quotation marks, escapes or blocks other than the writer's, or none where it writes some.
    Quoting,
    /// `null`, `true` or `false` in another notation.
    Notation,
    /// Characters written as escapes, or escapes written as characters. Only the first such line is told.
    Escapes,
    /// Lines that end otherwise than the others. Only the first such line is told.
    LineEnds,
    /// Spaces, empty lines, marks around the document. Only the first such line is told.
    Spacing,
}

impl fmt::Display for LostForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.what {
            FormKind::Comment => "a comment",
            FormKind::Anchor => "an anchor",
            FormKind::Brackets => "a list or map in brackets",
            FormKind::Quoting => "how a text is quoted",
            FormKind::Notation => "how a value is written",
            FormKind::Escapes => "how characters are escaped",
            FormKind::LineEnds => "how lines end",
            FormKind::Spacing => "spacing",
        };
        write!(f, "line {}: {what}", self.line)
    }
}

/// The first line in which `written` differs from `text`, as spacing; nothing if they are equal.
pub(super) fn spacing(text: &[u8], written: &[u8]) -> Option<LostForm> {
    let same = text.iter().zip(written).take_while(|(a, b)| a == b).count();
    let line = text.get(..same)?.split(|byte| *byte == b'\n').count();
    (text != written).then_some(LostForm { line, what: FormKind::Spacing })
}
