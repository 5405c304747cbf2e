//! Properties of every fold, over random legal histories that hold every kind of event.

use std::collections::BTreeSet;

use ledger_format::body::{
    Body, Cause, DriftAccepted, FixedBytes, KeyAuthorized, KeyRevoked, ObjectMigrated,
    ObjectObserved, ObjectPruned, ObjectStaged, Role, RunRoute, RunStarted, StagedContent,
};
use ledger_format::cbor::{self, EVENT_DEPTH_MAX, Value};
use ledger_format::event::Event;
use ledger_format::hash::{CommitHash, ContentHash, EventId, KeyId};
use projections::{Entry, Illegal, State};
use quickcheck::quickcheck;

use crate::history::{History, MANIFEST, Names, append, stamp};

/// The encoding of a point, as a key must be; nobody signs with it here.
const KEY: [u8; 32] = [3; 32];

fn history(seed: u64, events: usize) -> (State, Vec<Vec<u8>>) {
    let history = History::new(seed, KEY, Names);
    let mut history = if seed.is_multiple_of(2) { history.of_documents() } else { history };
    let mut state = State::new(history.ledger());
    let mut stored = Vec::new();
    for _ in 0..events {
        let body = history.next(&state);
        stored.push(append(&mut state, &KEY, body));
    }
    (state, stored)
}

fn apply(state: &mut State, bytes: &[u8]) -> Result<(), Illegal> {
    let event = Event::decode(bytes).unwrap();
    state.apply(Entry { event: &event, id: EventId::of(bytes) })
}

fn fold(mut state: State, stored: &[Vec<u8>]) -> State {
    for bytes in stored {
        apply(&mut state, bytes).unwrap();
    }
    state
}

fn empty(stored: &[Vec<u8>]) -> State {
    State::new(Event::decode(&stored[0]).unwrap().ledger)
}

#[test]
fn the_histories_hold_every_kind_of_event() {
    let (_, stored) = history(2, 400);
    let kinds: BTreeSet<_> =
        stored.iter().map(|bytes| Event::decode(bytes).unwrap().body.kind()).collect();
    // Whoever wrote them has one key, and goes on with it.
    let written = Body::KINDS.iter().copied().filter(|kind| *kind != "key.rotated");
    assert_eq!(kinds, written.collect());
}

#[test]
fn a_cache_taken_anywhere_reads_back_to_the_same_state() {
    for seed in [1, 2] {
        let (_, stored) = history(seed, 400);
        let mut state = empty(&stored);
        for bytes in &stored {
            let again = State::from_cache(&state.to_cache()).unwrap();
            assert_eq!(again, state);
            assert_eq!(again.digests(), state.digests());
            apply(&mut state, bytes).unwrap();
        }
    }
}

quickcheck! {
    fn folding_on_from_a_cache_is_folding_it_all(seed: u64, cut: u8) -> bool {
        let (whole, stored) = history(seed, 120);
        let (before, after) = stored.split_at(usize::from(cut) % stored.len());
        let cached = fold(empty(&stored), before).to_cache();
        let resumed = fold(State::from_cache(&cached).unwrap(), after);
        resumed == whole && resumed.digest() == whole.digest()
    }

    fn batching_changes_no_digest(seed: u64, cuts: Vec<u8>) -> bool {
        let (whole, stored) = history(seed, 120);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| usize::from(*cut) % 120).collect();
        cuts.sort_unstable();
        let mut state = empty(&stored);
        let mut from = 0;
        for to in cuts.into_iter().chain([stored.len()]) {
            // Between batches nothing but the cache survives.
            state = State::from_cache(&fold(state, &stored[from..to]).to_cache()).unwrap();
            from = to;
        }
        state.digests() == whole.digests() && state.value_of("store") == whole.value_of("store")
    }

    fn an_illegal_event_is_refused_before_an_append_and_in_replay_and_leaves_no_trace(
        seed: u64,
        cut: u8
    ) -> bool {
        let (_, stored) = history(seed, 120);
        let at = 1 + usize::from(cut) % (stored.len() - 1);
        let before = fold(empty(&stored), &stored[..at]);
        let next = Event::decode(&stored[at]).unwrap();
        illegal(&before, &next).into_iter().all(|event| {
            let bytes = event.encode().unwrap();
            let decoded = Event::decode(&bytes).unwrap();
            let entry = Entry { event: &decoded, id: EventId::of(&bytes) };
            let checked = before.check(entry);
            let mut replayed = before.clone();
            let applied = replayed.apply(entry);
            assert!(checked.is_err(), "{event:?}");
            checked == applied && replayed == before
        })
    }
}

fn illegal_of_keys(state: &State, next: &Event) -> Vec<Body> {
    match &next.body {
        Body::KeyAuthorized(body) => {
            let again = KeyAuthorized { public_key: FixedBytes(KEY), ..body.clone() };
            let unusable = KeyAuthorized { public_key: FixedBytes([0; 32]), ..body.clone() };
            let others = KeyAuthorized { possession: Some(FixedBytes([1; 64])), ..body.clone() };
            vec![again.into(), unusable.into(), others.into()]
        }
        Body::KeyRevoked(body) => {
            let ahead = KeyRevoked { suspect_since: Some(next.seq), ..body.clone() };
            let last = KeyRevoked { key: next.actor, ..body.clone() };
            let unknown = KeyRevoked { key: KeyId::of(&[6; 32]), ..body.clone() };
            // Another one may administer by now.
            let last = (administrators(state) == 1).then(|| last.into());
            last.into_iter().chain([ahead.into(), unknown.into()]).collect()
        }
        _ => vec![],
    }
}

fn illegal_of_databases(state: &State, next: &Event) -> Vec<Body> {
    match &next.body {
        Body::ObjectPruned(body) => illegal_prunings(state, next.seq, body),
        Body::DriftAccepted(body) => illegal_acceptances(state, body),
        _ => vec![],
    }
}

fn illegal_prunings(state: &State, seq: u64, body: &ObjectPruned) -> Vec<Body> {
    let ahead = ObjectPruned { keep: seq + 1, ..body.clone() };
    let document = ObjectPruned { object: MANIFEST.into(), ..body.clone() };
    let before = state.runs().pruned.get(&body.object).and_then(|keep| keep.checked_sub(1));
    let less = before.map(|keep| ObjectPruned { keep, ..body.clone() }.into());
    less.into_iter().chain([ahead.into(), document.into()]).collect()
}

fn illegal_acceptances(state: &State, body: &DriftAccepted) -> Vec<Body> {
    let store = state.store();
    let document = DriftAccepted { object: MANIFEST.into(), ..body.clone() };
    let kind = DriftAccepted { state: store.objects[MANIFEST].clone(), ..body.clone() };
    let contract = CommitHash::of("another", &Value::Null);
    let contract = DriftAccepted { contract, ..body.clone() };
    let (held, version) = (store.objects[&body.object].clone(), store.version.clone());
    let same = DriftAccepted { state: held, version, ..body.clone() };
    let mut bodies = vec![document.into(), kind.into(), contract.into(), same.into()];
    if store.open {
        bodies.push(DriftAccepted { version: "1".into(), ..body.clone() }.into());
    }
    bodies
}

fn administrators(state: &State) -> usize {
    state.keys().iter().filter(|key| key.roles.contains(Role::Administer)).count()
}

/// Events that may not come next, made from one that may.
fn illegal(state: &State, next: &Event) -> Vec<Event> {
    let other = EventId::of(b"another");
    let mut events = vec![
        Event { seq: next.seq + 1, ..next.clone() },
        Event { seq: next.seq - 1, ..next.clone() },
        Event { prev: other, ..next.clone() },
        Event { at: state.chain().last_at() - 1, ..next.clone() },
        Event { actor: KeyId::of(&[6; 32]), ..next.clone() },
        Event { ledger: ledger_format::hash::LedgerId::of(&[6; 32], &[0; 16]), ..next.clone() },
    ];
    let hash = CommitHash::of("another", &Value::Null);
    let mut bent = next.body.clone();
    let bodies: Vec<Body> = match &mut bent {
        Body::LedgerCreated(_)
        | Body::KeyAuthorized(_)
        | Body::KeyRotated(_)
        | Body::KeyRevoked(_)
        | Body::ApprovalsSet(_)
        | Body::PlanApproved(_) => illegal_of_keys(state, next),
        Body::StoreAdopted(body) => {
            body.objects += 1;
            vec![bent]
        }
        Body::ObjectObserved(body) => {
            match (body.cause, &body.state) {
                // Any other name may join, but none twice.
                (Cause::Joined, _) => body.object = MANIFEST.into(),
                _ => body.object.push_str(".other"),
            }
            if state.store().contract.is_some() { vec![bent] } else { vec![] }
        }
        Body::ObjectPruned(_) | Body::DriftAccepted(_) => illegal_of_databases(state, next),
        Body::ContractFrozen(body) => match state.contracts().by_identity("glyph-store", "1") {
            Some(_) => {
                body.contract_version = "1".into();
                vec![bent]
            }
            None => vec![],
        },
        Body::RunStarted(body) => {
            let from = RunStarted { from: format!("{}.other", body.from), ..body.clone() };
            body.contract = Some(hash);
            vec![from.into(), bent]
        }
        Body::ProofRecorded(_) => vec![],
        Body::RunRoute(body) => {
            let number = RunRoute { route: body.route + 2, ..body.clone() };
            let contract = RunRoute { contract: hash, ..body.clone() };
            body.run = other;
            vec![number.into(), contract.into(), bent]
        }
        Body::ObjectStaged(body) => {
            let mut step = body.clone();
            step.step += 1;
            body.run = other;
            vec![step.into(), bent]
        }
        Body::ObjectMigrated(body) => {
            let mut source = body.clone();
            source.object.push_str(".other");
            let route = if body.route.is_some() { None } else { Some(0) };
            let route = ObjectMigrated { route, ..body.clone() };
            body.run = other;
            vec![source.into(), route.into(), bent]
        }
        Body::RunCommitted(body) => {
            let mut places = body.clone();
            places.places += 1;
            let mut certificate = body.clone();
            certificate.certificate = hash;
            match &mut body.audit {
                Some(audit) => audit.bytes += 1,
                None => body.run = other,
            }
            vec![places.into(), certificate.into(), bent]
        }
        Body::RunPublished(body) => {
            let mut places = body.clone();
            places.places += 1;
            match body.audit.take() {
                Some(_) => {}
                None => body.run = other,
            }
            vec![places.into(), bent]
        }
        Body::RunAborted(body) => {
            body.run = other;
            vec![bent]
        }
        Body::RunAbandoned(body) => {
            body.run = other;
            vec![bent]
        }
        Body::StateRecorded(body) => {
            let mut size = body.clone();
            size.size -= 1;
            body.digest = hash;
            vec![size.into(), bent]
        }
    };
    events.extend(bodies.into_iter().map(|body| Event { body, ..next.clone() }));
    events
}

#[test]
fn a_run_with_steps_of_an_object_that_it_did_not_migrate_is_not_committed() {
    let mut history = History::new(1, KEY, Names);
    let mut state = State::new(history.ledger());
    let committed = loop {
        match history.next(&state) {
            committed @ Body::RunCommitted(_) => break committed,
            body => append(&mut state, &KEY, body),
        };
    };
    let check = |state: &State, body: Body| {
        let (event, bytes) = stamp(state, &KEY, body);
        state.check(Entry { event: &event, id: EventId::of(&bytes) })
    };
    assert_eq!(check(&state, committed.clone()), Ok(()));
    let step = ObjectStaged {
        run: state.runs().open.as_ref().unwrap().run,
        object: "other".into(),
        step: 0,
        edge: CommitHash::of("edge", &Value::Null),
        result: StagedContent::Document { content: ContentHash::of(b"") },
    };
    append(&mut state, &KEY, step.into());
    assert!(check(&state, committed).is_err());
}

#[test]
fn a_store_has_one_log_at_most() {
    let mut history = History::new(1, KEY, Names);
    let mut state = State::new(history.ledger());
    let adopted = loop {
        match history.next(&state) {
            adopted @ Body::StoreAdopted(_) => break adopted,
            body => append(&mut state, &KEY, body),
        };
    };
    let held = state.store().objects.values();
    for other in held.filter(|held| held.kind() != "database") {
        let (object, cause, log) = ("other".into(), Cause::Baseline, other.kind() == "log");
        let body = ObjectObserved { object, cause, state: other.clone() };
        let (event, bytes) = stamp(&state, &KEY, body.into());
        let checked = state.check(Entry { event: &event, id: EventId::of(&bytes) });
        assert_eq!(checked.is_err(), log, "{}", other.kind());
    }
    append(&mut state, &KEY, adopted);
}

#[test]
fn an_event_of_unknown_kind_is_refused_and_never_skipped() {
    let (state, _) = history(3, 30);
    let body = Body::from(ledger_format::body::StateRecorded {
        size: state.size(),
        digest: state.digest(),
    });
    let (_, bytes) = stamp(&state, &KEY, body);
    let Value::Map(mut map) = cbor::decode(&bytes, EVENT_DEPTH_MAX).unwrap() else { panic!() };
    map.insert("kind", "state.remembered");
    assert!(Event::decode(&Value::Map(map).encode()).is_err());
}

#[test]
fn a_bent_cache_is_no_cache_or_another_state() {
    let (state, _) = history(3, 60);
    let cache = state.to_cache();
    for at in 0..cache.len() {
        let mut bent = cache.clone();
        bent[at] ^= 1;
        if let Some(read) = State::from_cache(&bent) {
            assert!(read != state, "byte {at}");
        }
    }
}
