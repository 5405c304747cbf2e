//! What a folder of migrations comes to for a database that comes into care: whose layout it is, whether its tool's books
//! are kept, and from which version on.
//!
//! Where the tool's table is there, it is the baseline. Where it is not, the tool knows nothing of the database; its books
//! are begun only for a database that has gone through nothing yet, since a table that begins later would tell the tool to
//! do again what was done.

use std::path::Path;
use std::time::Duration;

use super::baseline::{self, Baseline};
use super::books;
use super::error::MigrateError;
use super::init::has_pages;
use super::observe::LiveDatabase;
use crate::contract::{Contract, EMPTY};
use crate::sql_folder::{Books, Folder, Layout, Tables, compile};
use crate::transform::ForeignKeyMode;

/// A folder of migrations and what is known of it.
#[derive(Debug, Clone, Copy)]
pub struct FolderOptions<'a> {
    /// Where it is.
    pub dir: &'a Path,
    /// How it is laid out; found out if not given.
    pub layout: Option<Layout>,
    /// The version that the database has; found out if not given.
    pub baseline: Option<&'a Baseline>,
    /// What becomes of foreign keys; as the layout's tool has it if not given.
    pub foreign_keys: Option<ForeignKeyMode>,
}

/// What a folder comes to for one database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recognised {
    /// The folder, read.
    pub folder: Folder,
    /// The contract that migrates the database.
    pub contract: Contract,
    /// The books that are kept.
    pub books: Option<Books>,
    /// What becomes of foreign keys while its scripts run.
    pub foreign_keys: ForeignKeyMode,
    /// The version that the database has, unless it states one by itself.
    pub baseline: Option<String>,
}

/// Reads the folder for the database at `path`, which need not be there yet. Writes nothing.
pub fn recognise(
    path: &Path,
    wait: Duration,
    options: &FolderOptions<'_>,
) -> Result<Recognised, MigrateError> {
    let database = if has_pages(path) { Some(LiveDatabase::open(path, wait)?) } else { None };
    let tables = database.as_ref().map_or_else(|| Ok(Tables::default()), books::tables)?;
    let folder = Folder::read(options.dir, options.layout, &tables)?;
    let tool = folder.layout.tool();
    let kept = tool.map_or(Ok(None), |tool| Books::find(tool, &tables))?;
    let given = options.baseline.cloned();
    let foreign_keys = options.foreign_keys.unwrap_or(folder.layout.foreign_keys());
    if let (Some(database), Some(kept)) = (&database, kept) {
        let books = kept.judge(&folder, &database.rows_of(&kept)?).books;
        let contract = compile(&folder, Some(&books), foreign_keys);
        let books = Some(books);
        let baseline = given.map(|given| given.version);
        return Ok(Recognised { folder, contract, books, foreign_keys, baseline });
    }
    let without = compile(&folder, None, foreign_keys);
    let version = if let Some(database) = &database {
        baseline::of(&without, None, given, database)?
    } else {
        let version = options.baseline.map(|baseline| baseline.version.as_str());
        baseline::of_nothing(&without, version)?
    };
    let books = tool.filter(|_| version == EMPTY).map(Books::new);
    let contract = match &books {
        Some(books) => compile(&folder, Some(books), foreign_keys),
        None => without,
    };
    Ok(Recognised { folder, contract, books, foreign_keys, baseline: Some(version) })
}
