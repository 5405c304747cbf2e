//! A folder of migrations, read.

use std::collections::BTreeMap;
use std::path::Path;

use super::books::Tables;
use super::error::{FolderError, Trouble};
use super::layout::{Key, Layout, Tool};
use super::names::{self, Name, Part};
use super::tree::{Entry, Tree};
use super::{dbmate, goose, metadata, recognise, statements};
use crate::contract::{Contract, EMPTY, Edge};

/// The migrations of a folder, in the order in which the tool of its layout applies them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// How it is laid out.
    pub layout: Layout,
    /// Other layouts that its files fit as well. That it was read as `layout` is then worth telling.
    pub also_fits: Vec<Layout>,
    /// The migrations. Versions differ, and there is at least one.
    pub migrations: Vec<Migration>,
    /// Scripts that are there and that the layout passes over, as its tool does.
    pub ignored: Vec<String>,
}

/// One migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// Its version, as the tool's table has it.
    pub version: String,
    /// What it is about, as the tool's table has it, or as its file's name says.
    pub name: String,
    /// What applies it.
    pub up: Script,
    /// What takes it back, if that holds any statement.
    pub down: Option<Script>,
}

/// The SQL of one direction. Its lines have the numbers that they have in its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// What a contract and messages call it: its file, with ` (down)` behind it where both directions share one.
    pub name: String,
    /// Its file, relative to the folder, with `/` between folders.
    pub file: String,
    /// The SQL.
    pub sql: String,
    /// Whether its tool puts a transaction around it.
    pub transaction: Transaction,
}

/// What a tool puts around a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transaction {
    /// One transaction.
    One,
    /// None: the script, its metadata or a directive says so.
    None,
}

impl Folder {
    /// Reads the folder `dir` as `layout`, or as the one that its files have; `tables` of the database it is for help to
    /// tell (none, if nothing is known of it).
    pub fn read(dir: &Path, layout: Option<Layout>, tables: &Tables) -> Result<Self, FolderError> {
        let read = Tree::read(dir).and_then(|tree| Self::of(&tree, layout, tables));
        read.map_err(|trouble| FolderError { dir: dir.to_owned(), trouble })
    }

    /// The folder that `contract` was made of, as far as its tool's books need it; `None` if it keeps no books of a tool
    /// that is known.
    pub fn of_contract(contract: &Contract) -> Option<Self> {
        let layout = Tool::find(&contract.bookkeeping.as_ref()?.tool)?.layout();
        let migrations = contract.edges.iter().filter_map(|edge| of_edge(contract, edge)).collect();
        Some(Self { layout, also_fits: Vec::new(), migrations, ignored: Vec::new() })
    }

    /// Position of a version, from the first.
    pub fn position(&self, version: &str) -> Option<usize> {
        self.migrations.iter().position(|migration| migration.version == version)
    }

    /// What is in `tree`.
    pub(super) fn of(
        tree: &Tree,
        layout: Option<Layout>,
        tables: &Tables,
    ) -> Result<Self, Trouble> {
        let (layout, also_fits) = match layout {
            Some(layout) => (layout, Vec::new()),
            None => recognise::layout(tree, tables)?,
        };
        if layout == Layout::Diesel {
            folders_have_scripts(tree)?;
        }
        let (named, ignored) = named(tree, layout)?;
        let mut found: Vec<Files<'_>> = paired(named)?.into_values().collect();
        if found.is_empty() {
            return Err(Trouble::Empty { layout: Some(layout), ignored });
        }
        found.sort_by(|one, other| one.key.cmp(&other.key));
        let migrations = found.iter().map(|files| files.migration(tree, layout));
        let migrations = migrations.collect::<Result<_, _>>()?;
        Ok(Self { layout, also_fits, migrations, ignored })
    }
}

/// The migration that an edge was made of; its way down is left out.
fn of_edge(contract: &Contract, edge: &Edge) -> Option<Migration> {
    let sql = edge.sql().next()?;
    let text = contract.scripts.get(&sql.script)?;
    let transaction = if sql.no_transaction { Transaction::None } else { Transaction::One };
    let up = Script {
        name: sql.script.clone(),
        file: sql.script.clone(),
        sql: String::from_utf8_lossy(text).into_owned(),
        transaction,
    };
    let name = edge.description.clone().unwrap_or_default();
    Some(Migration { version: edge.to.clone(), name, up, down: None })
}

/// Every folder that Diesel takes for a migration has an `up.sql`.
fn folders_have_scripts(tree: &Tree) -> Result<(), Trouble> {
    for (path, entry) in tree.entries().filter(|(path, _)| !path.contains('/')) {
        match entry {
            Entry::File(_) => {}
            _ if path.starts_with('.') => {}
            Entry::Folder if tree.has(&format!("{path}/up.sql")) || !tree.holds_anything(path) => {}
            Entry::Folder => return Err(Trouble::NoUp { folder: path.to_owned() }),
            Entry::Other(what) => return Err(Trouble::NotAFile { file: path.to_owned(), what }),
            Entry::BadName => return Err(Trouble::NameNotUtf8 { file: path.to_owned() }),
        }
    }
    Ok(())
}

type Named<'a> = Vec<(&'a str, Name)>;

/// The files that are migrations by their names, and scripts that are none.
fn named(tree: &Tree, layout: Layout) -> Result<(Named<'_>, Vec<String>), Trouble> {
    let (mut found, mut ignored) = (Vec::new(), Vec::new());
    for (path, entry) in tree.entries() {
        let file = || path.to_owned();
        let name = match (names::read(layout, path), entry) {
            (Ok(None), Entry::File(_)) if names::is_script(path) => {
                ignored.push(file());
                continue;
            }
            (Ok(None), _) => continue,
            (_, Entry::Folder) => return Err(Trouble::NotAFile { file: file(), what: "a folder" }),
            (_, Entry::Other(what)) => return Err(Trouble::NotAFile { file: file(), what }),
            (_, Entry::BadName) => return Err(Trouble::NameNotUtf8 { file: file() }),
            (Err(reason), _) => return Err(Trouble::BadName { layout, file: file(), reason }),
            (Ok(Some(name)), Entry::File(_)) => name,
        };
        if let Part::Program(language) = name.part {
            return Err(Trouble::NotSql { file: file(), language, layout });
        }
        if name.version == EMPTY {
            let reason = "`none` is what a database without migrations is called";
            return Err(Trouble::BadName { layout, file: file(), reason });
        }
        found.push((path, name));
    }
    Ok((found, ignored))
}

/// The files of one migration.
struct Files<'a> {
    version: String,
    key: Key,
    title: String,
    up: &'a str,
    down: Option<&'a str>,
}

/// The ways up with their ways down. Versions are the same if they count the same, however they are written.
fn paired(named: Named<'_>) -> Result<BTreeMap<Key, Files<'_>>, Trouble> {
    let mut found: BTreeMap<Key, Files<'_>> = BTreeMap::new();
    let (downs, ups): (Vec<_>, Vec<_>) =
        named.into_iter().partition(|(_, name)| name.part == Part::Down);
    let twice = |version: String, first: &str, second: &str| Trouble::Duplicate {
        version,
        first: first.to_owned(),
        second: second.to_owned(),
    };
    for (up, name) in ups {
        let counted = counted(&name);
        let Name { version, key, title, part } = name;
        if let Some(first) = found.get(&counted) {
            return Err(twice(version, first.up, up));
        }
        let down = (part == Part::Both).then_some(up);
        found.insert(counted, Files { version, key, title, up, down });
    }
    for (down, name) in downs {
        let Some(files) = found.get_mut(&counted(&name)) else {
            return Err(Trouble::DownWithoutUp { file: down.to_owned(), version: name.version });
        };
        if let Some(first) = files.down.replace(down) {
            return Err(twice(name.version, first, down));
        }
    }
    Ok(found)
}

/// What a version counts as.
fn counted(name: &Name) -> Key {
    match name.key {
        Key::Number(number) => Key::Number(number),
        Key::Letters(_) => Key::Letters(name.version.clone()),
    }
}

impl Files<'_> {
    fn migration(&self, tree: &Tree, layout: Layout) -> Result<Migration, Trouble> {
        let (up, down) = match layout {
            Layout::Goose => self.of_goose(tree)?,
            Layout::Dbmate => self.of_dbmate(tree)?,
            _ => self.of_files(tree, layout)?,
        };
        let down = down.filter(|down| statements::any(&down.sql));
        Ok(Migration { version: self.version.clone(), name: self.title.clone(), up, down })
    }

    fn of_files(&self, tree: &Tree, layout: Layout) -> Result<(Script, Option<Script>), Trouble> {
        let script = |file: &str| {
            let sql = text(tree, file)?;
            let transaction = match layout {
                Layout::Sqlx if sql.starts_with("-- no-transaction") => Transaction::None,
                Layout::Diesel => metadata::transaction(tree, file)?,
                _ => Transaction::One,
            };
            Ok(Script { name: file.to_owned(), file: file.to_owned(), sql, transaction })
        };
        Ok((script(self.up)?, self.down.map(script).transpose()?))
    }

    fn of_goose(&self, tree: &Tree) -> Result<(Script, Option<Script>), Trouble> {
        let found = goose::sections(&text(tree, self.up)?).map_err(|wrong| self.wrong(wrong))?;
        let transaction = found.transaction;
        Ok((self.up(found.up, transaction), Some(self.down(found.down, transaction))))
    }

    fn of_dbmate(&self, tree: &Tree) -> Result<(Script, Option<Script>), Trouble> {
        let found = dbmate::sections(&text(tree, self.up)?).map_err(|wrong| self.wrong(wrong))?;
        let (up, down) = (found.up, found.down);
        Ok((self.up(up.sql, up.transaction), Some(self.down(down.sql, down.transaction))))
    }

    fn up(&self, sql: String, transaction: Transaction) -> Script {
        Script { name: self.up.to_owned(), file: self.up.to_owned(), sql, transaction }
    }

    fn down(&self, sql: String, transaction: Transaction) -> Script {
        Script { name: format!("{} (down)", self.up), file: self.up.to_owned(), sql, transaction }
    }

    fn wrong(&self, (line, reason): goose::Wrong) -> Trouble {
        Trouble::Directive { file: self.up.to_owned(), line, reason }
    }
}

/// The text of a script.
fn text(tree: &Tree, file: &str) -> Result<String, Trouble> {
    let bytes = tree.file(file).unwrap_or_default();
    let text = std::str::from_utf8(bytes)
        .map_err(|error| Trouble::NotUtf8 { file: file.to_owned(), at: error.valid_up_to() })?;
    match text.split_once('\0') {
        None => Ok(text.to_owned()),
        Some((before, _)) => {
            let line = before.matches('\n').count() + 1;
            Err(Trouble::Nul { file: file.to_owned(), line })
        }
    }
}

#[cfg(test)]
mod tests;
