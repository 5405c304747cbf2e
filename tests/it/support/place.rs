//! A temporary folder with a home in it, and the program run there.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

/// A folder of its own, gone when dropped.
pub(crate) struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(place.work()).unwrap();
        place
    }

    /// Where the program runs.
    pub(crate) fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    /// The user's own folder.
    pub(crate) fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// The program, in an environment that holds nothing but the home, with nothing on stdin.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_glyph-ledger"));
        command
            .args(arguments)
            .env_clear()
            .env("GLYPH_LEDGER_HOME", self.home())
            .current_dir(self.work())
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        self.said_by(&mut self.command(arguments))
    }

    /// Runs `command`. In what it says, this place's folder reads `[PLACE]`.
    pub(crate) fn said_by(&self, command: &mut Command) -> Said {
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| {
            let text = String::from_utf8(bytes).unwrap();
            [self.folder.path().canonicalize().unwrap(), self.folder.path().to_owned()]
                .iter()
                .fold(text, |text, path| text.replace(&path.display().to_string(), "[PLACE]"))
        };
        Said {
            exit: output.status.code().unwrap(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}

/// What a run of the program said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) exit: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Said {
    /// The one JSON object on stdout.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: stdout is no single object: {self:?}"))
    }

    /// The whole, for snapshots.
    pub(crate) fn whole(&self) -> String {
        let Self { exit, stdout, stderr } = self;
        format!("exit {exit}\n-- stdout\n{stdout}-- stderr\n{stderr}")
    }
}
