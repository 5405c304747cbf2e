//! Who may sign what: each rule with an event that keeps it and one that breaks it.

use ed25519_dalek::{Signer as _, SigningKey};
use ledger_format::body::{
    ApprovalsSet, Body, Cause, Continues, FixedBytes, KeyAuthorized, KeyRevoked, KeyRotated,
    LedgerCreated, ObjectObserved, ObjectState, Origin, PlanApproved, Purpose, Role, Roles,
    RunStarted, StateRecorded, StoreAdopted, possession_statement,
};
use ledger_format::cbor::Value;
use ledger_format::hash::{CommitHash, ContentHash, EventId, KeyId, LedgerId, NodeHash};
use projections::{Entry, State};

use crate::history::{append, stamp};

const NONCE: [u8; 16] = [7; 16];

/// A ledger and the keys of everybody who has to do with it.
struct World {
    state: State,
}

fn key(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

fn public(number: u8) -> [u8; 32] {
    key(number).verifying_key().to_bytes()
}

fn id(number: u8) -> KeyId {
    KeyId::of(&public(number))
}

fn roles(roles: &[Role]) -> Roles {
    Roles::new(roles.iter().copied()).unwrap()
}

impl World {
    /// Key 1 begins.
    fn new() -> Self {
        Self::created(LedgerCreated::anew(public(1), NONCE))
    }

    fn created(genesis: LedgerCreated) -> Self {
        let mut world = Self { state: State::new(LedgerId::of(&public(1), &NONCE)) };
        world.does(1, genesis);
        world
    }

    fn try_to(&self, actor: u8, body: impl Into<Body>) -> Result<(), String> {
        let (event, bytes) = stamp(&self.state, &public(actor), body.into());
        let entry = Entry { event: &event, id: EventId::of(&bytes) };
        self.state.check(entry).map_err(|illegal| illegal.to_string())
    }

    fn does(&mut self, actor: u8, body: impl Into<Body>) {
        append(&mut self.state, &public(actor), body.into());
    }

    fn refuses(&self, actor: u8, body: impl Into<Body>, because: &str) {
        let refused = self.try_to(actor, body).unwrap_err();
        assert!(refused.contains(because), "{refused}");
    }

    fn shown(&self, number: u8) -> FixedBytes<64> {
        let statement = possession_statement(self.state.chain().ledger(), &public(number));
        FixedBytes(key(number).sign(&statement).to_bytes())
    }

    fn authorised(&self, number: u8, may: &[Role]) -> KeyAuthorized {
        let possession = Some(self.shown(number));
        KeyAuthorized { public_key: FixedBytes(public(number)), roles: roles(may), possession }
    }

    fn rotated(&self, number: u8) -> KeyRotated {
        KeyRotated { public_key: FixedBytes(public(number)), possession: self.shown(number) }
    }

    /// Takes a store of one document into care.
    fn adopts(&mut self, actor: u8) {
        let state = ObjectState::Document { content: ContentHash::of(b"a"), bytes: 1, mode: 0o644 };
        let object = "a.json".to_owned();
        self.does(actor, ObjectObserved { object, cause: Cause::Baseline, state });
        let (contract, version) = ("documents".to_owned(), "mixed".to_owned());
        let adopted =
            StoreAdopted { contract, version, origin: Origin::Adopted, objects: 1, open: true };
        self.does(actor, adopted);
    }
}

fn revoked(number: u8) -> KeyRevoked {
    KeyRevoked { key: id(number), reason: "left".into(), suspect_since: None }
}

fn plan(number: u64) -> CommitHash {
    CommitHash::of("migration_plan", &number.into())
}

fn approved(number: u64) -> PlanApproved {
    PlanApproved { plan: plan(number), reason: None }
}

fn started(number: u64, purpose: Purpose) -> RunStarted {
    RunStarted {
        purpose,
        plan: plan(number),
        contract: None,
        from: "mixed".into(),
        to: "mixed".into(),
        to_size: None,
        policy: CommitHash::of("policy", &Value::Null),
        clock_ms: 0,
        seed: FixedBytes([0; 32]),
        environment: ContentHash::of(b""),
        objects: 1,
        accepted_loss: None,
        changes: None,
    }
}

fn digest(world: &World) -> StateRecorded {
    StateRecorded { size: world.state.size(), digest: world.state.digest() }
}

#[test]
fn l9_each_role_signs_its_own_kinds_and_no_others() {
    let mut world = World::new();
    world.does(1, world.authorised(2, &[Role::Append]));
    world.does(1, world.authorised(3, &[Role::Approve]));
    world.does(1, world.authorised(4, &[Role::Administer]));
    world.does(1, world.authorised(5, &[Role::Publish]));
    world.adopts(2);
    let kinds: [(&str, Body, u8); 4] = [
        ("run.started", started(1, Purpose::Migrate).into(), 2),
        ("plan.approved", approved(1).into(), 3),
        ("approvals.set", ApprovalsSet { count: 1 }.into(), 4),
        ("key.revoked", revoked(2).into(), 4),
    ];
    for (kind, body, may) in kinds {
        for actor in 1..=6 {
            match actor {
                1 => assert_eq!(world.try_to(actor, body.clone()), Ok(())),
                6 => world.refuses(actor, body.clone(), "is not authorised to sign here"),
                actor if actor == may => assert_eq!(world.try_to(actor, body.clone()), Ok(())),
                actor => world.refuses(actor, body.clone(), &format!("may not sign {kind}")),
            }
        }
    }
    // Whoever signs events may close a batch with a digest of the state, and may take another key.
    for actor in 2..=5 {
        let outcomes = [world.try_to(actor, digest(&world)), world.try_to(actor, world.rotated(7))];
        assert_eq!(outcomes.map(|outcome| outcome.is_ok()), [actor != 5; 2], "key {actor}");
    }
}

#[test]
fn l9_a_key_that_was_revoked_signs_nothing_and_never_comes_back() {
    let mut world = World::new();
    world.does(1, world.authorised(2, &[Role::Append, Role::Administer]));
    world.refuses(1, KeyRevoked { suspect_since: Some(2), ..revoked(2) }, "lies ahead");
    world.does(1, KeyRevoked { suspect_since: Some(1), ..revoked(2) });
    world.refuses(2, digest(&world), "is not authorised to sign here");
    world.refuses(1, world.authorised(2, &[Role::Append]), "was authorised before");
    world.refuses(1, world.rotated(2), "was authorised before");
    world.refuses(1, revoked(2), "may not sign here");
    world.refuses(1, revoked(9), "may not sign here");
    let known = world.state.keys().known(&id(2)).unwrap();
    let ended = known.ended.as_ref().unwrap();
    assert_eq!((known.since, ended.at, ended.suspect_since), (1, 2, Some(1)));
    assert_eq!((world.state.keys().all().count(), world.state.keys().iter().count()), (2, 1));
}

#[test]
fn l9_the_last_key_that_administers_stays() {
    let mut world = World::new();
    world.refuses(1, revoked(1), "the last one that administers");
    world.does(1, world.authorised(2, &[Role::Append]));
    world.refuses(1, revoked(1), "the last one that administers");
    world.does(1, world.authorised(3, &[Role::Administer]));
    assert_eq!(world.try_to(3, revoked(1)), Ok(()));
    world.does(1, revoked(1));
    world.refuses(3, revoked(3), "the last one that administers");
    assert_eq!(world.try_to(3, world.rotated(4)), Ok(()));
}

#[test]
fn l9_a_key_laid_by_for_recovery_administers_and_nothing_else() {
    let genesis = LedgerCreated::anew(public(1), NONCE);
    let mut world =
        World::created(LedgerCreated { recovery: Some(FixedBytes(public(9))), ..genesis.clone() });
    world.refuses(9, digest_of_nothing(), "may not sign run.aborted");
    world.does(9, world.authorised(2, &[Role::Append, Role::Administer]));
    world.does(9, revoked(1));
    world.adopts(2);
    let bent = [
        (
            LedgerCreated { recovery: Some(FixedBytes(public(1))), ..genesis.clone() },
            "the ledger's own",
        ),
        (
            LedgerCreated { recovery: Some(FixedBytes([0; 32])), ..genesis.clone() },
            "no Ed25519 key",
        ),
        (LedgerCreated { continues: Some(of_itself()), ..genesis }, "does not go on from itself"),
    ];
    for (genesis, because) in bent {
        let empty = World { state: State::new(LedgerId::of(&public(1), &NONCE)) };
        empty.refuses(1, genesis, because);
    }
}

/// Event 0 that names `key` as its ledger's, with everything else following from that.
fn begun_with(key: [u8; 32]) -> Result<(), String> {
    let state = State::new(LedgerId::of(&key, &NONCE));
    let (event, bytes) = stamp(&state, &key, LedgerCreated::anew(key, NONCE).into());
    let checked = state.check(Entry { event: &event, id: EventId::of(&bytes) });
    checked.map_err(|illegal| illegal.to_string())
}

#[test]
fn l9_a_ledger_begins_with_a_key_that_can_sign() {
    assert_eq!(begun_with(public(1)), Ok(()));
    for unusable in unusable_keys() {
        assert!(begun_with(unusable).unwrap_err().contains("no Ed25519 key"), "{unusable:?}");
        let recovery = Some(FixedBytes(unusable));
        let empty = World { state: State::new(LedgerId::of(&public(1), &NONCE)) };
        let genesis = LedgerCreated { recovery, ..LedgerCreated::anew(public(1), NONCE) };
        empty.refuses(1, genesis, "no Ed25519 key");
    }
}

/// Of order 4, 1 and 2, and 1 with the sign that 0 has not; 3 in its second spelling; and a coordinate of no point.
fn unusable_keys() -> [[u8; 32]; 6] {
    let coordinate = |lowest: u8, between: u8, highest: u8| {
        let mut bytes = [between; 32];
        (bytes[0], bytes[31]) = (lowest, highest);
        bytes
    };
    [
        coordinate(0, 0, 0),
        coordinate(1, 0, 0),
        coordinate(0xec, 0xff, 0x7f),
        coordinate(1, 0, 0x80),
        coordinate(0xf0, 0xff, 0x7f),
        coordinate(2, 0, 0),
    ]
}

fn of_itself() -> Continues {
    Continues { ledger: LedgerId::of(&public(1), &NONCE), size: 3, root: NodeHash::empty_root() }
}

fn digest_of_nothing() -> Body {
    let (run, code) = (EventId::of(b"run"), "USAGE".to_owned());
    ledger_format::body::RunAborted { run, code, message: String::new() }.into()
}

#[test]
fn l9_a_key_that_takes_over_shows_that_it_is_held_and_has_the_roles_of_the_old_one() {
    let mut world = World::new();
    let others = world.shown(3);
    world.refuses(
        1,
        KeyRotated { possession: others, ..world.rotated(2) },
        "somebody holds the new key",
    );
    let shown = KeyAuthorized { possession: Some(others), ..world.authorised(2, &[Role::Append]) };
    world.refuses(1, shown, "somebody holds the new key");
    world.refuses(
        1,
        KeyRotated { public_key: FixedBytes([0; 32]), ..world.rotated(2) },
        "no Ed25519 key",
    );
    world.does(1, approved(1));
    world.does(1, world.rotated(2));
    world.refuses(1, digest(&world), "is not authorised to sign here");
    world.adopts(2);
    let keys = world.state.keys();
    assert_eq!(keys.get(&id(2)).unwrap().roles, Roles::of_genesis());
    assert_eq!(keys.known(&id(1)).unwrap().ended.as_ref().unwrap().successor, Some(id(2)));
    // What the old key agreed to its owner has agreed to: it does not count as another's.
    assert_eq!(keys.approvals(&plan(1)).collect::<Vec<_>>(), [id(2)]);
    assert_eq!(keys.approvals_by_others(&plan(1), &id(2)), 0);
}

#[test]
fn l9_a_key_that_ended_may_be_called_suspect_once() {
    let mut world = World::new();
    world.does(1, world.rotated(2));
    world.does(2, world.authorised(3, &[Role::Append]));
    world.does(2, revoked(3));
    let suspect = |key, since| KeyRevoked { suspect_since: since, ..revoked(key) };
    for key in [1, 3] {
        world.refuses(2, suspect(key, None), "may not sign here");
        world.refuses(2, suspect(key, Some(99)), "lies ahead");
        world.does(2, suspect(key, Some(1)));
        world.refuses(2, suspect(key, Some(2)), "may not sign here");
    }
    let ended = |key| world.state.keys().known(&id(key)).unwrap().ended.clone().unwrap();
    assert_eq!(
        (ended(1).successor, ended(1).at, ended(1).suspect_since),
        (Some(id(2)), 1, Some(1))
    );
    assert_eq!((ended(3).successor, ended(3).at, ended(3).suspect_since), (None, 3, Some(1)));
}

#[test]
fn l9_a_plan_is_carried_out_when_enough_others_agreed() {
    let mut world = World::new();
    for approver in [2, 3] {
        world.does(1, world.authorised(approver, &[Role::Approve]));
    }
    world.adopts(1);
    world.does(1, ApprovalsSet { count: 2 });
    let migrate = || started(1, Purpose::Migrate);
    world.does(1, approved(1));
    world.refuses(1, migrate(), "needs 2 approvals by others and has 0");
    world.does(2, approved(1));
    world.refuses(2, approved(1), "agreed to plan");
    world.does(2, approved(2));
    world.refuses(1, migrate(), "needs 2 approvals by others and has 1");
    world.does(3, approved(1));
    assert_eq!(world.try_to(1, migrate()), Ok(()));
    world.refuses(1, started(2, Purpose::Migrate), "needs 2 approvals by others and has 1");
    // Going back is nobody's to delay.
    assert_eq!(world.try_to(1, started(7, Purpose::Rollback)), Ok(()));
    // Who may not approve any more does not count any more.
    world.does(1, revoked(3));
    world.refuses(1, migrate(), "needs 2 approvals by others and has 1");
    world.does(1, ApprovalsSet { count: 0 });
    assert_eq!(world.try_to(1, started(3, Purpose::Migrate)), Ok(()));
}
