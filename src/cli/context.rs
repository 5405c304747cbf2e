//! Where a command works: the store and the ledger, given or found upwards from the working
//! directory, and the user's key and remembered heads. Looks and opens; decides nothing.

mod known_heads;
mod nearest;

use std::env;
use std::fs;
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ledger_format::hash::LedgerId;
use ledger_format::head::SignedHead;

use super::failure;
use super::globals::Globals;
use crate::diagnostic::{Failure, LEDGER_DIVERGED, NOTHING_HERE, USAGE};
use crate::effects::{KeySigner, SystemClock, SystemRandom};
use crate::ledger::{Ledger, LedgerError, Pins as _, Surroundings, notes, place_of};
use crate::log::sled::{OpenError, read_identity};
use crate::target::glyph_store::Layout;
use crate::trust::{FilePins, Home, KeyError, SEED_VARIABLE, create_key, key_of_seed, load_key};

use nearest::{Nearest, nearest};

pub(super) use known_heads::{cosigned_heads, latest_believed, with_cosignatures};

/// Name of a ledger's folder outside of a `.glyph` store.
pub(super) const LEDGER_FOLDER: &str = ".glyph-ledger";

/// What commands are given beside their own arguments.
#[derive(Debug)]
pub(super) struct Context {
    globals: Globals,
}

impl Context {
    pub(super) const fn new(globals: Globals) -> Self {
        Self { globals }
    }

    /// The ledger, open. Nobody else has it open until it is dropped.
    pub(super) fn open(&self) -> Result<Ledger, Failure> {
        let Located { dir, place, surroundings } = self.locate()?;
        Ok(Ledger::open(&dir, &place, surroundings)?)
    }

    /// The same for whoever asks witnesses: that too few have seen it is why.
    pub(super) fn open_to_be_seen(&self) -> Result<Ledger, Failure> {
        let Located { dir, place, surroundings } = self.locate_to_judge()?;
        Ok(Ledger::open(&dir, &place, surroundings)?)
    }

    /// Where the ledger is, or is known to have been.
    pub(super) fn locate(&self) -> Result<Located, Failure> {
        self.locate_at(self.ledger_dir()?)
    }

    /// The same for a ledger whose folder is known.
    pub(super) fn locate_at(&self, dir: PathBuf) -> Result<Located, Failure> {
        located(dir, self.surroundings()?)
    }

    /// The same for whoever judges a ledger, and tells by themselves what comes of the user's policy.
    pub(super) fn locate_to_judge(&self) -> Result<Located, Failure> {
        located(self.ledger_dir()?, self.surroundings_to_judge()?)
    }

    /// The ledger that a command without one is to hold something against: its id, or that of the folder named. None where nothing
    /// was named.
    pub(super) fn ledger_named(&self) -> Result<Option<LedgerId>, Failure> {
        let Some(named) = &self.globals.ledger else { return Ok(None) };
        match named.to_str().and_then(|text| text.parse().ok()) {
            Some(id) => Ok(Some(id)),
            None if is_folder(named)? => Ok(Some(read_identity(named)?.ledger())),
            None => {
                let told = "expected the ledger's id, 64 hexadecimal digits, or its folder";
                Err(Failure::new(&USAGE, told).at("--ledger"))
            }
        }
    }

    /// The store that the ledger in `ledger` keeps, if it is here.
    pub(super) fn store_of(&self, ledger: &Path) -> Option<Layout> {
        let layout = self.store().ok()?;
        let same = place(&self.ledger_of(&layout)).ok()? == place(ledger).ok()?;
        same.then_some(layout)
    }

    /// The ledger's folder: the one named, or the nearest upwards, in a store or alone. A named one need not be there.
    pub(super) fn ledger_dir(&self) -> Result<PathBuf, Failure> {
        if let Some(dir) = &self.globals.ledger {
            return Ok(dir.clone());
        }
        if let Some(store) = &self.globals.store {
            return Ok(named_store(store).ledger());
        }
        let here = working_directory()?;
        match nearest(&here, &pins()?)? {
            Some(Nearest::InStore(layout)) => Ok(layout.ledger()),
            Some(Nearest::Alone(dir)) => Ok(dir),
            None => match Layout::find(&here) {
                Some(layout) => Ok(layout.ledger()),
                None => Err(no_ledger(&here)),
            },
        }
    }

    /// The same; none where nothing is there.
    pub(super) fn ledger_here(&self) -> Result<Option<PathBuf>, Failure> {
        match self.ledger_dir() {
            Ok(dir) => Ok(Some(dir)),
            Err(failure) if failure.code == &NOTHING_HERE => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// The store: the one named, or the next one upwards, unless a ledger that keeps none is nearer.
    pub(super) fn store(&self) -> Result<Layout, Failure> {
        if let Some(store) = &self.globals.store {
            let layout = named_store(store);
            is_folder(layout.root())?;
            return if layout.manifest().exists() {
                Ok(layout)
            } else {
                Err(no_store(&format!("{} is missing", layout.manifest().display()), store))
            };
        }
        let here = working_directory()?;
        let looked = format!(
            "looked for .glyph/manifest.yaml and {LEDGER_FOLDER} here and in every folder above"
        );
        let found = match &self.globals.ledger {
            // It may lie anywhere, and its store be the one here.
            Some(_) => None,
            None => nearest(&here, &pins()?)?,
        };
        match found {
            // A store that is known to have been here is not "nothing here".
            Some(Nearest::InStore(layout)) => {
                self.locate_known(&layout.ledger())?;
                Ok(layout)
            }
            Some(Nearest::Alone(dir)) => {
                self.locate_known(&dir)?;
                Err(no_store(&format!("the ledger {} keeps none", dir.display()), &here))
            }
            None => Layout::find(&here).ok_or_else(|| no_store(&looked, &here)),
        }
    }

    /// Fails for a ledger that is known to have been in `dir` and is not.
    fn locate_known(&self, dir: &Path) -> Result<(), Failure> {
        let place = place(dir)?;
        match self.surroundings()?.pins.ledger_at(&place)? {
            Some(expected) if !is_folder(dir)? => {
                let place = place.display().to_string();
                Err(LedgerError::Foreign { place, expected, found: None }.into())
            }
            _ => Ok(()),
        }
    }

    /// Refuses to write an answer over a part of the store or its ledger, if there is one here.
    pub(super) fn must_lie_outside(&self, file: &Path) -> Result<(), Failure> {
        let target = place(file)?;
        let store = self.store().ok().map(|layout| layout.root().to_owned());
        let ledger = self.ledger_here()?;
        for folder in store.into_iter().chain(ledger) {
            if target.starts_with(place(&folder)?) {
                let inside = format!("{} lies inside {}", file.display(), folder.display());
                return Err(Failure::new(&USAGE, inside).at(file.display().to_string()));
            }
        }
        Ok(())
    }

    /// The user's private key, or the one named.
    pub(super) fn signer(&self) -> Result<KeySigner, Failure> {
        match self.seed() {
            Some(seed) => Ok(key_of_seed(seed)?),
            None => Ok(load_key(&self.key_file()?)?),
        }
    }

    /// The private key in the environment, unless a file was named.
    fn seed(&self) -> Option<String> {
        if self.globals.key.is_some() {
            return None;
        }
        env::var(SEED_VARIABLE).ok().filter(|seed| !seed.is_empty())
    }

    /// The user's private key, made now if there is none; and whether it was.
    pub(super) fn signer_or_new(&self) -> Result<(KeySigner, bool), Failure> {
        if let Some(seed) = self.seed() {
            return Ok((key_of_seed(seed)?, false));
        }
        let file = self.key_file()?;
        match load_key(&file) {
            Ok(signer) => Ok((signer, false)),
            Err(KeyError::Missing { .. }) => Ok((create_key(&file, &mut SystemRandom)?, true)),
            Err(error) => Err(error.into()),
        }
    }

    /// What a command has to name to work on the ledger in `dir` from here; nothing where it would without.
    pub(super) fn naming(&self, dir: &Path) -> Vec<String> {
        let found = self.ledger_dir().ok().and_then(|found| place(&found).ok());
        if found.is_some() && found == place(dir).ok() {
            return Vec::new();
        }
        vec!["--ledger".to_owned(), dir.display().to_string()]
    }

    /// The ledger of a store: the one named, or the one inside it.
    pub(super) fn ledger_of(&self, layout: &Layout) -> PathBuf {
        self.globals.ledger.clone().unwrap_or_else(|| layout.ledger())
    }

    /// Refuses a store that no ledger was ever known to have in its care.
    pub(super) fn must_have_ledger(&self, ledger: &Path) -> Result<(), Failure> {
        let known = self.surroundings()?.pins.ledger_at(&place(ledger)?)?.is_some();
        if known || is_folder(ledger)? { Ok(()) } else { Err(nothing_at(ledger)) }
    }

    /// The store that `init` was pointed at: the one named, `folder` itself if it is a store, else
    /// `.glyph` in it.
    pub(super) fn store_to_init(&self, folder: &Path) -> Layout {
        if let Some(store) = &self.globals.store {
            return named_store(store);
        }
        let itself = Layout::new(folder);
        let is_store =
            itself.manifest().exists() || folder.file_name().is_some_and(|name| name == ".glyph");
        if is_store { itself } else { Layout::new(folder.join(".glyph")) }
    }

    /// Whether a store is named.
    pub(super) const fn names_a_store(&self) -> bool {
        self.globals.store.is_some()
    }

    /// The ledger's folder for the documents of `folder`, or for a database.
    pub(super) fn ledger_below(&self, folder: &Path) -> PathBuf {
        self.globals.ledger.clone().unwrap_or_else(|| folder.join(LEDGER_FOLDER))
    }

    /// Whether stdout is for one JSON object.
    pub(super) const fn answers_in_json(&self) -> bool {
        self.globals.json
    }

    /// Whether somebody watches who wants to see progress.
    pub(super) fn shows_progress(&self) -> bool {
        !self.globals.json && !self.globals.quiet && io::stderr().is_terminal()
    }

    /// Whether a story is told on stdout while it happens.
    pub(super) const fn is_told(&self) -> bool {
        !self.globals.json && !self.globals.quiet
    }

    /// Where the private key lies, or would lie.
    pub(super) fn key_file(&self) -> Result<PathBuf, Failure> {
        match &self.globals.key {
            Some(file) => Ok(file.clone()),
            None => Ok(Home::from_environment()?.key_file()),
        }
    }

    /// The machine's clock, the user's remembered heads, and how long to wait. Refuses a head that fewer witnesses have seen than the
    /// user's policy asks for: whoever names one wants it to count.
    pub(super) fn surroundings(&self) -> Result<Surroundings, Failure> {
        match self.unwitnessed()? {
            Some(unwitnessed) => Err(unwitnessed.not_done("the ledger was not opened")),
            None => self.surroundings_to_judge(),
        }
    }

    fn surroundings_to_judge(&self) -> Result<Surroundings, Failure> {
        let pins = pins()?.naming(self.named()?);
        let (clock, pins) = (Arc::new(SystemClock), Arc::new(pins));
        Ok(Surroundings { clock, pins, wait: self.globals.wait() })
    }

    /// The same with a head that must be in the ledger as well.
    pub(super) fn trusting(&self, head: &Path) -> Self {
        let trust = Some(head.to_owned());
        Self { globals: Globals { trust, ..self.globals.clone() } }
    }

    /// Whether the user named a head.
    pub(super) const fn names_a_head(&self) -> bool {
        self.trusts_a_head() || self.globals.expect.is_some()
    }

    /// Whether the user named a file with a head.
    pub(super) const fn trusts_a_head(&self) -> bool {
        self.globals.trust.is_some()
    }
}

/// Where a ledger is, and what it takes to open it.
pub(super) struct Located {
    /// Its folder.
    pub(super) dir: PathBuf,
    /// The name under which that folder is remembered.
    pub(super) place: PathBuf,
    pub(super) surroundings: Surroundings,
}

/// The ledger in `dir`, unless none is there or known to have been.
fn located(dir: PathBuf, surroundings: Surroundings) -> Result<Located, Failure> {
    let place = place(&dir)?;
    // A place known to have held a ledger is never "nothing here": opening says what is wrong.
    let known = surroundings.pins.ledger_at(&place)?.is_some();
    let is_one = is_folder(&dir)? && !matches!(read_identity(&dir), Err(OpenError::Missing { .. }));
    if known || is_one { Ok(Located { dir, place, surroundings }) } else { Err(nothing_at(&dir)) }
}

/// That neither is a ledger at or above `here`, nor is known to have been.
fn no_ledger(here: &Path) -> Failure {
    let looked = format!(
        "no ledger here: looked for .glyph/ledger and {LEDGER_FOLDER} in {} and every folder above it",
        here.display()
    );
    Failure::new(&NOTHING_HERE, looked).at(here.display().to_string()).next(["init", "--help"])
}

/// The user's remembered heads.
pub(super) fn pins() -> Result<FilePins, Failure> {
    let home = Home::from_environment()?;
    Ok(FilePins::new(home.pins(), home.places()))
}

/// Refuses a head of a ledger that contradicts what is remembered of it.
pub(super) fn must_agree_with_what_is_remembered(head: &SignedHead) -> Result<(), Failure> {
    let known = pins()?.get(&head.head().ledger)?;
    let newest = known.as_ref().map(|pin| pin.head.head());
    match newest.filter(|newest| newest.size == head.head().size) {
        Some(newest) if newest.root != head.head().root => {
            let told = format!(
                "the head over {} events that is remembered of this ledger has root {}, this one {}",
                newest.size,
                newest.root,
                head.head().root
            );
            let heads = known.iter().map(|pin| &pin.head).chain([head]);
            Err(Failure::new(&LEDGER_DIVERGED, told).showing(notes(heads)))
        }
        _ => Ok(()),
    }
}

/// The name under which the folder `dir` is remembered.
pub(super) fn place(dir: &Path) -> Result<PathBuf, Failure> {
    place_of(dir).map_err(failure::io(dir))
}

/// The store that `dir` names: the store's own folder, or the one that has it as `.glyph`.
fn named_store(dir: &Path) -> Layout {
    let inside = Layout::new(dir.join(".glyph"));
    if inside.root().is_dir() { inside } else { Layout::new(dir) }
}

/// Whether there is a folder at `dir`. That it cannot be told is a failure, not a no.
fn is_folder(dir: &Path) -> Result<bool, Failure> {
    match fs::metadata(dir) {
        Ok(found) => Ok(found.is_dir()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => {
            let failure = failure::io(dir)(error);
            let message = format!("cannot look for a ledger or store at {}", failure.message);
            Err(Failure { message, ..failure })
        }
    }
}

fn working_directory() -> Result<PathBuf, Failure> {
    env::current_dir().map_err(failure::io(Path::new(".")))
}

fn nothing_at(dir: &Path) -> Failure {
    let dir = dir.display().to_string();
    if dir.parse::<LedgerId>().is_ok() {
        let told = "this is the id of a ledger, and its folder is needed: --ledger DIR, or go to where it lies";
        return Failure::new(&NOTHING_HERE, told).at(dir).next(["status", "--ledger", "DIR"]);
    }
    Failure::new(&NOTHING_HERE, format!("no ledger here: looked for one in {dir}"))
        .at(dir)
        .next(["init"])
}

fn no_store(looked: &str, at: &Path) -> Failure {
    Failure::new(&NOTHING_HERE, format!("no store here: {looked}"))
        .at(at.display().to_string())
        .next(["init", "--help"])
}
