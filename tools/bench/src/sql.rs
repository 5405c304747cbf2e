//! SQL migrations of an application's database: what a thousand small ones take beside other tools, what it costs to find
//! nothing to do, and what is stored of a large database of which a step touches a little.
//!
//! Everything of ours is done by the command line as users have it, in a process of its own each time.

mod images;
mod peers;
mod steps;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;

use crate::apart::{self, Cost};
use crate::error::{Error, at};

pub(crate) use images::{Arguments as Images, measure as images};
pub(crate) use peers::installing;
pub(crate) use steps::{Arguments as Steps, measure as steps, status};

/// The database.
const DATABASE: &str = "app.db";
/// The folder of its migrations.
const MIGRATIONS: &str = "migrations";

#[derive(Args)]
pub(crate) struct Once {
    /// The folder to work in.
    folder: PathBuf,
    /// What the program is called with.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Does what a process of our own is started for: one command of the command line.
pub(crate) fn once(arguments: &Once) -> Result<(), Error> {
    std::env::set_current_dir(&arguments.folder).map_err(at(&arguments.folder))?;
    let called =
        std::iter::once("glyph-ledger").chain(arguments.arguments.iter().map(String::as_str));
    let called: Vec<_> = called.map(Into::into).collect();
    let began = Instant::now();
    let exit = glyph_ledger::cli::run(&called) as u8;
    let took = began.elapsed();
    if exit == 0 {
        return apart::print(took);
    }
    let actual = format!("exit code {exit}");
    Err(Error::Unexpected { what: "the command line", expected: "exit code 0".to_owned(), actual })
}

/// A folder with a database, its migrations, and the user's key and remembered heads.
struct Application {
    folder: PathBuf,
}

impl Application {
    fn new(place: &Path, name: &str) -> Result<Self, Error> {
        let folder = place.join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(at(&folder))?;
        }
        fs::create_dir_all(folder.join(MIGRATIONS)).map_err(at(&folder))?;
        Ok(Self { folder })
    }

    fn database(&self) -> PathBuf {
        self.folder.join(DATABASE)
    }

    fn migration(&self, name: &str, sql: &str) -> Result<(), Error> {
        let path = self.folder.join(MIGRATIONS).join(name);
        fs::write(&path, sql).map_err(at(&path))
    }

    /// Seconds of a whole process, and its peak memory.
    fn run(&self, command: &[&str]) -> Result<Cost, Error> {
        let fixed: [&OsStr; 2] = ["sql-once".as_ref(), self.folder.as_ref()];
        let arguments: Vec<&OsStr> =
            fixed.into_iter().chain(command.iter().map(AsRef::as_ref)).collect();
        let began = Instant::now();
        let Cost { peak_mib, .. } = apart::own_at_home(&arguments, &self.folder.join("home"))?;
        Ok(Cost { seconds: began.elapsed().as_secs_f64(), peak_mib })
    }

    /// Takes the database into care.
    fn init(&self) -> Result<Cost, Error> {
        self.run(&["init", "--database", DATABASE, "--migrations", MIGRATIONS])
    }

    /// Bytes of stored content.
    fn objects_bytes(&self) -> Result<u64, Error> {
        let folder = self.folder.join(".glyph-ledger/objects");
        let mut bytes = 0;
        for entry in fs::read_dir(&folder).map_err(at(&folder))? {
            let entry = entry.map_err(at(&folder))?;
            bytes += entry.metadata().map_err(at(&folder))?.len();
        }
        Ok(bytes)
    }
}
