//! `init --documents`: a ledger for the documents of a folder, and what every command leaves out of it, also said anew.

use std::fs;
use std::path::{Path, PathBuf};

use ledger_format::body::{MIXED_VERSIONS, Origin};
use ledger_format::hash::KeyId;

use super::super::context::Context;
use super::super::documents::{self, LeavingOut, Settings, Working};
use super::super::failure;
use super::super::output::Done;
use super::{Arguments, Initialised, then, told_of};
use crate::diagnostic::{Failure, USAGE};
use crate::effects::{Signer as _, SystemRandom};
use crate::ledger::Begins;
use crate::migrate::MigrateError;
use crate::migrate::documents::{Collection, Documents, OpenDocuments};
use crate::target::documents::{Survey, Tree};

/// A ledger for the documents of a folder. None of them is touched, and none is in its care before it is first migrated.
pub(super) fn taken_into_care(
    arguments: &Arguments,
    begins: Begins,
    context: &Context,
) -> Result<Done<Initialised>, Failure> {
    let described = arguments.described.settings()?;
    let ledger = context.ledger_below(&arguments.folder);
    if let Some(kept) = Settings::read(&ledger)?
        && begins == Begins::default()
        && !(arguments.leave_out.is_empty() && arguments.take_in.is_empty())
        && kept.are_described(&described)
    {
        return said_anew(arguments, kept, &ledger, context);
    }
    if !arguments.take_in.is_empty() {
        let told = "there is no ledger of such documents here that would leave anything out";
        return Err(Failure::new(&USAGE, told).at("--take-in"));
    }
    made(arguments, described, (&ledger, begins), context)
        .map_err(|failure| to_be_left_out(failure, arguments))
}

fn made(
    arguments: &Arguments,
    described: Settings,
    (ledger, begins): (&Path, Begins),
    context: &Context,
) -> Result<Done<Initialised>, Failure> {
    let contracts = described.contracts()?;
    if contracts.is_empty() {
        let told = "name the contracts of the documents: built-in ones by name, others by file";
        return Err(Failure::new(&USAGE, told).at("--contract").next(["migration", "list"]));
    }
    let folder = &arguments.folder;
    if !fs::metadata(folder).map_err(failure::io(folder))?.is_dir() {
        let told = format!("{} is no folder", folder.display());
        return Err(Failure::new(&USAGE, told).at(folder.display().to_string()));
    }
    let named = names(&arguments.leave_out, folder);
    let settings = described.leaving_out(named.clone());
    let open = opened_by(&settings, folder.clone(), ledger, context)?;
    let survey = surveyed(&open, named)?;
    let (signer, key_created) = context.signer_or_new()?;
    let documents = match Documents::init(open.clone(), begins, &signer, &mut SystemRandom) {
        // Making the ledger was cut short before it was written down what it was made with.
        Err(MigrateError::AlreadyAdopted { .. }) if !Settings::are_in(ledger)? => {
            settings.write(ledger)?;
            Documents::open(open)?
        }
        made => made?,
    };
    settings.write(ledger)?;
    answer(folder.clone(), &documents, survey, (signer.key_id(), key_created), context)
}

/// What every command leaves out of the tree of a ledger that is there is said anew. A tree that could not be looked through then
/// is refused, and stays as it was said.
fn said_anew(
    arguments: &Arguments,
    kept: Settings,
    ledger: &Path,
    context: &Context,
) -> Result<Done<Initialised>, Failure> {
    let folder = documents::tree_of(ledger)?;
    let named = names(&arguments.leave_out, &folder);
    let settings = kept.taking_in(&names(&arguments.take_in, &folder))?.leaving_out(named.clone());
    let open = opened_by(&settings, folder.clone(), ledger, context)?;
    let documents = Documents::open(open.clone())?;
    let survey = surveyed(&open, named).map_err(|failure| {
        to_be_left_out(failure, arguments).not_done("what is left out stays as it was said before")
    })?;
    let (signer, key_created) = context.signer_or_new()?;
    settings.write(ledger)?;
    answer(folder, &documents, survey, (signer.key_id(), key_created), context)
}

/// What was named, as names in the tree at `root`.
fn names(named: &[String], root: &Path) -> Vec<String> {
    LeavingOut { named: named.to_vec() }.in_tree(root)
}

fn opened_by(
    settings: &Settings,
    folder: PathBuf,
    ledger: &Path,
    context: &Context,
) -> Result<OpenDocuments, Failure> {
    let working = Working::default();
    Ok(OpenDocuments {
        tree: settings.tree(folder),
        ledger: ledger.to_owned(),
        contracts: settings.contracts()?,
        outside: settings.outside(&working),
        jobs: working.jobs(),
        surroundings: context.surroundings()?,
    })
}

/// What is found in the tree, which must have what was just named to be left out.
fn surveyed(open: &OpenDocuments, named: Vec<String>) -> Result<Survey, Failure> {
    let tree: Tree = open.tree.clone().leaving_out(named);
    let found = Collection::of(tree, open.contracts.clone(), &open.outside)?;
    let survey = documents::alone(&found)?;
    survey.must_leave_out_all().map_err(MigrateError::from)?;
    Ok(survey)
}

/// What cannot be a document is left out by this command, where another would be asked to.
fn to_be_left_out(failure: Failure, arguments: &Arguments) -> Failure {
    let again = |words: Vec<String>| {
        let [command, flag, named] = words.as_slice() else { return words };
        if (command.as_str(), flag.as_str()) != ("plan", "--leave-out") {
            return words;
        }
        let mut again = vec!["init".to_owned(), "--documents".to_owned()];
        let mut add = |flag: &str, values: &[String]| {
            again.extend(values.iter().flat_map(|value| [flag.to_owned(), value.clone()]));
        };
        add("--contract", &arguments.described.contract);
        add("--set", &arguments.described.set);
        add("--take-in", &arguments.take_in);
        add("--leave-out", &arguments.leave_out);
        add("--leave-out", std::slice::from_ref(named));
        if arguments.folder != Path::new(".") {
            again.push(arguments.folder.display().to_string());
        }
        again
    };
    let next = failure.next.into_iter().map(again).collect();
    Failure { next, ..failure }
}

fn answer(
    folder: PathBuf,
    kept: &Documents,
    survey: Survey,
    (key, key_created): (KeyId, bool),
    context: &Context,
) -> Result<Done<Initialised>, Failure> {
    let (recovery, continues) = told_of(kept.ledger())?;
    let answer = Initialised {
        ledger: kept.ledger().id(),
        recovery,
        continues,
        store: folder,
        key,
        key_file: context.key_file()?,
        key_created,
        origin: Origin::Adopted,
        version: MIXED_VERSIONS.to_owned(),
        objects: Vec::new(),
        documents: Some(survey.documents.len() as u64),
        leaves_out: kept.collection().tree().always().to_vec(),
        left_out: survey.left_out.into_iter().collect(),
        folder: None,
    };
    let named = context.naming(kept.ledger().dir());
    let plan = documents::plan_file(kept.collection())?;
    Ok(then(answer, &[&["check"], &["plan", "-o", &plan]], &named))
}
