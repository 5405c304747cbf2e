//! Databases of applications on the command line: which one a ledger keeps, where its migrations are, and opening both.

use std::fs;
use std::io::{self, Read as _};
use std::iter;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::{Deserialize, Serialize};

use super::context::{Context, LEDGER_FOLDER};
use super::failure;
use super::new_file::NewFile;
use crate::contract::{Contract, ContractError, load_file};
use crate::diagnostic::{ALREADY_HERE, Failure, IO, USAGE};
use crate::effects::syncs;
use crate::migrate::{Baseline, OpenStore, Recognised};
use crate::sql_folder::{Books, Folder, Layout, Tables, Width, compile};
use crate::target::glyph_store::Layout as StoreLayout;
use crate::target::{DatabaseFile, Site};
use crate::transform::ForeignKeyMode;

/// Name of the file in a ledger's folder that says which database is in its care.
const SETTINGS_FILE: &str = "database.json";

/// Longest file of settings, in bytes: a few paths.
const SETTINGS_BYTES_MAX: u64 = 64 * 1024;

/// Which database comes into care, and what migrates it.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct Chosen {
    /// Take this SQLite database of an application into care; it is made if it is not there
    #[arg(long, value_name = "FILE", conflicts_with_all = ["documents", "store"])]
    pub(super) database: Option<PathBuf>,
    /// The folder of the SQL migrations of the database
    #[arg(long, value_name = "DIR", requires = "database")]
    pub(super) migrations: Option<PathBuf>,
    /// How the folder is laid out, where its files do not tell
    #[arg(long, value_name = "LAYOUT", requires = "migrations", value_parser = layout_named)]
    pub(super) layout: Option<Layout>,
    /// The version that the database has, where nothing else tells it: that of its last migration, or `none`
    #[arg(long, value_name = "VERSION", requires = "database")]
    pub(super) baseline: Option<String>,
    /// Take that version as it is, and do not hold it against the structure of the database
    #[arg(long, requires = "baseline")]
    pub(super) believe_baseline: bool,
    /// What becomes of foreign keys in scripts that do not switch them: enforced (on), left alone and looked at after each
    /// script (off), or after the last one only (at-end). Said again later, it holds from then on
    #[arg(long, value_name = "MODE", requires = "migrations", value_parser = keys_named)]
    pub(super) foreign_keys: Option<ForeignKeyMode>,
}

/// What is called so.
fn keys_named(name: &str) -> Result<ForeignKeyMode, String> {
    ForeignKeyMode::find(name).ok_or_else(|| "must be on, off or at-end".to_owned())
}

/// The layout of that name.
fn layout_named(name: &str) -> Result<Layout, String> {
    Layout::find(name).ok_or_else(|| {
        let known = Layout::ALL.map(Layout::name).join(", ");
        format!("no layout has that name; known are {known}")
    })
}

/// The books that are kept for a folder's tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kept {
    /// As the tool keeps them.
    Kept,
    /// The same, with checksums of versions of 64 bits: of refinery only.
    KeptWide,
}

/// What a ledger of a database was set up with. Paths are from the folder that the ledger lies in, as far
/// as they lead below it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    database: PathBuf,
    /// The folder of its migrations, if that is what migrates it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    migrations: Option<PathBuf>,
    /// How that folder is laid out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    layout: Option<String>,
    /// Which books of its tool are kept, if any are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    books: Option<Kept>,
    /// What becomes of foreign keys; ledgers of older builds say nothing, and enforce them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    foreign_keys: Option<ForeignKeyMode>,
    /// The version that was believed when the database came into care, if its structure was not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    believed_baseline: Option<String>,
    /// The contract, if that is what migrates it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    contract: Option<PathBuf>,
}

impl Settings {
    /// Those of a ledger in `ledger` that is yet to be made.
    pub(super) fn of(
        ledger: &Path,
        database: &Path,
        migrations: Option<&Path>,
        contract: Option<&Path>,
    ) -> Result<Self, Failure> {
        let base = base_of(ledger)?;
        let place = |path: &Path| {
            let path = fs::canonicalize(path).map_err(failure::io(path))?;
            Ok::<_, Failure>(path.strip_prefix(&base).map_or_else(|_| path.clone(), Path::to_owned))
        };
        if migrations.is_some() == contract.is_some() {
            let told = "name either the folder of the database's migrations, or its contract";
            return Err(Failure::new(&USAGE, told).at("--migrations"));
        }
        // The database may not be there yet.
        let folder = syncs::folder_of(database);
        let named = database.file_name().map(|name| folder.join(name));
        let named = named.filter(|_| !database.exists());
        let database = match named {
            None => place(database)?,
            Some(named) => {
                let name = named.file_name().unwrap_or_default();
                place(folder)?.join(name)
            }
        };
        let migrations = migrations.map(place).transpose()?;
        let contract = contract.map(place).transpose()?;
        let (layout, books, foreign_keys) = (None, None, None);
        let believed_baseline = None;
        Ok(Self { database, migrations, layout, books, foreign_keys, believed_baseline, contract })
    }

    /// What takes it into care.
    pub(super) fn again(&self) -> Vec<String> {
        let shown = |path: &PathBuf| path.display().to_string();
        let said = [
            ("--database", Some(shown(&self.database))),
            ("--migrations", self.migrations.as_ref().map(shown)),
            ("--layout", self.layout.clone()),
            ("--contract", self.contract.as_ref().map(shown)),
        ];
        let said = said.into_iter().filter_map(|(flag, value)| Some([flag.to_owned(), value?]));
        iter::once("init".to_owned()).chain(said.flatten()).collect()
    }

    /// The same, with what was recognised of the folder.
    pub(super) fn with(mut self, recognised: &Recognised) -> Self {
        self.layout = Some(recognised.folder.layout.name().to_owned());
        self.foreign_keys = Some(recognised.foreign_keys);
        self.books = recognised.books.as_ref().map(|books| match books.width() {
            Width::Four => Kept::Kept,
            Width::Eight => Kept::KeptWide,
        });
        self
    }

    /// The same, with the version that is believed.
    pub(super) fn believing(self, baseline: &Baseline) -> Self {
        let believed_baseline = Some(baseline.version.clone()).filter(|_| baseline.believed);
        Self { believed_baseline, ..self }
    }

    /// Those of the ledger in `ledger`, if it has some.
    pub(super) fn read(ledger: &Path) -> Result<Option<Self>, Failure> {
        let path = ledger.join(SETTINGS_FILE);
        let mut text = Vec::new();
        let read = fs::File::open(&path)
            .and_then(|file| file.take(SETTINGS_BYTES_MAX + 1).read_to_end(&mut text));
        match read {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failure::io(&path)(error)),
            Ok(_) => {}
        }
        serde_json::from_slice(&text).map(Some).map_err(|error| {
            Failure::new(&USAGE, format!("not the settings of a database: {error}"))
                .at(path.display().to_string())
        })
    }

    /// Whether the ledger in `ledger` has some.
    pub(super) fn are_in(ledger: &Path) -> Result<bool, Failure> {
        Ok(Self::read(ledger)?.is_some())
    }

    /// Those of the ledger in `ledger`, if it has some.
    pub(super) fn in_care(ledger: &Path) -> Result<Option<Self>, Failure> {
        Self::read(ledger)
    }

    /// The same with another mode of foreign keys, if `named` and `layout` are of the same database and folder.
    pub(super) fn said_again(
        self,
        named: &Self,
        layout: Option<Layout>,
        keys: ForeignKeyMode,
    ) -> Result<Self, Failure> {
        let same = self.database == named.database
            && self.migrations == named.migrations
            && layout.is_none_or(|layout| self.layout() == Some(layout.name()));
        if same {
            return Ok(Self { foreign_keys: Some(keys), ..self });
        }
        let told = "the ledger here keeps another database, folder or layout than those named";
        Err(Failure::new(&ALREADY_HERE, told).next(["status"]))
    }

    /// Writes them, durably, into the ledger, which has none or older ones.
    pub(super) fn write(&self, ledger: &Path) -> Result<(), Failure> {
        let file = ledger.join(SETTINGS_FILE);
        let text = serde_json::to_string_pretty(self).map_err(|error| {
            Failure::new(&USAGE, format!("a path cannot be written down: {error}"))
        })?;
        NewFile::at(&file, |_| true)?.make(0o644, |out| {
            use std::io::Write as _;
            writeln!(out, "{text}").map_err(failure::io(&file))
        })
    }

    /// Where the database lies.
    pub(super) fn site(&self, ledger: &Path) -> Result<Site, Failure> {
        let path = base_of(ledger)?.join(&self.database);
        let file = DatabaseFile::at(&path).ok_or_else(|| {
            let told = "the database has no file name, or one that is not UTF-8";
            Failure::new(&USAGE, told).at(path.display().to_string())
        })?;
        Ok(file.into())
    }

    /// The folder of its migrations, if they are in one.
    pub(super) fn migrations(&self, ledger: &Path) -> Result<Option<PathBuf>, Failure> {
        let base = base_of(ledger)?;
        Ok(self.migrations.as_ref().map(|folder| base.join(folder)))
    }

    /// The contract that migrates it.
    pub(super) fn contract(&self, ledger: &Path) -> Result<Contract, Failure> {
        if let Some(file) = &self.contract {
            return load_remembered(&base_of(ledger)?.join(file), &ledger.join(SETTINGS_FILE));
        }
        let dir = self.migrations(ledger)?.unwrap_or_default();
        if !dir.exists() {
            let (dir, file) = (dir.display(), ledger.join(SETTINGS_FILE));
            let told = format!(
                "the folder of the migrations is not at {dir}: put it back, or write where it is into {}",
                file.display()
            );
            return Err(Failure::new(&IO, told).at(dir.to_string()));
        }
        let layout = self.layout.as_deref().map(layout_named).transpose();
        let layout = layout.map_err(|told| {
            Failure::new(&USAGE, told).at(ledger.join(SETTINGS_FILE).display().to_string())
        })?;
        let folder = Folder::read(&dir, layout, &Tables::default())?;
        let width = self.books.map(|kept| match kept {
            Kept::Kept => Width::Four,
            Kept::KeptWide => Width::Eight,
        });
        let books = folder.layout.tool().zip(width);
        let books = books.map(|(tool, width)| Books::with_width(tool, width));
        Ok(compile(&folder, books.as_ref(), self.foreign_keys.unwrap_or_default()))
    }

    /// Name of the layout of the folder of its migrations, if they are in one.
    pub(super) fn layout(&self) -> Option<&str> {
        self.layout.as_deref()
    }
}

/// Refuses a database that another ledger has in its care, as far as that lies in a folder above the database: each of the two
/// would take what the other does for changes by hand.
pub(super) fn must_be_free(site: &Site, ledger: &Path) -> Result<(), Failure> {
    let Some(database) = identity(&site.database()) else { return Ok(()) };
    let Ok(path) = fs::canonicalize(site.database()) else { return Ok(()) };
    for folder in path.ancestors().skip(1) {
        let (alone, store) = (folder.join(LEDGER_FOLDER), StoreLayout::new(folder));
        let kept = Settings::read(&alone)?.map(|settings| settings.site(&alone)).transpose()?;
        let (other, kept) = match kept {
            Some(site) => (alone, site.database()),
            None if store.ledger().is_dir() => (store.ledger(), store.database()),
            None => continue,
        };
        if identity(&kept) == Some(database) && identity(&other) != identity(ledger) {
            let told = format!(
                "the database is in the care of another ledger already, the one at {}",
                other.display()
            );
            let failure = Failure::new(&ALREADY_HERE, told).at(path.display().to_string());
            let other = other.display().to_string();
            return Err(failure
                .not_done("nothing was written")
                .next(["status", "--ledger", &other]));
        }
    }
    Ok(())
}

/// The contract in `file`, where a ledger was told that it is; that stands in the file `told_in`.
pub(super) fn load_remembered(file: &Path, told_in: &Path) -> Result<Contract, Failure> {
    load_file(file).map_err(|error| match error {
        ContractError::Io { ref path, .. } => remembered(path, &error, told_in),
        error => error.into(),
    })
}

/// A file of a contract that cannot be read; that it is at `path` stands in the file `told_in`.
pub(super) fn remembered(path: &Path, error: &ContractError, told_in: &Path) -> Failure {
    let told = format!(
        "a file of the contract that the ledger was set up with cannot be read: {error}; put it back, or write where the contract is into {}",
        told_in.display()
    );
    Failure::new(&IO, told).at(path.display().to_string())
}

/// Which file or folder it is, by whatever name.
fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

/// The folder that the ledger in `ledger` lies in, or will.
fn base_of(ledger: &Path) -> Result<PathBuf, Failure> {
    let folder = syncs::folder_of(ledger);
    fs::canonicalize(folder).map_err(failure::io(folder))
}

/// The settings of the ledger here, if it is one of a database; looked for as every ledger is.
pub(super) fn here(context: &Context) -> Result<Option<(PathBuf, Settings)>, Failure> {
    let Some(dir) = context.ledger_here()? else { return Ok(None) };
    Ok(Settings::read(&dir)?.map(|settings| (dir, settings)))
}

/// Where the database that the ledger here keeps is, and what it takes to open it.
pub(super) fn place(context: &Context) -> Result<Option<OpenStore>, Failure> {
    let Some((ledger, settings)) = here(context)? else { return Ok(None) };
    Ok(Some(OpenStore {
        site: settings.site(&ledger)?,
        contract: settings.contract(&ledger)?,
        ledger,
        surroundings: context.surroundings()?,
    }))
}

/// The folder of the database that the ledger in `dir` keeps, if it keeps one.
pub(super) fn root_of(dir: &Path) -> Result<Option<PathBuf>, Failure> {
    let Some(settings) = Settings::read(dir)? else { return Ok(None) };
    Ok(Some(settings.site(dir)?.root().to_owned()))
}
