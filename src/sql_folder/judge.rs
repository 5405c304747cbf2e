//! What the books say, held against the folder.

use std::collections::BTreeSet;

use super::books::{Applied, Books};
use super::checksum::{self, Width};
use super::folder::{Folder, Migration};
use super::layout::Tool;
/// What the rows of a tool's table mean for a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The books, with the kind of checksum that reproduces the rows.
    pub books: Books,
    /// How many migrations from the first on are applied, without a gap.
    pub applied: usize,
    /// Everything that is wrong. With anything here that is not harmless, nothing must be applied.
    pub findings: Vec<Finding>,
}

/// Something that is wrong between a folder and what was applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// An applied migration's statements are others now.
    #[error(
        "{file:?} (version {version}) was edited after it was applied: its checksum is {found}, applied was {recorded}"
    )]
    Edited {
        /// The version.
        version: String,
        /// The file.
        file: String,
        /// The checksum of what was applied.
        recorded: String,
        /// The checksum of what is there.
        found: String,
    },
    /// Only line endings, white space or comments of an applied migration are others now.
    #[error(
        "{file:?} (version {version}) differs from what was applied in line endings, white space or comments only: \
        its checksum is {found}, applied was {recorded}"
    )]
    Cosmetic {
        /// The version.
        version: String,
        /// The file.
        file: String,
        /// The checksum of what was applied.
        recorded: String,
        /// The checksum of what is there.
        found: String,
    },
    /// An applied migration has no file any more.
    #[error("version {version}{} is applied, but no file of the folder has it", once(file.as_deref()))]
    Missing {
        /// The version.
        version: String,
        /// The file that it had, if that is known.
        file: Option<String>,
    },
    /// The database is ahead of the folder.
    #[error("version {version} is applied, and is newer than the folder's last, {last}")]
    Newer {
        /// The version.
        version: String,
        /// The last version of the folder.
        last: String,
    },
    /// A migration that is not applied stands below one that is.
    #[error("{file:?} (version {version}) is not applied, though the later version {newest} is")]
    Late {
        /// The version.
        version: String,
        /// The file.
        file: String,
        /// The newest version that is applied.
        newest: String,
    },
    /// A migration was begun and not finished.
    #[error("version {version}{} is marked as begun and not finished", once(file.as_deref()))]
    Dirty {
        /// The version.
        version: String,
        /// Its file, if it has one.
        file: Option<String>,
    },
    /// No way of computing them gives the checksums that are recorded.
    #[error("no known way of computing checksums gives those in {table}")]
    UnknownChecksums {
        /// The table.
        table: &'static str,
    },
}

impl Finding {
    /// The version that it is about; of checksums that nobody knows, none.
    pub fn version(&self) -> Option<&str> {
        match self {
            Self::Edited { version, .. }
            | Self::Cosmetic { version, .. }
            | Self::Missing { version, .. }
            | Self::Newer { version, .. }
            | Self::Late { version, .. }
            | Self::Dirty { version, .. } => Some(version),
            Self::UnknownChecksums { .. } => None,
        }
    }

    /// The file that it is about, if that is known.
    pub fn file(&self) -> Option<&str> {
        match self {
            Self::Edited { file, .. } | Self::Cosmetic { file, .. } | Self::Late { file, .. } => {
                Some(file)
            }
            Self::Missing { file, .. } | Self::Dirty { file, .. } => file.as_deref(),
            Self::Newer { .. } | Self::UnknownChecksums { .. } => None,
        }
    }

    /// Whether migrating can go on in spite of it: no statement is another one.
    pub const fn is_harmless(&self) -> bool {
        matches!(self, Self::Cosmetic { .. })
    }

    /// Whether `other` says of the same version what this says of it, from another witness.
    pub fn says_the_same(&self, other: &Self) -> bool {
        let subject = |finding: &Self| match finding {
            Self::Edited { .. } | Self::Cosmetic { .. } => 0,
            Self::Missing { .. } | Self::Newer { .. } => 1,
            Self::Late { .. } => 2,
            Self::Dirty { .. } => 3,
            Self::UnknownChecksums { .. } => 4,
        };
        (subject(self), self.version()) == (subject(other), other.version())
    }
}

impl Judgement {
    /// Whether nothing is wrong that must keep anybody from migrating.
    pub fn is_sound(&self) -> bool {
        self.findings.iter().all(Finding::is_harmless)
    }
}

impl Books {
    /// What the rows of the books mean for `folder`.
    pub fn judge(&self, folder: &Folder, rows: &[Applied]) -> Judgement {
        let (width, unknown) = self.settled(folder, rows);
        let books = Self { tool: self.tool, width };
        let mut findings: Vec<Finding> = unknown.into_iter().collect();
        let known = findings.is_empty();
        let mut applied = BTreeSet::new();
        for row in rows {
            if !row.ok {
                let at = folder.position(&row.version).and_then(|at| folder.migrations.get(at));
                let file = at.map(|migration| migration.up.file.clone());
                findings.push(Finding::Dirty { version: row.version.clone(), file });
            }
            match folder.position(&row.version) {
                None if books.tool.keeps_newest_only() && is_nil(row) => {}
                None => findings.push(without_file(folder, &row.version)),
                Some(position) if books.tool.keeps_newest_only() => applied.extend(0..=position),
                Some(position) => {
                    applied.insert(position);
                    let migration = folder.migrations.get(position).filter(|_| known);
                    findings.extend(migration.and_then(|migration| books.edited(migration, row)));
                }
            }
        }
        findings.extend(late(folder, &applied));
        let count =
            (0..folder.migrations.len()).take_while(|position| applied.contains(position)).count();
        Judgement { books, applied: count, findings }
    }

    /// The width of versions that reproduces the checksums of the rows: all, or if none does that, any. With no such row
    /// there is nothing to choose by.
    fn settled(&self, folder: &Folder, rows: &[Applied]) -> (Width, Option<Finding>) {
        let pairs: Vec<(&Migration, &Applied)> = rows
            .iter()
            .filter(|row| row.checksum.is_some())
            .filter_map(|row| Some((folder.migrations.get(folder.position(&row.version)?)?, row)))
            .collect();
        if self.tool != Tool::Refinery || pairs.is_empty() {
            return (self.width, None);
        }
        let other = if self.width == Width::Four { Width::Eight } else { Width::Four };
        let reproduced = |width| {
            let books = Self { tool: self.tool, width };
            let same = |(migration, row): &&(&Migration, &Applied)| {
                books
                    .edited(migration, row)
                    .is_none_or(|found| matches!(found, Finding::Cosmetic { .. }))
            };
            pairs.iter().filter(same).count()
        };
        let (own, others) = (reproduced(self.width), reproduced(other));
        if own == 0 && others == 0 && pairs.len() > 1 {
            return (self.width, Some(Finding::UnknownChecksums { table: self.tool.table() }));
        }
        (if own >= others { self.width } else { other }, None)
    }

    /// The checksum of `sql` as the migration's, where the tool keeps one.
    fn checksum(&self, migration: &Migration, sql: &str) -> Option<String> {
        let Migration { name, version, .. } = migration;
        match self.tool {
            Tool::Sqlx => Some(checksum::sqlx(sql)),
            Tool::Refinery => checksum::refinery(name, version, sql, self.width),
            _ => None,
        }
    }

    /// How `migration` differs from what was applied, if it does.
    fn edited(&self, migration: &Migration, row: &Applied) -> Option<Finding> {
        let recorded = row.checksum.clone()?;
        let found = self.checksum(migration, &migration.up.sql)?;
        if found == recorded {
            return None;
        }
        let before = checksum::unchanged_statements(&migration.up.sql);
        let cosmetic =
            before.iter().any(|sql| self.checksum(migration, sql).as_ref() == Some(&recorded));
        Some(change(migration, recorded, found, cosmetic))
    }
}

fn change(migration: &Migration, recorded: String, found: String, cosmetic: bool) -> Finding {
    let (version, file) = (migration.version.clone(), migration.up.file.clone());
    if cosmetic {
        Finding::Cosmetic { version, file, recorded, found }
    } else {
        Finding::Edited { version, file, recorded, found }
    }
}

/// The file that a migration had, in words.
fn once(file: Option<&str>) -> String {
    file.map(|file| format!(" ({file:?})")).unwrap_or_default()
}

/// golang-migrate's version of a database without migrations, which stands in a row only if it is dirty.
fn is_nil(row: &Applied) -> bool {
    row.version == "-1"
}

/// A row for which there is no file.
fn without_file(folder: &Folder, version: &str) -> Finding {
    let version = version.to_owned();
    let order = folder.layout.order();
    let Some(last) = folder.migrations.last().map(|last| last.version.clone()) else {
        return Finding::Missing { version, file: None };
    };
    let is_newer = order.key(&version).zip(order.key(&last)).is_some_and(|(key, last)| key > last);
    if is_newer {
        Finding::Newer { version, last }
    } else {
        Finding::Missing { version, file: None }
    }
}

/// Migrations that are not applied below the newest that is.
fn late(folder: &Folder, applied: &BTreeSet<usize>) -> Vec<Finding> {
    let newest = applied.last().copied().unwrap_or_default();
    let Some(last) = folder.migrations.get(newest) else { return Vec::new() };
    let missing = folder.migrations.iter().enumerate().take(newest);
    let missing = missing.filter(|(position, _)| !applied.contains(position));
    missing
        .map(|(_, migration)| Finding::Late {
            version: migration.version.clone(),
            file: migration.up.file.clone(),
            newest: last.version.clone(),
        })
        .collect()
}

#[cfg(test)]
mod tests;
