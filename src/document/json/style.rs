//! How a JSON text is written: what lies between its values.

/// The style of a JSON text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Style {
    /// What a line begins with for each level of nesting; `None` if all stands on one line.
    pub indent: Option<Box<str>>,
    /// What ends a line.
    pub newline: &'static str,
    /// What follows a colon.
    pub colon: Box<str>,
    /// What follows a comma on the same line.
    pub comma: Box<str>,
    /// What follows the last value.
    pub end: Box<str>,
    /// Which characters are escaped.
    pub escapes: Escapes,
}

/// Which characters of a text are escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Escapes {
    /// Those that must be: quotation mark, backslash, control characters.
    Needed,
    /// Those, and every character beyond ASCII.
    AllButAscii,
}

/// Two spaces a level, one after a colon, a newline at the end: what most tools write.
impl Default for Style {
    fn default() -> Self {
        Self {
            indent: Some("  ".into()),
            newline: "\n",
            colon: " ".into(),
            comma: "".into(),
            end: "\n".into(),
            escapes: Escapes::Needed,
        }
    }
}

/// What was seen of a text's style while it was read. The first of each kind counts.
#[derive(Debug, Default)]
pub(super) struct Seen<'a> {
    /// Between the outermost bracket and its first value or its closing bracket.
    pub(super) opening: Option<&'a str>,
    pub(super) colon: Option<&'a str>,
    pub(super) comma: Option<&'a str>,
    pub(super) escaped_beyond_ascii: bool,
}

impl Seen<'_> {
    pub(super) fn style(&self, end: &str) -> Style {
        let (newline, indent) = line_and_indent(self.opening.unwrap_or_default());
        let newline = if end.ends_with("\r\n") { "\r\n" } else { newline };
        Style {
            indent: indent.map(Into::into),
            newline,
            colon: self.colon.unwrap_or_default().into(),
            comma: self.comma.filter(|_| indent.is_none()).unwrap_or_default().into(),
            end: end.into(),
            escapes: if self.escaped_beyond_ascii { Escapes::AllButAscii } else { Escapes::Needed },
        }
    }
}

/// What ends a line, and what the next one begins with for each level of nesting, by the space behind the outermost bracket.
pub(super) fn line_and_indent(opening: &str) -> (&'static str, Option<&str>) {
    match opening.rsplit_once('\n') {
        Some((line, indent)) if line.ends_with('\r') => ("\r\n", Some(indent)),
        Some((_, indent)) => ("\n", Some(indent)),
        None => ("\n", None),
    }
}
