//! The ledger of the vectors: a small store is adopted and migrated from version 1 to 2, in twelve
//! events and five batches. Also one event of each kind that this history does not need.

use ed25519_dalek::{Signer as _, SigningKey};
use ledger_format::body::{
    ApprovalsSet, AuditAppend, Body, Cause, Changes, Continues, ContractFrozen, FixedBytes,
    KeyAuthorized, KeyRevoked, KeyRotated, LedgerCreated, MIXED_VERSIONS, ObjectMigrated,
    ObjectObserved, ObjectPruned, ObjectStaged, ObjectState, Origin, PlanApproved, ProofRecorded,
    Purpose, Renamed, Roles, RunAbandoned, RunAborted, RunCommitted, RunPublished, RunRoute,
    RunStarted, StagedContent, StateRecorded, StoreAdopted, Verdict, possession_statement,
};
use ledger_format::cbor::{Map, Value, map};
use ledger_format::chain::Chain;
use ledger_format::event::Event;
use ledger_format::hash::{CommitHash, ContentHash, EventId, KeyId, LedgerId, NodeHash};
use ledger_format::head::SignedHead;

use crate::make::Made;

/// The private key of the vectors' only actor. Everybody knows it: it must sign nothing else.
pub(crate) const SECRET_KEY: [u8; 32] = [7; 32];
/// The private key that shows in events of keys that somebody holds it. It must sign nothing else either.
const OTHER_SECRET_KEY: [u8; 32] = [8; 32];
/// The nonce of the vectors' ledger.
pub(crate) const NONCE: [u8; 16] = [2; 16];

const FIRST_AT_MS: u64 = 1_700_000_000_000;
const CLOCK_MS: u64 = 1_700_000_004_000;
const SEED: [u8; 32] = [9; 32];
const BATCH_ENDS: [u64; 5] = [5, 7, 10, 11, 12];

const MANIFEST: &str = "manifest.yaml";
const DATABASE: &str = "store.db";
const AUDIT: &str = "audit/events.jsonl";

const MANIFEST_1: &str = "store:\n  version: 1\n";
const MANIFEST_2: &str = "store:\n  version: 2\n";
const AUDIT_LINES: &str = "{\"event\":\"created\"}\n";
const AUDIT_LINE: &str = "{\"event\":\"migrated\",\"to\":\"2\"}\n";

/// A history with everything that stands beside it in a log.
pub(crate) struct History {
    pub(crate) events: Vec<(EventId, Vec<u8>)>,
    pub(crate) heads: Vec<SignedHead>,
    /// What its run claims.
    pub(crate) claims: Vec<Value>,
}

impl History {
    /// The head that closes its batch with the event `seq`, if one does.
    pub(crate) fn head_after(&self, seq: u64) -> Option<&SignedHead> {
        self.heads.iter().find(|head| head.head().size == seq + 1)
    }
}

/// The twelve events and their five heads.
pub(crate) fn history() -> Made<History> {
    let mut writer = Writer::new();
    writer.append(LedgerCreated::anew(key().verifying_key().to_bytes(), NONCE))?;
    for (object, state) in
        [(MANIFEST, manifest(MANIFEST_1)), (DATABASE, database("1")), (AUDIT, audit_before())]
    {
        writer.append(observed(object, Cause::Baseline, state))?;
    }
    writer.append(StoreAdopted {
        contract: "glyph-store".into(),
        version: "1".into(),
        origin: Origin::Adopted,
        objects: 3,
        open: false,
    })?;
    writer.append(ContractFrozen {
        contract: "glyph-store".into(),
        contract_version: "1.0.0".into(),
        digest: stand_in("contract"),
        bundle: ContentHash::of(b"bundle"),
    })?;
    let started = started();
    let run = writer.append(started.clone())?;
    writer.append(staged(run))?;
    let migrated = [migrated(run, MANIFEST, MANIFEST_1, MANIFEST_2), migrated_database(run)];
    for body in &migrated {
        writer.append(body.clone())?;
    }
    let [document, database] = &migrated;
    let claims =
        vec![claim(&started, &[], document), claim(&started, &[stand_in("edge")], database)];
    let hashes = claims.iter().map(|claim| CommitHash::of("migration_certificate", claim).into());
    writer.append(RunCommitted {
        run,
        certificate: CommitHash::of("migration_run", &Value::Array(hashes.collect())),
        places: 2,
        audit: Some(AuditAppend {
            object: AUDIT.into(),
            bytes: AUDIT_LINES.len() as u64,
            content: ContentHash::of(AUDIT_LINES.as_bytes()),
            line: AUDIT_LINE.into(),
        }),
    })?;
    let all = [AUDIT_LINES, AUDIT_LINE].concat();
    writer.append(RunPublished { run, places: 2, audit: Some(log(&all, AUDIT_LINE)) })?;
    writer.history.claims = claims;
    Ok(writer.history)
}

/// Events that the history has no place for: every other kind, and bodies in their other forms.
/// Each is the event 12 that would follow it, legal or not.
pub(crate) fn other_events() -> Made<Vec<Vec<u8>>> {
    let history = history()?;
    let run = history.events.get(6).map_or(EventId::GENESIS, |(id, _)| *id);
    let (prev, _) = history.events.last().ok_or("the history is empty")?;
    let document = StagedContent::Document { content: ContentHash::of(MANIFEST_2.as_bytes()) };
    let mut bodies: Vec<Body> = vec![
        RunStarted {
            purpose: Purpose::Rollback,
            from: "2".into(),
            to: "1".into(),
            to_size: Some(6),
            accepted_loss: None,
            ..started()
        }
        .into(),
        ObjectStaged { result: document, object: MANIFEST.into(), step: 1, ..staged(run) }.into(),
        observed(DATABASE, Cause::DataChange, database("2, written to")).into(),
        observed(MANIFEST, Cause::Abandoned, manifest(MANIFEST_1)).into(),
        ObjectPruned {
            object: DATABASE.into(),
            keep: 11,
            reason: "the disk is full".into(),
            images: 1,
            bytes: 8_192,
        }
        .into(),
        StoreAdopted {
            contract: "glyph-store".into(),
            version: "2".into(),
            origin: Origin::Created,
            objects: 0,
            open: false,
        }
        .into(),
        RunCommitted { run, certificate: stand_in("certificate"), places: 0, audit: None }.into(),
        RunPublished { run, places: 0, audit: None }.into(),
        RunAborted { run, code: "SQL_FAILED".into(), message: "no such table: t".into() }.into(),
        RunAbandoned { run, reason: "restored by hand".into(), places: 1, version: "1".into() }
            .into(),
        StateRecorded { size: 12, digest: stand_in("state") }.into(),
    ];
    bodies.extend(of_keys());
    bodies.extend(of_documents(run));
    let encode = |body| Ok(event(12, *prev, body).encode()?);
    bodies.into_iter().map(encode).collect()
}

/// What is said of keys. The key that these are about is everybody's, as the vectors' own.
fn of_keys() -> Vec<Body> {
    let other = SigningKey::from_bytes(&OTHER_SECRET_KEY);
    let public_key = other.verifying_key().to_bytes();
    let possession = other.sign(&possession_statement(ledger(), &public_key)).to_bytes();
    let (public_key, possession) = (FixedBytes(public_key), FixedBytes(possession));
    let ledger = LedgerId::of(&public_key.0, &NONCE);
    let before = Continues { ledger, size: 3, root: NodeHash::empty_root() };
    vec![
        LedgerCreated {
            recovery: Some(public_key),
            continues: Some(before),
            ..LedgerCreated::anew(key().verifying_key().to_bytes(), NONCE)
        }
        .into(),
        KeyAuthorized { public_key, roles: Roles::of_genesis(), possession: Some(possession) }
            .into(),
        KeyAuthorized { public_key, roles: Roles::of_recovery(), possession: None }.into(),
        KeyRotated { public_key, possession }.into(),
        KeyRevoked { key: KeyId::of(&public_key.0), reason: "lost".into(), suspect_since: Some(3) }
            .into(),
        KeyRevoked { key: KeyId::of(&public_key.0), reason: "left".into(), suspect_since: None }
            .into(),
        ApprovalsSet { count: 2 }.into(),
        PlanApproved { plan: stand_in("plan"), reason: Some("looked at".into()) }.into(),
        PlanApproved { plan: stand_in("plan"), reason: None }.into(),
    ]
}

/// What an open store and its runs need beyond that.
fn of_documents(run: EventId) -> Vec<Body> {
    let mixed = || MIXED_VERSIONS.to_owned();
    let route = |route, edges: &[&str]| RunRoute {
        run,
        route,
        contract: stand_in("contract"),
        from: "1".into(),
        to: "3".into(),
        edges: edges.iter().map(|edge| stand_in(edge)).collect(),
    };
    let started = RunStarted { contract: None, from: mixed(), to: mixed(), ..started() };
    let back = RunStarted {
        purpose: Purpose::Rollback,
        to_size: Some(6),
        accepted_loss: None,
        ..started.clone()
    };
    vec![
        StoreAdopted {
            contract: "documents".into(),
            version: mixed(),
            origin: Origin::Adopted,
            objects: 1,
            open: true,
        }
        .into(),
        observed("state.json", Cause::Joined, manifest(MANIFEST_1)).into(),
        started.into(),
        RunStarted { changes: Some(Changes::Keep), ..back.clone() }.into(),
        RunStarted { changes: Some(Changes::Discard), ..back }.into(),
        route(0, &["edge", "edge 2"]).into(),
        route(1, &[]).into(),
        ObjectMigrated {
            route: Some(1),
            renamed: vec![Renamed {
                naming: "object_digest".into(),
                old_hash: FixedBytes([1; 32]),
                new_hash: FixedBytes([2; 32]),
            }],
            ..migrated(run, "state.json", MANIFEST_1, MANIFEST_2)
        }
        .into(),
        ProofRecorded {
            object: "state.json".into(),
            contract: stand_in("contract"),
            fingerprint: stand_in("fingerprint"),
            proof: ContentHash::of(b"proof"),
            pass: false,
        }
        .into(),
    ]
}

/// The vectors' key.
pub(crate) fn key() -> SigningKey {
    SigningKey::from_bytes(&SECRET_KEY)
}

/// The vectors' ledger.
pub(crate) fn ledger() -> LedgerId {
    LedgerId::of(key().verifying_key().as_bytes(), &NONCE)
}

struct Writer {
    chain: Chain,
    history: History,
}

impl Writer {
    fn new() -> Self {
        let history = History { events: Vec::new(), heads: Vec::new(), claims: Vec::new() };
        Self { chain: Chain::new(ledger()), history }
    }

    fn append(&mut self, body: impl Into<Body>) -> Made<EventId> {
        let event = event(self.chain.size(), self.chain.last(), body.into());
        let bytes = event.encode()?;
        let id = EventId::of(&bytes);
        self.chain.push(&event, id)?;
        self.history.events.push((id, bytes));
        if BATCH_ENDS.contains(&self.chain.size()) {
            let key = key();
            let sign = |text: &[u8]| key.sign(text);
            let head = SignedHead::sign(self.chain.head(), &key.verifying_key(), sign);
            self.history.heads.push(head);
        }
        Ok(id)
    }
}

fn event(seq: u64, prev: EventId, body: Body) -> Event {
    let actor = KeyId::of(key().verifying_key().as_bytes());
    Event { at: FIRST_AT_MS + 1_001 * seq, seq, body, prev, actor, ledger: ledger() }
}

fn observed(object: &str, cause: Cause, state: ObjectState) -> ObjectObserved {
    ObjectObserved { object: object.into(), cause, state }
}

fn started() -> RunStarted {
    RunStarted {
        purpose: Purpose::Migrate,
        plan: stand_in("plan"),
        contract: Some(stand_in("contract")),
        from: "1".into(),
        to: "2".into(),
        to_size: None,
        policy: stand_in("policy"),
        clock_ms: CLOCK_MS,
        seed: FixedBytes(SEED),
        environment: ContentHash::of(b"environment"),
        objects: 2,
        accepted_loss: Some(stand_in("plan")),
        changes: None,
    }
}

fn staged(run: EventId) -> ObjectStaged {
    ObjectStaged {
        run,
        object: DATABASE.into(),
        step: 0,
        edge: stand_in("edge"),
        result: StagedContent::Database { page_root: stand_in("page root 2") },
    }
}

fn migrated(run: EventId, object: &str, source: &str, target: &str) -> ObjectMigrated {
    ObjectMigrated {
        run,
        object: object.into(),
        route: None,
        operator: "Glyphser.Migrate.Manifest".into(),
        source: manifest(source),
        target: manifest(target),
        loss: stand_in("no loss"),
        lost: 0,
        reads_inputs: false,
        loss_list: None,
        verdicts: [
            ("deterministic".to_owned(), Verdict::True),
            ("roundTrips".to_owned(), Verdict::NotApplicable),
        ]
        .into(),
        renamed: Vec::new(),
    }
}

fn migrated_database(run: EventId) -> ObjectMigrated {
    ObjectMigrated {
        object: DATABASE.into(),
        operator: "sqlite".into(),
        source: database("1"),
        target: database("2"),
        loss: stand_in("loss"),
        lost: 1,
        reads_inputs: true,
        loss_list: Some(ContentHash::of(b"loss")),
        verdicts: [("dropsNothing".to_owned(), Verdict::False)].into(),
        ..migrated(run, DATABASE, "", "")
    }
}

/// A claim (SPEC §8.5), from its fields.
fn claim(started: &RunStarted, path: &[CommitHash], body: &ObjectMigrated) -> Value {
    let verdict = |verdict: &Verdict| match verdict {
        Verdict::True => "true",
        Verdict::False => "false",
        Verdict::NotApplicable => "not_applicable",
    };
    let verdicts: Map =
        body.verdicts.iter().map(|(name, held)| (name.as_str(), verdict(held))).collect();
    let inputs = map([
        ("clock_ms", started.clock_ms.into()),
        ("seed", Value::Bytes(started.seed.0.to_vec())),
    ]);
    let inputs = if body.reads_inputs {
        CommitHash::of("migration_inputs", &inputs).into()
    } else {
        Value::Null
    };
    map([
        ("contract_digest", started.contract.map_or(Value::Null, Value::from)),
        ("object_kind", body.target.kind().into()),
        ("object_id", body.object.as_str().into()),
        ("from", started.from.as_str().into()),
        ("to", started.to.as_str().into()),
        ("path", Value::Array(path.iter().map(|edge| (*edge).into()).collect())),
        ("source_hash", Value::Bytes(body.source.claim_hash().to_vec())),
        ("target_hash", Value::Bytes(body.target.claim_hash().to_vec())),
        ("operator_id", body.operator.as_str().into()),
        ("migration_policy_hash", started.policy.into()),
        ("inputs_hash", inputs),
        ("verdicts", verdicts.into()),
        ("loss_hash", body.loss.into()),
    ])
}

fn manifest(text: &str) -> ObjectState {
    let content = ContentHash::of(text.as_bytes());
    ObjectState::Document { content, bytes: text.len() as u64, mode: 0o644 }
}

fn database(which: &str) -> ObjectState {
    ObjectState::Database {
        page_root: stand_in(&format!("page root {which}")),
        rows: stand_in(&format!("rows {which}")).into(),
        schema: stand_in(&format!("schema {which}")).into(),
    }
}

fn audit_before() -> ObjectState {
    log(AUDIT_LINES, AUDIT_LINES)
}

fn log(all: &str, tail: &str) -> ObjectState {
    ObjectState::Log {
        content: ContentHash::of(all.as_bytes()),
        bytes: all.len() as u64,
        tail: ContentHash::of(tail.as_bytes()).into(),
    }
}

/// A digest that stands for something this history does not contain.
fn stand_in(what: &str) -> CommitHash {
    CommitHash::of("vector", &what.into())
}
