//! The program as a process of its own in a folder of its own: what it is asked, and what it answers with `--json`.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::error::{Error, Stop};

pub(crate) struct Program {
    file: PathBuf,
    folder: PathBuf,
}

/// An answer of the program.
pub(crate) struct Answer {
    pub(crate) data: Value,
    pub(crate) took: Duration,
}

/// The program said no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) command: String,
    pub(crate) code: String,
    pub(crate) message: String,
}

impl Program {
    pub(crate) fn new(file: &Path, folder: &Path) -> Self {
        Self { file: file.to_owned(), folder: folder.to_owned() }
    }

    /// The same program in a new folder below its own, with a key and a memory of its own.
    pub(crate) fn below(&self, name: &str) -> Result<Self, Error> {
        let folder = self.folder.join(name);
        fs::create_dir(&folder)?;
        Ok(Self { file: self.file.clone(), folder })
    }

    /// The folder that its databases, ledgers and key are in.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn ask<A: AsRef<OsStr>>(
        &self,
        command: &str,
        arguments: &[A],
    ) -> Result<Answer, Stop> {
        let mut process = Command::new(&self.file);
        process.current_dir(&self.folder).env("GLYPH_LEDGER_HOME", self.folder.join("home"));
        process.args(["--json", "--quiet", command]).args(arguments);
        let begun = Instant::now();
        let output =
            process.output().map_err(|error| Error::File { file: self.file.clone(), error })?;
        let took = begun.elapsed();
        let Ok(answer) = serde_json::from_slice::<Value>(&output.stdout) else {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(Error::Answer { command: command.to_owned(), said }.into());
        };
        if answer.get("ok") == Some(&Value::Bool(true)) {
            let data = answer.get("data").cloned().unwrap_or_default();
            return Ok(Answer { data, took });
        }
        let text = |place: &str| {
            let text = answer.pointer(place).and_then(Value::as_str);
            // Further lines show the statement.
            text.and_then(|text| text.lines().next()).unwrap_or("nothing was said").to_owned()
        };
        Err(Stop::Refused(Refusal {
            command: command.to_owned(),
            code: text("/diagnostics/0/code"),
            message: text("/diagnostics/0/message"),
        }))
    }
}
