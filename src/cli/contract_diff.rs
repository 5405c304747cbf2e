//! `contract diff`: what changed between two contracts, and how much higher the version must be for it.

use std::io::{self, Write};
use std::path::Path;

use clap::Args;
use ledger_format::hash::CommitHash;
use serde::Serialize;

use super::context::Context;
use super::output::{Answer, Done};
use super::terminal::{Paint, one_line};
use super::{contracts, documents};
use crate::contract::{Bundle, Contract, Difference, diff};
use crate::diagnostic::{CONTRACT_VERSION_LOW, Failure, USAGE};
use crate::migrate::MigrateError;
use crate::objects::{Objects as _, PackObjects};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The contract before: a file, the name of a built-in one, or `frozen:DIGEST`, what the ledger here has used
    old: String,
    /// The contract after; also the name of one that the ledger here was given
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

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Done<Compared>, Failure> {
    let old = contract(&arguments.old, context)?;
    let new = contract(&arguments.new, context)?;
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

/// The contract that is meant: a file before all else, then what the ledger here has or was given.
fn contract(argument: &str, context: &Context) -> Result<Contract, Failure> {
    if Path::new(argument).exists() {
        return Ok(contracts::named(argument)?.judge()?);
    }
    if let Some(digest) = argument.strip_prefix("frozen:") {
        return frozen(digest, context);
    }
    let given = documents::here(context)?.map(|(_, settings)| settings.contracts()).transpose()?;
    let mut given = given.into_iter().flatten();
    match given.find(|contract| contract.contract == argument) {
        Some(contract) => Ok(contract),
        None => Ok(contracts::named(argument)?.judge()?),
    }
}

fn frozen(digest: &str, context: &Context) -> Result<Contract, Failure> {
    let wrong = |told: String| Failure::new(&USAGE, told).at(format!("frozen:{digest}"));
    let known: CommitHash =
        digest.parse().map_err(|_| wrong(format!("{digest:?} is no digest of a contract")))?;
    let ledger = context.open()?;
    let Some((_, found)) = ledger.state().contracts().by_digest(&known) else {
        return Err(wrong("the ledger here has used no contract of that digest".to_owned()));
    };
    let packs = PackObjects::open_read_only(&ledger.objects_dir()).map_err(MigrateError::from)?;
    let bundle = packs.get(&found.bundle).map_err(MigrateError::from)?;
    Ok(Bundle::unpack(&bundle)?)
}

impl Answer for Compared {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        let Difference { old_version, new_version, changes, required, raised, .. } =
            &self.difference;
        let head = format!(
            "{} {} -> {}",
            one_line(&self.contract),
            one_line(old_version),
            one_line(new_version)
        );
        writeln!(out, "{}", paint.strong(head))?;
        for change in changes {
            let part = paint.faint(one_line(&change.part));
            writeln!(out, "  {:5}  {}  {part}", change.bump.to_string(), one_line(&change.what))?;
        }
        let words =
            |bump: &Option<_>| bump.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string);
        writeln!(out, "  raise required: {}, raised: {}", words(required), words(raised))
    }
}
