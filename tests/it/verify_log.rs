//! Attacks on a stored history, each bent in memory byte by byte: what the judge says and names.

use glyph_ledger::diagnostic;
use glyph_ledger::ledger::{KnownBy, KnownHead, Pin, Prefix, Provenance};
use glyph_ledger::log::sled::Anchor;
use glyph_ledger::objects::{MemoryObjects, Objects as _};
use glyph_ledger::verify::{Expectations, Fault, Options, Outcome, Report, Unobserved, verify};
use ledger_format::body::{Body, StateRecorded};
use ledger_format::event::Event;
use ledger_format::hash::{CommitHash, EventId};
use projections::State;

use crate::history::{History, stamp};
use crate::support::{Kept, VecLog, key, log, log_of, sign};

/// Batches of several sizes; 64 events.
const SIZES: [usize; 8] = [1, 9, 1, 20, 3, 7, 13, 10];

fn judge(log: &VecLog, expectations: &Expectations) -> Report {
    verify(log, expectations, Options::default(), &mut Unobserved).unwrap()
}

fn judge_all(log: &VecLog) -> Report {
    let options = Options { keep_going: true, ..Options::default() };
    verify(log, &Expectations::default(), options, &mut Unobserved).unwrap()
}

fn alone(log: &VecLog) -> Report {
    judge(log, &Expectations::default())
}

fn pinned(log: &VecLog, provenance: Provenance) -> Expectations {
    let pin = Some(Pin { head: log.head().clone(), provenance });
    Expectations { pin, ..Expectations::default() }
}

fn anchored(log: &VecLog) -> Expectations {
    let last = EventId::of(log.batches.last().unwrap().events.last().unwrap());
    let anchor = Some(Anchor { head: log.head().clone(), last, last_at: 0 });
    Expectations { anchor, ..Expectations::default() }
}

fn good_before(log: &VecLog, seq: u64) -> u64 {
    log.range_of(seq).start
}

#[test]
fn a_whole_ledger_is_complete_as_far_as_it_is_known_from_outside() {
    let log = log(1, &SIZES);
    let report = alone(&log);
    assert_eq!(report.faults, []);
    assert_eq!((report.outcome, report.size, report.batches), (Outcome::ConsistentOnly, 64, 8));
    assert_eq!(report.good.as_ref(), Some(log.head()));
    assert_eq!(report.state.unwrap().size(), 64);
    let whole = Prefix::from(log.head().head());
    for (expectations, by) in [
        (pinned(&log, Provenance::OwnAppend(whole)), Some(KnownBy::Pin)),
        (pinned(&log, Provenance::Explicit(whole)), Some(KnownBy::Pin)),
        (pinned(&log, Provenance::FirstUse), None),
        (anchored(&log), None),
        (
            Expectations {
                named: vec![KnownHead::trusted(log.head().clone())],
                ..Default::default()
            },
            Some(KnownBy::Trust),
        ),
    ] {
        let report = judge(&log, &expectations);
        let known = |by| KnownHead::signed(by, log.head().clone());
        let expected =
            by.map_or(Outcome::ConsistentOnly, |by| Outcome::Complete { known: known(by) });
        assert_eq!((report.outcome, report.faults), (expected, vec![]));
    }
}

#[test]
fn an_older_head_from_outside_proves_completeness_up_to_itself() {
    let log = log(1, &SIZES);
    let older = log.batches[3].head.clone();
    let expectations =
        Expectations { named: vec![KnownHead::trusted(older.clone())], ..Default::default() };
    let expected = Outcome::Complete { known: KnownHead::trusted(older) };
    assert_eq!(judge(&log, &expectations).outcome, expected);
}

#[test]
fn l5_verify_chain_names_the_first_bad_event() {
    let whole = log(1, &SIZES);
    for seq in 1..whole.size() {
        let length = whole.clone().event(seq).len();
        // Every byte of a few events, a few bytes of every event.
        let step = if seq % 32 == 7 { 1 } else { 61 };
        for at in (0..length).step_by(step) {
            let mut bent = whole.clone();
            bent.event(seq)[at] ^= 1;
            let report = judge(&bent, &anchored(&whole));
            let first = report.first().unwrap();
            assert!(
                matches!(first, Fault::Altered { seq: named, .. } if *named == seq),
                "event {seq} byte {at}: {first}"
            );
            assert_eq!(first.code(), &diagnostic::LEDGER_DAMAGED);
            assert_eq!(report.good_size(), good_before(&whole, seq));
            assert_eq!(report.outcome, Outcome::Failed);
        }
    }
}

#[test]
fn a_flipped_byte_of_the_first_event_leaves_nothing_to_trust() {
    let whole = log(1, &SIZES);
    for at in 0..whole.clone().event(0).len() {
        let mut bent = whole.clone();
        bent.event(0)[at] ^= 1;
        let report = alone(&bent);
        assert_eq!(report.first().unwrap().seq(), Some(0), "byte {at}");
        assert_eq!((report.good_size(), report.outcome), (0, Outcome::Failed));
    }
}

#[test]
fn without_an_anchor_a_changed_last_event_is_narrowed_to_its_batch() {
    let mut log = log(1, &SIZES);
    let last = log.event(63).len() - 1;
    log.event(63)[last] ^= 1;
    let report = alone(&log);
    assert!(
        matches!(report.first(), Some(Fault::Rewritten { first: 54, last: 63, .. })),
        "{:?}",
        report.faults
    );
}

#[test]
fn keep_going_names_every_changed_event_and_nothing_else() {
    let mut log = log(1, &SIZES);
    for seq in [5, 10, 33, 40, 41] {
        let middle = log.event(seq).len() / 2;
        log.event(seq)[middle] ^= 1;
    }
    let report = judge_all(&log);
    let named: Vec<_> = report.faults.iter().map(|fault| fault.seq().unwrap()).collect();
    assert_eq!(named, [5, 10, 33, 40, 41], "{:?}", report.faults);
    assert_eq!((report.size, report.good_size()), (64, 1));
}

#[test]
fn every_flipped_byte_of_a_head_names_the_head() {
    let whole = log(1, &SIZES);
    let note = whole.batches[3].head.encode();
    let mut parsed = 0;
    for at in 0..note.len() {
        let mut bytes = note.clone();
        bytes[at] ^= 1;
        let Ok(head) = ledger_format::head::SignedHead::parse(&bytes) else { continue };
        parsed += 1;
        let mut bent = whole.clone();
        bent.batches[3].head = head;
        let report = alone(&bent);
        let first = report.first().unwrap();
        assert!(
            matches!(
                first,
                Fault::Signature { size: 31, .. }
                    | Fault::Misplaced { first: 11, last: 30, .. }
                    | Fault::Illegal { seq: 11, .. }
            ),
            "byte {at}: {first}"
        );
        assert_eq!(report.good_size(), 11);
        // The next good head vouches for the events all the same.
        let all = judge_all(&bent);
        assert!(all.faults.len() <= 2, "byte {at}: {:?}", all.faults);
    }
    assert!(parsed > 100, "{parsed}");
}

#[test]
fn a_dropped_batch_is_a_gap_and_a_dropped_end_shows_against_what_is_remembered() {
    let whole = log(1, &SIZES);
    for at in 1..7 {
        let mut log = whole.clone();
        let gone = log.batches.remove(at);
        let last = gone.head.head().size - 1;
        let report = alone(&log);
        assert_eq!(report.faults, [Fault::Gap { first: gone.first_seq, last }]);
        assert_eq!(report.good_size(), gone.first_seq);
    }
    let mut log = whole.clone();
    log.batches.remove(0);
    assert_eq!(alone(&log).faults, [Fault::Gap { first: 0, last: 0 }]);
    let mut log = whole.clone();
    log.batches.pop();
    assert_eq!(alone(&log).outcome, Outcome::ConsistentOnly);
    for (expectations, by) in [
        (anchored(&whole), KnownBy::Anchor),
        (pinned(&whole, Provenance::FirstUse), KnownBy::Pin),
        (
            Expectations {
                named: vec![KnownHead::trusted(whole.head().clone())],
                ..Default::default()
            },
            KnownBy::Trust,
        ),
    ] {
        let report = judge(&log, &expectations);
        let known = Box::new(KnownHead::signed(by, whole.head().clone()));
        let good = Some(Box::new(log.head().clone()));
        assert_eq!(report.faults, [Fault::Regressed { known, size: 54, good, stranger: None }]);
        assert_eq!(report.faults[0].code(), &diagnostic::LEDGER_REGRESSED);
    }
}

#[test]
fn doubled_and_swapped_batches_and_events_are_found() {
    let whole = log(1, &SIZES);
    let mut doubled = whole.clone();
    doubled.batches.insert(3, whole.batches[2].clone());
    assert_eq!(alone(&doubled).faults, [Fault::Disorder { expected: 11, found: 10 }]);
    let mut swapped = whole.clone();
    swapped.batches[3].events.swap(4, 5);
    let report = alone(&swapped);
    let first = report.first().unwrap();
    assert!((11..=16).contains(&first.seq().unwrap()), "{first}");
    assert_eq!((first.code(), report.good_size()), (&diagnostic::LEDGER_DAMAGED, 11));
}

/// Changes what event `seq` says, and nothing of its place.
fn change(log: &mut VecLog, seq: u64) {
    let bytes = log.event(seq);
    let mut event = Event::decode(bytes).unwrap();
    event.body = match event.body {
        Body::ObjectObserved(mut body) => {
            body.object.push_str(".changed");
            body.into()
        }
        Body::ContractFrozen(mut body) => {
            body.contract_version.push_str(".changed");
            body.into()
        }
        Body::RunStarted(mut body) => {
            body.clock_ms += 1;
            body.into()
        }
        Body::StoreAdopted(mut body) => {
            body.version.push_str(".changed");
            body.into()
        }
        other => other,
    };
    event.at += 1;
    *bytes = event.encode().unwrap();
}

#[test]
fn history_rewritten_without_the_key_names_the_event_or_its_batch() {
    let whole = log(1, &SIZES);
    for seq in 1..63 {
        let mut log = whole.clone();
        change(&mut log, seq);
        log.relink_from(seq + 1);
        let range = whole.range_of(seq);
        let report = alone(&log);
        match report.first().unwrap() {
            Fault::Rewritten { first, last, .. } => {
                assert_eq!((*first, *last), (range.start, range.end - 1), "event {seq}");
            }
            fault => assert_eq!(fault.seq(), Some(seq), "{fault}"),
        }
        assert_eq!(report.good_size(), range.start);
        assert_eq!(report.first().unwrap().code(), &diagnostic::LEDGER_DAMAGED);
    }
}

#[test]
fn with_every_event_a_batch_rewritten_history_names_event_10() {
    let mut log = log(1, &[1; 20]);
    change(&mut log, 10);
    log.relink_from(11);
    let report = alone(&log);
    assert_eq!(report.first().unwrap().seq(), Some(10));
    assert_eq!(report.good_size(), 10);
}

#[test]
fn heads_signed_with_another_key_are_refused() {
    let whole = log(1, &SIZES);
    let mut resigned = whole.clone();
    resigned.resign_from(4, &key(2));
    let report = alone(&resigned);
    let first = report.first().unwrap();
    assert_eq!(first.code(), &diagnostic::SIGNER_UNKNOWN, "{first}");
    assert_eq!(report.good_size(), 31);
    let mut everything = whole;
    everything.resign_from(0, &key(2));
    assert_eq!(alone(&everything).good_size(), 0);
}

#[test]
fn history_rewritten_with_the_key_diverges_from_what_is_remembered() {
    let whole = log(1, &SIZES);
    let other = log(2, &SIZES);
    assert_eq!(whole.ledger(), other.ledger());
    for expectations in [
        anchored(&whole),
        pinned(&whole, Provenance::FirstUse),
        Expectations {
            named: vec![KnownHead::trusted(whole.batches[4].head.clone())],
            ..Default::default()
        },
    ] {
        let report = judge(&other, &expectations);
        let first = report.first().unwrap();
        let Fault::Diverged { known, other, .. } = first else { panic!("{first}") };
        // The head over as many events of the other history: two heads of one size that one key signed.
        let (note, other) = (known.note.as_ref().unwrap(), other.as_ref().unwrap());
        assert_eq!((note.head().size, note.signer()), (other.head().size, other.signer()));
        assert_ne!(note.head().root, other.head().root);
        assert_eq!(first.evidence().len(), 2);
        assert_eq!(first.code(), &diagnostic::LEDGER_DIVERGED);
    }
    assert_eq!(alone(&other).outcome, Outcome::ConsistentOnly);
}

#[test]
fn another_ledger_is_foreign() {
    let (other, _) = {
        let public_key = key(1).verifying_key().to_bytes();
        let mut history = History::new(1, public_key, crate::history::Names);
        history.nonce = [8; 16];
        log_of(&mut history, &SIZES)
    };
    let whole = log(1, &SIZES);
    let expected = Expectations { ledger: Some(whole.ledger()), ..Expectations::default() };
    let place = Some(("/somewhere".into(), whole.ledger()));
    let placed = Expectations { place, ..Expectations::default() };
    let trusted = Expectations {
        named: vec![KnownHead::trusted(whole.head().clone())],
        ..Default::default()
    };
    for expectations in [expected, placed, trusted] {
        let report = judge(&other, &expectations);
        assert_eq!(report.first().unwrap().code(), &diagnostic::LEDGER_FOREIGN);
    }
}

#[test]
fn a_remembered_head_that_nobody_signed_proves_nothing() {
    let whole = log(1, &SIZES);
    let forged = sign(*whole.head().head(), &key(2));
    let expectations =
        Expectations { named: vec![KnownHead::trusted(forged)], ..Default::default() };
    let report = judge(&whole, &expectations);
    assert_eq!(report.first().unwrap().code(), &diagnostic::SIGNER_UNKNOWN);
}

#[test]
fn an_anchor_over_another_last_event_is_named() {
    let whole = log(1, &SIZES);
    let mut expectations = anchored(&whole);
    expectations.anchor.as_mut().unwrap().last = EventId::GENESIS;
    let report = judge(&whole, &expectations);
    assert!(matches!(report.faults[..], [Fault::AnchorEvent { seq: 63, .. }]));
}

/// Appends one signed batch of one event, whatever the fold says of it.
fn sign_on(log: &mut VecLog, state: &State, body: Body) {
    let (_, bytes) = stamp(state, key(1).verifying_key().as_bytes(), body);
    let head = log.head().clone();
    log.batches.push(glyph_ledger::log::Batch { first_seq: 64, events: vec![bytes], head });
    let last = log.batches.len() - 1;
    log.resign_from(last, &key(1));
}

#[test]
fn a_signed_event_that_breaks_the_rules_is_illegal() {
    let public_key = key(1).verifying_key().to_bytes();
    let mut history = History::new(1, public_key, crate::history::Names);
    let (whole, state) = log_of(&mut history, &SIZES);
    let digest = CommitHash::from_bytes([0; 32]);
    let again = Event::decode(whole.clone().event(0)).unwrap().body;
    for body in [again, StateRecorded { size: 64, digest }.into()] {
        let mut log = whole.clone();
        sign_on(&mut log, &state, body);
        let report = alone(&log);
        let first = report.first().unwrap();
        assert!(matches!(first, Fault::Illegal { seq: 64, .. }), "{first}");
        assert_eq!((first.code(), report.good_size()), (&diagnostic::EVENT_ILLEGAL, 64));
    }
    let mut log = whole;
    sign_on(&mut log, &state, StateRecorded { size: 64, digest: state.digest() }.into());
    assert_eq!(alone(&log).faults, []);
}

#[test]
fn an_empty_log_is_no_ledger() {
    let log = VecLog { batches: Vec::new() };
    assert_eq!(alone(&log).faults, [Fault::Empty]);
}

#[test]
fn every_object_that_is_missing_or_damaged_is_named_with_an_event() {
    let public_key = key(1).verifying_key().to_bytes();
    let mut history = History::new(1, public_key, Kept::new());
    let (log, _) = log_of(&mut history, &SIZES);
    let check = |objects: &MemoryObjects| {
        let options = Options { objects: Some(objects), keep_going: false };
        verify(&log, &Expectations::default(), options, &mut Unobserved).unwrap()
    };
    let objects = history.matter.objects;
    let report = check(&objects);
    assert_eq!(report.faults, []);
    assert_eq!((report.objects.unwrap().bad, report.outcome), (0, Outcome::ConsistentOnly));
    assert!(report.objects.unwrap().good > 10);
    let bodies = log.batches.iter().flat_map(|batch| &batch.events);
    let bodies: Vec<_> = bodies.map(|bytes| Event::decode(bytes).unwrap().body).collect();
    for (seq, name) in bodies
        .iter()
        .enumerate()
        .flat_map(|(seq, body)| body.contents().into_iter().map(move |name| (seq, name)))
    {
        let mut missing = objects.clone();
        missing.remove(&name);
        let mut damaged = objects.clone();
        let mut bytes = damaged.get(&name).unwrap();
        bytes[0] ^= 1;
        damaged.damage(name, bytes);
        for (objects, code) in
            [(missing, &diagnostic::OBJECT_MISSING), (damaged, &diagnostic::OBJECT_DAMAGED)]
        {
            let report = check(&objects);
            let first = report.first().unwrap();
            assert_eq!(first.code(), code, "{first}");
            assert!(first.seq().unwrap() <= seq as u64);
            assert!(first.to_string().contains(&name.to_string()), "{first}");
            assert_eq!(report.good_size(), 64);
        }
    }
}
