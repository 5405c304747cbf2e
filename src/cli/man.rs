//! `man`: the manual, made from the same definition as the parser.

use std::io::{self, Write};
use std::path::Path;

use clap::Args;
use serde::Serialize;

use super::failure;
use super::output::{Answer, Done};
use super::terminal::Paint;
use crate::diagnostic::{Failure, USAGE};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The command, with its group if it has one; without it, the program's own page
    command: Vec<String>,
}

#[derive(Serialize)]
pub(super) struct Page {
    roff: String,
}

pub(super) fn run(
    arguments: &Arguments,
    mut definition: clap::Command,
) -> Result<Done<Page>, Failure> {
    definition.build();
    let mut page = &definition;
    for name in &arguments.command {
        page = page.find_subcommand(name).ok_or_else(|| {
            Failure::new(&USAGE, format!("there is no command {name:?}")).next(["--help"])
        })?;
    }
    let name = page.get_bin_name().unwrap_or_default().replace(' ', "-");
    let mut roff = Vec::new();
    let man = clap_mangen::Man::new(page.clone()).title(name);
    man.render(&mut roff).map_err(failure::io(Path::new("the manual page")))?;
    Ok(Done::new(Page { roff: String::from_utf8_lossy(&roff).into_owned() }))
}

impl Answer for Page {
    fn write(&self, out: &mut dyn Write, _: Paint) -> io::Result<()> {
        out.write_all(self.roff.as_bytes())
    }
}
