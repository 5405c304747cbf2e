//! `init`: a ledger for a store, made new or adopted as it is.

mod tree;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use ed25519_dalek::VerifyingKey;
use ledger_format::body::{Continues, ObjectState, Origin};
use ledger_format::hash::{KeyId, LedgerId};
use ledger_format::head::{HeadError, SignedHead};
use serde::Serialize;

use super::context::{Context, must_agree_with_what_is_remembered};
use super::databases::{Chosen, Settings, must_be_free};
use super::documents::{Described, Settings as OfDocuments, write_leaves_out};
use super::output::{Answer, Done};
use super::terminal::{Paint, one_line, path_shown};
use super::told::write_all_left_out;
use super::words::count;
use super::{failure, job, keys};
use crate::contract::load_file;
use crate::diagnostic::{
    ALREADY_HERE, BASELINE_DIFFERS, BASELINE_UNKNOWN, Code, Failure, KEY_REFUSED, NOTHING_HERE,
    SIGNATURE_BAD, SIGNER_UNKNOWN, USAGE,
};
use crate::effects::{Signer, SystemRandom};
use crate::ledger::{Begins, Ledger};
use crate::migrate::{
    Adoption, Baseline, FolderOptions, InitOptions, MigrateError, OpenStore, Recognised, Store,
    continued, init, recognise,
};
use crate::sql_folder::Tool;
use crate::target::glyph_store::Layout;
use crate::transform::ForeignKeyMode;
use crate::trust::read_head;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The folder whose `.glyph` store is taken into care, or made if there is none; of a database, where its ledger is made
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// Name of the project, for a new store; else the folder's name
    #[arg(long)]
    project: Option<String>,
    /// Take the documents of the folder into care, not a store
    #[arg(long)]
    documents: bool,
    /// A public key that may administer when yours is lost: a file, or itself as 64 hexadecimal digits or a line of OpenSSH
    #[arg(long, value_name = "PUBLIC_KEY")]
    recovery: Option<String>,
    /// The ledger that the store had before and that cannot be gone on with: its folder, moved elsewhere, or a head of it
    #[arg(long, value_name = "DIR_OR_HEAD")]
    continues: Option<PathBuf>,
    /// Of a head that --continues names, the public key that signed it, where that is not yours
    #[arg(long, value_name = "PUBLIC_KEY", requires = "continues")]
    continues_key: Option<String>,
    /// Of documents: leave this document or folder out here and in every later command, by its name in the tree or by a glob;
    /// may be given several times, and where there is a ledger already
    #[arg(long = "leave-out", value_name = "GLOB", requires = "documents")]
    leave_out: Vec<String>,
    /// Of documents, where there is a ledger: no longer leave this out, named as `status` names it
    #[arg(long, value_name = "GLOB", requires = "documents")]
    take_in: Vec<String>,
    #[command(flatten)]
    chosen: Chosen,
    #[command(flatten)]
    described: Described,
}

impl Arguments {
    /// What the ledger is to begin with.
    fn begins(&self, context: &Context) -> Result<Begins, Failure> {
        let recovery = self.recovery.as_deref().map(keys::public_key).transpose()?;
        if let Some(recovery) = &recovery {
            must_be_another(recovery, context)?;
        }
        let continues = self.continues.as_deref();
        Ok(Begins {
            recovery: recovery.map(|key| key.to_bytes()),
            continues: continues.map(|before| self.predecessor(before, context)).transpose()?,
        })
    }

    /// The ledger that `before`, its folder or a head of it, is of.
    fn predecessor(&self, before: &Path, context: &Context) -> Result<Continues, Failure> {
        if fs::metadata(before).map_err(failure::io(before))?.is_dir() {
            return Ok(continued(before, context.surroundings()?.wait)?);
        }
        let head = read_head(before)?;
        self.must_have_signed(&head, context)
            .map_err(|refused| refused.at(before.display().to_string()))?;
        must_agree_with_what_is_remembered(&head)?;
        let head = head.head();
        Ok(Continues { ledger: head.ledger, size: head.size, root: head.root })
    }

    /// Refuses a head of another ledger that neither the user nor whom they name has signed. That this key was allowed to sign there is
    /// for whoever has that ledger to say.
    fn must_have_signed(&self, head: &SignedHead, context: &Context) -> Result<(), Failure> {
        let key = match self.continues_key.as_deref() {
            Some(named) => keys::public_key(named)?,
            None => context.signer()?.public_key(),
        };
        let told = |code, error: HeadError| {
            Failure::new(code, error.to_string()).not_done("no ledger was made")
        };
        head.verify(&key).map_err(|error| match error {
            HeadError::OtherKey { .. } => {
                let again = ["init", "--continues", "HEAD", "--continues-key", "PUBLIC_KEY"];
                told(&SIGNER_UNKNOWN, error).next(again)
            }
            _ => told(&SIGNATURE_BAD, error),
        })
    }
}

#[derive(Serialize)]
pub(super) struct Initialised {
    ledger: LedgerId,
    /// The key to recover with.
    #[serde(skip_serializing_if = "Option::is_none")]
    recovery: Option<KeyId>,
    /// The ledger that this one goes on from.
    #[serde(skip_serializing_if = "Option::is_none")]
    continues: Option<Continues>,
    store: PathBuf,
    key: KeyId,
    key_file: PathBuf,
    key_created: bool,
    origin: Origin,
    version: String,
    objects: Vec<Object>,
    /// Number of documents found, of a ledger for documents.
    #[serde(skip_serializing_if = "Option::is_none")]
    documents: Option<u64>,
    /// What of a tree of documents every command leaves out, as it was named.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    leaves_out: Vec<String>,
    /// What that is, as far as it is there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    left_out: Vec<String>,
    /// How a database's folder of migrations was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    folder: Option<Read>,
}

/// A folder of migrations as it was read.
#[derive(Serialize)]
struct Read {
    layout: &'static str,
    /// Layouts that its files fit as well.
    also_fits: Vec<&'static str>,
    migrations: u64,
    /// Scripts that the layout passes over.
    ignored: Vec<String>,
    /// The table of the layout's tool, if that is kept.
    books: Option<&'static str>,
    /// Name of the tool whose table is not there and is not begun either.
    no_books_of: Option<&'static str>,
    /// What becomes of foreign keys while its scripts run.
    foreign_keys: ForeignKeyMode,
}

impl Read {
    fn of(recognised: Recognised) -> Self {
        let Recognised { folder, books, foreign_keys, .. } = recognised;
        let tool = folder.layout.tool();
        Self {
            layout: folder.layout.name(),
            also_fits: folder.also_fits.iter().map(|layout| layout.name()).collect(),
            migrations: folder.migrations.len() as u64,
            ignored: folder.ignored,
            books: books.as_ref().map(|books| books.tool().table()),
            no_books_of: tool.filter(|_| books.is_none()).map(Tool::name),
            foreign_keys,
        }
    }

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        write!(out, "  layout  {}, {}", self.layout, count(self.migrations, "migration"))?;
        match &self.also_fits[..] {
            [] => writeln!(out)?,
            others => writeln!(out, " (the files fit {} as well: --layout)", others.join(", "))?,
        }
        for script in &self.ignored {
            writeln!(out, "  no migration of that layout: {}", one_line(script))?;
        }
        if let Some(table) = self.books {
            let table = one_line(table);
            writeln!(out, "  books   {table}, kept as {} does", self.layout)?;
        }
        if let Some(tool) = self.no_books_of {
            writeln!(
                out,
                "  books   none: {tool} has none here, and knows nothing of what was applied"
            )?;
        }
        let keys = match self.foreign_keys {
            ForeignKeyMode::On => "enforced while scripts run",
            ForeignKeyMode::Off => "left alone while a script runs, looked at after it",
            ForeignKeyMode::AtEnd => "left alone while scripts run, looked at after the last",
        };
        writeln!(out, "  foreign keys {keys} (--foreign-keys)")
    }
}

#[derive(Serialize)]
struct Object {
    id: String,
    kind: &'static str,
    hash: String,
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Done<Initialised>, Failure> {
    let begins = arguments.begins(context)?;
    if arguments.documents {
        return tree::taken_into_care(arguments, begins, context);
    }
    let contract = the_contract(&arguments.described)?;
    if let Some(database) = &arguments.chosen.database {
        return of_database(arguments, (database, contract), begins, context);
    }
    let layout = context.store_to_init(&arguments.folder);
    must_be_meant(&arguments.folder, &layout, context)?;
    if let Some(before) = &arguments.continues {
        must_go_on_with(before, &layout)?;
    }
    let mut open = job::open_at(context, layout)?;
    if let Some(contract) = contract {
        open.contract = load_file(contract)?;
    }
    let (signer, key_created) = context.signer_or_new()?;
    let key = signer.key_id();
    let project = arguments.project.clone().unwrap_or_else(|| project_name(open.site.root()));
    let (store, ledger) = (open.site.root().to_owned(), open.ledger.clone());
    let folder = store.display().to_string();
    let options = InitOptions { open, project, baseline: None, begins, signer: Arc::new(signer) };
    let (kept, adoption) = init(options, &mut SystemRandom)?;
    let (recovery, continues) = told_of(kept.ledger())?;
    drop(kept);
    if let Some(contract) = contract {
        job::remember_contract(&ledger, contract)?;
    }
    let objects = adoption.objects.into_iter().map(|(id, state)| Object::of(id, &state)).collect();
    let answer = Initialised {
        ledger: adoption.ledger,
        recovery,
        continues,
        store,
        key,
        key_file: context.key_file()?,
        key_created,
        origin: adoption.origin,
        version: adoption.version,
        objects,
        documents: None,
        leaves_out: Vec::new(),
        left_out: Vec::new(),
        folder: None,
    };
    let found = context.names_a_store() || context.naming(&ledger).is_empty();
    let named = if found { Vec::new() } else { vec!["--store".to_owned(), folder] };
    Ok(then(answer, &[&["status"], &["plan", "-o", "plan.json"]], &named))
}

/// `answer`, with what can be run next, `named` what that works on where it would look for it elsewhere.
fn then(answer: Initialised, next: &[&[&str]], named: &[String]) -> Done<Initialised> {
    next.iter().fold(Done::new(answer), |done, words| {
        let words: Vec<&str> =
            words.iter().copied().chain(named.iter().map(String::as_str)).collect();
        done.next(&words)
    })
}

/// Refuses to make a store beside the ledger of a database or of documents: that one is meant, or the store is named.
fn must_be_meant(folder: &Path, layout: &Layout, context: &Context) -> Result<(), Failure> {
    let ledger = context.ledger_below(folder);
    if layout.manifest().exists() || context.names_a_store() {
        return Ok(());
    }
    let kept = match (Settings::are_in(&ledger)?, OfDocuments::are_in(&ledger)?) {
        (true, _) => "a database",
        (false, true) => "documents",
        (false, false) => return Ok(()),
    };
    let place = ledger.display().to_string();
    let told = format!(
        "there is a ledger of {kept} here, and no .glyph store beside it to take into care"
    );
    let failure = Failure::new(&ALREADY_HERE, told).at(place);
    Err(failure.next(["status"]).next(["init", "--store", ".glyph"]))
}

/// Refuses to go on in a store from a ledger that keeps something else, or where there is no store to go on with.
fn must_go_on_with(before: &Path, layout: &Layout) -> Result<(), Failure> {
    let place = before.display().to_string();
    // A head does not say of what.
    let kept = if before.is_dir() { kept_by(before)? } else { None };
    let refused = match kept {
        Some((kept, again)) => {
            let told = format!("the ledger in {place} keeps {kept}: say again which");
            let mut failure = Failure::new(&USAGE, told).at(&*place);
            failure.next.push(again.into_iter().chain(["--continues".to_owned(), place]).collect());
            failure
        }
        None if layout.manifest().exists() => return Ok(()),
        None => {
            let told = format!("there is no store in {} to go on with", layout.root().display());
            Failure::new(&NOTHING_HERE, told).at("--continues").next(["init", "--help"])
        }
    };
    Err(refused.not_done("no ledger and no store was made"))
}

/// What the ledger in `dir` keeps other than a store, and what takes that into care.
fn kept_by(dir: &Path) -> Result<Option<(&'static str, Vec<String>)>, Failure> {
    if let Some(database) = Settings::read(dir)? {
        return Ok(Some(("a database", database.again())));
    }
    Ok(OfDocuments::read(dir)?.map(|documents| ("documents", documents.again())))
}

/// A ledger for the database of an application, which is made if it is not there.
fn of_database(
    arguments: &Arguments,
    (database, contract): (&Path, Option<&Path>),
    begins: Begins,
    context: &Context,
) -> Result<Done<Initialised>, Failure> {
    let ledger = context.ledger_below(&arguments.folder);
    // What stands in the way is the ledger that is there, and not what it says of the database now.
    taken_into_care(arguments, (database, contract), begins, (&ledger, context)).map_err(
        |failure| match Settings::are_in(&ledger) {
            Ok(true) if NO_VERSION.contains(&failure.code) => in_care_already(&ledger),
            _ => failure,
        },
    )
}

/// Codes that say that no version of the database was found, which one in care need not have.
const NO_VERSION: [&Code; 2] = [&BASELINE_UNKNOWN, &BASELINE_DIFFERS];

fn in_care_already(ledger: &Path) -> Failure {
    let ledger = ledger.display().to_string();
    let told = format!("the ledger at {ledger} is there already, and has a database in its care");
    Failure::new(&ALREADY_HERE, told).at(ledger).next(["status"])
}

fn taken_into_care(
    arguments: &Arguments,
    (database, contract): (&Path, Option<&Path>),
    begins: Begins,
    (ledger, context): (&Path, &Context),
) -> Result<Done<Initialised>, Failure> {
    let Chosen { migrations, baseline, layout, foreign_keys, believe_baseline, .. } =
        &arguments.chosen;
    let mut settings = Settings::of(ledger, database, migrations.as_deref(), contract)?;
    let site = settings.site(ledger)?;
    must_be_free(&site, ledger)?;
    let surroundings = context.surroundings()?;
    if let Some(held) = Settings::in_care(ledger)?
        && let Some(keys) = foreign_keys
        && begins == Begins::default()
    {
        return said_again(&held.said_again(&settings, *layout, *keys)?, ledger, context);
    }
    let mut baseline = baseline.as_ref().map(|version| {
        let (version, believed) = (version.clone(), *believe_baseline);
        Baseline { version, believed }
    });
    if let Some(baseline) = &baseline {
        settings = settings.believing(baseline);
    }
    let folder = match settings.migrations(ledger)? {
        None => None,
        Some(dir) => {
            let options = FolderOptions {
                dir: &dir,
                layout: *layout,
                baseline: baseline.as_ref(),
                foreign_keys: *foreign_keys,
            };
            let recognised = recognise(&site.database(), surroundings.wait, &options);
            let recognised = recognised.map_err(|error| match error {
                MigrateError::Database(_) => in_no_care_yet(error),
                MigrateError::Baseline { .. } => without_baseline(error, arguments, contract),
                _ => with_a_layout(error, arguments, contract),
            })?;
            settings = settings.with(&recognised);
            // It was held against the structure just now.
            baseline =
                recognised.baseline.clone().map(|version| Baseline { version, believed: true });
            Some(Read::of(recognised))
        }
    };
    let described = settings.contract(ledger)?;
    let (signer, key_created) = context.signer_or_new()?;
    let key = signer.key_id();
    let open = OpenStore { site, ledger: ledger.to_owned(), contract: described, surroundings };
    let project = String::new();
    let signer = Arc::new(signer);
    let options = InitOptions { open: open.clone(), project, baseline, begins, signer };
    let (store, adoption) = match init(options, &mut SystemRandom) {
        // Making the ledger was cut short before it was written down what it was made with.
        Err(MigrateError::AlreadyAdopted { .. }) if !Settings::are_in(ledger)? => {
            adopted_before(open)?
        }
        // There is no ledger yet whose status could be asked for.
        Err(error @ MigrateError::AppliedChanged { .. }) => {
            return Err(Failure { next: Vec::new(), ..error.into() });
        }
        Err(error @ MigrateError::Database(_)) => {
            return Err(in_no_care_yet(error));
        }
        Err(error @ MigrateError::Baseline { .. }) => {
            return Err(without_baseline(error, arguments, contract));
        }
        made => made?,
    };
    settings.write(ledger)?;
    in_care(&store, adoption, (key, key_created), folder, context)
}

/// What is answered of a database that is in care now.
fn in_care(
    store: &Store,
    adoption: Adoption,
    (key, key_created): (KeyId, bool),
    folder: Option<Read>,
    context: &Context,
) -> Result<Done<Initialised>, Failure> {
    let (recovery, continues) = told_of(store.ledger())?;
    let named = context.naming(store.ledger().dir());
    let answer = Initialised {
        ledger: store.ledger().id(),
        recovery,
        continues,
        store: store.site().database(),
        key,
        key_file: context.key_file()?,
        key_created,
        origin: adoption.origin,
        version: adoption.version,
        objects: adoption.objects.into_iter().map(|(id, state)| Object::of(id, &state)).collect(),
        documents: None,
        leaves_out: Vec::new(),
        left_out: Vec::new(),
        folder,
    };
    Ok(then(answer, &[&["status"], &["plan", "-o", "plan.json"]], &named))
}

/// Writes down what is said anew of a database in care. What was applied before stands in the ledger as it was.
fn said_again(
    settings: &Settings,
    ledger: &Path,
    context: &Context,
) -> Result<Done<Initialised>, Failure> {
    let (signer, key_created) = context.signer_or_new()?;
    let (site, contract) = (settings.site(ledger)?, settings.contract(ledger)?);
    let ledger = ledger.to_owned();
    let surroundings = context.surroundings()?;
    let (store, adoption) =
        adopted_before(OpenStore { site, ledger: ledger.clone(), contract, surroundings })?;
    settings.write(&ledger)?;
    in_care(&store, adoption, (signer.key_id(), key_created), None, context)
}

/// The same command again names the version.
fn without_baseline(
    error: MigrateError,
    arguments: &Arguments,
    contract: Option<&Path>,
) -> Failure {
    let again = again(arguments, contract, ("--baseline", "VERSION"));
    Failure { next: vec![again], ..error.into() }
}

/// The same command again names one of the layouts that the files fit.
fn with_a_layout(error: MigrateError, arguments: &Arguments, contract: Option<&Path>) -> Failure {
    let layouts = match &error {
        MigrateError::Folder(folder) => folder.trouble.layouts(),
        _ => &[],
    };
    let next = layouts.iter().map(|layout| again(arguments, contract, ("--layout", layout.name())));
    let next: Vec<_> = next.collect();
    let failure = Failure::from(error);
    if next.is_empty() { failure } else { Failure { next, ..failure } }
}

/// The command that takes a database into care, as it was typed, with one option said now.
fn again(arguments: &Arguments, contract: Option<&Path>, said: (&str, &str)) -> Vec<String> {
    let mut again = vec!["init".to_owned()];
    let mut add = |flag: &str, value: Option<String>| {
        if flag != said.0 {
            again.extend(value.into_iter().flat_map(|value| [flag.to_owned(), value]));
        }
    };
    let shown = |path: &Path| path.display().to_string();
    let Chosen { database, migrations, layout, baseline, .. } = &arguments.chosen;
    add("--database", database.as_deref().map(shown));
    add("--migrations", migrations.as_deref().map(shown));
    add("--layout", layout.map(|layout| layout.name().to_owned()));
    add("--contract", contract.map(shown));
    add("--baseline", baseline.clone());
    add("--recovery", arguments.recovery.clone());
    add("--continues", arguments.continues.as_deref().map(shown));
    add("--continues-key", arguments.continues_key.clone());
    again.extend([said.0.to_owned(), said.1.to_owned()]);
    if arguments.folder != Path::new(".") {
        again.push(shown(&arguments.folder));
    }
    again
}

/// There is no ledger yet whose status, or whose content, could be asked for.
fn in_no_care_yet(error: MigrateError) -> Failure {
    let told = Failure::from(error);
    let explained = vec!["explain".to_owned(), told.code.id.to_owned()];
    Failure { next: vec![explained], ..told }
}

/// What the ledger has of the database that it took into care already.
fn adopted_before(open: OpenStore) -> Result<(Store, Adoption), Failure> {
    let store = Store::open(open)?;
    let state = store.ledger().state().store();
    let id = store.site().database_id().to_owned();
    let Some(found) = state.objects.get(&id).cloned() else {
        let told = format!("the ledger keeps another database than {id}");
        return Err(Failure::new(&ALREADY_HERE, told).at(store
            .ledger()
            .dir()
            .display()
            .to_string()));
    };
    let adoption = Adoption {
        ledger: store.ledger().id(),
        origin: state.origin.unwrap_or(Origin::Adopted),
        version: state.version.clone(),
        objects: vec![(id, found)],
    };
    Ok((store, adoption))
}

/// The contract of a store or database: one file, or none.
fn the_contract(described: &Described) -> Result<Option<&Path>, Failure> {
    let told = match (described.contract.as_slice(), described.set.is_empty()) {
        ([], true) => return Ok(None),
        ([contract], true) => return Ok(Some(Path::new(contract))),
        (_, true) => "a store has one contract; several are for documents",
        (_, false) => "the contract of a store takes no values; those are for documents",
    };
    Err(Failure::new(&USAGE, told).next(["init", "--documents"]))
}

/// Refuses the key that signs as the one to recover with: lost, it would be lost for both. A key that is made now is another.
fn must_be_another(recovery: &VerifyingKey, context: &Context) -> Result<(), Failure> {
    // What is wrong with the user's own key is told when it is used.
    let Ok(own) = context.signer() else { return Ok(()) };
    if own.public_key() != *recovery {
        return Ok(());
    }
    let told = "the key to recover with is the one that signs: lost, both would be lost";
    let failure = Failure::new(&KEY_REFUSED, told).at("--recovery");
    Err(failure.next(["key", "new", "RECOVERY_KEY"]))
}

/// What a ledger began with, as people are told.
fn told_of(ledger: &Ledger) -> Result<(Option<KeyId>, Option<Continues>), Failure> {
    let Begins { recovery, continues } = ledger.begins()?;
    Ok((recovery.map(|key| KeyId::of(&key)), continues))
}

/// A name for the project of a new store: that of the folder it lies in.
fn project_name(store: &Path) -> String {
    let absolute = std::path::absolute(store).unwrap_or_default();
    let folder = absolute.parent().and_then(Path::file_name);
    folder.map_or_else(|| "project".to_owned(), |name| name.to_string_lossy().into_owned())
}

impl Object {
    fn of(id: String, state: &ObjectState) -> Self {
        let hash = match state {
            ObjectState::Document { content, .. } | ObjectState::Log { content, .. } => {
                content.to_string()
            }
            ObjectState::Database { page_root, .. } => page_root.to_string(),
        };
        Self { id, kind: state.kind(), hash }
    }
}

impl Answer for Initialised {
    fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        let done = match self.origin {
            Origin::Created => "created a store",
            Origin::Adopted => "adopted the store",
        };
        let head = match (self.documents, &self.folder) {
            (None, Some(_)) => {
                let done = match self.origin {
                    Origin::Created => "made the database",
                    Origin::Adopted => "took the database into care",
                };
                format!(
                    "{done} at version {}: {}",
                    one_line(&self.version),
                    path_shown(&self.store)
                )
            }
            (None, None) => {
                let version = one_line(&self.version);
                format!("{done} of version {version} at {}", path_shown(&self.store))
            }
            (Some(found), _) => {
                format!("a ledger for {} at {}", count(found, "document"), path_shown(&self.store))
            }
        };
        writeln!(out, "{}", paint.strong(head))?;
        writeln!(out, "  ledger  {}", self.ledger)?;
        if let Some(Continues { ledger, size, .. }) = &self.continues {
            writeln!(
                out,
                "  goes on from ledger {ledger} as it was after {}",
                count(*size, "event")
            )?;
        }
        if let Some(recovery) = &self.recovery {
            writeln!(out, "  to recover with: key {recovery}")?;
        }
        write_leaves_out(&self.leaves_out, out)?;
        write_all_left_out(&self.left_out, out, paint)?;
        if let Some(folder) = &self.folder {
            folder.write(out)?;
        }
        let made = if self.key_created { " (new)" } else { "" };
        writeln!(out, "  key     {} in {}{made}", self.key.short(), path_shown(&self.key_file))?;
        for object in &self.objects {
            writeln!(
                out,
                "  {:8}  {}  {}",
                object.kind,
                paint.faint(&object.hash),
                one_line(&object.id)
            )?;
        }
        Ok(())
    }
}
