//! What a YAML text loses when its value is written again.

use std::ops::RangeInclusive;

use granit_parser::{Event, Parser, ScalarStyle, Span, StructureStyle};

use super::super::Value;
use super::super::lost_form::{FormKind, LostForm, spacing};
use super::Style;
use super::read::{Comments, options};
use super::scalar::resolve;
use super::write::{Quoting, quoted, quoting, write};

/// Everything of `text`, which reads as `value` in `style`, that writing it again does not bring back, in order of lines. The writer
/// keeps no comment, no bracket around something, and one way of quoting each text.
pub fn lost_form(text: &[u8], value: &Value, style: &Style) -> Vec<LostForm> {
    let (Ok(text), Ok(written)) = (std::str::from_utf8(text), write(value, style)) else {
        return Vec::new();
    };
    if text == written {
        return Vec::new();
    }
    let mut lost = Lost { text, style, found: Vec::new(), brackets: 0, texts: Vec::new() };
    for next in Parser::new_from_str_with_options(text, options(Comments::Told)) {
        // A text that was read is read again without an error.
        let Ok((event, span)) = next else { break };
        lost.look(&event, &span);
    }
    lost.empty_line();
    let mut found = lost.found;
    if found.is_empty() {
        found.extend(spacing(text.as_bytes(), written.as_bytes()));
    }
    found.sort_unstable();
    found.dedup();
    found
}

struct Lost<'a> {
    text: &'a str,
    style: &'a Style,
    found: Vec<LostForm>,
    /// How many brackets are open.
    brackets: usize,
    /// Lines of texts that go over several.
    texts: Vec<RangeInclusive<usize>>,
}

impl Lost<'_> {
    fn look(&mut self, event: &Event<'_>, span: &Span) {
        match event {
            Event::Comment(..) => self.note(span, FormKind::Comment),
            Event::Anchor(..) => self.note(span, FormKind::Anchor),
            Event::SequenceStart(StructureStyle::Flow, ..)
            | Event::MappingStart(StructureStyle::Flow, ..) => {
                self.open(span);
            }
            Event::SequenceEnd | Event::MappingEnd
                if span.slice(self.text).is_some_and(|end| !end.is_empty()) =>
            {
                self.brackets = self.brackets.saturating_sub(1);
            }
            Event::Scalar(text, style, ..) => self.scalar(text, *style, span),
            _ => {}
        }
    }

    /// Only the outermost brackets are told, and none around nothing: those are written again.
    fn open(&mut self, span: &Span) {
        let rest =
            span.byte_range().and_then(|range| self.text.get(range.end..)).unwrap_or_default();
        if self.brackets == 0 && !rest.starts_with([']', '}']) {
            self.note(span, FormKind::Brackets);
        }
        self.brackets += 1;
    }

    /// The first empty line outside of texts.
    fn empty_line(&mut self) {
        let mut texts = self.texts.iter().peekable();
        for (number, line) in (1..).zip(self.text.lines()) {
            while texts.next_if(|lines| *lines.end() < number).is_some() {}
            if line.trim().is_empty() && texts.peek().is_none_or(|lines| !lines.contains(&number)) {
                self.found.push(LostForm { line: number, what: FormKind::Spacing });
                return;
            }
        }
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, span: &Span) {
        let stands = span.slice(self.text).unwrap_or_default();
        if span.start.line() < span.end.line() {
            self.texts.push(span.start.line()..=span.end.line());
        }
        if style != ScalarStyle::Plain {
            return self.quoted(text, style, stands, span);
        }
        match resolve(text) {
            Ok(Value::Text(_)) if stands != text || quoting(text, self.style) != Quoting::Plain => {
                self.note(span, FormKind::Quoting);
            }
            Ok(Value::Null) if stands != "null" => self.note(span, FormKind::Notation),
            Ok(Value::Bool(truth)) if stands != if truth { "true" } else { "false" } => {
                self.note(span, FormKind::Notation);
            }
            _ => {}
        }
    }

    fn quoted(&mut self, text: &str, style: ScalarStyle, stands: &str, span: &Span) {
        let mut escaped = String::new();
        quoted(text, &mut escaped);
        let kept = match quoting(text, self.style) {
            Quoting::Plain => false,
            Quoting::Quoted => stands == escaped,
            Quoting::Block => style == ScalarStyle::Literal,
        };
        if !kept {
            self.note(span, FormKind::Quoting);
        }
    }

    fn note(&mut self, span: &Span, what: FormKind) {
        self.found.push(LostForm { line: span.start.line(), what });
    }
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;

    fn lost(text: &str) -> Vec<String> {
        let yaml = read(text.as_bytes()).unwrap();
        lost_form(text.as_bytes(), &yaml.value, &yaml.style)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn everything_that_is_lost_is_told_with_its_line() {
        let text = "\
# about
a: 'x'  # why
b: [1, {c: 2}]
d: &name
  e: True
f: ~

g: >-
  folded
  text
h: {}
";
        assert_eq!(
            lost(text),
            [
                "line 1: a comment",
                "line 2: a comment",
                "line 2: how a text is quoted",
                "line 3: a list or map in brackets",
                "line 4: an anchor",
                "line 5: how a value is written",
                "line 6: how a value is written",
                "line 7: spacing",
                "line 9: how a text is quoted",
            ]
        );
        assert_eq!(lost("a:   1\n"), ["line 1: spacing"]);
        assert_eq!(lost("a: 1\n\nb: 2\n"), ["line 2: spacing"]);
        assert_eq!(lost("a: on\nb: \"on\"\n"), ["line 2: how a text is quoted"]);
    }

    #[test]
    fn what_the_writer_would_write_loses_nothing() {
        for text in ["a: 1\nb:\n  - x\n", "- a: |\n    x\n    y\n  b: null\n", "--- \n", "---\nx\n"]
        {
            let yaml = read(text.as_bytes());
            assert!(yaml.is_err() || lost(text).is_empty(), "{text}");
        }
    }
}
