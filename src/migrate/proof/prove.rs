//! Makes a proof: migrates a document more than once, and looks.

use std::io;
use std::thread;

use ledger_format::hash::{CommitHash, ContentHash};

use super::generated::Generated;
use super::seen::{Followed, appends_only};
use super::{
    ContractName, Loss, Observed, Proof, Property, SCHEMA, Seen, Status, WITNESSES_MAX, Witness,
};
use crate::document::{Pointer, Value};
use crate::schema::Schema;
use crate::schema::cases::CasesError;

/// How documents are migrated by one contract, as a function of their bytes and nothing else.
pub trait Migration: Sync {
    /// The contract.
    fn contract(&self) -> ContractName;

    /// Hash of the policy.
    fn policy(&self) -> CommitHash;

    /// What becomes of a document.
    fn migrate(&self, source: &[u8]) -> Migrated;

    /// The schema of a version.
    fn schema(&self, version: &str) -> Option<&Schema>;

    /// The bytes of a new document; `None` if it has no form in the contract's format.
    fn write(&self, document: &Value) -> Option<Vec<u8>>;
}

/// What becomes of one document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrated {
    /// In one word.
    pub status: Status,
    /// The version it had.
    pub from: String,
    /// The version it has.
    pub to: String,
    /// The versions in between, both ends included.
    pub chain: Vec<String>,
    /// Digests of the edges walked.
    pub edges: Vec<CommitHash>,
    /// Digests of the steps run.
    pub steps: Vec<CommitHash>,
    /// What it was read as.
    pub source: Value,
    /// What it became: the value and the exact bytes to write. `None` if it is unsupported.
    pub result: Option<(Value, Vec<u8>)>,
    /// What the steps made of it, where that is refused for what it is; nothing where they made nothing of it.
    pub refused: Option<Value>,
    /// Whether what the steps made of it is valid by the schema of its version.
    pub valid: Seen,
    /// Whether inverses give the source back from it.
    pub round_trips: Seen,
    /// Whether nothing is added or lost without being declared, and what the contract says of both documents holds.
    pub declared: Seen,
    /// What shows that one of these three does not hold.
    pub witnesses: Vec<Witness>,
    /// Whether every edge walked promises to drop nothing.
    pub promises_append_only: bool,
    /// Where the version stands, which may change.
    pub exempt: Vec<Pointer>,
    /// Where steps put values, and which hashes they computed anew.
    pub followed: Followed,
    /// What is lost.
    pub loss: Loss,
    /// Why it is unsupported, or what of its result is not valid.
    pub errors: Vec<String>,
}

impl Migrated {
    /// What the steps made of it, refused or not.
    pub fn value(&self) -> Option<&Value> {
        self.result.as_ref().map(|(value, _)| value).or(self.refused.as_ref())
    }
}

impl Witness {
    /// Of something that concerns the whole document.
    pub fn of_whole(property: Property, told: impl Into<String>) -> Self {
        Self { property, path: Pointer::default(), told: told.into() }
    }
}

/// Why there is no proof, neither good nor bad.
#[derive(Debug, thiserror::Error)]
pub enum ProveError {
    /// The document cannot be migrated by this contract.
    #[error("the document is not migrated: {}", errors.join("; "))]
    Unsupported {
        /// Why.
        errors: Vec<String>,
    },
    /// Documents cannot be generated from the schema of the source's version.
    #[error(transparent)]
    Cases(#[from] CasesError),
    /// There is no schema to generate documents from.
    #[error("the contract has no schema of version {version} to make documents from")]
    NoSchema {
        /// The version.
        version: String,
    },
    /// A generated document cannot be written in the contract's format.
    #[error("case {case} cannot be written in the contract's format")]
    Unwritable {
        /// Number of the case.
        case: u64,
    },
    /// The source could not be read a second time.
    #[error("reading the document again: {0}")]
    Reread(#[source] io::Error),
    /// No thread could be started.
    #[error("starting a thread: {0}")]
    Thread(#[source] io::Error),
}

/// One migration, seen three times.
#[derive(Debug)]
pub struct Views {
    /// What becomes of the document.
    pub first: Migrated,
    /// What becomes of it on another thread; `None` if that thread panicked.
    pub elsewhere: Option<Migrated>,
    /// What becomes of the result, if there is one.
    pub onward: Option<Migrated>,
}

impl Views {
    /// Looks at the migration of a document that is migrated on its own.
    pub fn of(migration: &dyn Migration, source: &[u8]) -> Result<Self, ProveError> {
        let first = migration.migrate(source);
        let onward = first.result.as_ref().map(|(_, bytes)| migration.migrate(bytes));
        let elsewhere = thread::scope(|scope| {
            let other = thread::Builder::new().spawn_scoped(scope, || migration.migrate(source))?;
            Ok(other.join().ok())
        });
        Ok(Self { first, elsewhere: elsewhere.map_err(ProveError::Thread)?, onward })
    }
}

/// Proves the migration of the document `source`, which `reread` reads anew from where it stands, and of documents made
/// from the schema of its version. What the contract refuses for what came out of its steps gets a proof that fails.
pub fn prove(
    migration: &dyn Migration,
    source: &[u8],
    generated: &Generated,
    reread: &mut dyn FnMut() -> io::Result<Vec<u8>>,
) -> Result<Proof, ProveError> {
    proof_of(migration, Views::of(migration, source)?, source, generated, reread)
}

/// The same of a document that was looked at already.
pub fn proof_of(
    migration: &dyn Migration,
    views: Views,
    source: &[u8],
    generated: &Generated,
    reread: &mut dyn FnMut() -> io::Result<Vec<u8>>,
) -> Result<Proof, ProveError> {
    if views.first.value().is_none() {
        return Err(ProveError::Unsupported { errors: views.first.errors });
    }
    let (mut observed, mut witnesses) = look(&views);
    let migrated = views.first;
    let required = required(&migrated, &observed);
    let cases = generated.look(migration, &migrated.from)?;
    let after = reread().map_err(ProveError::Reread)?;
    observed.source_immutable = Seen::from(ContentHash::of(&after) == ContentHash::of(source));
    if observed.source_immutable == Seen::Fails {
        let told = "the document was changed while it was looked at";
        witnesses.push(Witness::of_whole(Property::SourceImmutable, told));
    }
    let mut proof = Proof {
        schema: SCHEMA.to_owned(),
        contract: migration.contract(),
        policy: migration.policy(),
        source: ContentHash::of(source),
        result: migrated.result.as_ref().map(|(_, bytes)| ContentHash::of(bytes)),
        loss: migrated.loss,
        observed,
        required,
        witnesses: in_order(&witnesses),
        cases,
        status: migrated.status,
        from: migrated.from,
        to: migrated.to,
        chain: migrated.chain,
        edges: migrated.edges,
        steps: migrated.steps,
        errors: migrated.errors,
        pass: false,
    };
    proof.pass = proof.passes();
    Ok(proof)
}

/// By property, and as many as are named for each.
fn in_order(witnesses: &[Witness]) -> Vec<Witness> {
    let of = |property: Property| {
        let of = witnesses.iter().filter(move |witness| witness.property == property);
        of.take(WITNESSES_MAX).cloned()
    };
    Property::ALL.into_iter().flat_map(of).collect()
}

/// What a proof made anew says otherwise than `proof`, by the names of the fields.
pub fn differences(proof: &Proof, anew: &Proof) -> Vec<&'static str> {
    let differs = [
        ("contract", proof.contract != anew.contract),
        ("status", proof.status != anew.status),
        ("from", proof.from != anew.from),
        ("to", proof.to != anew.to),
        ("chain", proof.chain != anew.chain),
        ("edges", proof.edges != anew.edges),
        ("steps", proof.steps != anew.steps),
        ("policy", proof.policy != anew.policy),
        ("source", proof.source != anew.source),
        ("result", proof.result != anew.result),
        ("loss", proof.loss != anew.loss),
        ("observed", proof.observed != anew.observed),
        ("required", proof.required != anew.required),
        ("witnesses", proof.witnesses != anew.witnesses),
        ("cases", proof.cases != anew.cases),
        ("errors", proof.errors != anew.errors),
        ("pass", proof.pass != anew.pass),
    ];
    differs.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
}

/// What is seen of a migration apart from the file that the document came from, and what shows what does not hold.
fn look(views: &Views) -> (Observed, Vec<Witness>) {
    let Views { first, elsewhere, onward } = views;
    let mut witnesses = first.witnesses.clone();
    let mut append_only = Seen::NotApplicable;
    if let Some(value) = first.value() {
        let changed = appends_only(&first.source, value, &first.exempt, &first.followed);
        append_only = changed.is_empty().into();
        witnesses.extend(changed.into_iter().map(|path| {
            let told = "it is not in the result as it was".to_owned();
            Witness { property: Property::AppendOnly, path, told }
        }));
    }
    let (idempotent, moves_on) = stays(first, onward.as_ref());
    witnesses.extend(moves_on);
    // A thread that panics sees something else.
    let deterministic = Seen::from(elsewhere.as_ref() == Some(first));
    if deterministic == Seen::Fails {
        let told = "another thread saw something else become of it";
        witnesses.push(Witness::of_whole(Property::Deterministic, told));
    }
    let observed = Observed {
        validates_at_current: first.valid,
        append_only,
        idempotent,
        source_immutable: Seen::NotApplicable,
        deterministic,
        round_trips: first.round_trips,
        declared_matches_observed: first.declared,
    };
    (observed, witnesses)
}

/// Whether migrating the result changes nothing; of no result nothing can be said.
fn stays(first: &Migrated, onward: Option<&Migrated>) -> (Seen, Option<Witness>) {
    let (Some((_, bytes)), Some(onward)) = (&first.result, onward) else {
        return (Seen::NotApplicable, None);
    };
    let told = match &onward.result {
        None => format!("its result is not migrated: {}", onward.errors.join("; ")),
        Some((_, again)) if again != bytes => {
            "migrating its result gives another document".to_owned()
        }
        Some(_) if onward.status != Status::Current => {
            "its result is not told to be current".to_owned()
        }
        Some(_) => return (Seen::Holds, None),
    };
    (Seen::Fails, Some(Witness::of_whole(Property::Idempotent, told)))
}

/// What a proof of `migrated` must have seen.
fn required(migrated: &Migrated, seen: &Observed) -> Vec<Property> {
    let is_required = |property: &Property| match property {
        Property::SourceImmutable | Property::Deterministic | Property::DeclaredMatchesObserved => {
            true
        }
        Property::AppendOnly => migrated.promises_append_only,
        Property::ValidatesAtCurrent | Property::Idempotent | Property::RoundTrips => {
            seen.of(*property) != Seen::NotApplicable
        }
    };
    Property::ALL.into_iter().filter(is_required).collect()
}

/// What is required of a generated document and does not hold, and the errors; `None` if all is well.
pub(super) fn failing(views: &Views, version: &str) -> Option<(Vec<Property>, Vec<String>)> {
    let migrated = &views.first;
    if migrated.value().is_none() {
        return Some((Vec::new(), migrated.errors.clone()));
    }
    if migrated.from != version {
        let found = format!("its version is found to be {}, not {version}", migrated.from);
        return Some((Vec::new(), vec![found]));
    }
    let (seen, _) = look(views);
    let holds = |property: &Property| {
        *property == Property::SourceImmutable || seen.of(*property) == Seen::Holds
    };
    let fails: Vec<_> =
        required(migrated, &seen).into_iter().filter(|property| !holds(property)).collect();
    let well = fails.is_empty() && migrated.errors.is_empty();
    (!well).then(|| (fails, migrated.errors.clone()))
}
