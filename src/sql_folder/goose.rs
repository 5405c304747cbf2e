//! The two directions of a goose migration, told apart by the lines `-- +goose …` as goose's `internal/sqlparser` does.
//!
//! Each direction keeps its lines where they are in the file and has empty ones in the place of all others, so that
//! messages name the right line.

use super::folder::Transaction;

/// Both directions of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sections {
    pub(super) up: String,
    pub(super) down: String,
    pub(super) transaction: Transaction,
}

/// The line, from 1, and what is wrong there.
pub(super) type Wrong = (usize, &'static str);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Start,
    Up,
    UpBlock,
    Down,
    DownBlock,
}

/// Tells the directions of `text` apart.
pub(super) fn sections(text: &str) -> Result<Sections, Wrong> {
    let mut parser = Parser {
        state: State::Start,
        open: None,
        up: String::new(),
        down: String::new(),
        transaction: Transaction::One,
    };
    let mut last = 0;
    for (number, line) in (1..).zip(text.split('\n')) {
        let line = line.strip_suffix('\r').unwrap_or(line);
        parser.line(number, line)?;
        last = number;
    }
    parser.end(last)
}

/// Whether a line is one that says where the way up begins.
pub(super) fn begins(text: &str) -> bool {
    text.lines().any(|line| matches!(annotation(line), Some(Ok(Annotation::Up))))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Annotation {
    Up,
    Down,
    StatementBegin,
    StatementEnd,
    NoTransaction,
    EnvsubOn,
    EnvsubOff,
}

const ANNOTATIONS: [(&str, Annotation); 7] = [
    ("Up", Annotation::Up),
    ("Down", Annotation::Down),
    ("StatementBegin", Annotation::StatementBegin),
    ("StatementEnd", Annotation::StatementEnd),
    ("NO TRANSACTION", Annotation::NoTransaction),
    ("ENVSUB ON", Annotation::EnvsubOn),
    ("ENVSUB OFF", Annotation::EnvsubOff),
];

/// The annotation of a line, if it has one.
fn annotation(line: &str) -> Option<Result<Annotation, &'static str>> {
    if !line.trim().starts_with("--") || !line.contains("+goose") {
        return None;
    }
    if line.starts_with([' ', '\t']) {
        return Some(Err("white space stands before an annotation of goose"));
    }
    let command = line.replace("--", "").replacen("+goose", "", 1);
    if command.contains("+goose") {
        return Some(Err("two annotations of goose stand on one line"));
    }
    let known = ANNOTATIONS.iter().find(|(name, _)| name.eq_ignore_ascii_case(command.trim()));
    Some(known.map(|(_, annotation)| *annotation).ok_or("an annotation that goose does not know"))
}

struct Parser {
    state: State,
    /// Where the statement began that no semicolon has ended yet.
    open: Option<usize>,
    up: String,
    down: String,
    transaction: Transaction,
}

impl Parser {
    fn line(&mut self, number: usize, line: &str) -> Result<(), Wrong> {
        match annotation(line) {
            Some(Err(reason)) => return Err((number, reason)),
            Some(Ok(annotation)) => {
                self.annotation(annotation).map_err(|reason| (number, reason))?;
            }
            None => self.sql(number, line)?,
        }
        self.up.push('\n');
        self.down.push('\n');
        Ok(())
    }

    fn annotation(&mut self, annotation: Annotation) -> Result<(), &'static str> {
        self.state = match (annotation, self.state) {
            (Annotation::Up, State::Start) => State::Up,
            (Annotation::Up, _) => return Err("a second `-- +goose Up`"),
            (Annotation::Down, State::Up) if self.open.is_none() => State::Down,
            (Annotation::Down, State::Up) => {
                return Err("the statement before `-- +goose Down` is not ended by a semicolon");
            }
            (Annotation::Down, _) => return Err("`-- +goose Down` stands where no way up ends"),
            (Annotation::StatementBegin, State::Up) => State::UpBlock,
            (Annotation::StatementBegin, State::Down) => State::DownBlock,
            (Annotation::StatementBegin, _) => {
                return Err("`-- +goose StatementBegin` stands outside of both directions");
            }
            (Annotation::StatementEnd, State::UpBlock) => {
                self.up.push(';');
                self.open = None;
                State::Up
            }
            (Annotation::StatementEnd, State::DownBlock) => {
                self.down.push(';');
                self.open = None;
                State::Down
            }
            (Annotation::StatementEnd, _) => {
                return Err("`-- +goose StatementEnd` ends what did not begin");
            }
            (Annotation::EnvsubOn, _) => {
                return Err(
                    "ENVSUB ON puts the environment into the script, which nobody can repeat",
                );
            }
            (Annotation::NoTransaction, state) => {
                self.transaction = Transaction::None;
                state
            }
            (Annotation::EnvsubOff, state) => state,
        };
        Ok(())
    }

    fn sql(&mut self, number: usize, line: &str) -> Result<(), Wrong> {
        let nothing = line.is_empty() || line.trim().starts_with("--");
        if self.open.is_none() && nothing || self.state == State::Start && line.trim().is_empty() {
            return Ok(());
        }
        let out = match self.state {
            State::Start => return Err((number, "SQL stands before `-- +goose Up`")),
            State::Up | State::UpBlock => &mut self.up,
            State::Down | State::DownBlock => &mut self.down,
        };
        out.push_str(line);
        let ends = matches!(self.state, State::Up | State::Down) && ends_statement(line);
        // goose trims what it has of a statement before asking whether something is left of it.
        if ends {
            self.open = None;
        } else if self.open.is_none() && !line.trim().is_empty() {
            self.open = Some(number);
        }
        Ok(())
    }

    fn end(self, last: usize) -> Result<Sections, Wrong> {
        match (self.state, self.open) {
            (State::Start, _) => Err((last, "no `-- +goose Up`")),
            (State::UpBlock | State::DownBlock, _) => Err((last, "no `-- +goose StatementEnd`")),
            (_, Some(line)) => {
                Err((line, "the statement that begins here has no semicolon at the end of a line"))
            }
            _ => {
                let trimmed = |text: String| text.trim_end().to_owned() + "\n";
                let (up, down) = (trimmed(self.up), trimmed(self.down));
                Ok(Sections { up, down, transaction: self.transaction })
            }
        }
    }
}

/// Whether the last word of a line, before any comment, ends in a semicolon.
fn ends_statement(line: &str) -> bool {
    let words = line.split_whitespace().take_while(|word| !word.starts_with("--"));
    words.last().is_some_and(|word| word.ends_with(';'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directions_keep_their_lines() {
        let text = "-- about\n\n-- +goose Up\n-- users\nCREATE TABLE a (b); -- yes;\nCREATE TABLE\r\n  c (d);\n\
            -- +goose StatementBegin\nCREATE TRIGGER t AFTER INSERT ON a BEGIN\n  DELETE FROM c;\nEND\n\
            -- +goose StatementEnd\n-- +goose Down\nDROP TABLE a;\n";
        let found = sections(text).unwrap();
        assert_eq!(
            found.up,
            "\n\n\n\nCREATE TABLE a (b); -- yes;\nCREATE TABLE\n  c (d);\n\n\
             CREATE TRIGGER t AFTER INSERT ON a BEGIN\n  DELETE FROM c;\nEND\n;\n"
        );
        assert_eq!(found.down, format!("{}DROP TABLE a;\n", "\n".repeat(13)));
        assert_eq!(found.transaction, Transaction::One);
        assert!(begins(text) && !begins("-- +goose Down\n--goose Up"));
    }

    #[test]
    fn annotations_are_taken_as_goose_takes_them() {
        let plain = sections("--+goose up\nSELECT 1;\n").unwrap();
        assert_eq!((plain.up.as_str(), plain.down.as_str()), ("\nSELECT 1;\n", "\n"));
        let without = sections("-- +goose NO TRANSACTION\n-- +goose Up\nVACUUM;").unwrap();
        assert_eq!(without.transaction, Transaction::None);
        assert_eq!(sections("-- +goose Up\n-- nothing\n").unwrap().up, "\n");
    }

    #[test]
    fn what_goose_stumbles_over_is_refused_with_its_line() {
        for (text, line, reason) in [
            ("SELECT 1;\n-- +goose Up\n", 1, "SQL stands before"),
            ("-- +goose Up\n-- +goose Up\n", 2, "a second"),
            ("-- +goose Down\n", 1, "where no way up ends"),
            ("-- +goose Up\nSELECT 1\n-- +goose Down\n", 3, "not ended by a semicolon"),
            ("-- +goose Up\nSELECT 1;\nSELECT 2\n", 3, "no semicolon"),
            ("-- +goose Up\n-- +goose StatementBegin\nSELECT 1;", 3, "no `-- +goose StatementEnd`"),
            ("-- +goose Up\n-- +goose StatementEnd\n", 2, "ends what did not begin"),
            ("-- +goose StatementBegin\n", 1, "outside of both"),
            (" -- +goose Up\n", 1, "white space"),
            ("-- +goose Sideways\n", 1, "does not know"),
            ("-- +goose Up +goose Down\n", 1, "two annotations"),
            ("-- +goose ENVSUB ON\n", 1, "environment"),
            ("-- nothing\n", 2, "no `-- +goose Up`"),
        ] {
            let (found, why) = sections(text).unwrap_err();
            assert!(found == line && why.contains(reason), "{text:?}: {found} {why}");
        }
    }
}
