//! One hash over seeded cases of every state and of what is computed from states: a state that changes by accident, or the
//! bytes of one, fails here.
//!
//! States come from folding random events without asking whether they were legal: every shape a state can have comes up,
//! and some that no history leads to.

use std::fmt::Debug;

use conformance::{Draw, Suite, seen};
use ledger_format::body::{Body, ObjectMigrated};
use ledger_format::cbor::{self, EVENT_DEPTH_MAX, Value, map};
use ledger_format::event::Event;
use ledger_format::hash::{EventId, LedgerId, NodeHash};
use ledger_format::tree::Frontier;
use projections::{
    Audit, Certificates, Claim, Contracts, Entry, Keys, Outcome, Phase, Projection, Routes,
    RunBook, Runs, State, Store, inputs_hash,
};

use crate::cases;

#[test]
fn every_state_and_digest_is_the_recorded_one() {
    let mut suite = Suite::in_folder(env!("CARGO_MANIFEST_DIR"));
    state::<Keys>(&mut suite, "state keys", |_, _| {});
    state::<Contracts>(&mut suite, "state contracts", |_, _| {});
    state::<Store>(&mut suite, "state store", |_, _| {});
    state::<Runs>(&mut suite, "state runs", see_runs);
    state::<Certificates>(&mut suite, "state certificates", |_, _| {});
    state::<Audit>(&mut suite, "state audit", |_, _| {});
    suite.both_ways("cache", cache, State::to_cache, |bytes| State::from_cache(bytes).ok_or(()));
    suite.one_way("state digest", |draw| {
        let state = cache(draw);
        let digests = state.digests();
        assert_eq!(digests.len(), State::NAMES.len());
        let each = digests.values().flat_map(|digest| *digest.as_bytes());
        each.chain(*state.digest().as_bytes()).collect()
    });
    suite.one_way("claim", |draw| claim(draw).hash().as_bytes().to_vec());
    suite.one_way("inputs", |draw| inputs_hash(draw.number(), &draw.array()).as_bytes().to_vec());
    suite.finish();
}

/// A projection's state.
fn state<P: Projection>(suite: &mut Suite, name: &str, see: fn(&mut Draw, &P::State))
where
    P::State: Debug + PartialEq,
{
    let make = |draw: &mut Draw| {
        let mut state = P::State::default();
        for (event, id) in events(draw) {
            P::advance(&mut state, Entry { event: &event, id });
        }
        see(draw, &state);
        state
    };
    let decode = |bytes: &[u8]| cbor::from_bytes(bytes, EVENT_DEPTH_MAX);
    suite.both_ways(name, make, |state| cbor::to_value(state).unwrap().encode(), decode);
}

fn see_runs(draw: &mut Draw, runs: &RunBook) {
    for run in &runs.finished {
        seen!(draw, run.outcome, Outcome { Published, Aborted, Abandoned });
    }
    if let Some(open) = &runs.open {
        seen!(draw, open.phase, Phase { Staging, Publishing });
    }
}

fn events(draw: &mut Draw) -> Vec<(Event, EventId)> {
    draw.list(16, |draw| {
        let event = cases::event(draw);
        (event, EventId::from_bytes(draw.array()))
    })
}

/// All states side by side, as a cache has them.
fn cache(draw: &mut Draw) -> State {
    let events = events(draw);
    let mut frontier = Frontier::new();
    for _ in 0..draw.below(20) {
        frontier.push(NodeHash::from_bytes(draw.array()));
    }
    let nodes = frontier.nodes().iter().map(|node| (*node).into()).collect();
    let cache = map([
        ("ledger", LedgerId::from_bytes(draw.array()).into()),
        ("last", EventId::from_bytes(draw.array()).into()),
        ("last_at", draw.number().into()),
        ("size", frontier.size().into()),
        ("frontier", Value::Array(nodes)),
        ("keys", folded::<Keys>(&events)),
        ("contracts", folded::<Contracts>(&events)),
        ("store", folded::<Store>(&events)),
        ("runs", folded::<Runs>(&events)),
        ("certificates", folded::<Certificates>(&events)),
        ("audit", folded::<Audit>(&events)),
    ]);
    State::from_cache(&cache.encode()).unwrap()
}

fn folded<P: Projection>(events: &[(Event, EventId)]) -> Value {
    let mut state = P::State::default();
    for (event, id) in events {
        P::advance(&mut state, Entry { event, id: *id });
    }
    cbor::to_value(&state).unwrap()
}

fn claim(draw: &mut Draw) -> Claim {
    let body: ObjectMigrated = cases::object_migrated(draw);
    let path = draw.list(3, |draw| cases::contract_frozen(draw).digest);
    let mut routes = Routes::default();
    if draw.truth() {
        routes.push(&cases::run_route(draw));
    }
    Claim::new(&cases::run_started(draw), routes.get(0), path, &body)
}

/// A cache with one key more, anywhere, is another cache: none may be passed over.
#[test]
fn a_cache_with_a_field_that_nobody_knows_is_none() {
    let case = (0..).map(|case| cache(&mut Draw::new("closed", case)));
    let state = case
        .into_iter()
        .find(|state| state.runs().open.is_some() && !state.certificates().issued.is_empty());
    let bytes = state.unwrap().to_cache();
    let value = cbor::decode(&bytes, EVENT_DEPTH_MAX).unwrap();
    let mut tried = 0;
    for at in 0.. {
        let mut bent = value.clone();
        if !add_key(&mut bent, &mut { at }) {
            break;
        }
        tried += 1;
        let Some(read) = State::from_cache(&bent.encode()) else { continue };
        assert_eq!(read.to_cache(), bent.encode(), "map {at} is open");
    }
    assert!(tried > 12, "{tried}");
}

/// Adds a key to map number `left` of `value`, counted from the outside in; false where there are fewer.
fn add_key(value: &mut Value, left: &mut usize) -> bool {
    match value {
        Value::Array(items) => items.iter_mut().any(|item| add_key(item, left)),
        Value::Map(map) => {
            if *left == 0 {
                // A count, for in a map of counts by name that is no unknown field.
                return map.insert("unknown", 1_u64).is_none();
            }
            *left -= 1;
            let entries: Vec<(String, Value)> =
                map.iter().map(|(key, value)| (key.to_owned(), value.clone())).collect();
            entries.into_iter().any(|(key, mut inner)| {
                add_key(&mut inner, left) && map.insert(key, inner).is_some()
            })
        }
        _ => false,
    }
}

/// The kinds that cases are drawn of are those of the format; the drawing itself sees to the rest.
#[test]
fn a_body_of_every_kind_is_drawn() {
    let mut kinds: Vec<_> = (0..500)
        .map(|case| cases::body(&mut Draw::new("kinds", case)))
        .map(|body: Body| body.kind())
        .collect();
    kinds.sort_unstable();
    kinds.dedup();
    let mut known = Body::KINDS.to_vec();
    known.sort_unstable();
    assert_eq!(kinds, known);
}
