//! Makes a proof: migrates a document more than once, and looks.

use std::io;
use std::thread;

use ledger_format::hash::{CommitHash, ContentHash};

use super::seen::appends_only;
use super::{
    Cases, ContractName, Counterexample, Loss, Observed, Proof, Property, SCHEMA, Seen, Status,
};
use crate::document::{Pointer, Value};
use crate::schema::Schema;
use crate::schema::cases::{CasesError, Generator, shrink};

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
    /// Whether the result is valid by the schema of its version.
    pub valid: Seen,
    /// Whether inverses give the source back from it.
    pub round_trips: Seen,
    /// Whether every edge walked promises to drop nothing.
    pub promises_append_only: bool,
    /// Where the version stands, which may change.
    pub exempt: Vec<Pointer>,
    /// What is lost.
    pub loss: Loss,
    /// Places of what is added or lost without being declared.
    pub undeclared: Vec<Pointer>,
    /// Why it is unsupported, or what of its result is not valid.
    pub errors: Vec<String>,
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

/// Proves the migration of the document `source`, which `reread` reads anew from where it stands, and of `cases` documents
/// made from the schema of its version.
pub fn prove(
    migration: &dyn Migration,
    source: &[u8],
    cases: Option<u64>,
    reread: &mut dyn FnMut() -> io::Result<Vec<u8>>,
) -> Result<Proof, ProveError> {
    let migrated = migration.migrate(source);
    let Some((_, result)) = &migrated.result else {
        return Err(ProveError::Unsupported { errors: migrated.errors });
    };
    let seen = look(migration, source, &migrated)?;
    let required = required(&migrated, &seen);
    let cases = match cases {
        None => None,
        Some(asked) => Some(of_cases(migration, &migrated, asked)?),
    };
    let after = reread().map_err(ProveError::Reread)?;
    let source_immutable = Seen::from(ContentHash::of(&after) == ContentHash::of(source));
    let mut proof = Proof {
        schema: SCHEMA.to_owned(),
        contract: migration.contract(),
        policy: migration.policy(),
        source: ContentHash::of(source),
        result: ContentHash::of(result),
        loss: migrated.loss,
        observed: Observed { source_immutable, ..seen },
        required,
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
        ("cases", proof.cases != anew.cases),
        ("errors", proof.errors != anew.errors),
        ("pass", proof.pass != anew.pass),
    ];
    differs.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
}

/// What is seen of a migration apart from the file that the document came from.
fn look(
    migration: &dyn Migration,
    source: &[u8],
    migrated: &Migrated,
) -> Result<Observed, ProveError> {
    let Some((value, bytes)) = &migrated.result else {
        let fails = Seen::Fails;
        return Ok(Observed {
            validates_at_current: fails,
            append_only: fails,
            idempotent: fails,
            source_immutable: Seen::NotApplicable,
            deterministic: elsewhere(migration, source, migrated)?,
            round_trips: Seen::NotApplicable,
            declared_matches_observed: fails,
        });
    };
    let once_more = migration.migrate(bytes);
    let unchanged = once_more.status == Status::Current
        && once_more.result.is_some_and(|(_, again)| again == *bytes);
    Ok(Observed {
        validates_at_current: migrated.valid,
        append_only: appends_only(&migrated.source, value, &migrated.exempt).is_empty().into(),
        idempotent: unchanged.into(),
        source_immutable: Seen::NotApplicable,
        deterministic: elsewhere(migration, source, migrated)?,
        round_trips: migrated.round_trips,
        declared_matches_observed: migrated.undeclared.is_empty().into(),
    })
}

/// Whether another thread sees the same.
fn elsewhere(
    migration: &dyn Migration,
    source: &[u8],
    migrated: &Migrated,
) -> Result<Seen, ProveError> {
    let same = thread::scope(|scope| {
        let other = thread::Builder::new().spawn_scoped(scope, || migration.migrate(source))?;
        // A thread that panics sees something else.
        Ok(other.join().is_ok_and(|other| other == *migrated))
    });
    same.map(Seen::from).map_err(ProveError::Thread)
}

/// What a proof of `migrated` must have seen.
fn required(migrated: &Migrated, seen: &Observed) -> Vec<Property> {
    let is_required = |property: &Property| match property {
        Property::Idempotent
        | Property::SourceImmutable
        | Property::Deterministic
        | Property::DeclaredMatchesObserved => true,
        Property::AppendOnly => migrated.promises_append_only,
        Property::ValidatesAtCurrent | Property::RoundTrips => {
            seen.of(*property) != Seen::NotApplicable
        }
    };
    Property::ALL.into_iter().filter(is_required).collect()
}

fn of_cases(
    migration: &dyn Migration,
    migrated: &Migrated,
    asked: u64,
) -> Result<Cases, ProveError> {
    let version = &migrated.from;
    let no_schema = || ProveError::NoSchema { version: version.clone() };
    let schema = migration.schema(version).ok_or_else(no_schema)?;
    let generator = Generator::new(schema, migration.contract().digest)?;
    for case in 0..asked {
        let document = generator.case(case)?;
        if migration.write(&document).is_none() {
            return Err(ProveError::Unwritable { case });
        }
        if let Some((fails, _)) = failing(migration, version, &document) {
            let mut still_fails = |smaller: &Value| {
                failing(migration, version, smaller).is_some_and(|(same, _)| same == fails)
            };
            let document = shrink(&document, schema, &mut still_fails);
            let (fails, errors) = failing(migration, version, &document).unwrap_or_default();
            let counterexample = Some(Counterexample { case, fails, errors, document });
            return Ok(Cases { asked, checked: case + 1, counterexample });
        }
    }
    Ok(Cases { asked, checked: asked, counterexample: None })
}

/// What is required of `document` and does not hold, and the errors; `None` if all is well.
fn failing(
    migration: &dyn Migration,
    version: &str,
    document: &Value,
) -> Option<(Vec<Property>, Vec<String>)> {
    let source = migration.write(document)?;
    let migrated = migration.migrate(&source);
    if migrated.result.is_none() {
        return Some((Vec::new(), migrated.errors));
    }
    if migrated.from != version {
        let found = format!("its version is found to be {}, not {version}", migrated.from);
        return Some((Vec::new(), vec![found]));
    }
    // Without a thread there is nothing to be seen of it: that is told by the document that is proved.
    let seen = look(migration, &source, &migrated).ok()?;
    let holds = |property: &Property| {
        *property == Property::SourceImmutable || seen.of(*property) == Seen::Holds
    };
    let fails: Vec<_> =
        required(&migrated, &seen).into_iter().filter(|property| !holds(property)).collect();
    let well = fails.is_empty() && migrated.errors.is_empty();
    (!well).then_some((fails, migrated.errors))
}
