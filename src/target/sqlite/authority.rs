//! What a migration's SQL may do, asked by SQLite itself before each statement runs: functions in
//! triggers, views and defaults included. Refuses, takes file settings out, and notes which tables
//! are written, and whether the connection is still as a new one would be. Knows one connection.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use serde::{Deserialize, Serialize};

use super::loss::Touched;
use super::rows::ROW_HASH;

/// Functions that answer from what the connection did before. Functions in defaults are not asked about, so that
/// [`schema::Overview`](super::schema::Overview) looks for these names too.
pub(super) const MEMORIES: [&str; 3] = ["changes", "last_insert_rowid", "total_changes"];

/// Settings of the file, or of how it is written, that are not a migration's to make on a work
/// copy: they are noted and left out.
const TAKEN_OUT: [&str; 9] = [
    "auto_vacuum",
    "encoding",
    "journal_mode",
    "journal_size_limit",
    "locking_mode",
    "page_size",
    "synchronous",
    "wal_autocheckpoint",
    "wal_checkpoint",
];

/// Those of them that only say how the file is laid out when they are read. Virtual tables ask that when they
/// are made.
const READABLE: [&str; 3] = ["auto_vacuum", "encoding", "page_size"];

/// A setting that a script asked for and that was not applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestedPragma {
    /// Its name, lower case.
    pub name: String,
    /// The value; `None` where it was only read or needs none.
    pub value: Option<String>,
}

impl fmt::Display for RequestedPragma {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{} = {value}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// Stands between a script and its connection.
#[derive(Debug, Clone)]
pub(super) struct Authority {
    notes: Arc<Mutex<Notes>>,
}

#[derive(Debug, Default)]
struct Notes {
    asks: Asks,
    /// Scripts that began on the connection.
    scripts: u64,
    trace: Trace,
    touched: BTreeSet<String>,
    /// Tables with other indices, and views that came or went.
    reshaped: BTreeSet<String>,
    schema_by_hand: bool,
    requested: Vec<RequestedPragma>,
    refusal: Option<String>,
    vacuum: bool,
}

/// Whose statements are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Asks {
    /// Ours: no script is running.
    #[default]
    Nobody,
    Script,
}

/// What a script has to do with the others on its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Trace {
    #[default]
    None,
    /// What it did would be noticed by the next one.
    Lasts,
    /// It would notice what the one before it did.
    LooksBack,
}

impl Authority {
    /// Takes its place on `connection`.
    pub(super) fn over(connection: &mut Connection) -> rusqlite::Result<Self> {
        let authority = Self { notes: Arc::default() };
        let notes = Arc::clone(&authority.notes);
        connection.authorizer(Some(move |asked: AuthContext<'_>| hold(&notes).judge(&asked)))?;
        Ok(authority)
    }

    /// A script begins.
    pub(super) fn begin(&self) {
        let mut notes = hold(&self.notes);
        let scripts = notes.scripts + 1;
        *notes = Notes { asks: Asks::Script, scripts, ..Notes::default() };
    }

    /// The script ended.
    pub(super) fn rest(&self) {
        hold(&self.notes).asks = Asks::Nobody;
    }

    /// Whether the script was refused only because one ran on the connection before it.
    pub(super) fn needs_new_connection(&self) -> bool {
        hold(&self.notes).trace == Trace::LooksBack
    }

    /// Whether the connection is as a new one would be.
    pub(super) fn is_as_new(&self) -> bool {
        hold(&self.notes).trace == Trace::None
    }

    /// Tables with other indices, and views that came or went.
    pub(super) fn reshaped(&self) -> BTreeSet<String> {
        hold(&self.notes).reshaped.clone()
    }

    /// Says whether the next statement is a `VACUUM`, which attaches a nameless database.
    pub(super) fn expect_vacuum(&self, vacuum: bool) {
        hold(&self.notes).vacuum = vacuum;
    }

    /// What was refused, if anything was.
    pub(super) fn refusal(&self) -> Option<String> {
        hold(&self.notes).refusal.clone()
    }

    pub(super) fn forget_refusal(&self) {
        hold(&self.notes).refusal = None;
    }

    pub(super) fn touched(&self) -> Touched {
        let notes = hold(&self.notes);
        if notes.schema_by_hand { Touched::All } else { Touched::Tables(notes.touched.clone()) }
    }

    pub(super) fn requested(&self) -> Vec<RequestedPragma> {
        hold(&self.notes).requested.clone()
    }
}

/// A panic elsewhere leaves plain data behind, which stays usable.
fn hold(notes: &Mutex<Notes>) -> MutexGuard<'_, Notes> {
    notes.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Notes {
    fn judge(&mut self, asked: &AuthContext<'_>) -> Authorization {
        if self.asks == Asks::Nobody {
            return Authorization::Allow;
        }
        if self.scripts > 1 && looks_back(&asked.action) {
            self.trace = Trace::LooksBack;
            return Authorization::Deny;
        }
        if self.trace == Trace::None && lasts(&asked.action) {
            self.trace = Trace::Lasts;
        }
        match asked.action {
            AuthAction::Attach { filename } if !(self.vacuum && filename.is_empty()) => {
                self.refuse(if self.vacuum { "VACUUM INTO" } else { "ATTACH" })
            }
            AuthAction::Detach { .. } => self.refuse("DETACH"),
            AuthAction::Function { function_name }
                if function_name.eq_ignore_ascii_case("load_extension") =>
            {
                self.refuse("load_extension")
            }
            AuthAction::Function { function_name } if function_name == ROW_HASH => {
                self.refuse(ROW_HASH)
            }
            AuthAction::CreateIndex { table_name: name, .. }
            | AuthAction::DropIndex { table_name: name, .. }
            | AuthAction::CreateView { view_name: name }
            | AuthAction::DropView { view_name: name } => {
                self.reshaped.insert(name.to_owned());
                Authorization::Allow
            }
            AuthAction::Pragma { pragma_name, pragma_value } => {
                self.pragma(&pragma_name.to_ascii_lowercase(), pragma_value)
            }
            AuthAction::Insert { table_name }
            | AuthAction::Delete { table_name }
            | AuthAction::Update { table_name, .. }
            | AuthAction::DropTable { table_name }
            | AuthAction::DropVtable { table_name, .. }
            | AuthAction::CreateTable { table_name }
            | AuthAction::AlterTable { table_name, .. } => {
                if asked.database_name.is_none_or(|database| database != "temp")
                    || matches!(asked.action, AuthAction::AlterTable { .. })
                {
                    self.touched.insert(table_name.to_owned());
                }
                Authorization::Allow
            }
            _ => Authorization::Allow,
        }
    }

    fn pragma(&mut self, name: &str, value: Option<&str>) -> Authorization {
        if value.is_none() && READABLE.contains(&name) {
            return Authorization::Allow;
        }
        if TAKEN_OUT.contains(&name) {
            let value = value.map(str::to_owned);
            let request = RequestedPragma { name: name.to_owned(), value };
            if self.requested.last() != Some(&request) {
                self.requested.push(request);
            }
            return Authorization::Ignore;
        }
        match name {
            "temp_store_directory" | "data_store_directory" => {
                self.refuse(&format!("PRAGMA {name}"))
            }
            "writable_schema" => {
                self.schema_by_hand = true;
                Authorization::Allow
            }
            _ => Authorization::Allow,
        }
    }

    fn refuse(&mut self, what: &str) -> Authorization {
        self.refusal = Some(what.to_owned());
        Authorization::Deny
    }
}

/// Whether a connection that this was done on is not as a new one any more.
fn lasts(action: &AuthAction<'_>) -> bool {
    match action {
        AuthAction::Pragma { .. }
        | AuthAction::Attach { .. }
        | AuthAction::Analyze { .. }
        | AuthAction::CreateTempIndex { .. }
        | AuthAction::CreateTempTable { .. }
        | AuthAction::CreateTempTrigger { .. }
        | AuthAction::CreateTempView { .. }
        | AuthAction::CreateVtable { .. }
        | AuthAction::DropVtable { .. }
        | AuthAction::Unknown { .. } => true,
        // A connection reads these once.
        AuthAction::Insert { table_name }
        | AuthAction::Delete { table_name }
        | AuthAction::Update { table_name, .. } => table_name.starts_with("sqlite_stat"),
        _ => false,
    }
}

/// Whether the answer to this may come from what the connection did before.
fn looks_back(action: &AuthAction<'_>) -> bool {
    match action {
        AuthAction::Pragma { .. } => true,
        AuthAction::Function { function_name } => {
            MEMORIES.iter().any(|name| function_name.eq_ignore_ascii_case(name))
        }
        _ => false,
    }
}
