//! A store, or a database alone, and its ledger, opened together.

use std::path::{Path, PathBuf};
use std::time::Duration;

use projections::OpenRun;

use super::error::MigrateError;
use super::observe::{self, LiveDatabase};
use super::publish::Live;
use super::rehearsal::Rehearsal;
use super::stage::frozen_contract;
use super::stated;
use crate::contract::{self, Contract, ContractError, DetectError, Format};
use crate::ledger::{Ledger, Surroundings, place_of};
use crate::objects::{Objects, PackObjects};
use crate::target::Site;
use crate::target::glyph_store::{Layout, Manifest, manifest_version};
use crate::target::sqlite::Access;

/// What is needed to open a store.
#[derive(Clone)]
pub struct OpenStore {
    /// Where the store or the database lies.
    pub site: Site,
    /// Where its ledger lies.
    pub ledger: PathBuf,
    /// What describes stores of this kind.
    pub contract: Contract,
    /// Clock, pins and patience.
    pub surroundings: Surroundings,
}

/// A store whose ledger is open. Nobody else has it open.
pub struct Store {
    /// What a plan's steps made, for the run that follows it.
    pub(super) rehearsal: Option<Rehearsal>,
    /// The locks on the live store, for the run that begins under them.
    pub(super) held: Option<Live>,
    /// Who else may have the database open while a run publishes.
    pub(super) access: Access,
    pub(super) site: Site,
    pub(super) contract: Contract,
    // Closed before the ledger is: who waits for the ledger finds the objects free.
    pub(super) objects: Box<dyn Objects>,
    pub(super) ledger: Ledger,
    pub(super) wait: Duration,
}

impl Store {
    /// Opens the store and its ledger. What the manifest alone shows to be unsupported is refused
    /// before anything else is opened. Never migrates.
    pub fn open(open: OpenStore) -> Result<Self, MigrateError> {
        check_site(&open.site, &open.contract)?;
        Self::open_unchecked(open)
    }

    /// Opens a store and its ledger by the contract that the ledger froze last, or that of the run under way. `None` if it
    /// froze none.
    pub fn open_frozen(
        site: impl Into<Site>,
        ledger: &Path,
        surroundings: Surroundings,
    ) -> Result<Option<Self>, MigrateError> {
        let wait = surroundings.wait;
        let ledger = Ledger::open(ledger, &remembered_as(ledger)?, surroundings)?;
        let state = ledger.state();
        let under_way = state.runs().open.as_ref().and_then(|open| open.started.contract);
        let adopted = state.store().contract.as_deref().unwrap_or_default();
        let last = state.contracts().last(adopted).map(|frozen| frozen.digest);
        let Some(digest) = under_way.or(last) else { return Ok(None) };
        let objects = open_objects(&ledger)?;
        let (site, contract) = (site.into(), frozen_contract(&ledger, &*objects, digest)?);
        let access = Access::default();
        Ok(Some(Self {
            site,
            contract,
            objects,
            ledger,
            wait,
            held: None,
            access,
            rehearsal: None,
        }))
    }

    /// A store with a ledger that the caller has opened, on a log of his own for one. Looks at the
    /// manifest as [`Store::open`] does, only later. A ledger without a store takes this one into its
    /// care by [`adopt`](super::adopt).
    pub fn open_with(
        site: impl Into<Site>,
        contract: Contract,
        ledger: Ledger,
        wait: Duration,
    ) -> Result<Self, MigrateError> {
        let site = site.into();
        check_site(&site, &contract)?;
        Self::with_ledger(site, contract, ledger, wait)
    }

    /// Opens the ledger beside a store whose manifest was not looked at.
    pub(super) fn open_unchecked(open: OpenStore) -> Result<Self, MigrateError> {
        let wait = open.surroundings.wait;
        let ledger = Ledger::open(&open.ledger, &remembered_as(&open.ledger)?, open.surroundings)?;
        Self::with_ledger(open.site, open.contract, ledger, wait)
    }

    pub(super) fn with_ledger(
        site: Site,
        contract: Contract,
        ledger: Ledger,
        wait: Duration,
    ) -> Result<Self, MigrateError> {
        let adopted = ledger.state().store().contract.as_ref();
        if let Some(adopted) = adopted.filter(|adopted| **adopted != contract.contract) {
            let (adopted, offered) = (adopted.clone(), contract.contract);
            return Err(MigrateError::OtherContract { adopted, offered });
        }
        let objects = open_objects(&ledger)?;
        let access = Access::default();
        Ok(Self { rehearsal: None, held: None, access, site, contract, objects, ledger, wait })
    }

    /// Keeps everybody else from writing to the database until the next run has published, or the store is closed. Who never
    /// pauses would else write between what a run reads and its commit, each time.
    pub fn hold_writes(&mut self) -> Result<(), MigrateError> {
        self.held = Some(Live::lock(self)?);
        Ok(())
    }

    /// Has runs publish only while nobody else has the database open, and then whatever its page layout becomes.
    pub const fn publish_alone(&mut self) {
        self.access = Access::Alone;
    }

    /// The ledger.
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Stored content.
    pub fn objects(&self) -> &dyn Objects {
        &*self.objects
    }

    /// Where the store or the database lies.
    pub const fn site(&self) -> &Site {
        &self.site
    }

    /// The contract in use.
    pub const fn contract(&self) -> &Contract {
        &self.contract
    }

    /// The run under way, if one is.
    pub fn pending(&self) -> Option<&OpenRun> {
        self.ledger.state().runs().open.as_ref()
    }

    /// The version that manifest and database state, which must be the ledger's too; where nothing
    /// states one, the ledger's.
    pub(super) fn detect(&self, database: &LiveDatabase) -> Result<String, MigrateError> {
        let recorded = &self.ledger.state().store().version;
        let stated = detect(&self.site, &self.contract, database)?;
        let version = stated.unwrap_or_else(|| recorded.clone());
        if !recorded.is_empty() && *recorded != version {
            return Err(MigrateError::Disagree {
                first: "the store",
                first_version: version,
                second: "the ledger",
                second_version: recorded.clone(),
                readable: readable_in_words(&self.contract),
            });
        }
        Ok(version)
    }
}

/// The stored content of a ledger. Whatever killed jobs left behind of their work is removed.
pub(super) fn open_objects(ledger: &Ledger) -> Result<Box<dyn Objects>, MigrateError> {
    let dir = ledger.objects_dir();
    // Only a ledger that names no content yet may begin with none.
    let objects = if ledger.state().size() > 1 {
        PackObjects::open(&dir)?
    } else {
        PackObjects::create(&dir)?
    };
    forget_work_copies(&ledger.work_dir())?;
    Ok(Box::new(objects))
}

/// Removes what killed jobs left behind. Whoever has the ledger open is alone in it, and a run that is
/// resumed makes its work copy anew.
fn forget_work_copies(work: &Path) -> Result<(), MigrateError> {
    match std::fs::remove_dir_all(work) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(MigrateError::Io { path: work.to_owned(), source: error })
        }
        _ => Ok(()),
    }
}

/// The name under which a ledger's folder is remembered.
pub(super) fn remembered_as(ledger: &Path) -> Result<PathBuf, MigrateError> {
    place_of(ledger).map_err(|source| MigrateError::Io { path: ledger.to_owned(), source })
}

/// Reads the manifest of the store at `layout`.
pub(super) fn read_manifest(layout: &Layout) -> Result<Manifest, MigrateError> {
    let path = layout.manifest();
    let bytes = std::fs::read(&path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => MigrateError::NoStore { root: layout.root().to_owned() },
        _ => MigrateError::Io { path: path.clone(), source },
    })?;
    Manifest::parse(&bytes).map_err(|error| MigrateError::Manifest { path, error })
}

/// Refuses a manifest whose version no token of the contract stands for, or that asks for a newer
/// reader.
pub(super) fn check_manifest(
    layout: &Layout,
    contract: &Contract,
    manifest: &Manifest,
) -> Result<(), MigrateError> {
    let broken = |error| MigrateError::Manifest { path: layout.manifest(), error };
    let version = manifest.version().map_err(broken)?;
    let min_reader = manifest.min_reader().map_err(broken)?;
    let (oldest, newest) = readable(contract);
    let known = contract.versions.iter().any(|token| manifest_version(token) == Some(version));
    let refuse = |stated: String| MigrateError::Version {
        path: layout.manifest(),
        stated,
        readable: format!("{oldest} to {newest}"),
    };
    if !known || version < oldest || version > newest {
        return Err(refuse(version.to_string()));
    }
    if min_reader > newest {
        return Err(refuse(format!("{version} (minimum reader {min_reader})")));
    }
    Ok(())
}

/// Oldest and newest manifest version that the contract reads.
pub(super) fn readable(contract: &Contract) -> (u64, u64) {
    let number = |token: &str| manifest_version(token).unwrap_or(0);
    (number(&contract.min), number(&contract.current))
}

/// The versions that a contract reads: all by name where they are few and not simply one number after the other.
fn readable_in_words(contract: &Contract) -> String {
    let between = contract.position(&contract.min).zip(contract.position(&contract.current));
    let versions = between.and_then(|(min, current)| contract.versions.get(min..=current));
    let (oldest, newest) = readable(contract);
    let one_by_one =
        (oldest..=newest).all(|number| contract.versions.contains(&number.to_string()));
    match versions {
        Some(versions) if !one_by_one && versions.len() <= NAMED_MAX => versions.join(", "),
        _ if one_by_one => format!("{oldest} to {newest}"),
        _ => format!("{} to {}", contract.min, contract.current),
    }
}

/// Versions that are all named.
const NAMED_MAX: usize = 8;

/// Refuses what can be seen to be unsupported without opening the database: a manifest, and a
/// contract that describes something else.
pub(super) fn check_site(site: &Site, contract: &Contract) -> Result<(), MigrateError> {
    match site {
        Site::GlyphStore(layout) => check_manifest(layout, contract, &read_manifest(layout)?),
        Site::Database(_) if contract.format() == Some(Format::Sqlite) => Ok(()),
        Site::Database(_) => {
            let rule = format!("it describes objects of format {}, not sqlite", contract.format);
            Err(ContractError::rule(&contract.contract, rule).into())
        }
    }
}

/// The version that a store or database states: of a store always one; of a database none, if its
/// contract does not say how to tell it.
pub(super) fn detect(
    site: &Site,
    contract: &Contract,
    database: &LiveDatabase,
) -> Result<Option<String>, MigrateError> {
    match site {
        Site::GlyphStore(layout) => {
            detect_store(layout, contract, &read_manifest(layout)?, database).map(Some)
        }
        Site::Database(_) => stated::version(contract, &site.database(), database),
    }
}

/// The version of a store by manifest and database, which must agree.
fn detect_store(
    layout: &Layout,
    contract: &Contract,
    manifest: &Manifest,
    database: &LiveDatabase,
) -> Result<String, MigrateError> {
    let facts = observe::StoreFacts { manifest: manifest.value(), database };
    let path = layout.manifest();
    let version = contract::detect(contract, &facts).map_err(|error| match error {
        DetectError::Unknown { stated, known } => {
            MigrateError::Version { path, stated, readable: known.join(", ") }
        }
        DetectError::Shape { stated, candidates } => MigrateError::Disagree {
            first: "the manifest",
            first_version: stated,
            second: "the shape of the database",
            second_version: format!("none of {}", candidates.join(", ")),
            readable: readable_in_words(contract),
        },
        DetectError::Ambiguous { matches } => MigrateError::Ambiguous { matches },
        DetectError::Facts(error) => MigrateError::Database(error),
    })?;
    let stated = database.store_version()?;
    let expected = manifest_version(&version).map(|number| number.to_string());
    if stated != expected {
        return Err(MigrateError::Disagree {
            first: "the manifest",
            first_version: expected.unwrap_or_default(),
            second: "the database",
            second_version: stated.unwrap_or_else(|| "none".into()),
            readable: readable_in_words(contract),
        });
    }
    Ok(version)
}
