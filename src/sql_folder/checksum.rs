//! The checksums that tools keep of migrations: sqlx's SHA-384 of the file (`sqlx-core/src/migrate/migration.rs`) and
//! refinery's SipHash-1-3 of name, version and SQL (`refinery_core/src/runner.rs`).

use std::fmt::Write as _;
use std::hash::{Hash as _, Hasher as _};

use sha2::{Digest as _, Sha384};
use siphasher::sip::SipHasher13;

/// How wide refinery takes a version to be when it computes a checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// 32 bits, as it does unless told otherwise.
    Four,
    /// 64 bits, with its feature `int8-versions` and before version 0.3.
    Eight,
}

/// SHA-384 of a file, as hexadecimal digits in small letters.
pub(super) fn sqlx(sql: &str) -> String {
    let mut digits = String::with_capacity(96);
    for byte in Sha384::digest(sql.as_bytes()) {
        // Writing to a string cannot fail.
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}

/// Refinery's hash, as decimal digits. `None` for a version that `width` does not hold.
pub(super) fn refinery(name: &str, version: &str, sql: &str, width: Width) -> Option<String> {
    let mut hasher = SipHasher13::new();
    name.hash(&mut hasher);
    match width {
        Width::Four => hasher.write(&version.parse::<i32>().ok()?.to_le_bytes()),
        Width::Eight => hasher.write(&version.parse::<i64>().ok()?.to_le_bytes()),
    }
    sql.hash(&mut hasher);
    Some(hasher.finish().to_string())
}

/// `sql` as it may have been before an edit that changes no statement: other line endings, a line end more or less at the
/// end, a byte order mark more or less, no white space at the ends of lines.
pub(super) fn unchanged_statements(sql: &str) -> Vec<String> {
    let bare = sql.trim_start_matches('\u{feff}').replace("\r\n", "\n");
    let trimmed = bare.split('\n').map(str::trim_end).collect::<Vec<_>>().join("\n");
    let mut found = Vec::new();
    for lines in [&bare, &trimmed] {
        let end = lines.trim_end_matches('\n');
        for text in [lines.clone(), end.to_owned(), format!("{end}\n")] {
            for text in [text.replace('\n', "\r\n"), text] {
                found.push(format!("\u{feff}{text}"));
                found.push(text);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const USERS: &str = "CREATE TABLE users (id INTEGER PRIMARY KEY);\r\n";

    /// Computed by refinery-core 0.8.16, and 0.9 with `int8-versions`.
    #[test]
    fn checksums_are_those_of_refinery() {
        for (name, version, sql, four, eight) in [
            ("initial", "1", "SELECT 1;", "701382154757890431", "3330196516202730252"),
            ("add_users", "20", USERS, "6995172775467247", "9414057334454412898"),
            ("é", "3", "", "8602693294244075575", "6765444055469608490"),
        ] {
            let found =
                [Width::Four, Width::Eight].map(|width| refinery(name, version, sql, width));
            assert_eq!(found, [Some(four.to_owned()), Some(eight.to_owned())]);
        }
        assert_eq!(refinery("x", "3000000000", "", Width::Four), None);
    }

    /// Computed by `sha384sum`.
    #[test]
    fn checksums_are_those_of_sqlx() {
        assert_eq!(
            sqlx(USERS),
            "12ce142eb62c21b59210d64dad9470318f59fcb1ac23999ef93327bd2eec2f504e873202127905ea5f73e7db2b200dd8"
        );
    }

    #[test]
    fn edits_that_change_no_statement_are_undone() {
        for (before, after) in [
            ("a\r\nb\r\n", "a\nb\n"),
            ("a\nb\n", "a\r\nb\r\n"),
            ("a\nb", "a\nb\n"),
            ("\u{feff}a\n", "a\n"),
            ("a\nb\n", "a  \nb\t\n\n\n"),
        ] {
            assert!(unchanged_statements(after).contains(&before.to_owned()), "{before:?}");
        }
        assert!(!unchanged_statements("a\nb").contains(&"ab".to_owned()));
    }
}
