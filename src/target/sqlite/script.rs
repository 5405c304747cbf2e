//! Reading an SQL script as far as it must be read before SQLite reads it: what a statement begins
//! with, how far it may reach. SQLite's own parser decides where a statement ends; what is found here
//! only spares it reading the whole rest each time.

use crate::sql_text::{Tokens, after_space};

use crate::transform::ForeignKeyMode;

/// An SQL script and the name to call it by in messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// The file's name, as the user knows it.
    pub name: String,
    /// The SQL.
    pub sql: String,
    /// A script that runs after it in the same transaction; in one of its own after a script that brings its own.
    pub record: Option<Box<Self>>,
    /// Whether there is no transaction around it: each statement stands for itself.
    pub no_transaction: bool,
    /// What becomes of foreign keys where the script does not say so itself.
    pub foreign_keys: ForeignKeyMode,
}

impl Script {
    /// A script that nothing follows.
    pub fn new(name: impl Into<String>, sql: impl Into<String>) -> Self {
        let (name, sql, foreign_keys) = (name.into(), sql.into(), ForeignKeyMode::default());
        Self { name, sql, record: None, no_transaction: false, foreign_keys }
    }
}

/// What a script arranges by itself, known before it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Arrangement {
    /// It begins transactions of its own.
    pub(super) own_transactions: bool,
    /// What its first `PRAGMA foreign_keys = …` asks for.
    pub(super) foreign_keys: Option<bool>,
}

/// Looks through `sql` for what must be arranged before its first statement.
pub(super) fn arrangement(sql: &str) -> Arrangement {
    let mut found = Arrangement::default();
    let mut rest = sql;
    loop {
        rest = after_trivia(rest);
        if rest.is_empty() {
            return found;
        }
        let (statement, next) = rest.split_at(reach(rest));
        match opening(statement) {
            Opening::Begin => found.own_transactions = true,
            Opening::ForeignKeys(wanted) => {
                found.foreign_keys = found.foreign_keys.or(wanted);
            }
            _ => {}
        }
        rest = next;
    }
}

/// What a statement begins with, as far as it concerns transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opening {
    Begin,
    /// `COMMIT`, `END`, or `ROLLBACK` of a whole transaction.
    EndOfTransaction,
    Vacuum,
    /// `PRAGMA foreign_keys`, with the value if it sets one.
    ForeignKeys(Option<bool>),
    Other,
}

/// Classifies a statement that begins with its first word.
pub(super) fn opening(statement: &str) -> Opening {
    let mut words = Words(Tokens::of(statement));
    match words.next_upper().as_str() {
        "BEGIN" => Opening::Begin,
        "COMMIT" | "END" => Opening::EndOfTransaction,
        "ROLLBACK" => {
            let mut next = words.next_upper();
            if next == "TRANSACTION" {
                next = words.next_upper();
            }
            if next == "TO" { Opening::Other } else { Opening::EndOfTransaction }
        }
        "VACUUM" => Opening::Vacuum,
        "PRAGMA" => pragma(words),
        _ => Opening::Other,
    }
}

fn pragma(mut words: Words<'_>) -> Opening {
    let mut name = words.next_upper();
    let mut mark = words.next_upper();
    if mark == "." {
        name = words.next_upper();
        mark = words.next_upper();
    }
    if name != "FOREIGN_KEYS" {
        return Opening::Other;
    }
    if mark != "=" && mark != "(" {
        return Opening::ForeignKeys(None);
    }
    // SQLite: on, yes, true and numbers that begin with another whole number than 0 are true; everything else is false.
    let value = words.next_upper();
    let whole = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len());
    let number = value
        .get(..whole)
        .and_then(|digits| digits.parse::<i32>().ok())
        .is_some_and(|number| number != 0);
    Opening::ForeignKeys(Some(number || matches!(value.as_str(), "ON" | "YES" | "TRUE")))
}

/// Words and marks, with quotes taken off.
struct Words<'a>(Tokens<'a>);

impl Words<'_> {
    fn next_upper(&mut self) -> String {
        let word = self.0.next().unwrap_or_default();
        word.trim_matches(['"', '\'', '`', '[', ']']).to_ascii_uppercase()
    }
}

/// `sql` from its first word on: without leading white space, comments and lone semicolons.
pub(super) fn after_trivia(mut sql: &str) -> &str {
    loop {
        let rest = after_space(sql);
        match rest.strip_prefix(';') {
            Some(next) => sql = next,
            None => return rest,
        }
    }
}

/// Length of `sql` up to and with the first semicolon outside quotes and comments. A statement ends
/// there or, with a trigger's body, at a later one.
pub(super) fn reach(sql: &str) -> usize {
    let mut tokens = Tokens::of(sql);
    while tokens.next().is_some_and(|token| token != ";") {}
    sql.len() - tokens.rest().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trivia_ends_at_the_first_word() {
        let sql = "\u{feff} -- a ; b\n ;; /* c ; */\t\r\nSELECT 1; x";
        assert_eq!(after_trivia(sql), "SELECT 1; x");
        assert_eq!(after_trivia(" -- only"), "");
        assert_eq!(after_trivia("/* open"), "");
    }

    #[test]
    fn semicolons_in_quotes_and_comments_end_nothing() {
        for whole in [
            "INSERT INTO t VALUES ('a;''b;');",
            "SELECT \"a;\", [b;], `c;` -- d;\n;",
            "SELECT 1 /* ; */ ;",
            "SELECT 'é;';",
        ] {
            assert_eq!(reach(&format!("{whole} SELECT 2;")), whole.len(), "{whole}");
        }
        assert_eq!(reach("SELECT 'open; "), 14);
    }

    #[test]
    fn openings_are_known_by_their_words() {
        for (sql, expected) in [
            ("begin immediate", Opening::Begin),
            ("END;", Opening::EndOfTransaction),
            ("ROLLBACK", Opening::EndOfTransaction),
            ("ROLLBACK TRANSACTION TO SAVEPOINT x", Opening::Other),
            ("rollback to x", Opening::Other),
            ("VACUUM;", Opening::Vacuum),
            ("PRAGMA/**/foreign_keys=OFF", Opening::ForeignKeys(Some(false))),
            ("pragma main.foreign_keys ( 1 )", Opening::ForeignKeys(Some(true))),
            ("PRAGMA \"foreign_keys\" = 'yes'", Opening::ForeignKeys(Some(true))),
            ("PRAGMA foreign_keys = 1.5", Opening::ForeignKeys(Some(true))),
            ("PRAGMA foreign_keys = -1", Opening::ForeignKeys(Some(false))),
            ("PRAGMA foreign_keys", Opening::ForeignKeys(None)),
            ("PRAGMA foreign_key_check", Opening::Other),
            ("SELECT 'BEGIN'", Opening::Other),
        ] {
            assert_eq!(opening(sql), expected, "{sql}");
        }
    }

    #[test]
    fn a_triggers_body_begins_no_transaction() {
        let trigger = "CREATE TRIGGER t AFTER INSERT ON a BEGIN DELETE FROM b; SELECT 1; END;";
        assert_eq!(arrangement(trigger), Arrangement::default());
        let rebuild = "-- rebuild\nPRAGMA foreign_keys=OFF; BEGIN; DROP TABLE a; COMMIT;
            PRAGMA foreign_keys=ON;";
        let expected = Arrangement { own_transactions: true, foreign_keys: Some(false) };
        assert_eq!(arrangement(rebuild), expected);
    }
}
