//! The rules of open stores and of runs with routes: for each, what it allows and what it refuses.

use ledger_format::body::{
    AuditAppend, Body, Cause, Changes, ContractFrozen, FixedBytes, LedgerCreated, MIXED_VERSIONS,
    ObjectMigrated, ObjectObserved, ObjectStaged, ObjectState, Origin, ProofRecorded, Purpose,
    RENAMED_MAX, ROUTE_EDGES_MAX, Renamed, RunAbandoned, RunCommitted, RunPublished, RunRoute,
    RunStarted, StagedContent, StateRecorded, StoreAdopted,
};
use ledger_format::hash::{CommitHash, ContentHash, EventId, LedgerId};
use projections::{Claim, Entry, Illegal, Projection as _, Route, Runs, State};

use crate::history::stamp;

/// The encoding of a point, as a key must be; nobody signs with it here.
const KEY: [u8; 32] = [3; 32];
const NONCE: [u8; 16] = [7; 16];
const A: &str = "a.json";
const B: &str = "b.json";
const AUDIT: &str = "audit.jsonl";

/// A ledger being written.
#[derive(Clone)]
struct World {
    state: State,
}

impl World {
    /// A store with one document and a log, adopted as `adopted` says, and the frozen contract.
    fn of(adopted: &StoreAdopted) -> Self {
        let mut world = Self { state: State::new(LedgerId::of(&KEY, &NONCE)) };
        world.append(LedgerCreated::anew(KEY, NONCE));
        world.append(observed(A, Cause::Baseline));
        let (object, cause) = (AUDIT.to_owned(), Cause::Baseline);
        world.append(ObjectObserved { object, cause, state: log(0) });
        world.append(adopted.clone());
        world.append(ContractFrozen {
            contract: "documents".into(),
            contract_version: "1".into(),
            digest: hash("contract"),
            bundle: ContentHash::of(b"bundle"),
        });
        world
    }

    fn open() -> Self {
        Self::of(&adopted(true))
    }

    fn append(&mut self, body: impl Into<Body>) -> EventId {
        let body = body.into();
        let (event, bytes) = stamp(&self.state, &KEY, body);
        let entry = Entry { event: &event, id: EventId::of(&bytes) };
        self.state.apply(entry).unwrap_or_else(|rule| panic!("{event:?}: {rule}"));
        entry.id
    }

    fn check(&self, body: impl Into<Body>) -> Result<(), Illegal> {
        let (event, bytes) = stamp(&self.state, &KEY, body.into());
        self.state.check(Entry { event: &event, id: EventId::of(&bytes) })
    }

    #[track_caller]
    fn allows(&self, body: impl Into<Body>) {
        assert_eq!(self.check(body), Ok(()));
    }

    #[track_caller]
    fn refuses(&self, body: impl Into<Body>, rule: &str) {
        let refused = self.check(body).expect_err(rule).to_string();
        assert!(refused.contains(rule), "{refused:?} is not for {rule:?}");
    }

    fn committed(&self, run: EventId, places: u64) -> RunCommitted {
        let certificate = self.state.certificates().open_certificate();
        RunCommitted { run, certificate, places, audit: None }
    }
}

fn hash(of: &str) -> CommitHash {
    CommitHash::of("test", &of.into())
}

fn document(text: &str) -> ObjectState {
    let (content, bytes) = (ContentHash::of(text.as_bytes()), text.len() as u64);
    ObjectState::Document { content, bytes, mode: 0o644 }
}

fn database() -> ObjectState {
    let (rows, schema) = (hash("rows").into(), hash("schema").into());
    ObjectState::Database { page_root: hash("root"), rows, schema }
}

fn log(bytes: u64) -> ObjectState {
    let tail = ContentHash::of(b"tail").into();
    ObjectState::Log { content: ContentHash::of(b"log"), bytes, tail }
}

fn observed(object: &str, cause: Cause) -> ObjectObserved {
    ObjectObserved { object: object.into(), cause, state: document("1") }
}

fn adopted(open: bool) -> StoreAdopted {
    let version = if open { MIXED_VERSIONS } else { "1" };
    StoreAdopted {
        contract: "documents".into(),
        version: version.into(),
        origin: Origin::Adopted,
        objects: 2,
        open,
    }
}

fn started(contract: Option<CommitHash>) -> RunStarted {
    RunStarted {
        purpose: Purpose::Migrate,
        plan: hash("plan"),
        contract,
        from: MIXED_VERSIONS.into(),
        to: MIXED_VERSIONS.into(),
        to_size: None,
        policy: hash("policy"),
        clock_ms: 1,
        seed: FixedBytes([3; 32]),
        environment: ContentHash::of(b"environment"),
        objects: 1,
        accepted_loss: None,
        changes: None,
    }
}

fn back() -> RunStarted {
    let (purpose, to_size, changes) = (Purpose::Rollback, Some(1), Some(Changes::Keep));
    RunStarted { purpose, to_size, changes, ..started(None) }
}

fn route(run: EventId, route: u64) -> RunRoute {
    let (contract, from, to) = (hash("contract"), "1".into(), "2".into());
    RunRoute { run, route, contract, from, to, edges: vec![hash("edge")] }
}

fn migrated(run: EventId, object: &str, route: Option<u64>) -> ObjectMigrated {
    ObjectMigrated {
        run,
        object: object.into(),
        route,
        operator: "operator".into(),
        source: document("1"),
        target: document("2"),
        loss: hash("loss"),
        lost: 0,
        reads_inputs: false,
        loss_list: None,
        verdicts: [].into(),
        renamed: Vec::new(),
    }
}

#[test]
fn an_open_store_says_so_and_has_the_version_of_none() {
    let mut world = World { state: World::open().state };
    assert!(world.state.store().open);
    assert!(!World::of(&adopted(false)).state.store().open);
    world.refuses(
        RunStarted { to: "2".into(), ..started(Some(hash("contract"))) },
        "is mixed, not 2",
    );
    world.allows(started(Some(hash("contract"))));
    world.state = State::new(LedgerId::of(&KEY, &NONCE));
    world.append(LedgerCreated::anew(KEY, NONCE));
    let adopted = StoreAdopted { objects: 0, ..adopted(true) };
    world.refuses(StoreAdopted { version: "1".into(), ..adopted.clone() }, "is mixed, not 1");
    world.allows(StoreAdopted { version: "1".into(), open: false, ..adopted.clone() });
    world.refuses(observed(B, Cause::Joined), "an open store only");
    world.append(adopted);
    assert_eq!(world.state.store().version, MIXED_VERSIONS);
}

#[test]
fn a_document_joins_an_open_store_once_and_while_no_run_is_open() {
    let mut world = World::open();
    World::of(&adopted(false)).refuses(observed(B, Cause::Joined), "an open store only");
    world.refuses(observed(A, Cause::Joined), "in the store's care already");
    for state in [database(), log(0)] {
        let body = ObjectObserved { state, ..observed(B, Cause::Joined) };
        world.refuses(body, "only documents join");
    }
    world.refuses(observed(B, Cause::Baseline), "before store.adopted");
    world.append(observed(B, Cause::Joined));
    assert_eq!(world.state.store().objects[B], document("1"));
    world.refuses(observed(B, Cause::Joined), "in the store's care already");
    world.allows(observed(B, Cause::DataChange));

    let joins = observed("c.json", Cause::Joined);
    world.allows(joins.clone());
    let run = world.append(started(None));
    world.refuses(joins.clone(), "while a run is open");
    world.append(route(run, 0));
    world.append(migrated(run, A, Some(0)));
    let committed = world.committed(run, 1);
    world.append(committed);
    world.refuses(joins.clone(), "while a run is open");
    world.append(RunPublished { run, places: 1, audit: None });
    world.allows(joins);
}

#[test]
fn a_run_follows_a_frozen_contract_or_belongs_to_an_open_store() {
    let world = World::open();
    world.allows(started(None));
    world.refuses(started(Some(hash("other"))), "is not frozen");
    let closed = World::of(&adopted(false));
    let of_version =
        |contract| RunStarted { from: "1".into(), to: "2".into(), ..started(contract) };
    closed.allows(of_version(Some(hash("contract"))));
    closed.refuses(of_version(None), "needs an open store");
}

#[test]
fn routes_are_numbered_and_the_last_one_goes_on() {
    let mut world = World::open();
    let run = world.append(started(None));
    world.refuses(route(run, 1), "route 0 comes next");
    let edges = |count| RunRoute { edges: vec![hash("edge"); count], ..route(run, 0) };
    world.allows(edges(0));
    world.allows(edges(ROUTE_EDGES_MAX));
    world.refuses(edges(ROUTE_EDGES_MAX + 1), "65 edges, at most 64");
    world.refuses(RunRoute { contract: hash("other"), ..route(run, 0) }, "is not frozen");
    world.refuses(route(EventId::of(b"other"), 0), "is not open");
    world.append(edges(ROUTE_EDGES_MAX));

    world.append(ContractFrozen {
        contract: "documents".into(),
        contract_version: "2".into(),
        digest: hash("contract 2"),
        bundle: ContentHash::of(b"bundle"),
    });
    for other in [
        RunRoute { contract: hash("contract 2"), ..route(run, 0) },
        RunRoute { from: "0".into(), ..route(run, 0) },
        RunRoute { to: "3".into(), ..route(run, 0) },
    ] {
        world.refuses(other, "goes on with another contract or version");
    }
    world.append(RunRoute { edges: vec![hash("last")], ..route(run, 0) });
    world.refuses(route(run, 2), "route 1 comes next");
    world.refuses(route(run, u64::MAX), "route 1 comes next");
    world.append(RunRoute { to: "3".into(), ..route(run, 1) });
    world.refuses(route(run, 0), "route 2 comes next");

    let routes = &world.state.runs().open.as_ref().unwrap().routes;
    let ends: Vec<_> =
        routes.iter().map(|Route { to, edges, .. }| (to.as_str(), edges.len())).collect();
    assert_eq!(ends, [("2", ROUTE_EDGES_MAX + 1), ("3", 1)]);
    assert_eq!(routes.get(0).unwrap().edges.last(), Some(&hash("last")));
}

#[test]
fn routes_come_before_objects_and_only_where_the_run_has_them() {
    let mut world = World::open();
    world.append(observed(B, Cause::Joined));
    world.refuses(route(EventId::of(b"none"), 0), "is not open");
    for other in [started(Some(hash("contract"))), back()] {
        let mut world = world.clone();
        let run = world.append(other);
        world.refuses(route(run, 0), "take no routes");
        world.refuses(migrated(run, A, Some(0)), "the run has none");
        world.allows(migrated(run, A, None));
    }
    let run = world.append(RunStarted { objects: 2, ..started(None) });
    world.refuses(migrated(run, A, Some(0)), "takes route 0, the run has 0");
    world.append(route(run, 0));
    world.refuses(migrated(run, A, None), "takes no route");
    world.refuses(migrated(run, A, Some(1)), "takes route 1, the run has 1");
    let result = StagedContent::Document { content: ContentHash::of(b"2") };
    let step = ObjectStaged { run, object: A.into(), step: 0, edge: hash("edge"), result };
    world.refuses(step.clone(), "the run has none");
    world.append(migrated(run, A, Some(0)));
    world.refuses(route(run, 1), "before the first object");
    world.refuses(migrated(run, A, Some(0)), "migrated twice");
    world.append(migrated(run, B, Some(0)));
    let committed = world.committed(run, 2);
    world.append(committed);
    world.refuses(route(run, 1), "committed already");

    let mut world = World::open();
    let run = world.append(started(Some(hash("contract"))));
    world.allows(ObjectStaged { run, ..step });
}

#[test]
fn an_object_is_renamed_only_where_it_changes_and_each_name_once() {
    let mut world = World::open();
    let run = world.append(started(None));
    world.append(route(run, 0));
    let name = |naming: &str, old, new| Renamed {
        naming: naming.into(),
        old_hash: FixedBytes([old; 32]),
        new_hash: FixedBytes([new; 32]),
    };
    let renamed = |renamed| ObjectMigrated { renamed, ..migrated(run, A, Some(0)) };
    let many = |count| (0..count).map(|at| name(&format!("{at:02}"), 1, 2)).collect::<Vec<_>>();
    world.allows(renamed(many(1)));
    world.allows(renamed(many(RENAMED_MAX)));
    world.refuses(renamed(many(RENAMED_MAX + 1)), "is renamed 17 times, at most 16");
    world.refuses(renamed(vec![name("a", 1, 1)]), "to what it was called");
    world.refuses(renamed(vec![name("b", 1, 2), name("a", 1, 2)]), "not in order");
    world.refuses(renamed(vec![name("a", 1, 2), name("a", 1, 2)]), "one stands there twice");
    let stays = ObjectMigrated { target: document("1"), ..renamed(many(1)) };
    world.refuses(stays, "took no route to another content");
    let mut world = World::open();
    let run = world.append(back());
    let returned = ObjectMigrated { run, route: None, ..renamed(many(1)) };
    world.refuses(returned, "took no route to another content");
}

#[test]
fn an_object_is_claimed_to_have_taken_its_route() {
    let mut world = World::open();
    world.append(observed(B, Cause::Joined));
    let start = RunStarted { objects: 2, ..started(None) };
    let run = world.append(start.clone());
    world.append(route(run, 0));
    world.append(RunRoute { to: "3".into(), edges: vec![hash("e"), hash("f")], ..route(run, 1) });
    let bodies = [migrated(run, A, Some(1)), migrated(run, B, Some(0))];
    let routes = world.state.runs().open.as_ref().unwrap().routes.clone();
    let claims = bodies.each_ref().map(|body| {
        let route = routes.get(body.route.unwrap());
        Claim::new(&start, route, vec![hash("not this")], body)
    });
    let [a, b] = &claims;
    assert_eq!((a.from.as_str(), a.to.as_str(), b.to.as_str()), ("1", "3", "2"));
    assert_eq!((&a.path, &b.path), (&vec![hash("e"), hash("f")], &vec![hash("edge")]));
    assert_eq!(a.contract_digest, Some(hash("contract")));
    for body in bodies {
        world.append(body);
    }
    let held: Vec<_> = world.state.certificates().open_claims().collect();
    assert_eq!(held, [(A, &a.hash()), (B, &b.hash())]);
    let committed = world.committed(run, 2);
    assert_eq!(
        committed.certificate,
        CommitHash::of(
            "migration_run",
            &ledger_format::cbor::Value::Array(vec![a.hash().into(), b.hash().into()])
        )
    );
    world.refuses(RunCommitted { certificate: hash("c"), ..committed.clone() }, "certificate is");
    world.append(committed);
    assert_eq!(world.state.certificates().open_claims().count(), 0);
    assert_eq!(world.state.store().version, MIXED_VERSIONS);
}

#[test]
fn a_rollback_by_no_contract_claims_none() {
    let body = migrated(EventId::of(b"run"), A, None);
    let claim = Claim::new(&back(), None, Vec::new(), &body);
    assert_eq!((claim.contract_digest, claim.from.as_str()), (None, MIXED_VERSIONS));
    let mut value = ledger_format::cbor::to_value(&claim).unwrap();
    let ledger_format::cbor::Value::Map(map) = &mut value else { panic!("a claim is a map") };
    for absent in ["contract_digest", "inputs_hash"] {
        assert_eq!(map.insert(absent, ledger_format::cbor::Value::Null), None, "{absent}");
    }
    assert_eq!(claim.hash(), CommitHash::of("migration_certificate", &value));
}

/// A run of the first of two documents, committed with an audit line and abandoned.
fn abandoned(open: bool) -> World {
    let mut world = World::of(&adopted(open));
    let run = if open {
        world.append(observed(B, Cause::Joined));
        let run = world.append(started(None));
        world.append(route(run, 0));
        world.append(migrated(run, A, Some(0)));
        run
    } else {
        let versions = RunStarted { from: "1".into(), ..started(Some(hash("contract"))) };
        let run = world.append(versions);
        world.append(migrated(run, A, None));
        run
    };
    let ObjectState::Log { content, bytes, .. } = log(0) else { panic!("a log is a log") };
    let audit = AuditAppend { object: AUDIT.into(), bytes, content, line: "x\n".into() };
    let committed = RunCommitted { audit: Some(audit), ..world.committed(run, 1) };
    world.append(committed);
    let version = |version: &str| RunAbandoned {
        run,
        reason: String::new(),
        places: 0,
        version: version.into(),
    };
    if open {
        world.refuses(version("2"), "is mixed, not 2");
    }
    world.append(version(MIXED_VERSIONS));
    world
}

#[test]
fn after_an_abandoned_run_an_open_store_observes_its_objects_and_not_all() {
    let mut world = abandoned(true);
    let unsettled: Vec<_> = world.state.store().unsettled.iter().map(String::as_str).collect();
    assert_eq!(unsettled, [A, AUDIT]);
    assert!(world.state.store().unpublished.is_empty());
    world.refuses(observed(B, Cause::Abandoned), "must first be observed");
    world.refuses(observed("c.json", Cause::Joined), "must first be observed");
    world.allows(StateRecorded { size: world.state.size(), digest: world.state.digest() });
    world.append(observed(A, Cause::Abandoned));
    world.refuses(observed("c.json", Cause::Joined), "must first be observed");
    let (object, cause) = (AUDIT.to_owned(), Cause::Abandoned);
    world.append(ObjectObserved { object, cause, state: log(0) });
    world.allows(observed("c.json", Cause::Joined));

    let unsettled = abandoned(false).state.store().unsettled.clone();
    assert!(unsettled.iter().eq([A, AUDIT]), "every object of a store that is not open");
}

#[test]
fn what_a_run_published_is_not_left_over_for_the_next() {
    let mut world = World::open();
    world.append(observed(B, Cause::Joined));
    for object in [A, B] {
        let run = world.append(started(None));
        world.append(route(run, 0));
        world.append(migrated(run, object, Some(0)));
        let committed = world.committed(run, 1);
        world.append(committed);
        assert!(world.state.store().unpublished.iter().eq([object]));
        world.append(RunPublished { run, places: 1, audit: None });
        assert!(world.state.store().unpublished.is_empty());
    }
}

#[test]
fn a_proof_may_stand_anywhere_but_before_the_first_event() {
    let proof = || ProofRecorded {
        object: "of nobody".into(),
        contract: hash("not frozen"),
        fingerprint: hash("fingerprint"),
        proof: ContentHash::of(b"proof"),
        pass: false,
    };
    let mut world = World::open();
    world.allows(proof());
    world.append(started(None));
    world.allows(proof());
    let before = (world.state.store().clone(), world.state.runs().clone());
    world.append(proof());
    assert_eq!((world.state.store(), world.state.runs()), (&before.0, &before.1));
    assert_eq!(world.state.audit().events["proof.recorded"], 1);
    World { state: State::new(LedgerId::of(&KEY, &NONCE)) }.refuses(proof(), "first event");
    abandoned(true).refuses(proof(), "must first be observed");
}

#[test]
fn objects_that_were_migrated_stand_in_byte_order_in_the_state() {
    let mut world = World::open();
    world.append(observed(B, Cause::Joined));
    let run = world.append(RunStarted { objects: 2, ..started(None) });
    world.append(route(run, 0));
    world.append(migrated(run, B, Some(0)));
    world.append(migrated(run, A, Some(0)));
    let runs = world.state.runs();
    assert!(runs.open.as_ref().unwrap().migrated.iter().eq([A, B]));
    assert_eq!(State::from_cache(&world.state.to_cache()).unwrap(), world.state);
    assert_eq!(world.state.digests()["runs"], Runs::digest(runs));
}

#[test]
fn a_state_counts_its_entries() {
    let mut world = World::open();
    // Key, contract, two objects, and four kinds of events.
    assert_eq!(world.state.entries(), 8);
    let more = |world: &mut World, body: Body| {
        let before = world.state.entries();
        world.append(body);
        i128::from(world.state.entries()) - i128::from(before)
    };
    // The object; joining is no kind of its own.
    assert_eq!(more(&mut world, observed(B, Cause::Joined).into()), 1);
    let run = world.append(started(None));
    // The route, held twice, and a kind.
    assert_eq!(more(&mut world, route(run, 0).into()), 3);
    // Target, name, claim, and a kind.
    assert_eq!(more(&mut world, migrated(run, A, Some(0)).into()), 4);
    // Target, claim and route move out; its name, a certificate and a kind come.
    let committed = world.committed(run, 1);
    assert_eq!(more(&mut world, committed.into()), 0);
}
