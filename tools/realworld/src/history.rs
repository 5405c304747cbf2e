//! A history of migrations as it was named on the command line. Knows where it lies and in which order its versions come.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use glyph_ledger::sql_folder::{Folder, Layout, Tables};
use glyph_ledger::transform::ForeignKeyMode;

use crate::error::Error;

/// A folder of migrations, and the database it is tried on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct History {
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
    pub(crate) layout: Option<Layout>,
    /// The database that its first migration is for; else an empty one.
    pub(crate) database: Option<PathBuf>,
    /// What becomes of foreign keys, where it is not as the layout's tool has it.
    pub(crate) foreign_keys: Option<ForeignKeyMode>,
}

impl History {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = text.split(',');
        let first = parts.next().and_then(|first| first.split_once('='));
        let (name, folder) = first.ok_or("must be NAME=DIR")?;
        let folder = std::path::absolute(folder).map_err(|error| error.to_string())?;
        let name = name.to_owned();
        let (layout, database, foreign_keys) = (None, None, None);
        let mut history = Self { name, folder, layout, database, foreign_keys };
        for part in parts {
            match part.split_once('=') {
                Some(("layout", name)) => {
                    let layout = Layout::find(name).ok_or(format!("no layout is called {name}"))?;
                    history.layout = Some(layout);
                }
                Some(("database", file)) => history.database = Some(file.into()),
                Some(("foreign-keys", name)) => {
                    let mode = ForeignKeyMode::find(name).ok_or(format!("{name} is no mode"))?;
                    history.foreign_keys = Some(mode);
                }
                _ => return Err(format!("{part} is none of layout=, database=, foreign-keys=")),
            }
        }
        Ok(history)
    }

    /// The versions of its migrations, in their order.
    pub(crate) fn versions(&self) -> Result<Vec<String>, Error> {
        let folder = Folder::read(&self.folder, self.layout, &Tables::default())?;
        Ok(folder.migrations.into_iter().map(|migration| migration.version).collect())
    }

    /// The options of `init` that name it.
    pub(crate) fn options<'a>(&'a self, database: &'a Path) -> Vec<&'a OsStr> {
        let mut options = vec![OsStr::new("--database"), database.as_os_str()];
        options.extend([OsStr::new("--migrations"), self.folder.as_os_str()]);
        if let Some(layout) = self.layout {
            options.extend([OsStr::new("--layout"), OsStr::new(layout.name())]);
        }
        if let Some(mode) = self.foreign_keys {
            options.extend([OsStr::new("--foreign-keys"), OsStr::new(mode.name())]);
        }
        options
    }
}

/// Numbers of migrations after which rows are put in: `count` of them, evenly spaced from none at all.
pub(crate) fn points(migrations: usize, count: usize) -> Vec<usize> {
    let mut points: Vec<usize> = (0..count).map(|place| migrations * place / count).collect();
    points.dedup();
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_is_named_with_what_is_to_be_said_of_it() {
        let said = "memos=/tmp/memos,layout=numbered,database=/tmp/m.db,foreign-keys=at-end";
        let read = History::parse(said).unwrap();
        let (folder, database) = ("/tmp/memos".into(), Some("/tmp/m.db".into()));
        let (layout, foreign_keys) = (Some(Layout::Numbered), Some(ForeignKeyMode::AtEnd));
        assert_eq!(read, History { name: "memos".into(), folder, layout, database, foreign_keys });
        let wrongs = [
            "memos",
            "memos=/tmp,layout=none",
            "memos=/tmp,foreign-keys=1",
            "memos=/tmp,colour=red",
        ];
        for wrong in wrongs {
            History::parse(wrong).unwrap_err();
        }
    }

    #[test]
    fn points_are_spaced_evenly_and_never_the_end() {
        assert_eq!(points(60, 4), [0, 15, 30, 45]);
        assert_eq!(points(2, 4), [0, 1]);
        assert_eq!(points(0, 4), [0]);
    }
}
