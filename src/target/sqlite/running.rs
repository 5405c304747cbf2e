//! A script on a connection: statement by statement, in transactions of ours, of its own or in none. Knows one connection; knows
//! not what becomes of what was written there.

use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Batch, Connection, fallible_iterator::FallibleIterator as _};
use serde::{Deserialize, Serialize};

use super::authority::Authority;
use super::connection::open_recorded;
use super::error::{is_of_the_machine, message};
use super::inputs::StepInputs;
use super::script::{self, Opening, Script};
use super::work_copy::{RowOrder, StepError, WAIT};
use super::{DatabaseError, content};
use crate::transform::ForeignKeyMode;

/// Longest piece of a failed statement that an error carries.
const TOLD_SQL_CHARS_MAX: usize = 500;

/// How a step's statements were divided into transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transactions {
    /// All in one, ours.
    #[default]
    One,
    /// In several, because a statement cannot run inside one (`VACUUM`, switching foreign keys), or because
    /// the script is run without one around it.
    Several,
    /// In those that the script begins itself.
    Script,
}

impl Transactions {
    /// Its name in plans.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::One => "one",
            Self::Several => "several",
            Self::Script => "script",
        }
    }

    /// Whether it is one around the whole script, which needs no word.
    #[must_use]
    pub const fn are_usual(&self) -> bool {
        matches!(self, Self::One)
    }
}

/// A connection that steps run on.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) connection: Connection,
    pub(super) authority: Authority,
}

impl Worker {
    pub(super) fn open(path: &Path) -> Result<Self, StepError> {
        let sorted = |error| DatabaseError::of(path, WAIT, error);
        let mut connection = open_recorded(path, WAIT)?;
        settle(&connection).map_err(sorted)?;
        content::prepare(&connection).map_err(sorted)?;
        let authority = Authority::over(&mut connection).map_err(sorted)?;
        Ok(Self { connection, authority })
    }
}

/// What a script did.
pub(super) struct Ran {
    pub(super) statements: u64,
    pub(super) transactions: Transactions,
    pub(super) authority: Authority,
    /// The connection that it ran on, if nothing of it is noticed there.
    pub(super) worker: Option<Worker>,
}

/// One script running on a connection on which nothing of another one is noticed.
pub(super) struct Run<'a> {
    path: &'a Path,
    connection: Connection,
    authority: Authority,
    script: &'a Script,
    /// Whether it begins transactions of its own.
    own_transactions: bool,
    /// Whether a script before it did.
    brought_own: bool,
    /// Whether statements of any script ran without a transaction around them.
    on_their_own: bool,
    begun: u64,
    /// Statements run, not counting those that keep a tool's books.
    done: u64,
    /// The rest of the script, and the line it begins on.
    rest: &'a str,
    line: u64,
}

impl<'a> Run<'a> {
    pub(super) fn begin(
        path: &'a Path,
        worker: Worker,
        script: &'a Script,
        inputs: &StepInputs,
        order: RowOrder,
    ) -> Result<Self, StepError> {
        let arrangement = script::arrangement(&script.sql);
        let Worker { connection, authority } = worker;
        let sorted = |error| DatabaseError::of(path, WAIT, error);
        inputs.replace_randomness(&connection).map_err(sorted)?;
        if order == RowOrder::Reversed {
            connection.pragma_update(None, "reverse_unordered_selects", true).map_err(sorted)?;
        }
        let on = script.foreign_keys == ForeignKeyMode::On;
        let enforced = arrangement.foreign_keys.unwrap_or(on);
        connection
            .set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, enforced)
            .map_err(sorted)?;
        authority.begin();
        Ok(Self {
            path,
            connection,
            authority,
            script,
            own_transactions: arrangement.own_transactions,
            brought_own: false,
            on_their_own: script.no_transaction,
            begun: 0,
            done: 0,
            rest: &script.sql,
            line: 1,
        })
    }

    pub(super) fn all(mut self) -> Result<Ran, StepError> {
        self.statements()?;
        if self.own_transactions && !self.connection.is_autocommit() {
            return Err(StepError::TransactionLeftOpen { script: self.script.name.clone() });
        }
        if let Some(record) = self.script.record.as_deref() {
            let own = self.done;
            self.go_on_with(record);
            self.statements()?;
            self.done = own;
        }
        if !self.connection.is_autocommit() {
            self.control("COMMIT")?;
        }
        Ok(self.end())
    }

    /// The next script, in the transaction that is open, if one is.
    fn go_on_with(&mut self, script: &'a Script) {
        self.brought_own |= self.own_transactions;
        (self.script, self.own_transactions, self.rest, self.line) =
            (script, false, &script.sql, 1);
    }

    fn statements(&mut self) -> Result<(), StepError> {
        loop {
            let next = script::after_trivia(self.rest);
            self.advance(self.rest.len() - next.len());
            if next.is_empty() {
                return Ok(());
            }
            let length = self.statement(next)?;
            self.advance(length);
            self.done += 1;
        }
    }

    fn end(self) -> Ran {
        let transactions = match (self.brought_own || self.own_transactions, self.begun) {
            (true, _) => Transactions::Script,
            (false, 0 | 1) if !self.on_their_own => Transactions::One,
            (false, _) => Transactions::Several,
        };
        let (statements, authority) = (self.done, self.authority);
        authority.rest();
        let worker = Worker { connection: self.connection, authority: authority.clone() };
        let worker = authority.is_as_new().then_some(worker);
        Ran { statements, transactions, authority, worker }
    }

    /// Runs the statement that `sql` begins with and returns its length.
    fn statement(&mut self, sql: &str) -> Result<usize, StepError> {
        let opening = script::opening(sql);
        if !self.own_transactions {
            self.arrange_transaction(opening, sql)?;
        }
        self.authority.expect_vacuum(opening == Opening::Vacuum);
        // The first semicolon ends most statements; SQLite says so by accepting what lies before it.
        let near = script::reach(sql);
        match self.run(sql.get(..near).unwrap_or(sql)) {
            Ok(length) => Ok(length),
            Err(Failure::Prepare(_)) if near < sql.len() => {
                self.authority.forget_refusal();
                self.run(sql)
            }
            Err(failure) => Err(failure),
        }
        .map_err(|failure| self.failed(sql, failure))
    }

    /// Opens a transaction of ours for what can run in one, and closes it before what cannot.
    fn arrange_transaction(&mut self, opening: Opening, sql: &str) -> Result<(), StepError> {
        let outside = self.connection.is_autocommit();
        match opening {
            Opening::EndOfTransaction => {
                Err(self.refused(sql, "ending a transaction that the script did not begin"))
            }
            Opening::Vacuum | Opening::ForeignKeys(Some(_)) if outside => Ok(()),
            Opening::Vacuum | Opening::ForeignKeys(Some(_)) => self.control("COMMIT"),
            _ if outside && self.script.no_transaction => Ok(()),
            _ if outside => {
                self.begun += 1;
                self.control("BEGIN IMMEDIATE")
            }
            _ => Ok(()),
        }
    }

    fn run(&self, sql: &str) -> Result<usize, Failure> {
        let mut batch = Batch::new(&self.connection, sql);
        let Some(mut statement) = batch.next().map_err(Failure::Prepare)? else {
            return Ok(sql.len());
        };
        if statement.parameter_count() > 0 {
            return Err(Failure::Parameters);
        }
        let length = statement.expanded_sql().map_or(sql.len(), |text| text.len());
        let mut rows = statement.query([]).map_err(Failure::Step)?;
        while rows.next().map_err(Failure::Step)?.is_some() {}
        Ok(length)
    }

    fn failed(&self, sql: &str, failure: Failure) -> StepError {
        if let Some(what) = self.authority.refusal() {
            return self.refused(sql, &what);
        }
        match failure {
            Failure::Parameters => self.refused(sql, "a parameter without a value"),
            Failure::Prepare(error) | Failure::Step(error) if is_of_the_machine(&error) => {
                DatabaseError::of(self.path, WAIT, error).into()
            }
            Failure::Prepare(error) | Failure::Step(error) => StepError::Statement {
                script: self.script.name.clone(),
                line: self.line,
                sql: shortened(sql),
                message: message(&error),
            },
        }
    }

    fn refused(&self, sql: &str, what: &str) -> StepError {
        StepError::Refused {
            script: self.script.name.clone(),
            line: self.line,
            sql: shortened(sql),
            what: what.to_owned(),
        }
    }

    fn control(&self, sql: &'static str) -> Result<(), StepError> {
        self.connection.execute_batch(sql).map_err(|error| self.failed(sql, Failure::Step(error)))
    }

    fn advance(&mut self, length: usize) {
        let (passed, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, ""));
        self.line += passed.matches('\n').count() as u64;
        self.rest = rest;
    }
}

enum Failure {
    Prepare(rusqlite::Error),
    Step(rusqlite::Error),
    Parameters,
}

/// Settings of every connection that writes: the log stays until we write it into the file.
pub(super) fn settle(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "synchronous", "OFF")
}

fn shortened(sql: &str) -> String {
    let statement = sql.get(..script::reach(sql)).unwrap_or(sql);
    match statement.char_indices().nth(TOLD_SQL_CHARS_MAX) {
        Some((end, _)) => format!("{}…", statement.get(..end).unwrap_or_default()),
        None => statement.to_owned(),
    }
}
