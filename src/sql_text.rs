//! SQL read as tokens, before or without SQLite reading it: where white space, comments and quotations end. Knows no
//! grammar: what the tokens mean, and where a statement ends that holds others, its users say.

/// Marks of more than one character, longest first.
const MARKS: [&str; 10] = ["->>", "||", "<=", "<>", "<<", ">=", ">>", "==", "!=", "->"];

/// The tokens of a text: words, numbers, quotations with their quotes, and marks. White space and comments are none.
#[derive(Debug, Clone)]
pub(crate) struct Tokens<'a> {
    rest: &'a str,
}

impl<'a> Tokens<'a> {
    pub(crate) const fn of(sql: &'a str) -> Self {
        Self { rest: sql }
    }

    /// What stands behind the last token.
    pub(crate) const fn rest(&self) -> &'a str {
        self.rest
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let begun = after_space(self.rest);
        let (token, rest) = begun.split_at_checked(length(begun))?;
        self.rest = rest;
        (!token.is_empty()).then_some(token)
    }
}

/// `sql` without leading white space and comments. A byte order mark is white space to SQLite.
pub(crate) fn after_space(mut sql: &str) -> &str {
    loop {
        let rest = sql.trim_start_matches([' ', '\t', '\n', '\x0b', '\x0c', '\r', '\u{feff}']);
        let close = match rest.as_bytes() {
            [b'-', b'-', ..] => "\n",
            [b'/', b'*', ..] => "*/",
            _ => return rest,
        };
        sql = rest.get(until(rest, 2, close)..).unwrap_or_default();
    }
}

/// Length of the token that `sql` begins with. What is never closed reaches to the end.
fn length(sql: &str) -> usize {
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '$' || !c.is_ascii();
    match sql.as_bytes() {
        [] => 0,
        [b'x' | b'X', b'\'', ..] => until(sql, 2, "'"),
        // A doubled quote inside ends one quotation and begins the next, here and there alike.
        [b'\'', ..] => until(sql, 1, "'"),
        [b'"', ..] => until(sql, 1, "\""),
        [b'`', ..] => until(sql, 1, "`"),
        [b'[', ..] => until(sql, 1, "]"),
        [b'0'..=b'9', ..] | [b'.', b'0'..=b'9', ..] => {
            sql.find(|c| !is_word(c) && c != '.').unwrap_or(sql.len())
        }
        _ if sql.starts_with(is_word) => sql.find(|c| !is_word(c)).unwrap_or(sql.len()),
        _ => MARKS
            .into_iter()
            .find(|mark| sql.starts_with(mark))
            .map_or_else(|| sql.chars().next().map_or(0, char::len_utf8), str::len),
    }
}

fn until(sql: &str, from: usize, close: &str) -> usize {
    let inner = sql.get(from..).and_then(|inner| inner.find(close));
    inner.map_or(sql.len(), |at| from + at + close.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(sql: &str) -> Vec<&str> {
        Tokens::of(sql).collect()
    }

    #[test]
    fn words_numbers_quotations_and_marks_are_tokens() {
        for (sql, expected) in [
            ("SELECT a_1, é$ FROM\tt;", vec!["SELECT", "a_1", ",", "é$", "FROM", "t", ";"]),
            ("1.5 .5 1e-5 0xff", vec!["1.5", ".5", "1e", "-", "5", "0xff"]),
            (
                "x'0f' x 'a''b' \"q\" `r` [s t]",
                vec!["x'0f'", "x", "'a'", "'b'", "\"q\"", "`r`", "[s t]"],
            ),
            ("a->>b<=c||d", vec!["a", "->>", "b", "<=", "c", "||", "d"]),
            ("", vec![]),
        ] {
            assert_eq!(tokens(sql), expected, "{sql}");
        }
    }

    #[test]
    fn white_space_comments_and_a_byte_order_mark_are_none() {
        for empty in ["", " \t\r\n\x0b\x0c", "\u{feff}", "-- a ; b", "/* a\n; */ -- b\n", "/*"] {
            assert_eq!(tokens(empty), Vec::<&str>::new(), "{empty:?}");
            assert_eq!(after_space(empty), "", "{empty:?}");
        }
        assert_eq!(tokens("a--b\nc/* d */e"), ["a", "c", "e"]);
        assert_eq!(tokens("a - - b / * c"), ["a", "-", "-", "b", "/", "*", "c"]);
    }

    #[test]
    fn what_is_never_closed_reaches_to_the_end() {
        for open in ["'a ; ", "\"a", "`a", "[a", "x'0"] {
            assert_eq!(tokens(open), [open], "{open}");
        }
    }

    #[test]
    fn the_rest_begins_right_behind_the_last_token() {
        let mut read = Tokens::of("a ; b");
        assert_eq!((read.next(), read.rest()), (Some("a"), " ; b"));
        assert_eq!((read.next(), read.rest()), (Some(";"), " b"));
    }
}
