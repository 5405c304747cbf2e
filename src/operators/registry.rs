//! What is registered of every operator.

use ledger_format::cbor::{self, Value as Cbor};
use ledger_format::hash::ContentHash;

use crate::diagnostic::{
    CODE_UNREGISTERED, Code, LINK_INVALID, LINK_STALE, MIGRATION_PATH_MISSING,
    MIGRATION_VERSION_TYPE, MIGRATION_VERSION_UNKNOWN, REQUEST_INVALID, STEP_FAILED,
};
use crate::document::{canonical, json};
use crate::glyphser::{Hash, commit};

/// An operator's record. All are of version `v1`, deterministic, idempotent, without randomness and without a capability
/// that the caller must hold.
#[derive(Debug, PartialEq, Eq)]
pub struct Operator {
    /// Its name, fixed for ever.
    pub id: &'static str,
    /// How it is called.
    pub method: Method,
    /// To whom it is offered.
    pub surface: Surface,
    /// Whether its result depends on its arguments only.
    pub purity: Purity,
    /// What it does besides giving a result, sorted.
    pub side_effects: &'static [SideEffect],
    /// The codes that it may refuse with, sorted by name. A defect of the program is no answer and not among them.
    pub error_codes: &'static [&'static Code],
    /// The contract of what it migrates.
    pub contract: Option<&'static str>,
    request_schema: &'static str,
    response_schema: &'static str,
}

/// How an operator is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// As a function.
    Call,
}

/// To whom an operator is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surface {
    /// To other operators.
    Syscall,
    /// To users.
    Service,
}

/// Whether the result of an operator depends on its arguments only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purity {
    /// It does.
    Pure,
    /// Objects are read and written.
    Io,
}

/// What an operator does besides giving a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SideEffect {
    /// Reads and writes objects.
    PerformsIo,
}

/// The version of all records.
const VERSION: &str = "v1";

/// The version of the registry's form.
const REGISTRY_SCHEMA_VERSION: u64 = 1;

const DETERMINISM: &str = "DETERMINISTIC";

const MIGRATE_REQUEST: &str = include_str!("schemas/migrate.request.json");
const MIGRATE_RESPONSE: &str = include_str!("schemas/migrate.response.json");

pub(super) const VALIDATE_OUTCOME: &str = "Glyphser.Migrate.ValidateOutcome";
pub(super) const ERROR_EMIT: &str = "Glyphser.Error.Emit";

/// `Glyphser.Migrate.Checkpoint`.
pub(super) static CHECKPOINT: Operator = Operator {
    id: "Glyphser.Migrate.Checkpoint",
    method: Method::Call,
    surface: Surface::Service,
    purity: Purity::Io,
    side_effects: &[SideEffect::PerformsIo],
    error_codes: &[
        &LINK_INVALID,
        &LINK_STALE,
        &MIGRATION_PATH_MISSING,
        &MIGRATION_VERSION_TYPE,
        &MIGRATION_VERSION_UNKNOWN,
        &REQUEST_INVALID,
        &STEP_FAILED,
    ],
    contract: Some("glyphser-checkpoint"),
    request_schema: MIGRATE_REQUEST,
    response_schema: MIGRATE_RESPONSE,
};

/// `Glyphser.Migrate.Manifest`.
pub(super) static MANIFEST: Operator = Operator {
    id: "Glyphser.Migrate.Manifest",
    method: Method::Call,
    surface: Surface::Service,
    purity: Purity::Pure,
    side_effects: &[],
    error_codes: &[
        &MIGRATION_PATH_MISSING,
        &MIGRATION_VERSION_TYPE,
        &MIGRATION_VERSION_UNKNOWN,
        &REQUEST_INVALID,
    ],
    contract: Some("glyphser-manifest"),
    request_schema: MIGRATE_REQUEST,
    response_schema: MIGRATE_RESPONSE,
};

/// `Glyphser.Migrate.Trace`.
pub(super) static TRACE: Operator = Operator {
    id: "Glyphser.Migrate.Trace",
    method: Method::Call,
    surface: Surface::Service,
    purity: Purity::Io,
    side_effects: &[SideEffect::PerformsIo],
    error_codes: &[
        &LINK_INVALID,
        &LINK_STALE,
        &MIGRATION_PATH_MISSING,
        &MIGRATION_VERSION_TYPE,
        &MIGRATION_VERSION_UNKNOWN,
        &REQUEST_INVALID,
        &STEP_FAILED,
    ],
    contract: Some("glyphser-trace"),
    request_schema: MIGRATE_REQUEST,
    response_schema: MIGRATE_RESPONSE,
};

static VALIDATE: Operator = Operator {
    id: VALIDATE_OUTCOME,
    method: Method::Call,
    surface: Surface::Syscall,
    purity: Purity::Pure,
    side_effects: &[],
    error_codes: &[&REQUEST_INVALID],
    contract: None,
    request_schema: include_str!("schemas/validate_outcome.request.json"),
    response_schema: include_str!("schemas/validate_outcome.response.json"),
};

static EMIT: Operator = Operator {
    id: ERROR_EMIT,
    method: Method::Call,
    surface: Surface::Syscall,
    purity: Purity::Pure,
    side_effects: &[],
    error_codes: &[&CODE_UNREGISTERED, &REQUEST_INVALID],
    contract: None,
    request_schema: include_str!("schemas/error_emit.request.json"),
    response_schema: include_str!("schemas/error_emit.response.json"),
};

/// Every operator, sorted by name.
pub static OPERATORS: &[&Operator] = &[&EMIT, &CHECKPOINT, &MANIFEST, &TRACE, &VALIDATE];

/// Glyphser's `CommitHash("operator_registry", [schema version, records])`: the hash by which a checkpoint or certificate names these
/// operators.
pub fn registry_root() -> Hash {
    let records = OPERATORS.iter().map(|operator| operator.record()).collect();
    commit("operator_registry", vec![REGISTRY_SCHEMA_VERSION.into(), Cbor::Array(records)])
}

impl Operator {
    /// The operator of that name.
    pub fn find(id: &str) -> Option<&'static Self> {
        OPERATORS.iter().copied().find(|operator| operator.id == id)
    }

    /// SHA-256 of the canonical JSON (RFC 8785) of the schema of what it takes.
    pub fn request_schema_digest(&self) -> ContentHash {
        schema_digest(self.request_schema)
    }

    /// SHA-256 of the canonical JSON (RFC 8785) of the schema of what it gives.
    pub fn response_schema_digest(&self) -> ContentHash {
        schema_digest(self.response_schema)
    }

    /// `CommitHash("sig", [id, version, method, request digest, response digest, side effects, error codes])`: what a
    /// caller relies on.
    pub fn signature_digest(&self) -> Hash {
        let signature = vec![
            self.id.into(),
            VERSION.into(),
            self.method.name().into(),
            bytes(self.request_schema_digest().as_bytes()),
            bytes(self.response_schema_digest().as_bytes()),
            self.side_effects(),
            self.error_codes(),
        ];
        commit("sig", signature)
    }

    /// The whole record.
    pub fn record(&self) -> Cbor {
        cbor::map([
            ("operator_id", self.id.into()),
            ("version", VERSION.into()),
            ("method", self.method.name().into()),
            ("surface", self.surface.name().into()),
            ("request_schema_digest", bytes(self.request_schema_digest().as_bytes())),
            ("response_schema_digest", bytes(self.response_schema_digest().as_bytes())),
            ("signature_digest", bytes(&self.signature_digest())),
            ("side_effects", self.side_effects()),
            ("allowed_error_codes", self.error_codes()),
            ("purity_class", self.purity.name().into()),
            ("required_capabilities", Cbor::Array(Vec::new())),
            ("idempotent", true.into()),
            ("rng_usage", "NONE".into()),
            ("determinism_class", DETERMINISM.into()),
        ])
    }

    fn side_effects(&self) -> Cbor {
        Cbor::Array(self.side_effects.iter().map(|effect| effect.name().into()).collect())
    }

    fn error_codes(&self) -> Cbor {
        Cbor::Array(self.error_codes.iter().map(|code| code.id.into()).collect())
    }
}

impl Method {
    /// Its name in records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Call => "CALL",
        }
    }
}

impl Surface {
    /// Its name in records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Syscall => "SYSCALL",
            Self::Service => "SERVICE",
        }
    }
}

impl Purity {
    /// Its name in records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pure => "PURE",
            Self::Io => "IO",
        }
    }
}

impl SideEffect {
    /// Its name in records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PerformsIo => "PERFORMS_IO",
        }
    }
}

/// The schemas are part of the program and have a canonical form; a test reads each of them.
fn schema_digest(schema: &str) -> ContentHash {
    let canonical = json::read(schema.as_bytes())
        .ok()
        .and_then(|schema| canonical::json(&schema.value, &[]).ok());
    ContentHash::of(canonical.unwrap_or_default().as_bytes())
}

fn bytes(hash: &[u8]) -> Cbor {
    Cbor::Bytes(hash.to_vec())
}
