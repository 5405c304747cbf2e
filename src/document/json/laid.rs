//! Whether a JSON text stands as it would be written again, told while it is read. Knows what lies between values, and no
//! value.

use super::style::{Style, line_and_indent};

/// What was seen of it so far.
#[derive(Debug)]
pub(super) struct Laid<'a> {
    /// Whether all so far stands so. What cannot be told at once does not.
    holds: bool,
    /// What a line begins with for each level of nesting, if values have lines of their own.
    indent: Option<&'a str>,
    /// What lies before a value of each level, as it was found right; that of no level first.
    lines: Vec<&'a str>,
}

impl<'a> Laid<'a> {
    pub(super) const fn new() -> Self {
        Self { holds: true, indent: None, lines: Vec::new() }
    }

    /// Takes note of the space behind the outermost opening bracket, which tells how all others should be.
    pub(super) fn opens(&mut self, opening: &'a str) {
        let (newline, indent) = line_and_indent(opening);
        self.indent = indent;
        self.lines.push(newline);
    }

    /// Takes note of something of which it cannot be told.
    pub(super) const fn doubt(&mut self) {
        self.holds = false;
    }

    /// Takes note of space where this should lie.
    pub(super) fn is(&mut self, space: &str, expected: &str) {
        self.holds &= space == expected;
    }

    /// Takes note of space before a value or closing bracket of that level.
    pub(super) fn line(&mut self, space: &'a str, level: usize) {
        if self.holds {
            self.holds = match (self.indent, self.lines.get(level)) {
                (None, _) => space.is_empty(),
                (Some(_), Some(line)) => *line == space,
                (Some(indent), None) => self.is_next(space, indent),
            };
        }
    }

    /// Takes note of space behind a comma; `first` lies behind the first one.
    pub(super) fn comma(&mut self, space: &'a str, first: &str, level: usize) {
        if self.indent.is_some() { self.line(space, level) } else { self.is(space, first) }
    }

    /// Whether all of a text stands so that is of this style.
    pub(super) fn holds(&self, style: &Style) -> bool {
        let line = self.lines.first().copied();
        self.holds && line.is_none_or(|line| line == style.newline)
    }

    /// Levels are entered one by one, so this is the first line of the one behind those that are known.
    fn is_next(&mut self, space: &'a str, indent: &str) -> bool {
        let above = self.lines.last().copied().unwrap_or_default();
        let right = space.strip_prefix(above) == Some(indent);
        if right {
            self.lines.push(space);
        }
        right
    }
}
