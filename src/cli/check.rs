//! `check`: how documents stand to their contracts, and whether a database or a store could be migrated. Touches nothing.

mod database;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::context::Context;
use super::documents::{
    self, Contracts, Described, LeavingOut, Settings, Working, first_refused, has_in_its_tree,
    inside, no_document, said_again,
};
use super::job;
use super::output::{Answer, Done};
use super::terminal::{Paint, one_line};
use super::told::{write_all_left_out, write_aside};
use super::words::count;
use crate::diagnostic::{CONTRACT_EDITED, Exit, Failure};
use crate::document::LostForm;
use crate::migrate::MigrateError;
use crate::migrate::documents::{
    Aside, Checked as Evaluated, Former, LISTED_MAX, Lost, Refusal, Status, check,
};
use crate::transform::Effect;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The document, or a folder of documents; nothing, or its file or folder, where the ledger keeps a database or a store
    #[arg(default_value = ".")]
    target: PathBuf,
    #[command(flatten)]
    described: Described,
    #[command(flatten)]
    working: Working,
    #[command(flatten)]
    leaving_out: LeavingOut,
    /// Version to check the way to; else each contract's current one
    #[arg(long, value_name = "VERSION")]
    to: Option<String>,
    /// End with exit code 10 when a migration is pending
    #[arg(long)]
    detailed_exitcode: bool,
}

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Checked {
    Documents(Box<Verdicts>),
    Database(database::Verdict),
}

#[derive(Serialize)]
pub(super) struct Verdicts {
    documents: Vec<Listed>,
    /// Documents that are not listed because all is well with them and there are many.
    not_listed: u64,
    current: u64,
    normalized: u64,
    migrated: u64,
    unsupported: u64,
    recorded: bool,
    /// What was not looked into.
    aside: Aside,
    /// What was left out because whoever asked said so, or always is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    left_out: Vec<String>,
}

#[derive(Serialize)]
struct Listed {
    id: String,
    contract: String,
    status: Status,
    detected_version: Option<String>,
    current_version: String,
    reachable: bool,
    chain: Vec<String>,
    changes: u64,
    changed: Vec<Effect>,
    lost: u64,
    lossy: Vec<Lost>,
    form_lost: Vec<LostForm>,
    signed: bool,
    errors: Vec<Refusal>,
}

/// Most documents that are listed in full.
const LISTED_DOCUMENTS_MAX: usize = 1_000;

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Done<Checked>, Failure> {
    let Described { contract, set } = &arguments.described;
    if contract.is_empty()
        && set.is_empty()
        && let Some(store) = job::asked_for(&arguments.target, context)?
    {
        arguments.leaving_out.must_be_none()?;
        return database::run(&store, arguments.to.as_deref(), arguments.detailed_exitcode);
    }
    let Arguments { target, described, working, leaving_out, to, detailed_exitcode } = arguments;
    let own = described.contract.is_empty() && described.set.is_empty();
    let ledger = documents::of_target(target, context)?;
    let settings = match &ledger {
        Some((_, settings)) if own => settings.clone(),
        _ => described.settings()?,
    };
    let ledger = ledger.filter(|(dir, _)| has_in_its_tree(dir, target));
    let recorded = ledger.is_some();
    let (former, compared) = match &ledger {
        Some(ledger) if own => recorded_of(target, ledger.clone(), context),
        _ => (Former::default(), Ok(())),
    };
    let collection = documents::collection(target, &settings, working, ledger)?;
    let root = collection.tree().root().to_owned();
    let again = |failure: Failure| {
        if target.is_dir() {
            said_again(&root, &arguments.typed(), failure)
        } else {
            Failure { next: Vec::new(), ..failure }
        }
    };
    let collection = collection.leaving_out(leaving_out.in_tree(&root));
    let survey = collection.survey().map_err(|error| again(error.into()))?;
    survey.must_leave_out_all().map_err(MigrateError::from)?;
    let mut verdicts = Verdicts {
        documents: Vec::new(),
        not_listed: 0,
        current: 0,
        normalized: 0,
        migrated: 0,
        unsupported: 0,
        recorded,
        aside: Aside::of(&survey),
        left_out: survey.left_out.iter().cloned().collect(),
    };
    check(&collection, &survey.documents, to.as_deref(), working.jobs(), &former, &mut |checked| {
        verdicts.take(checked);
        Ok(())
    })
    .map_err(|error| again(error.into()))?;
    if verdicts.total() == 0 {
        return Err(no_document(target, !verdicts.left_out.is_empty()));
    }
    let refused = verdicts
        .documents
        .iter()
        .find_map(|one| Some((one.id.clone(), one.errors.first()?.clone())));
    let pending = verdicts.migrated + verdicts.normalized > 0;
    let unsupported = verdicts.unsupported;
    let mut done = Done::new(Checked::Documents(Box::new(verdicts)));
    match compared {
        Ok(()) => {}
        Err(failure) if failure.code == &CONTRACT_EDITED => done = done.found(failure),
        Err(failure) => {
            let told = "the ledger was not asked how its contracts were used and what documents were called";
            done = done.note(format!("{told}: {}", failure.message));
        }
    }
    if let Some((id, refusal)) = refused {
        done = done.found(first_refused(&id, &refusal, unsupported));
    } else if *detailed_exitcode && pending {
        done = done.exit(Exit::Pending);
    }
    if collection.tree().leaves_out_always("") {
        done = done.note("every command that is not asked for it by name leaves this out (`init --documents --take-in`)");
    }
    if !recorded {
        done = done.note("not recorded: no ledger has these documents in its care");
    }
    Ok(done)
}

impl Arguments {
    /// The command as it was typed, but for how its answer is given.
    fn typed(&self) -> Vec<String> {
        let Described { contract, set } = &self.described;
        let mut typed = vec!["check".to_owned(), self.target.display().to_string()];
        let mut add = |flag: &str, values: &[String]| {
            typed.extend(values.iter().flat_map(|value| [flag.to_owned(), value.clone()]));
        };
        add("--contract", contract);
        add("--set", set);
        add("--to", self.to.as_slice());
        add("--leave-out", &self.leaving_out.named);
        typed.extend(self.working.allow_programs.then(|| "--allow-programs".to_owned()));
        typed
    }
}

/// What `ledger` has of the documents at `target`, which lie in its tree: what they were called, and whether their contracts are what
/// it has used them as. A check goes on without it.
fn recorded_of(
    target: &Path,
    ledger: (PathBuf, Settings),
    context: &Context,
) -> (Former, Result<(), Failure>) {
    let opened = documents::open_at(ledger, context, &Working::default(), Contracts::AtHand);
    let documents = match opened {
        Ok((documents, _)) => documents,
        Err(failure) => return (Former::default(), Err(failure)),
    };
    let compared = documents.must_be_unedited().map_err(Failure::from);
    let Some(folder) = inside(documents.collection().tree().root(), target) else {
        return (Former::default(), compared);
    };
    match documents.former() {
        Ok(former) => (former.below(&folder), compared),
        Err(error) => (Former::default(), compared.and(Err(error.into()))),
    }
}

impl Verdicts {
    const fn total(&self) -> u64 {
        self.current + self.normalized + self.migrated + self.unsupported
    }

    fn take(&mut self, checked: Evaluated) {
        let changes = !matches!(checked.evaluation.status, Status::Current | Status::Unsupported);
        if checked.names > 1 && changes {
            self.aside.hard_linked.push(&checked.id);
        }
        let count = match checked.evaluation.status {
            Status::Current => &mut self.current,
            Status::Normalized => &mut self.normalized,
            Status::Migrated => &mut self.migrated,
            Status::Unsupported => &mut self.unsupported,
        };
        *count += 1;
        if self.documents.len() < LISTED_DOCUMENTS_MAX {
            self.documents.push(Listed::of(checked));
        } else {
            self.not_listed += 1;
        }
    }
}

impl Listed {
    fn of(checked: Evaluated) -> Self {
        let Evaluated { id, contract, current, evaluation, signed, names: _ } = checked;
        let (changes, lost) = (evaluation.effects.len() as u64, evaluation.lost.len() as u64);
        Self {
            id,
            contract,
            status: evaluation.status,
            detected_version: evaluation.detected,
            current_version: current,
            reachable: evaluation.route.is_some(),
            chain: evaluation.route.map_or_else(Vec::new, |route| route.chain.clone()),
            changes,
            changed: evaluation.effects.into_iter().take(LISTED_MAX).collect(),
            lost,
            lossy: evaluation.lost.into_iter().take(LISTED_MAX).collect(),
            form_lost: evaluation.form_lost.into_iter().take(LISTED_MAX).collect(),
            signed,
            errors: evaluation.refusals,
        }
    }
}

impl Answer for Checked {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        match self {
            Self::Documents(verdicts) => verdicts.write(out, paint),
            Self::Database(verdict) => verdict.write(out, paint),
        }
    }
}

impl Answer for Verdicts {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        for one in &self.documents {
            let status = match one.status {
                Status::Current => "current",
                Status::Normalized => "normalized",
                Status::Migrated => "migrated",
                Status::Unsupported => "unsupported",
            };
            let version = one.detected_version.as_deref().unwrap_or("?");
            let way = match one.chain.as_slice() {
                [] => format!("version {}", one_line(version)),
                chain => one_line(&chain.join(" -> ")),
            };
            let changes = count(one.changes, "change");
            let status =
                if one.errors.is_empty() { paint.strong(status) } else { paint.warning(status) };
            writeln!(
                out,
                "{status}  {}  {} {way}, {changes}",
                one_line(&one.id),
                one_line(&one.contract)
            )?;
            for lossy in &one.lossy {
                writeln!(out, "  loses  {}", one_line(&lossy.path.to_string()))?;
            }
            for form in &one.form_lost {
                writeln!(out, "  form   {form}")?;
            }
            for error in &one.errors {
                writeln!(out, "  {}  {}", error.code.id, one_line(&error.message))?;
            }
        }
        write_aside(&self.aside, out, paint)?;
        write_all_left_out(&self.left_out, out, paint)?;
        if self.total() > 1 {
            let Self { current, normalized, migrated, unsupported, .. } = self;
            writeln!(
                out,
                "{current} current, {normalized} to normalize, {migrated} to migrate, {unsupported} unsupported"
            )?;
        }
        Ok(())
    }
}
