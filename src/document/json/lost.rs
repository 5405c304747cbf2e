//! What of a JSON text is lost when its value is written again: the two are taken apart into tokens and what lies between
//! them, and compared piece by piece.

use super::super::lost_form::{FormKind, LostForm};

/// What differs between `text` and `written`, which say the same: the first line of each kind, in order of lines.
pub(in crate::document) fn lost_form(text: &[u8], written: &[u8]) -> Vec<LostForm> {
    if text == written {
        return Vec::new();
    }
    let mut first: [Option<usize>; 3] = [None; 3];
    let mut line = 1;
    for (ours, theirs) in Pieces(text).zip(Pieces(written)) {
        let differs = [
            ours.token != theirs.token,
            is_crlf(ours.space) != is_crlf(theirs.space),
            !same_space(ours.space, theirs.space),
        ];
        // A token stands after the lines of the space before it.
        let lines = ours.space.split(|byte| *byte == b'\n').count() - 1;
        let at = [line + lines, line, line + lines_alike(ours.space, theirs.space)];
        for ((first, differs), at) in first.iter_mut().zip(differs).zip(at) {
            if differs && first.is_none() {
                *first = Some(at);
            }
        }
        line += lines;
    }
    let kinds = [FormKind::Escapes, FormKind::LineEnds, FormKind::Spacing];
    let lost = first.into_iter().zip(kinds);
    let mut lost: Vec<LostForm> =
        lost.filter_map(|(line, what)| line.map(|line| LostForm { line, what })).collect();
    if lost.is_empty() {
        // One of them goes on where the other ends.
        lost.push(LostForm { line, what: FormKind::Spacing });
    }
    lost.sort();
    lost
}

/// Whether some line in it ends with carriage return and newline.
fn is_crlf(space: &[u8]) -> bool {
    space.contains(&b'\r')
}

/// Whether two stretches of space are equal but for how their lines end.
fn same_space(one: &[u8], other: &[u8]) -> bool {
    one == other || without_returns(one).eq(without_returns(other))
}

/// How many lines end before two stretches of space differ.
fn lines_alike(one: &[u8], other: &[u8]) -> usize {
    let alike = without_returns(one).zip(without_returns(other)).take_while(|(a, b)| a == b);
    alike.filter(|(byte, _)| *byte == b'\n').count()
}

fn without_returns(space: &[u8]) -> impl Iterator<Item = u8> {
    space.iter().copied().filter(|byte| *byte != b'\r')
}

/// A token with the space before it; at the end of the text the space alone.
struct Piece<'a> {
    space: &'a [u8],
    token: &'a [u8],
}

struct Pieces<'a>(&'a [u8]);

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        if self.0.is_empty() {
            return None;
        }
        let is_space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        let space = self.0.iter().take_while(|byte| is_space(byte)).count();
        let (space, rest) = self.0.split_at(space);
        let (token, rest) = rest.split_at(token_length(rest));
        self.0 = rest;
        Some(Piece { space, token })
    }
}

/// How long the token is that a text begins with: a string, or one byte of anything else.
fn token_length(text: &[u8]) -> usize {
    if text.first() != Some(&b'"') {
        return text.len().min(1);
    }
    let mut escaped = false;
    for (at, byte) in text.iter().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str, written: &str) -> Vec<String> {
        let lost = lost_form(text.as_bytes(), written.as_bytes());
        lost.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn escapes_line_ends_and_spacing_are_told_apart() {
        assert!(told("{\n \"a\": 1}\n", "{\n \"a\": 1}\n").is_empty());
        let escapes = told("[\n\"\\u0041\"]", "[\n\"A\"]");
        assert_eq!(escapes, ["line 2: how characters are escaped"]);
        assert_eq!(told("[\n1,\r\n2]", "[\n1,\n2]"), ["line 2: how lines end"]);
        assert_eq!(told("[1,  2]", "[1, 2]"), ["line 1: spacing"]);
        let all = told("[\r\n\n\"\\/\"]", "[\n\"/\"]");
        assert_eq!(
            all,
            ["line 1: how lines end", "line 2: spacing", "line 3: how characters are escaped"]
        );
        assert_eq!(told("[]\n\n", "[]"), ["line 1: spacing"]);
        assert_eq!(told("[\"a\\\"  b\" ]", "[\"a\\\"  b\"]"), ["line 1: spacing"]);
    }
}
