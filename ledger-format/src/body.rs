//! The kinds of events and their bodies (SPEC §6): one closed schema per kind. A kind or field that
//! is not here is refused, never skipped. Knows what a body says; knows not whether it was allowed.

mod keys;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::cbor::{self, BridgeError, Value};
use crate::hash::{CommitHash, ContentHash, EventId};

pub use keys::{
    ApprovalsSet, Continues, KeyAuthorized, KeyRevoked, KeyRotated, PlanApproved, Role, Roles,
    possession_statement, shows_possession, usable_key,
};

/// Most edges that one `run.route` lists: together they fill little more than half an event, and
/// leave room for two version tokens.
pub const ROUTE_EDGES_MAX: usize = 64;

/// Most renamings that one `object.migrated` lists: together they fill less than half an event.
pub const RENAMED_MAX: usize = 16;

/// The version token of an open store: each of its objects has a version of its own.
pub const MIXED_VERSIONS: &str = "mixed";

/// A body that does not fit the schema of its kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// A kind this format does not have.
    #[error("unknown event kind {kind:?}")]
    UnknownKind {
        /// The kind found.
        kind: String,
    },
    /// A field missing, unknown or of another type.
    #[error("{kind}: {error}")]
    Schema {
        /// The event's kind.
        kind: &'static str,
        /// What does not fit.
        error: BridgeError,
    },
}

macro_rules! bodies {
    ($($(#[$doc:meta])* $variant:ident = $kind:literal,)*) => {
        /// What an event says, by kind.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Body {
            $($(#[$doc])* $variant($variant),)*
        }

        impl Body {
            /// Every kind of this format, in the order of SPEC §6.
            pub const KINDS: &[&str] = &[$($kind),*];

            /// The kind as it stands in the event.
            pub const fn kind(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => $kind,)*
                }
            }

            /// The body as a map.
            pub fn to_value(&self) -> Result<Value, BodyError> {
                match self {
                    $(Self::$variant(body) => cbor::to_value(body)
                        .map_err(|error| BodyError::Schema { kind: $kind, error }),)*
                }
            }

            /// Appends the canonical bytes of that map.
            pub fn encode_into(&self, out: &mut Vec<u8>) -> Result<(), BodyError> {
                match self {
                    $(Self::$variant(body) => cbor::append(body, out)
                        .map_err(|error| BodyError::Schema { kind: $kind, error }),)*
                }
            }

            /// Reads the body of an event of `kind` from its canonical bytes.
            pub fn from_bytes(kind: &str, bytes: &[u8]) -> Result<Self, BodyError> {
                match kind {
                    $($kind => cbor::from_bytes(bytes, cbor::EVENT_DEPTH_MAX)
                        .map(Self::$variant)
                        .map_err(|error| BodyError::Schema { kind: $kind, error }),)*
                    _ => Err(BodyError::UnknownKind { kind: kind.to_owned() }),
                }
            }
        }

        $(impl From<$variant> for Body {
            fn from(body: $variant) -> Self {
                Self::$variant(body)
            }
        })*
    };
}

bodies! {
    /// The first event of every ledger.
    LedgerCreated = "ledger.created",
    /// Another key may sign.
    KeyAuthorized = "key.authorized",
    /// A key ended and another one took over.
    KeyRotated = "key.rotated",
    /// A key may not sign any more.
    KeyRevoked = "key.revoked",
    /// So many others must agree to a plan.
    ApprovalsSet = "approvals.set",
    /// Somebody agreed to a plan.
    PlanApproved = "plan.approved",
    /// The ledger took a store into its care.
    StoreAdopted = "store.adopted",
    /// What an object was found to be, outside of any run.
    ObjectObserved = "object.observed",
    /// Images of a database that no newer state of it needs are not kept any more.
    ObjectPruned = "object.pruned",
    /// A contract was used for the first time and from now on means these bytes.
    ContractFrozen = "contract.frozen",
    /// It was tried whether a contract keeps what it promises of one object.
    ProofRecorded = "proof.recorded",
    /// A run began.
    RunStarted = "run.started",
    /// One way through a contract that objects of a run take, or the next stretch of it.
    RunRoute = "run.route",
    /// One step of a run ran on one object's work copy.
    ObjectStaged = "object.staged",
    /// One object of a run reached its target, beside the store.
    ObjectMigrated = "object.migrated",
    /// A run's outputs are complete, kept and certified: from here on it goes forward only.
    RunCommitted = "run.committed",
    /// A committed run's outputs are in their places.
    RunPublished = "run.published",
    /// A run ended before it was committed; nothing outside changed.
    RunAborted = "run.aborted",
    /// A committed run will not be published any further.
    RunAbandoned = "run.abandoned",
    /// The state digest of all projections over the first `size` events.
    StateRecorded = "state.recorded",
}

impl Body {
    /// The run this event belongs to, where it belongs to one begun earlier.
    pub const fn run(&self) -> Option<EventId> {
        match self {
            Self::RunRoute(body) => Some(body.run),
            Self::ObjectStaged(body) => Some(body.run),
            Self::ObjectMigrated(body) => Some(body.run),
            Self::RunCommitted(body) => Some(body.run),
            Self::RunPublished(body) => Some(body.run),
            Self::RunAborted(body) => Some(body.run),
            Self::RunAbandoned(body) => Some(body.run),
            _ => None,
        }
    }

    /// The object this event is about, where it is about one.
    pub fn object(&self) -> Option<&str> {
        match self {
            Self::ObjectObserved(body) => Some(&body.object),
            Self::ObjectPruned(body) => Some(&body.object),
            Self::ProofRecorded(body) => Some(&body.object),
            Self::ObjectStaged(body) => Some(&body.object),
            Self::ObjectMigrated(body) => Some(&body.object),
            _ => None,
        }
    }

    /// Page roots that this event names.
    pub fn page_roots(&self) -> Vec<CommitHash> {
        match self {
            Self::ObjectObserved(body) => body.state.page_root().into_iter().collect(),
            Self::ObjectMigrated(body) => [&body.source, &body.target]
                .into_iter()
                .filter_map(ObjectState::page_root)
                .collect(),
            Self::ObjectStaged(body) => match body.result {
                StagedContent::Database { page_root } => vec![page_root],
                StagedContent::Document { .. } => Vec::new(),
            },
            _ => Vec::new(),
        }
    }

    /// Names of stored content this event refers to directly.
    pub fn contents(&self) -> Vec<ContentHash> {
        let page_root = |root: &CommitHash| ContentHash::from_bytes(*root.as_bytes());
        let state = |state: &ObjectState| match state {
            ObjectState::Document { content, .. } => Some(*content),
            ObjectState::Database { page_root: root, .. } => Some(page_root(root)),
            ObjectState::Log { tail, .. } => Some(**tail),
        };
        match self {
            Self::ObjectObserved(body) => state(&body.state).into_iter().collect(),
            Self::RunPublished(body) => body.audit.iter().filter_map(state).collect(),
            Self::ContractFrozen(body) => vec![body.bundle],
            Self::ProofRecorded(body) => vec![body.proof],
            Self::RunStarted(body) => vec![body.environment],
            Self::ObjectStaged(body) => vec![match body.result {
                StagedContent::Document { content } => content,
                StagedContent::Database { page_root: root } => page_root(&root),
            }],
            Self::ObjectMigrated(body) => {
                [state(&body.source), state(&body.target), body.loss_list]
                    .into_iter()
                    .flatten()
                    .collect()
            }
            _ => Vec::new(),
        }
    }
}

/// Exactly `N` bytes: a byte string in CBOR, lower-case hex in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FixedBytes<const N: usize>(pub [u8; N]);

impl<const N: usize> Serialize for FixedBytes<N> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.serialize_str(&crate::hash::hex(&self.0))
        } else {
            serializer.serialize_bytes(&self.0)
        }
    }
}

impl<'de, const N: usize> Deserialize<'de> for FixedBytes<N> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = String::deserialize(deserializer)?;
            let bytes = crate::hash::unhex(&text).and_then(|bytes| bytes.try_into().ok());
            bytes.map(Self).ok_or_else(|| {
                serde::de::Error::custom(format_args!("expected {N} bytes of lower-case hex"))
            })
        } else {
            deserializer.deserialize_bytes(FixedBytesVisitor::<N>).map(Self)
        }
    }
}

struct FixedBytesVisitor<const N: usize>;

impl<const N: usize> serde::de::Visitor<'_> for FixedBytesVisitor<N> {
    type Value = [u8; N];

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{N} bytes")
    }

    fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
        bytes.try_into().map_err(|_| E::invalid_length(bytes.len(), &self))
    }
}

/// What an object is at one moment, by kind of object. Of documents there are many, and a ledger's state holds one of these
/// for each of them, more than once while a run is open: what only the other kinds have is held apart, so that it takes no
/// room here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ObjectState {
    /// A file migrated as a whole.
    Document {
        /// Its bytes.
        content: ContentHash,
        /// Their number.
        bytes: u64,
        /// Its permission bits.
        mode: u32,
    },
    /// A SQLite database.
    Database {
        /// Root of its page tree (SPEC §9.1); names its image.
        page_root: CommitHash,
        /// Hash of schema and rows, independent of page layout (SPEC §9.2).
        rows: Box<CommitHash>,
        /// Hash of the schema alone (SPEC §9.3).
        schema: Box<CommitHash>,
    },
    /// A file that is only ever appended to.
    Log {
        /// All its bytes.
        content: ContentHash,
        /// Their number.
        bytes: u64,
        /// The bytes appended since it was last recorded, as an object: all of them the first time.
        /// Together these objects are the file, so that a changed line can be found.
        tail: Box<ContentHash>,
    },
}

impl ObjectState {
    /// The hash that stands for this state in a certificate: bytes for files; schema and rows for
    /// databases, so that the claim does not depend on SQLite's page layout.
    pub const fn claim_hash(&self) -> [u8; 32] {
        match self {
            Self::Document { content, .. } | Self::Log { content, .. } => *content.as_bytes(),
            Self::Database { rows, .. } => *(**rows).as_bytes(),
        }
    }

    /// The root of a database's page tree.
    #[must_use]
    pub const fn page_root(&self) -> Option<CommitHash> {
        match self {
            Self::Database { page_root, .. } => Some(*page_root),
            Self::Document { .. } | Self::Log { .. } => None,
        }
    }

    /// The kind in words, as certificates and plans name it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Document { .. } => "document",
            Self::Database { .. } => "database",
            Self::Log { .. } => "log",
        }
    }
}

/// Body of `ledger.created`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerCreated {
    /// The Ed25519 public key that may sign from here on.
    pub public_key: FixedBytes<32>,
    /// Random bytes that make the ledger id unique.
    pub nonce: FixedBytes<16>,
    /// A key that may administer too, laid by for the day the others are lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery: Option<FixedBytes<32>>,
    /// The ledger that this one goes on from, where a store had one before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continues: Option<Continues>,
}

impl LedgerCreated {
    /// A ledger that begins with one key and goes on from no other.
    #[must_use]
    pub const fn anew(public_key: [u8; 32], nonce: [u8; 16]) -> Self {
        Self {
            public_key: FixedBytes(public_key),
            nonce: FixedBytes(nonce),
            recovery: None,
            continues: None,
        }
    }
}

/// Where an adopted store came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// It was made together with the ledger.
    Created,
    /// It was there before the ledger.
    Adopted,
}

/// Body of `store.adopted`; follows the baseline of each object in the same batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreAdopted {
    /// Name of the contract that describes stores of this kind.
    pub contract: String,
    /// Version token of the store.
    pub version: String,
    /// Made with the ledger, or there before.
    pub origin: Origin,
    /// Number of objects observed as its baseline.
    pub objects: u64,
    /// Whether objects may join later, each with a version of its own.
    #[serde(default, skip_serializing_if = "is_false", deserialize_with = "only_true")]
    pub open: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes what it may skip by reference")]
const fn is_false(truth: &bool) -> bool {
    !*truth
}

/// A field that is absent where it does not hold says nothing but `true`.
fn only_true<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    if bool::deserialize(deserializer)? {
        return Ok(true);
    }
    Err(serde::de::Error::custom("expected true, or no such field"))
}

/// Why an object was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// First adoption.
    Baseline,
    /// Its application wrote to it since it was last recorded.
    DataChange,
    /// Found after a run was abandoned.
    Abandoned,
    /// It came into the care of an open store after that was adopted.
    Joined,
}

/// Body of `object.observed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectObserved {
    /// Object id: its path relative to the store, `/` between names.
    pub object: String,
    /// Why it was looked at.
    pub cause: Cause,
    /// What it was found to be.
    pub state: ObjectState,
}

/// Body of `object.pruned`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectPruned {
    /// The database.
    pub object: String,
    /// Sequence number from which on its states can be put back.
    pub keep: u64,
    /// Why the older ones are given up, in the words of whoever did it.
    pub reason: String,
    /// Number of images given up.
    pub images: u64,
    /// Bytes of what only they needed.
    pub bytes: u64,
}

/// Body of `contract.frozen`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContractFrozen {
    /// The contract's name.
    pub contract: String,
    /// The contract's own version.
    pub contract_version: String,
    /// Digest of what the contract means, scripts included (SPEC §8.1).
    pub digest: CommitHash,
    /// The contract and its scripts as bytes.
    pub bundle: ContentHash,
}

/// Body of `proof.recorded`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProofRecorded {
    /// What was tried: an object id.
    pub object: String,
    /// Digest of the contract.
    pub contract: CommitHash,
    /// Digest of everything that the outcome depends on, so that equal proofs are made once.
    pub fingerprint: CommitHash,
    /// The proof as bytes.
    pub proof: ContentHash,
    /// Whether the contract kept its promises.
    pub pass: bool,
}

/// What a rollback does with documents that somebody changed since they were recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Changes {
    /// They stay as they are.
    Keep,
    /// They go back too.
    Discard,
}

/// What a run is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// To take objects to another version along a contract's edges.
    Migrate,
    /// To put objects back to what they were at an earlier cursor.
    Rollback,
}

/// Body of `run.started`. The event's id is the run's id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunStarted {
    /// What the run is for.
    pub purpose: Purpose,
    /// The plan it carries out (SPEC §8.2).
    pub plan: CommitHash,
    /// Digest of the contract it follows; none where its objects take routes of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract: Option<CommitHash>,
    /// Version before.
    pub from: String,
    /// Version after.
    pub to: String,
    /// For a rollback: number of events of the ledger whose state it restores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_size: Option<u64>,
    /// Digest of the policy in force (SPEC §8.3).
    pub policy: CommitHash,
    /// The clock its steps see: milliseconds since the Unix epoch.
    pub clock_ms: u64,
    /// The seed of the randomness its steps see.
    pub seed: FixedBytes<32>,
    /// Tool, library and platform versions, as an object.
    pub environment: ContentHash,
    /// Number of objects it will migrate.
    pub objects: u64,
    /// The plan id the operator typed to accept its loss, where it has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted_loss: Option<CommitHash>,
    /// For a rollback of documents: what it does with those that were changed since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changes: Option<Changes>,
}

/// Body of `run.route`: a way that objects of the run take. Routes are numbered from 0; one of more
/// than [`ROUTE_EDGES_MAX`] edges goes on in the next event, with the same number, contract and
/// versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunRoute {
    /// The run.
    pub run: EventId,
    /// The route's number within the run.
    pub route: u64,
    /// Digest of the contract it leads through.
    pub contract: CommitHash,
    /// Version before.
    pub from: String,
    /// Version after.
    pub to: String,
    /// Digests of its edges, or of the next of them, in the order they are walked.
    pub edges: Vec<CommitHash>,
}

/// Content of an object between two steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum StagedContent {
    /// A file.
    Document {
        /// Its bytes.
        content: ContentHash,
    },
    /// A SQLite database.
    Database {
        /// Root of its page tree.
        page_root: CommitHash,
    },
}

/// Body of `object.staged`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectStaged {
    /// The run.
    pub run: EventId,
    /// The object.
    pub object: String,
    /// Number of the step within the run's work on this object, from 0.
    pub step: u64,
    /// Digest of the contract's edge the step belongs to.
    pub edge: CommitHash,
    /// What the object is after the step.
    pub result: StagedContent,
}

/// The answer to one question about a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// It cannot be asked here.
    NotApplicable,
}

impl Verdict {
    /// The word that stands for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::True => "true",
            Self::False => "false",
            Self::NotApplicable => "not_applicable",
        }
    }
}

/// Body of `object.migrated`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectMigrated {
    /// The run.
    pub run: EventId,
    /// The object.
    pub object: String,
    /// Number of the route it took, where the run has routes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<u64>,
    /// The operator that migrated it.
    pub operator: String,
    /// What it was.
    pub source: ObjectState,
    /// What it becomes when the run is published.
    pub target: ObjectState,
    /// Digest of what is lost (SPEC §8.4).
    pub loss: CommitHash,
    /// Number of values lost.
    pub lost: u64,
    /// Whether a step asked for the clock or for randomness; if none did, the claim leaves both out.
    pub reads_inputs: bool,
    /// The list of what is lost, as an object, where anything is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_list: Option<ContentHash>,
    /// What was checked about the migration, by name.
    pub verdicts: BTreeMap<String, Verdict>,
    /// Hashes by which others name the object and that are others now, so that who must not be rewritten can be followed:
    /// at most [`RENAMED_MAX`], in ascending order. Absent where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "not_empty")]
    pub renamed: Vec<Renamed>,
}

/// A hash by which others name an object, before and after.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Renamed {
    /// What is hashed, as contracts say it (SPEC §8.1).
    pub naming: String,
    /// The hash before.
    pub old_hash: FixedBytes<32>,
    /// The hash after.
    pub new_hash: FixedBytes<32>,
}

/// A list that is absent where it has nothing says something.
fn not_empty<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<Renamed>, D::Error> {
    let list = Vec::deserialize(deserializer)?;
    if list.is_empty() {
        return Err(serde::de::Error::custom("expected a list of one at least, or no such field"));
    }
    Ok(list)
}

/// The line a committed run appends to the store's audit file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditAppend {
    /// The audit file.
    pub object: String,
    /// Its length before, in bytes.
    pub bytes: u64,
    /// Its content before.
    pub content: ContentHash,
    /// The exact line, with its newline.
    pub line: String,
}

/// Body of `run.committed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunCommitted {
    /// The run.
    pub run: EventId,
    /// The certificate over all its objects' claims (SPEC §8.5).
    pub certificate: CommitHash,
    /// Number of places to write: one per object whose target differs from its source.
    pub places: u64,
    /// The line for the audit file, where the store has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<AuditAppend>,
}

/// Body of `run.published`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunPublished {
    /// The run.
    pub run: EventId,
    /// Number of places that hold their target.
    pub places: u64,
    /// What the audit file is with the run's line in it, where the store has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<ObjectState>,
}

/// Body of `run.aborted`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunAborted {
    /// The run.
    pub run: EventId,
    /// Diagnostic code of the error.
    pub code: String,
    /// What went wrong, without times and machine paths.
    pub message: String,
}

/// Body of `run.abandoned`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunAbandoned {
    /// The run.
    pub run: EventId,
    /// The operator's reason.
    pub reason: String,
    /// Number of places that held their target when it was given up.
    pub places: u64,
    /// Version of the store as its manifest stated it then.
    pub version: String,
}

/// Body of `state.recorded`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateRecorded {
    /// Number of events folded: those before this one.
    pub size: u64,
    /// Digest of every projection's state over them (SPEC §6.3).
    pub digest: CommitHash,
}

#[cfg(test)]
pub(crate) mod samples {
    //! One body of every kind, for tests.

    use super::*;
    use crate::hash::{KeyId, LedgerId, NodeHash};

    pub(crate) fn every_kind() -> Vec<Body> {
        let content = ContentHash::of(b"content");
        let commit = CommitHash::of("x", &Value::Null);
        let database =
            ObjectState::Database { page_root: commit, rows: commit.into(), schema: commit.into() };
        let mut bodies = vec![
            LedgerCreated {
                recovery: Some(FixedBytes([3; 32])),
                continues: Some(Continues {
                    ledger: LedgerId::of(&[1; 32], &[9; 16]),
                    size: 7,
                    root: NodeHash::empty_root(),
                }),
                ..LedgerCreated::anew([1; 32], [2; 16])
            }
            .into(),
            KeyAuthorized {
                public_key: FixedBytes([4; 32]),
                roles: Roles::of_genesis(),
                possession: Some(FixedBytes([5; 64])),
            }
            .into(),
            KeyRotated { public_key: FixedBytes([6; 32]), possession: FixedBytes([7; 64]) }.into(),
            KeyRevoked { key: KeyId::of(&[1; 32]), reason: "lost".into(), suspect_since: Some(2) }
                .into(),
            ApprovalsSet { count: 1 }.into(),
            PlanApproved { plan: commit, reason: Some("reviewed".into()) }.into(),
            StoreAdopted {
                contract: "glyph-store".into(),
                version: "1".into(),
                origin: Origin::Adopted,
                objects: 3,
                open: true,
            }
            .into(),
            ObjectObserved { object: "store.db".into(), cause: Cause::Baseline, state: database }
                .into(),
            ObjectPruned {
                object: "store.db".into(),
                keep: 7,
                reason: "the disk is full".into(),
                images: 2,
                bytes: 8_192,
            }
            .into(),
            ContractFrozen {
                contract: "glyph-store".into(),
                contract_version: "1.0.0".into(),
                digest: commit,
                bundle: content,
            }
            .into(),
            ProofRecorded {
                object: "state.json".into(),
                contract: commit,
                fingerprint: commit,
                proof: content,
                pass: true,
            }
            .into(),
        ];
        bodies.extend(of_a_run());
        bodies.push(StateRecorded { size: 10, digest: commit }.into());
        bodies
    }

    fn of_a_run() -> [Body; 8] {
        let run = EventId::of(b"run");
        let content = ContentHash::of(b"content");
        let commit = CommitHash::of("x", &Value::Null);
        let document = ObjectState::Document { content, bytes: 7, mode: 0o644 };
        [
            RunStarted {
                purpose: Purpose::Migrate,
                plan: commit,
                contract: Some(commit),
                from: "1".into(),
                to: "2".into(),
                to_size: None,
                policy: commit,
                clock_ms: 5,
                seed: FixedBytes([9; 32]),
                environment: content,
                objects: 2,
                accepted_loss: Some(commit),
                changes: Some(Changes::Keep),
            }
            .into(),
            RunRoute {
                run,
                route: 1,
                contract: commit,
                from: "1".into(),
                to: "3".into(),
                edges: vec![commit, commit],
            }
            .into(),
            ObjectStaged {
                run,
                object: "store.db".into(),
                step: 0,
                edge: commit,
                result: StagedContent::Database { page_root: commit },
            }
            .into(),
            ObjectMigrated {
                run,
                object: "manifest.yaml".into(),
                route: Some(1),
                operator: "Glyphser.Migrate.Manifest".into(),
                source: document.clone(),
                target: document,
                loss: commit,
                lost: 1,
                reads_inputs: true,
                loss_list: Some(content),
                verdicts: [("deterministic".to_owned(), Verdict::NotApplicable)].into(),
                renamed: vec![Renamed {
                    naming: "object_digest".into(),
                    old_hash: FixedBytes([1; 32]),
                    new_hash: FixedBytes([2; 32]),
                }],
            }
            .into(),
            RunCommitted {
                run,
                certificate: commit,
                places: 2,
                audit: Some(AuditAppend {
                    object: "audit/events.jsonl".into(),
                    bytes: 10,
                    content,
                    line: "{}\n".into(),
                }),
            }
            .into(),
            RunPublished {
                run,
                places: 2,
                audit: Some(ObjectState::Log { content, bytes: 13, tail: content.into() }),
            }
            .into(),
            RunAborted { run, code: "SQL_FAILED".into(), message: "no such table".into() }.into(),
            RunAbandoned { run, reason: "restored by hand".into(), places: 1, version: "2".into() }
                .into(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_samples_cover_every_kind_once() {
        let kinds: Vec<_> = samples::every_kind().iter().map(Body::kind).collect();
        assert_eq!(kinds, Body::KINDS);
    }

    #[test]
    fn a_store_that_is_not_open_does_not_say_so() {
        let Some(Body::StoreAdopted(open)) = samples::every_kind().into_iter().nth(6) else {
            panic!("the samples are in the order of kinds")
        };
        let closed = Body::from(StoreAdopted { open: false, ..open.clone() });
        let (Value::Map(open), Value::Map(mut closed)) =
            (Body::from(open).to_value().unwrap(), closed.to_value().unwrap())
        else {
            panic!("bodies are maps")
        };
        assert_eq!((open.get("open"), closed.get("open")), (Some(&Value::Bool(true)), None));
        closed.insert("open", Value::Bool(false));
        let read = Body::from_bytes("store.adopted", &Value::Map(closed).encode());
        assert!(matches!(read, Err(BodyError::Schema { kind: "store.adopted", .. })), "{read:?}");
    }

    #[test]
    fn an_object_that_was_not_renamed_does_not_say_so() {
        let kind = "object.migrated";
        let migrated = samples::every_kind().into_iter().find(|body| body.kind() == kind).unwrap();
        let Body::ObjectMigrated(migrated) = migrated else { panic!("it is of that kind") };
        let stays = Body::from(ObjectMigrated { renamed: Vec::new(), ..migrated });
        let Value::Map(mut stays) = stays.to_value().unwrap() else { panic!("bodies are maps") };
        assert_eq!(stays.get("renamed"), None);
        stays.insert("renamed", Value::Array(Vec::new()));
        let read = Body::from_bytes(kind, &Value::Map(stays).encode());
        assert!(matches!(read, Err(BodyError::Schema { kind: "object.migrated", .. })), "{read:?}");
    }

    #[test]
    fn the_longest_route_of_one_event_fits_it_with_room_for_versions() {
        let edges = vec![CommitHash::of("x", &Value::Null); ROUTE_EDGES_MAX];
        let run = EventId::of(b"run");
        let (route, contract) = (u64::MAX, CommitHash::of("x", &Value::Null));
        let version = "v".repeat(500);
        let (from, to) = (version.clone(), version);
        let body = Body::from(RunRoute { run, route, contract, from, to, edges });
        let bytes = body.to_value().unwrap().encode().len();
        // The envelope takes some 300 bytes more.
        assert!(bytes + 300 <= crate::event::EVENT_BYTES_MAX, "{bytes}");
    }
}
