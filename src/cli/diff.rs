//! `contract diff`: what changed between two contracts, and how much higher the version must be for it.

use std::io::{self, Write};

use clap::Args;
use serde::Serialize;

use super::contracts;
use super::output::{Answer, Done};
use super::terminal::{Paint, plain};
use crate::contract::{Difference, diff};
use crate::diagnostic::{CONTRACT_VERSION_LOW, Failure};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The contract before: a file, or the name of a built-in one
    old: String,
    /// The contract after
    new: String,
}

#[derive(Serialize)]
pub(super) struct Compared {
    contract: String,
    #[serde(flatten)]
    difference: Difference,
    /// The lowest version that says enough.
    least_version: Option<String>,
}

pub(super) fn run(arguments: &Arguments) -> Result<Done<Compared>, Failure> {
    let old = contracts::named(&arguments.old)?.judge()?;
    let new = contracts::named(&arguments.new)?.judge()?;
    let difference = diff(&old, &new);
    let least_version = difference.least_version();
    let failure = (!difference.enough).then(|| {
        let least = least_version.as_deref().unwrap_or("one of the form MAJOR.MINOR.PATCH");
        let message = format!(
            "contract_version is {} and must be at least {least}, coming from {}",
            new.contract_version, old.contract_version
        );
        Failure::new(&CONTRACT_VERSION_LOW, message).at(arguments.new.clone())
    });
    let done = Done::new(Compared { contract: new.contract, difference, least_version });
    Ok(match failure {
        None => done,
        Some(failure) => done.found(failure),
    })
}

impl Answer for Compared {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        let Difference { old_version, new_version, changes, required, raised, .. } =
            &self.difference;
        let head =
            format!("{} {} -> {}", plain(&self.contract), plain(old_version), plain(new_version));
        writeln!(out, "{}", paint.strong(head))?;
        for change in changes {
            let part = paint.faint(plain(&change.part));
            writeln!(out, "  {:5}  {}  {part}", change.bump.to_string(), plain(&change.what))?;
        }
        let words =
            |bump: &Option<_>| bump.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string);
        writeln!(out, "  raise required: {}, raised: {}", words(required), words(raised))
    }
}
