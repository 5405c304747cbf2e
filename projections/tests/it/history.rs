//! A writer of legal histories: given the state, one body that may come next. From a seed, so that a
//! failure can be had again. Shared by the tests of everything that reads histories.

use ed25519_dalek::{Signer as _, SigningKey};
use ledger_format::body::{
    ApprovalsSet, AuditAppend, Body, Cause, Changes, ContractFrozen, FixedBytes, KeyAuthorized,
    KeyRevoked, LedgerCreated, MIXED_VERSIONS, ObjectMigrated, ObjectObserved, ObjectPruned,
    ObjectStaged, ObjectState, Origin, PlanApproved, ProofRecorded, Purpose, Renamed, Role, Roles,
    RunAbandoned, RunAborted, RunCommitted, RunPublished, RunRoute, RunStarted, StagedContent,
    StateRecorded, StoreAdopted, Verdict, possession_statement,
};
use ledger_format::event::Event;
use ledger_format::hash::{CommitHash, ContentHash, EventId, KeyId, LedgerId};
use projections::{Entry, OpenRun, Phase, Route, State};

pub(crate) const MANIFEST: &str = "manifest.yaml";
pub(crate) const DATABASE: &str = "store.db";
pub(crate) const AUDIT: &str = "audit/events.jsonl";
const OBJECTS: [&str; 3] = [MANIFEST, DATABASE, AUDIT];

/// What the objects of a history are made of.
pub(crate) trait Matter {
    /// Keeps `bytes`.
    fn content(&mut self, bytes: &[u8]) -> ContentHash;
    /// A database that differs from those of other numbers.
    fn database(&mut self, number: u64) -> ObjectState;
}

/// Names without anything behind them.
pub(crate) struct Names;

impl Matter for Names {
    fn content(&mut self, bytes: &[u8]) -> ContentHash {
        ContentHash::of(bytes)
    }

    fn database(&mut self, number: u64) -> ObjectState {
        let hash = |tag| CommitHash::of(tag, &number.into());
        ObjectState::Database {
            page_root: hash("page_root"),
            rows: hash("rows").into(),
            schema: hash("schema").into(),
        }
    }
}

/// The generator of Steele, Lea and Flood with 64 bits of state.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }
}

/// A ledger being lived.
pub(crate) struct History<M> {
    pub(crate) public_key: [u8; 32],
    pub(crate) nonce: [u8; 16],
    pub(crate) matter: M,
    dice: Dice,
    audit: Vec<u8>,
    made: u64,
    /// What the last step made.
    staged: Option<ObjectState>,
    /// Whether documents join the store.
    open: bool,
}

impl<M: Matter> History<M> {
    pub(crate) fn new(seed: u64, public_key: [u8; 32], matter: M) -> Self {
        let nonce = [7; 16];
        let (audit, staged) = (Vec::new(), None);
        Self { public_key, nonce, matter, dice: Dice(seed), audit, made: 0, staged, open: false }
    }

    /// With a store that documents join.
    pub(crate) fn of_documents(self) -> Self {
        Self { open: true, ..self }
    }

    pub(crate) fn ledger(&self) -> LedgerId {
        LedgerId::of(&self.public_key, &self.nonce)
    }

    /// A body that may come next.
    pub(crate) fn next(&mut self, state: &State) -> Body {
        if let Some(object) = state.store().unsettled.first() {
            let (object, state) = (object.clone(), self.object(object));
            return ObjectObserved { object, cause: Cause::Abandoned, state }.into();
        }
        if state.size() == 0 {
            let (public_key, nonce) = (FixedBytes(self.public_key), FixedBytes(self.nonce));
            return LedgerCreated::anew(public_key.0, nonce.0).into();
        }
        if self.dice.roll(10) == 0 {
            return StateRecorded { size: state.size(), digest: state.digest() }.into();
        }
        match (&state.store().contract, &state.runs().open) {
            (None, _) => self.adopt(state),
            (Some(_), Some(open)) => self.go_on(state, open),
            (Some(_), None) => self.rest(state),
        }
    }

    fn adopt(&mut self, state: &State) -> Body {
        let missing = OBJECTS.iter().find(|object| !state.store().objects.contains_key(**object));
        match missing {
            Some(object) => {
                let (object, state) = ((*object).to_owned(), self.object(object));
                ObjectObserved { object, cause: Cause::Baseline, state }.into()
            }
            None => StoreAdopted {
                contract: "glyph-store".into(),
                version: if self.open { MIXED_VERSIONS } else { "1" }.into(),
                origin: Origin::Adopted,
                objects: OBJECTS.len() as u64,
                open: self.open,
            }
            .into(),
        }
    }

    fn rest(&mut self, state: &State) -> Body {
        if self.dice.roll(8) == 0 {
            return self.keys(state);
        }
        let made = self.made();
        let frozen = state.contracts().by_identity("glyph-store", "1");
        match (self.dice.roll(4), frozen) {
            (0, Some(_)) => {
                let at = usize::try_from(self.dice.roll(3)).unwrap();
                let (object, state) = (OBJECTS[at].to_owned(), self.object(OBJECTS[at]));
                ObjectObserved { object, cause: Cause::DataChange, state }.into()
            }
            (1, Some(_)) if made.is_multiple_of(2) => self.prune(state),
            (1, Some(_)) => self.freeze(&format!("1.{made}")),
            (_, Some(frozen)) => {
                if self.open && self.dice.roll(3) != 0 {
                    return self.rest_among_documents(state);
                }
                let objects = 1 + self.dice.roll(2);
                self.start(state, Some(frozen.digest), objects).into()
            }
            (_, None) => self.freeze("1"),
        }
    }

    /// What was pruned stays so; a little more goes each time.
    fn prune(&mut self, state: &State) -> Body {
        let before = state.runs().pruned.get(DATABASE).copied().unwrap_or_default();
        let keep = before + self.dice.roll(state.size() - before + 1);
        let (images, bytes) = (self.dice.roll(3), self.dice.roll(100_000));
        let reason = format!("{images} images");
        ObjectPruned { object: DATABASE.into(), keep, reason, images, bytes }.into()
    }

    /// What one key can say of keys without ending itself.
    fn keys(&mut self, state: &State) -> Body {
        let made = self.made();
        let own = KeyId::of(&self.public_key);
        let others = state.keys().iter().map(|key| KeyId::of(&key.public_key.0));
        let other = others.into_iter().find(|key| *key != own);
        match (self.dice.roll(4), other) {
            (0, Some(key)) => {
                let suspect_since = made.is_multiple_of(2).then_some(1);
                KeyRevoked { key, reason: format!("lost {made}"), suspect_since }.into()
            }
            (1, _) => ApprovalsSet { count: 0 }.into(),
            (2, _) => PlanApproved {
                plan: CommitHash::of("migration_plan", &made.into()),
                reason: made.is_multiple_of(2).then(|| format!("looked at {made}")),
            }
            .into(),
            _ => self.authorise(made),
        }
    }

    fn authorise(&self, made: u64) -> Body {
        let mut secret = [1; 32];
        secret.iter_mut().zip(made.to_le_bytes()).for_each(|(to, from)| *to = from);
        let key = SigningKey::from_bytes(&secret);
        let public_key = key.verifying_key().to_bytes();
        let shown = || key.sign(&possession_statement(self.ledger(), &public_key)).to_bytes();
        let roles = [Role::Approve, Role::ALL[usize::try_from(made % 4).unwrap()]];
        KeyAuthorized {
            public_key: FixedBytes(public_key),
            roles: Roles::new(roles).unwrap(),
            possession: made.is_multiple_of(2).then(|| FixedBytes(shown())),
        }
        .into()
    }

    /// What only an open store knows.
    fn rest_among_documents(&mut self, state: &State) -> Body {
        let made = self.made();
        let held = documents(state).count() as u64;
        match self.dice.roll(4) {
            0 if held < 6 => {
                let object = format!("documents/{made}.json");
                let state = self.object(&object);
                ObjectObserved { object, cause: Cause::Joined, state }.into()
            }
            1 => ProofRecorded {
                object: format!("documents/{made}.json"),
                contract: CommitHash::of("contract", &made.into()),
                fingerprint: CommitHash::of("fingerprint", &made.into()),
                proof: self.matter.content(format!("proof {made}").as_bytes()),
                pass: made.is_multiple_of(2),
            }
            .into(),
            _ => {
                let objects = 1 + self.dice.roll(held);
                self.start(state, None, objects).into()
            }
        }
    }

    fn start(&mut self, state: &State, contract: Option<CommitHash>, objects: u64) -> RunStarted {
        let made = self.made();
        let hash = |tag| CommitHash::of(tag, &made.into());
        let rollback = self.dice.roll(if contract.is_some() { 2 } else { 4 }) == 0;
        let changes = if made.is_multiple_of(2) { Changes::Keep } else { Changes::Discard };
        RunStarted {
            purpose: if rollback { Purpose::Rollback } else { Purpose::Migrate },
            plan: hash("migration_plan"),
            contract,
            from: state.store().version.clone(),
            to: if self.open { MIXED_VERSIONS.into() } else { made.to_string() },
            to_size: rollback.then_some(1),
            policy: hash("policy"),
            clock_ms: made,
            seed: FixedBytes([3; 32]),
            environment: self.matter.content(b"environment"),
            objects,
            accepted_loss: made.is_multiple_of(2).then_some(hash("migration_plan")),
            changes: (rollback && contract.is_none()).then_some(changes),
        }
    }

    /// The next route of the open run, or more of the last one.
    fn route(&mut self, state: &State, open: &OpenRun) -> Body {
        let made = self.made();
        let contract = state.contracts().by_identity("glyph-store", "1").unwrap().digest;
        let edge = |number: u64| CommitHash::of("edge", &(made + number).into());
        let edges = (0..self.dice.roll(4)).map(edge).collect();
        let next = RunRoute {
            run: open.run,
            route: open.routes.len() as u64,
            contract,
            from: made.to_string(),
            to: (made + 1).to_string(),
            edges,
        };
        match open.routes.iter().last() {
            Some(Route { contract, from, to, .. }) if self.dice.roll(2) == 0 => RunRoute {
                route: next.route - 1,
                contract: *contract,
                from: from.clone(),
                to: to.clone(),
                ..next
            },
            _ => next,
        }
        .into()
    }

    fn freeze(&mut self, version: &str) -> Body {
        let made = self.made();
        ContractFrozen {
            contract: "glyph-store".into(),
            contract_version: version.to_owned(),
            digest: CommitHash::of("contract", &made.into()),
            bundle: self.matter.content(format!("bundle {made}").as_bytes()),
        }
        .into()
    }

    fn go_on(&mut self, state: &State, open: &OpenRun) -> Body {
        let run = open.run;
        match &open.phase {
            Phase::Publishing { places, audit, .. } => {
                if self.dice.roll(4) == 0 {
                    let version = state.store().version.clone();
                    return RunAbandoned { run, reason: "given up".into(), places: 0, version }
                        .into();
                }
                let audit = audit.clone().map(|audit| self.log(audit.line.as_bytes()));
                RunPublished { run, places: *places, audit }.into()
            }
            Phase::Staging if open.migrated.len() as u64 == open.started.objects => {
                let store = state.store();
                let changed = store.staged.iter();
                let changed = changed.filter(|(object, to)| store.objects.get(*object) != Some(to));
                let places = changed.count() as u64;
                let Some(ObjectState::Log { content, bytes, .. }) = store.objects.get(AUDIT) else {
                    panic!("no audit file");
                };
                let line = format!("{{\"run\":\"{run}\"}}\n");
                let audit =
                    AuditAppend { object: AUDIT.into(), bytes: *bytes, content: *content, line };
                let audit = Some(audit).filter(|_| !self.open || self.dice.roll(2) == 0);
                let certificate = state.certificates().open_certificate();
                RunCommitted { run, certificate, places, audit }.into()
            }
            Phase::Staging if open.started.contract.is_none() => match self.dice.roll(8) {
                0 => RunAborted { run, code: "STEP_FAILED".into(), message: "no".into() }.into(),
                1 | 2 if may_have_routes(open) => self.route(state, open),
                _ if may_have_routes(open) && open.routes.is_empty() => self.route(state, open),
                _ => self.migrate(state, open),
            },
            Phase::Staging => match self.dice.roll(5) {
                0 => {
                    RunAborted { run, code: "STEP_FAILED".into(), message: "no such table".into() }
                        .into()
                }
                1 | 2 => self.stage(open),
                _ => self.migrate(state, open),
            },
        }
    }

    fn stage(&mut self, open: &OpenRun) -> Body {
        let made = self.made();
        let object = OBJECTS[open.migrated.len()].to_owned();
        let staged = self.object(&object);
        self.staged = Some(staged.clone());
        let result = match staged {
            ObjectState::Database { page_root, .. } => StagedContent::Database { page_root },
            ObjectState::Document { content, .. } => StagedContent::Document { content },
            ObjectState::Log { .. } => panic!("audit files are not migrated"),
        };
        let step = open.steps.get(&object).map_or(0, Vec::len) as u64;
        let edge = CommitHash::of("edge", &(made % 2).into());
        ObjectStaged { run: open.run, object, step, edge, result }.into()
    }

    fn migrate(&mut self, state: &State, open: &OpenRun) -> Body {
        let made = self.made();
        let object = match open.started.contract {
            Some(_) => OBJECTS[open.migrated.len()].to_owned(),
            None => {
                documents(state).find(|object| !open.migrated.contains(*object)).unwrap().clone()
            }
        };
        let routes = open.routes.len() as u64;
        let route = (routes > 0).then(|| self.dice.roll(routes));
        let source = state.store().objects[&object].clone();
        let target = match self.staged.take().filter(|_| open.steps.contains_key(&object)) {
            Some(staged) => staged,
            None if self.dice.roll(4) == 0 => source.clone(),
            None => self.object(&object),
        };
        let renamed = match route {
            Some(_) if source != target => renamed(made),
            _ => Vec::new(),
        };
        // Nobody loses what was not accepted to be lost.
        let lost = if open.started.accepted_loss.is_some() { made % 3 } else { 0 };
        ObjectMigrated {
            run: open.run,
            object,
            route,
            operator: "Glyphser.Migrate".into(),
            source,
            target,
            loss: CommitHash::of("loss", &made.into()),
            lost,
            reads_inputs: made.is_multiple_of(2),
            loss_list: (!made.is_multiple_of(3)).then(|| self.matter.content(b"loss list")),
            verdicts: [("deterministic".to_owned(), Verdict::True)].into(),
            renamed,
        }
        .into()
    }

    fn object(&mut self, object: &str) -> ObjectState {
        let made = self.made();
        match object {
            MANIFEST => {
                let text = format!("store:\n  version: {made}\n");
                let content = self.matter.content(text.as_bytes());
                ObjectState::Document { content, bytes: text.len() as u64, mode: 0o640 }
            }
            DATABASE => self.matter.database(made),
            document if document.starts_with("documents/") => {
                let text = format!("{{\"made\":{made}}}");
                let content = self.matter.content(text.as_bytes());
                ObjectState::Document { content, bytes: text.len() as u64, mode: 0o644 }
            }
            _ => self.log(format!("{{\"line\":{made}}}\n").as_bytes()),
        }
    }

    fn log(&mut self, tail: &[u8]) -> ObjectState {
        self.audit.extend_from_slice(tail);
        let tail = self.matter.content(tail);
        let (content, bytes) = (ContentHash::of(&self.audit), self.audit.len() as u64);
        ObjectState::Log { content, bytes, tail: tail.into() }
    }

    fn made(&mut self) -> u64 {
        self.made += 1;
        self.made
    }
}

/// Other names of an object, or none; a number for each history of its own.
fn renamed(made: u64) -> Vec<Renamed> {
    let names = ["file_bytes", "object_digest", "stated:/own"].into_iter().zip(1..);
    let names = names.filter(|(_, bit)| ((made % 8) >> bit) & 1 == 1);
    let hash = |of: u64| FixedBytes([u8::try_from(of % 256).unwrap(); 32]);
    let renamed = names.map(|(naming, _)| Renamed {
        naming: naming.into(),
        old_hash: hash(made),
        new_hash: hash(made + 1),
    });
    renamed.collect()
}

fn documents(state: &State) -> impl Iterator<Item = &String> {
    let documents = state.store().objects.iter().filter(|(_, held)| held.kind() == "document");
    documents.map(|(object, _)| object)
}

fn may_have_routes(open: &OpenRun) -> bool {
    open.started.purpose == Purpose::Migrate && open.migrated.is_empty()
}

/// The event that would carry `body` next, and its bytes.
pub(crate) fn stamp(state: &State, public_key: &[u8; 32], body: Body) -> (Event, Vec<u8>) {
    let chain = state.chain();
    let event = Event {
        at: 1_700_000_000_000 + state.size(),
        seq: state.size(),
        body,
        prev: chain.last(),
        actor: KeyId::of(public_key),
        ledger: chain.ledger(),
    };
    let bytes = event.encode().unwrap();
    (event, bytes)
}

/// Appends `body`, which must be legal, and returns its bytes.
pub(crate) fn append(state: &mut State, public_key: &[u8; 32], body: Body) -> Vec<u8> {
    let (event, bytes) = stamp(state, public_key, body);
    let id = EventId::of(&bytes);
    state.apply(Entry { event: &event, id }).unwrap_or_else(|rule| panic!("{event:?}: {rule}"));
    bytes
}
