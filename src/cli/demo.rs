//! `demo`: the whole of it on the files of this folder, in a folder of its own.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use ledger_format::hash::LedgerId;
use serde::Serialize;

use super::context::Context;
use super::failure;
use super::job::Bar;
use super::output::{Answer, Done};
use super::terminal::{Paint, one_line, path_shown};
use crate::demo::{Demo, Narrator, run as tell};
use crate::diagnostic::Failure;
use crate::migrate::{Milestone, Observer};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The folder whose files are imported
    #[arg(long, value_name = "DIR", default_value = ".")]
    from: PathBuf,
    /// The new folder to work in; else one among the temporary files
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

#[derive(Serialize)]
pub(super) struct Told {
    root: PathBuf,
    project: PathBuf,
    home: PathBuf,
    export: PathBuf,
    replayed: PathBuf,
    attacked: PathBuf,
    ledger: LedgerId,
    facts: Vec<String>,
    #[serde(skip)]
    program: PathBuf,
}

pub(super) fn run(
    arguments: &Arguments,
    context: &Context,
    paint: Paint,
) -> Result<Done<Told>, Failure> {
    let root = root(arguments.out.as_deref())?;
    let mut voice =
        Voice { bar: Bar::new(context), aloud: context.is_told(), paint, facts: Vec::new() };
    let Demo { root, project, home, export, replayed, attacked, ledger } =
        tell(&arguments.from, &root, &mut voice)?;
    let facts = std::mem::take(&mut voice.facts);
    // The program may not be on the reader's PATH.
    let program = std::env::current_exe().unwrap_or_else(|_| "glyph-ledger".into());
    Ok(Done::new(Told { root, project, home, export, replayed, attacked, ledger, facts, program }))
}

/// The new folder to work in.
fn root(out: Option<&Path>) -> Result<PathBuf, Failure> {
    if let Some(root) = out {
        std::fs::create_dir(root).map_err(failure::io(root))?;
        return std::path::absolute(root).map_err(failure::io(root));
    }
    let folder = tempfile::Builder::new().prefix("glyph-ledger-demo.").tempdir();
    Ok(folder.map_err(failure::io(&std::env::temp_dir()))?.keep())
}

/// Tells the story on stdout while it happens, unless it is wanted as JSON at the end.
struct Voice {
    bar: Bar,
    aloud: bool,
    paint: Paint,
    facts: Vec<String>,
}

impl Observer for Voice {
    fn reached(&mut self, milestone: &Milestone<'_>) {
        self.bar.reached(milestone);
    }
}

impl Narrator for Voice {
    fn chapter(&mut self, title: &str) {
        self.say(&format!("\n{}", self.paint.strong(title)));
    }

    fn fact(&mut self, text: &str) {
        self.say(&format!("  {}", one_line(text)));
        self.facts.push(text.to_owned());
    }
}

impl Voice {
    /// A reader that went away does not end the story.
    fn say(&self, line: &str) {
        if self.aloud {
            self.bar.aside(|| {
                let _closed = writeln!(io::stdout(), "{line}");
            });
        }
    }
}

impl Answer for Told {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        let home = format!("GLYPH_LEDGER_HOME={}", path_shown(&self.home));
        writeln!(out, "\n{}", paint.strong("What lies where"))?;
        writeln!(out, "  the store          {}/.glyph", path_shown(&self.project))?;
        writeln!(out, "  its ledger         {}/.glyph/ledger", path_shown(&self.project))?;
        writeln!(out, "  key, known heads   {}", path_shown(&self.home))?;
        writeln!(out, "  before version 3   {}", path_shown(&self.replayed))?;
        writeln!(out, "  the export         {}", path_shown(&self.export))?;
        writeln!(out, "  the attacked copy  {}", path_shown(&self.attacked))?;
        writeln!(out, "\n{}", paint.strong("Three commands to try next"))?;
        writeln!(out, "  cd {}", path_shown(&self.project))?;
        for command in ["status --deep", "log", "undo"] {
            writeln!(out, "  env {home} {} {command}", path_shown(&self.program))?;
        }
        Ok(())
    }
}
