//! What the log promises: every step in it, nothing in it ever changed, a batch whole or not there,
//! the same state out of the same events.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use glyph_ledger::effects::SystemClock;
use glyph_ledger::ledger::{Ledger, Surroundings, place_of};
use glyph_ledger::log::ReadLog as _;
use glyph_ledger::log::sled::{Identity, OpenOptions, SledLog};
use glyph_ledger::trust::{FilePins, Home, load_key};
use ledger_format::body::{Body, Cause, ObjectObserved, ObjectState};
use ledger_format::event::Event;
use ledger_format::hash::{ContentHash, EventId};
use serde_json::Value;

use crate::log_kill::Author;
use crate::support::{Place, a_history, a_migrated_store, copy, done, migrate};

/// Every event from the first on, as exported lines.
fn exported(place: &Place) -> String {
    done(place, &["export"]).stdout
}

#[test]
fn l1_every_step_is_an_event() {
    let place = Place::new();
    a_migrated_store(&place);
    let log = done(&place, &["log", "--reverse", "--json"]).json();
    let listed = log["data"]["events"].as_array().unwrap();
    let kinds: Vec<_> = listed.iter().map(|event| event["kind"].as_str().unwrap()).collect();
    let adopted = [
        "ledger.created",
        "object.observed",
        "object.observed",
        "object.observed",
        "store.adopted",
    ];
    assert_eq!(kinds[..5], adopted);
    // Both runs, step by step.
    for kind in ["run.started", "object.staged", "run.committed", "run.published"] {
        assert!(kinds.iter().filter(|found| **found == kind).count() >= 2, "{kind}: {kinds:?}");
    }
    let lines = exported(&place);
    let mut prev = EventId::GENESIS;
    for (seq, line) in lines.lines().enumerate() {
        let value: Value = serde_json::from_str(line).unwrap();
        let bytes = ledger_format::hash::unhex(value["bytes"].as_str().unwrap()).unwrap();
        // Canonical: what is decoded encodes to the same bytes, and to no others.
        let event = Event::decode(&bytes).unwrap();
        assert_eq!(event.encode().unwrap(), bytes);
        assert_eq!((event.seq, event.prev), (seq as u64, prev));
        prev = EventId::of(&bytes);
        assert_eq!(listed[seq]["id"], prev.to_string());
    }
    assert_eq!(lines.lines().count(), listed.len());
}

#[test]
fn l1_earlier_events_keep_their_bytes() {
    let place = Place::new();
    done(&place, &["init"]);
    let mut before = exported(&place);
    for job in ["2", "3", "undo"] {
        match job {
            "undo" => drop(done(&place, &["undo"])),
            version => migrate(&place, version),
        }
        let now = exported(&place);
        assert!(now.len() > before.len() && now.starts_with(&before), "{job}");
        before = now;
    }
}

/// A write that was cut short at any byte leaves the ledger of before or of after, and nothing else.
#[test]
fn a_batch_cut_short_at_any_byte_is_whole_or_absent() {
    let home = tempfile::tempdir().unwrap();
    let (before, after, torn) =
        (home.path().join("before"), home.path().join("after"), home.path().join("torn"));
    let mut author = Author::new(3);
    let identity = Identity { public_key: author.public_key, nonce: author.nonce };
    let (batch, frontier) = author.batch(1);
    drop(SledLog::init(&before, &identity, &batch, &frontier, &OpenOptions::default()).unwrap());
    copy(&before, &after);
    let mut log = SledLog::open(&after, &OpenOptions::default()).unwrap();
    // Several frames, so that half of it would be something.
    let (batch, frontier) = author.batch(200);
    glyph_ledger::log::Log::append(&mut log, 1, &batch, &frontier).unwrap();
    drop(log);
    let (old, new) = (db(&before), db(&after));
    let differs = |at: &usize| old.get(*at) != new.get(*at);
    let first = (0..new.len()).find(differs).unwrap();
    let last = (0..new.len()).rfind(differs).unwrap();
    let mut seen = [0, 0];
    for written in (first..last).step_by((last - first) / 40).chain([last, last + 1]) {
        if torn.exists() {
            fs::remove_dir_all(&torn).unwrap();
        }
        copy(&before, &torn);
        let file = fs::File::options().write(true).open(torn.join("sled/db")).unwrap();
        file.set_len(new.len() as u64).unwrap();
        file.write_all_at(&new[first..written], first as u64).unwrap();
        drop(file);
        let log = SledLog::open(&torn, &OpenOptions::default()).unwrap();
        let batches: Vec<_> = log.read(0..u64::MAX).collect::<Result<_, _>>().unwrap();
        let counts: Vec<_> = batches.iter().map(|batch| batch.events.len()).collect();
        match counts[..] {
            [1] => seen[0] += 1,
            [1, 200] => seen[1] += 1,
            _ => panic!("{written} of {last}: {counts:?}"),
        }
    }
    assert!(seen[0] > 0 && seen[1] > 0, "{seen:?}");
}

fn db(dir: &Path) -> Vec<u8> {
    fs::read(dir.join("sled/db")).unwrap()
}

#[test]
fn l3_same_events_give_the_same_digest() {
    let (here, there) = (Place::new(), Place::new());
    a_migrated_store(&here);
    // On another machine: no key, nothing remembered, no store, another name for the folder.
    copy(&here.work().join(".glyph/ledger"), &there.work().join("elsewhere"));
    let size = exported(&here).lines().count();
    for cursor in 0..size {
        let cursor = cursor.to_string();
        let digests = |place: &Place, at: &[&str]| {
            let replay = ["replay", "--json", "--to", &cursor];
            done(place, &[&replay, at].concat()).json()["data"].clone()
        };
        assert_eq!(digests(&here, &[]), digests(&there, &["--ledger", "elsewhere"]), "{cursor}");
    }
}

#[test]
fn every_command_answers_the_same_without_a_state_cache() {
    let place = Place::new();
    a_history(&place);
    let dir = place.work().join(".glyph-ledger");
    let home = Home::below(&place.home());
    let surroundings = Surroundings {
        clock: Arc::new(SystemClock),
        pins: Arc::new(FilePins::new(home.pins(), home.places())),
        wait: Duration::ZERO,
    };
    let mut ledger = Ledger::open(&dir, &place_of(&dir).unwrap(), surroundings).unwrap();
    let signer = load_key(&home.key_file()).unwrap();
    // More events than the state is folded anew without a cache.
    for part in 0..12_u16 {
        ledger.append(&signer, (0..1_000).map(|n| observed(part * 1_000 + n)).collect()).unwrap();
    }
    drop(ledger);
    let cache = dir.join("cache/state");
    let kept = fs::read(&cache).unwrap();
    let with_cache = answers(&place);
    fs::remove_dir_all(dir.join("cache")).unwrap();
    assert_eq!(answers(&place), with_cache);
    // One that was bent is believed no more than one that is not there.
    fs::create_dir_all(dir.join("cache")).unwrap();
    for at in [0, kept.len() / 2, kept.len() - 1] {
        let mut bent = kept.clone();
        bent[at] ^= 1;
        fs::write(&cache, bent).unwrap();
        assert_eq!(answers(&place), with_cache, "byte {at}");
    }
}

/// What every command that folds has to say.
fn answers(place: &Place) -> Vec<String> {
    let commands: [&[&str]; 4] = [
        &["replay", "--json"],
        &["replay", "--json", "--to", "11000", "--projection", "store"],
        &["log", "--json"],
        &["verify-chain", "--json"],
    ];
    commands.iter().map(|arguments| done(place, arguments).stdout).collect()
}

fn observed(number: u16) -> Body {
    let content = number.to_be_bytes();
    let state = ObjectState::Document { content: ContentHash::of(&content), bytes: 2, mode: 0o644 };
    ObjectObserved { object: "manifest.yaml".into(), cause: Cause::DataChange, state }.into()
}
