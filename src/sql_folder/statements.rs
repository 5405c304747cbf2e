//! Whether two scripts are the same statements, and whether there are any: a script is its tokens.

use crate::sql_text::Tokens;

/// Whether two scripts differ in line endings, white space and comments at most.
pub fn same(one: &str, other: &str) -> bool {
    Tokens::of(one).eq(Tokens::of(other))
}

/// Whether a script holds any statement.
pub(super) fn any(sql: &str) -> bool {
    Tokens::of(sql).any(|token| token != ";")
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
