//! Other tools that run the same scripts, as far as they are on the PATH.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::error::{Error, at};

/// A tool, and how it is called.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer {
    program: &'static str,
    /// How to get it.
    install: &'static str,
    /// Where the script of a number goes.
    place: fn(usize) -> PathBuf,
    /// What stands before and after it in its file.
    around: (&'static str, &'static str),
    /// Commands, the first ones of which only prepare.
    prepare: &'static [&'static [&'static str]],
    run: &'static [&'static str],
    /// Files that it does not begin without, and what they hold.
    files: &'static [(&'static str, &'static str)],
}

const PEERS: [Peer; 4] = [
    Peer {
        program: "dbmate",
        install: "npm install --global dbmate",
        place: |number| format!("m/{number:014}_step.sql").into(),
        around: ("-- migrate:up\n", "-- migrate:down\n"),
        prepare: &[&["--url", "sqlite:app.db", "create"]],
        run: &["--url", "sqlite:app.db", "--migrations-dir", "m", "--no-dump-schema", "migrate"],
        files: &[],
    },
    Peer {
        program: "sqlx",
        install: "cargo install sqlx-cli --no-default-features --features sqlite",
        place: |number| format!("m/{number}_step.sql").into(),
        around: ("", ""),
        prepare: &[&["database", "create", "--database-url", "sqlite:app.db"]],
        run: &["migrate", "run", "--source", "m", "--database-url", "sqlite:app.db"],
        files: &[],
    },
    Peer {
        program: "diesel",
        install: "cargo install diesel_cli --no-default-features --features sqlite-bundled",
        place: |number| format!("m/{number:014}_step/up.sql").into(),
        around: ("", ""),
        prepare: &[],
        run: &["migration", "run", "--database-url", "app.db", "--migration-dir", "m"],
        files: &[],
    },
    Peer {
        program: "refinery",
        install: "cargo install refinery_cli --no-default-features --features sqlite-bundled",
        place: |number| format!("m/V{number}__step.sql").into(),
        around: ("", ""),
        prepare: &[],
        run: &["migrate", "-c", "./refinery.toml", "-p", "m"],
        files: &[
            ("refinery.toml", "[main]\ndb_type = \"Sqlite\"\ndb_path = \"app.db\"\n"),
            ("app.db", ""),
        ],
    },
];

/// Those that can be run.
pub(super) fn present() -> Vec<Peer> {
    PEERS.into_iter().filter(Peer::is_here).collect()
}

/// Those that cannot, each with the command that installs it.
pub(super) fn absent() -> impl Iterator<Item = (&'static str, &'static str)> {
    PEERS.into_iter().filter(|peer| !peer.is_here()).map(|peer| (peer.program, peer.install))
}

/// Which tools it can be measured beside, and how to get each.
pub(crate) fn installing() -> String {
    let each = PEERS.iter().map(|peer| format!("\n  {:8}  {}", peer.program, peer.install));
    format!("Measured beside it, those of these that are on the PATH:{}", each.collect::<String>())
}

impl Peer {
    pub(super) const fn name(&self) -> &'static str {
        self.program
    }

    fn is_here(&self) -> bool {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).any(|folder| folder.join(self.program).is_file())
    }

    /// Seconds of the whole process that applies `scripts` to a new database.
    pub(super) fn run(&self, place: &Path, scripts: &[String]) -> Result<f64, Error> {
        let folder = place.join(self.program);
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(at(&folder))?;
        }
        let (head, tail) = self.around;
        for (number, sql) in (1..).zip(scripts) {
            let path = folder.join((self.place)(number));
            fs::create_dir_all(path.parent().unwrap_or(&folder)).map_err(at(&path))?;
            fs::write(&path, format!("{head}{sql}{tail}")).map_err(at(&path))?;
        }
        for (name, text) in self.files {
            fs::write(folder.join(name), text).map_err(at(&folder))?;
        }
        for prepare in self.prepare {
            self.call(&folder, prepare)?;
        }
        let began = Instant::now();
        self.call(&folder, self.run)?;
        Ok(began.elapsed().as_secs_f64())
    }

    fn call(&self, folder: &Path, arguments: &[&str]) -> Result<(), Error> {
        let mut command = Command::new(self.program);
        let output = command.args(arguments).current_dir(folder).output();
        let output = output.map_err(at(Path::new(self.program)))?;
        if output.status.success() {
            return Ok(());
        }
        Err(Error::Unexpected {
            what: self.program,
            expected: "an end without trouble".to_owned(),
            actual: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }
}
