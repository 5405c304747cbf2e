//! Trees of documents on the command line: which contracts describe them, what their steps get from outside, and opening
//! them with their ledger.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::context::{Context, LEDGER_FOLDER, Located};
use super::databases::remembered;
use super::new_file::NewFile;
use super::terminal::one_line;
use super::{contracts, failure};
use crate::contract::{Contract, ContractError, Source, registry};
use crate::diagnostic::{Failure, NOTHING_HERE, USAGE};
use crate::document::{Value, json};
use crate::migrate::documents::{
    Collection, Documents, Neighbour, OpenDocuments, Outside, must_not_share,
};
use crate::target::documents::{Survey, Tree};

/// Name of the file in a ledger's folder that says what documents are in its care.
const SETTINGS_FILE: &str = "documents.json";

/// Most threads that work on documents.
const JOBS_MAX: u64 = 1024;

/// What describes documents that are not in the care of a ledger, or are to come into it.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct Described {
    /// A contract of the documents: the name of one that is built in, or a file; may be given several times
    #[arg(long, value_name = "CONTRACT")]
    pub(super) contract: Vec<String>,
    /// A value that the contracts' steps get from outside: JSON, or else a text
    #[arg(long, value_name = "NAME=VALUE")]
    pub(super) set: Vec<String>,
}

/// How work on documents is done.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct Working {
    /// Let steps run the external programs that contracts of documents name
    #[arg(long)]
    pub(super) allow_programs: bool,
    /// Number of threads that work on documents; else as many as there are processors
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=JOBS_MAX))]
    pub(super) jobs: Option<u64>,
}

/// What of a tree is not looked at.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct LeavingOut {
    /// Leave this document or folder out, by its name in the tree or by a glob; may be given several
    /// times. What is left out is named in the plan and what comes of it
    #[arg(long = "leave-out", value_name = "GLOB")]
    pub(super) named: Vec<String>,
}

impl LeavingOut {
    /// As names in a tree: a path may begin with `./`, lie below the tree's root as seen from anywhere, or end with `/`.
    pub(super) fn in_tree(&self, root: &Path) -> Vec<String> {
        let roots = [fs::canonicalize(root).ok(), Some(root.to_owned())];
        let below = |named: &str| {
            let mut roots = roots.iter().flatten().filter(|root| root.is_absolute());
            let below = roots.find_map(|root| Path::new(named).strip_prefix(root).ok())?;
            below.to_str().map(str::to_owned)
        };
        let named = self.named.iter().map(|named| {
            let name = below(named).unwrap_or_else(|| named.clone());
            let name = name.strip_prefix("./").unwrap_or(&name);
            name.strip_suffix('/').unwrap_or(name).to_owned()
        });
        named.collect()
    }

    /// Refuses to leave documents out where there are none.
    pub(super) fn must_be_none(&self) -> Result<(), Failure> {
        if self.named.is_empty() {
            return Ok(());
        }
        let told =
            "a store or database is migrated as a whole: --leave-out is for folders of documents";
        Err(Failure::new(&USAGE, told).at("--leave-out"))
    }
}

/// What a ledger of documents was set up with.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    contracts: Vec<String>,
    parameters: Vec<(String, Value)>,
    /// What every command leaves out, by ids or globs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    left_out: Vec<String>,
    /// The file that they were read from.
    #[serde(skip)]
    kept_in: Option<PathBuf>,
}

impl Working {
    pub(super) fn jobs(&self) -> usize {
        let given = self.jobs.and_then(|jobs| usize::try_from(jobs).ok());
        given.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from))
    }
}

impl Described {
    /// As it is remembered: contracts that are files by where they lie.
    pub(super) fn settings(&self) -> Result<Settings, Failure> {
        let contracts = self.contract.iter().map(|named| {
            let path = Path::new(named);
            if path.exists() {
                let path = fs::canonicalize(path).map_err(failure::io(path))?;
                Ok(path.display().to_string())
            } else {
                Ok(named.clone())
            }
        });
        let contracts = contracts.collect::<Result<_, Failure>>()?;
        let parameters = self.set.iter().map(|given| parameter(given)).collect::<Result<_, _>>()?;
        Ok(Settings { contracts, parameters, left_out: Vec::new(), kept_in: None })
    }
}

impl Settings {
    pub(super) fn contracts(&self) -> Result<Vec<Contract>, Failure> {
        let load = |named: &String| {
            let contract = contracts::named(named).and_then(Source::judge);
            contract.map_err(|error| match (&error, &self.kept_in) {
                (ContractError::Io { path, .. }, Some(kept_in)) => {
                    remembered(path, &error, kept_in)
                }
                _ => error.into(),
            })
        };
        self.contracts.iter().map(load).collect()
    }

    pub(super) fn outside(&self, working: &Working) -> Outside {
        let parameters = self.parameters.iter().cloned().collect();
        Outside { parameters, allow_programs: working.allow_programs }
    }

    /// The tree at `root`, without what every command leaves out.
    pub(super) fn tree(&self, root: PathBuf) -> Tree {
        Tree::new(root).always_leaving_out(self.left_out.clone(), String::new())
    }

    /// The same settings with more that every command leaves out.
    pub(super) fn leaving_out(mut self, named: Vec<String>) -> Self {
        self.left_out.extend(named);
        self.left_out.sort();
        self.left_out.dedup();
        self
    }

    /// The same settings without leaving out what was named so; refuses what no command leaves out.
    pub(super) fn taking_in(mut self, named: &[String]) -> Result<Self, Failure> {
        for named in named {
            let before = self.left_out.len();
            // As it was named, or as it is told.
            self.left_out.retain(|left_out| left_out != named && one_line(left_out) != *named);
            if self.left_out.len() == before {
                let names: Vec<String> = self.left_out.iter().map(|name| one_line(name)).collect();
                let names = if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
                let told = format!("{} is not left out: what is, is {names}", one_line(named));
                let failure = Failure::new(&USAGE, told).at("--take-in");
                return Err(failure.not_done("nothing was changed").next(["status"]));
            }
        }
        Ok(self)
    }

    /// Whether the same contracts with the same values are described, or nothing is.
    pub(super) fn are_described(&self, described: &Self) -> bool {
        (described.contracts.is_empty() || described.contracts == self.contracts)
            && (described.parameters.is_empty() || described.parameters == self.parameters)
    }

    /// What takes them into care.
    pub(super) fn again(&self) -> Vec<String> {
        let contracts = self.contracts.iter().map(|named| ["--contract".to_owned(), named.clone()]);
        let set = self.parameters.iter().map(|(name, value)| {
            let value = serde_json::to_string(value).unwrap_or_default();
            ["--set".to_owned(), format!("{name}={value}")]
        });
        let left_out = self.left_out.iter().map(|named| ["--leave-out".to_owned(), named.clone()]);
        let words = ["init", "--documents"].map(str::to_owned).into_iter();
        words.chain(contracts.chain(set).chain(left_out).flatten()).collect()
    }

    /// Values given from outside, by name.
    pub(super) fn parameters(&self) -> impl Iterator<Item = (String, Value)> {
        self.parameters.iter().cloned()
    }

    /// Those of the ledger in `ledger`, if it has some.
    pub(super) fn read(ledger: &Path) -> Result<Option<Self>, Failure> {
        let file = ledger.join(SETTINGS_FILE);
        match fs::read(&file) {
            Ok(bytes) => match serde_json::from_slice::<Self>(&bytes) {
                Ok(settings) => Ok(Some(Self { kept_in: Some(file), ..settings })),
                Err(error) => {
                    let told = format!("not the settings of documents: {error}");
                    Err(Failure::new(&USAGE, told).at(file.display().to_string()))
                }
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failure::io(&file)(error)),
        }
    }

    /// Whether the ledger in `ledger` has some.
    pub(super) fn are_in(ledger: &Path) -> Result<bool, Failure> {
        Ok(Self::read(ledger)?.is_some())
    }

    /// Writes them, durably, into the ledger, which has none or older ones.
    pub(super) fn write(&self, ledger: &Path) -> Result<(), Failure> {
        let file = ledger.join(SETTINGS_FILE);
        let text = serde_json::to_string_pretty(self).unwrap_or_default();
        NewFile::at(&file, |_| true)?
            .make(0o644, |out| writeln!(out, "{text}").map_err(failure::io(&file)))
    }
}

/// Says what every command leaves out, as it was named.
pub(super) fn write_leaves_out(named: &[String], out: &mut dyn Write) -> io::Result<()> {
    named.iter().try_for_each(|name| {
        let end = "`init --documents --take-in` ends that";
        writeln!(out, "  leaves out  {} in every command; {end}", one_line(name))
    })
}

/// The settings of the ledger here, if it is one of documents; looked for as every ledger is.
pub(super) fn here(context: &Context) -> Result<Option<(PathBuf, Settings)>, Failure> {
    let Some(dir) = context.ledger_here()? else { return Ok(None) };
    Ok(Settings::read(&dir)?.map(|settings| (dir, settings)))
}

/// The tree that the ledger in `dir` has in its care: the folder it lies in.
pub(super) fn tree_of(dir: &Path) -> Result<PathBuf, Failure> {
    let dir = fs::canonicalize(dir).map_err(failure::io(dir))?;
    Ok(dir.parent().map_or_else(|| dir.clone(), Path::to_owned))
}

/// Which contracts documents are opened with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Contracts {
    /// Those that the ledger was set up with, as they are now.
    AtHand,
    /// None: what is done needs only what the ledger has.
    Unneeded,
}

/// Documents and their ledger, open, if the ledger here is one of documents.
pub(super) fn open(
    context: &Context,
    working: &Working,
    contracts: Contracts,
) -> Result<Option<(Documents, Settings)>, Failure> {
    let Some((dir, settings)) = here(context)? else { return Ok(None) };
    let Located { dir, surroundings, .. } = context.locate_at(dir)?;
    let (contracts, outside) = match contracts {
        Contracts::AtHand => (settings.contracts()?, settings.outside(working)),
        Contracts::Unneeded => (Vec::new(), Outside::default()),
    };
    let tree = settings.tree(tree_of(&dir)?);
    let jobs = working.jobs();
    let open = OpenDocuments { tree, ledger: dir, contracts, outside, jobs, surroundings };
    Ok(Some((Documents::open(open)?, settings)))
}

/// The documents of `target`, a file or a folder, as `settings` describe them. Of the ledger here only what it always leaves out
/// is asked.
pub(super) fn collection(
    target: &Path,
    settings: &Settings,
    working: &Working,
    context: &Context,
) -> Result<Collection, Failure> {
    let found = fs::metadata(target).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            Failure::new(&NOTHING_HERE, format!("{} is not there", target.display()))
                .at(target.display().to_string())
        }
        _ => failure::io(target)(error),
    })?;
    let mut contracts = settings.contracts()?;
    if contracts.is_empty() {
        contracts = built_in()?;
    }
    let tree = if found.is_dir() {
        Tree::new(target.to_owned())
    } else {
        let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        Tree::new(folder.to_owned()).only(id_in(folder, target)?)
    };
    let tree = match here(context)? {
        None => tree,
        Some((dir, kept)) => match inside(&tree_of(&dir)?, tree.root()) {
            Some(below) => tree.always_leaving_out(kept.left_out, below),
            None => tree,
        },
    };
    Ok(Collection::of(tree, contracts, &settings.outside(working))?)
}

/// Looks through the tree of documents, and refuses if another ledger has some of them in its care too: one in a folder of
/// the tree, or in one above it.
pub(super) fn alone(collection: &Collection) -> Result<Survey, Failure> {
    let survey = collection.survey()?;
    let root = collection.tree().root();
    let root = fs::canonicalize(root).map_err(failure::io(root))?;
    let below = survey.ledgers.iter().map(|folder| root.join(folder));
    let above = root.ancestors().skip(1).map(Path::to_owned);
    let mut neighbours = Vec::new();
    for folder in below.chain(above) {
        let ledger = folder.join(LEDGER_FOLDER);
        if !ledger.is_dir() {
            continue;
        }
        let Some(settings) = Settings::read(&ledger)? else { continue };
        let contracts = settings.contracts().map_err(|failure| {
            let told = format!(
                "it cannot be told which documents the ledger in {} has in its care: {}",
                ledger.display(),
                failure.message
            );
            Failure { message: told, ..failure }
        })?;
        let left_out = settings.left_out;
        neighbours.push(Neighbour { root: folder, contracts, left_out });
    }
    must_not_share(&root, &survey, &neighbours)?;
    Ok(survey)
}

/// Every built-in contract of documents.
fn built_in() -> Result<Vec<Contract>, Failure> {
    let loaded = registry::names()
        .map(|name| registry::load_named(name).map_err(|error| Failure::from(&error)));
    let loaded = loaded.collect::<Result<Vec<_>, _>>()?;
    Ok(loaded
        .into_iter()
        .filter(Contract::is_of_documents)
        .filter(|contract| !contract.files.is_empty())
        .collect())
}

/// Refuses to write an answer over a part of the store or its ledger, and where it would be taken for one of the documents
/// that the ledger here has in its care.
pub(super) fn must_lie_outside(file: &Path, context: &Context) -> Result<(), Failure> {
    context.must_lie_outside(file)?;
    let Some((dir, settings)) = here(context)? else { return Ok(()) };
    let root = tree_of(&dir)?;
    let Ok(id) = id_in(&root, file) else { return Ok(()) };
    let outside = settings.outside(&Working::default());
    let collection = Collection::of(settings.tree(root), settings.contracts()?, &outside)?;
    if !collection.claims(&id)? {
        return Ok(());
    }
    let place = file.display().to_string();
    let told = format!("{place} would be one of the documents: write it elsewhere");
    Err(Failure::new(&USAGE, told).at(place))
}

/// A place for a plan that the documents of `collection` do not have for themselves: here, or in the first folder upwards.
pub(super) fn plan_file(collection: &Collection) -> Result<String, Failure> {
    let mut file = "plan.json".to_owned();
    while let Ok(id) = id_in(collection.tree().root(), Path::new(&file))
        && collection.claims(&id)?
    {
        file.insert_str(0, "../");
    }
    Ok(file)
}

/// The id of the file `path` in the tree at `root`.
pub(super) fn id_in(root: &Path, path: &Path) -> Result<String, Failure> {
    let absolute = fs::canonicalize(
        path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")),
    );
    let absolute = absolute.map_err(failure::io(path))?.join(path.file_name().unwrap_or_default());
    let root = fs::canonicalize(root).map_err(failure::io(root))?;
    let inside = absolute.strip_prefix(&root).ok().and_then(Path::to_str);
    inside.map(str::to_owned).ok_or_else(|| {
        let told = format!("{} does not lie in {}", path.display(), root.display());
        Failure::new(&USAGE, told).at(path.display().to_string())
    })
}

/// Deepest nesting of a value that is given. Plans, settings and proofs hold it some levels down, and are read to 128.
const GIVEN_DEPTH_MAX: usize = 100;

/// A name and the value that is given under it: JSON, or else a text.
pub(super) fn parameter(given: &str) -> Result<(String, Value), Failure> {
    let wrong = |told: String| Failure::new(&USAGE, told).at("--set");
    let unnamed = || wrong(format!("{given:?} is not NAME=VALUE"));
    let (name, value) = given.split_once('=').ok_or_else(unnamed)?;
    let value = match json::read(value.as_bytes()) {
        Ok(json) if depth(&json.value) <= GIVEN_DEPTH_MAX => json.value,
        Err(error) if error.reason != json::Reason::Depth => Value::text(value),
        _ => {
            let told =
                format!("the value of {name} is nested deeper than {GIVEN_DEPTH_MAX} levels");
            return Err(wrong(told));
        }
    };
    Ok((name.to_owned(), value))
}

/// How many lists and objects a value has within each other.
fn depth(value: &Value) -> usize {
    let inner = match value {
        Value::List(values) => values.iter().map(depth).max(),
        Value::Map(map) => map.iter().map(|(_, value)| depth(value)).max(),
        _ => return 0,
    };
    1 + inner.unwrap_or(0)
}

/// Where in the tree at `root` something lies, which is there; empty for the tree itself.
pub(super) fn inside(root: &Path, target: &Path) -> Option<String> {
    if target.is_dir() {
        let absolute = fs::canonicalize(target).ok()?;
        let root = fs::canonicalize(root).ok()?;
        return absolute.strip_prefix(&root).ok()?.to_str().map(str::to_owned);
    }
    id_in(root, target).ok()
}

/// That nothing at `target` is a document; `left_out` says whether something was left out there.
pub(super) fn no_document(target: &Path, left_out: bool) -> Failure {
    let place = target.display().to_string();
    let nothing = |reason| {
        Failure::new(&NOTHING_HERE, format!("no document at {place}: {reason}")).at(&*place)
    };
    if left_out {
        nothing("all that a contract claims there is left out").next(["status"])
    } else {
        let told = "no contract says that a file there is of its kind";
        nothing(told).next(["migration", "list"])
    }
}
