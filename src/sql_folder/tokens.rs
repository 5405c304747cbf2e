//! SQL as its tokens: what is left of a script without white space and comments. Two scripts with the same tokens are the
//! same statements.

/// Marks of more than one character, longest first.
const MARKS: [&str; 10] = ["->>", "||", "<=", "<>", "<<", ">=", ">>", "==", "!=", "->"];

/// Whether two scripts differ in line endings, white space and comments at most.
pub fn same(one: &str, other: &str) -> bool {
    Tokens(one).eq(Tokens(other))
}

/// Whether a script holds any statement.
pub(super) fn any(sql: &str) -> bool {
    Tokens(sql).any(|token| token != ";")
}

/// The tokens of the rest of a script.
struct Tokens<'a>(&'a str);

impl<'a> Iterator for Tokens<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        self.0 = after_space(self.0);
        let (token, rest) = self.0.split_at_checked(length(self.0))?;
        self.0 = rest;
        (!token.is_empty()).then_some(token)
    }
}

fn after_space(mut sql: &str) -> &str {
    loop {
        let rest = sql.trim_start_matches([' ', '\t', '\n', '\x0b', '\x0c', '\r', '\u{feff}']);
        if !rest.starts_with("--") && !rest.starts_with("/*") {
            return rest;
        }
        sql = rest.get(comment(rest)..).unwrap_or_default();
    }
}

fn comment(sql: &str) -> usize {
    if sql.starts_with("--") { until(sql, 2, "\n") } else { until(sql, 2, "*/") }
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

    #[test]
    fn white_space_line_endings_and_comments_change_no_statement() {
        let sql = "CREATE TABLE t (a, b DEFAULT 'x  y'); -- all\nSELECT a<=-1, x'0f' FROM t;\n";
        for other in [
            sql.replace('\n', "\r\n"),
            format!("\u{feff}{sql}\n\n"),
            sql.replace(", ", " ,\t"),
            sql.replace("-- all", "/* none ; */"),
            sql.replace("<=-1", " <= -  1"),
        ] {
            assert!(same(sql, &other), "{other:?}");
        }
    }

    #[test]
    fn everything_else_changes_one() {
        let sql = "CREATE TABLE t (a, b DEFAULT 'x  y'); SELECT a <= 1.5, x'0f' FROM t;";
        for (from, to) in [
            ("x  y", "x y"),
            ("a, b", "a b"),
            ("<=", "< ="),
            ("1.5", "1 .5"),
            ("x'0f'", "x '0f'"),
            ("x'0f'", "x'0F'"),
            ("TABLE t", "TABLE T"),
            ("FROM t;", "FROM t"),
            ("(a,", "(a --,\n"),
        ] {
            assert!(sql.contains(from), "{from}");
            assert!(!same(sql, &sql.replace(from, to)), "{from} {to}");
        }
        // A quotation may be broken in two by white space, and is two then.
        assert!(!same("SELECT 'a''b'", "SELECT 'a' 'c'"));
    }

    #[test]
    fn a_script_of_comments_and_semicolons_holds_no_statement() {
        for empty in ["", " \n", "-- SELECT 1;", "/* x */ ; ;\n-- y", "\u{feff}"] {
            assert!(!any(empty), "{empty:?}");
        }
        for full in ["SELECT 1", "-- a\nb", "'"] {
            assert!(any(full), "{full:?}");
        }
    }
}
