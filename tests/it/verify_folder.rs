//! Ledgers in folders, attacked from outside: the verdict, and that nothing there ever changes.

use std::fs;
use std::path::Path;
use std::time::Duration;

use glyph_ledger::diagnostic::{self, Code};
use glyph_ledger::ledger::{KnownBy, KnownHead, MemoryPins, Pin, Pins as _, Provenance};
use glyph_ledger::objects::PackObjects;
use glyph_ledger::verify::{
    Fault, FolderReport, Folders, Options, Outcome, Unobserved, VerifyError, verify_folder,
};

use crate::history::{History, Names};
use crate::support::{Folder, copy, fingerprint, key};

fn folder(seed: u64) -> (Folder, History<Names>) {
    let mut history = History::new(seed, key(1).verifying_key().to_bytes(), Names);
    let folder = Folder::create(&mut history, &[3, 9, 1, 20, 40]);
    (folder, history)
}

/// Judges, and checks that nothing in the folder has changed.
fn judge_with(folder: &Folder, pins: &MemoryPins) -> Result<FolderReport, VerifyError> {
    let before = fingerprint(folder.root.path());
    let at = Folders { dir: &folder.dir, place: &folder.place, wait: Duration::ZERO };
    let judged = verify_folder(at, pins, Options::default(), &mut Unobserved);
    assert_eq!(fingerprint(folder.root.path()), before);
    judged
}

fn judge(folder: &Folder) -> FolderReport {
    judge_with(folder, &folder.pins).unwrap()
}

fn codes(found: &FolderReport) -> Vec<&'static str> {
    found.report.faults.iter().map(|fault| fault.code().id).collect()
}

fn assert_code(found: &FolderReport, code: &Code) {
    assert_eq!(found.report.outcome, Outcome::Failed);
    assert!(codes(found).contains(&code.id), "{:?}", found.report.faults);
}

#[test]
fn a_ledger_written_here_is_complete_and_elsewhere_only_consistent() {
    let (folder, _) = folder(1);
    let found = judge(&folder);
    assert_eq!(found.report.faults, []);
    assert!(matches!(
        found.report.outcome,
        Outcome::Complete { known: KnownHead { by: KnownBy::Pin, .. } }
    ));
    let size = found.report.size;
    assert_eq!((size, found.anchored.unwrap().size), (74, 74));
    let elsewhere = judge_with(&folder, &MemoryPins::default()).unwrap();
    assert_eq!(elsewhere.report.outcome, Outcome::ConsistentOnly);
    let first_use = MemoryPins::default();
    let head = folder.pins.get(&found.report.ledger.unwrap()).unwrap().unwrap().head;
    first_use.set(&Pin { head, provenance: Provenance::FirstUse }).unwrap();
    assert_eq!(judge_with(&folder, &first_use).unwrap().report.outcome, Outcome::ConsistentOnly);
}

#[test]
fn l5_verify_chain_never_writes() {
    let (folder, _) = folder(1);
    let objects = PackObjects::create(&folder.dir.join("objects")).unwrap();
    let options = Options { objects: Some(&objects), keep_going: true };
    for damage in [false, true] {
        if damage {
            let db = fs::OpenOptions::new().write(true).open(folder.dir.join("sled/db")).unwrap();
            db.set_len(5_000).unwrap();
        }
        let before = fingerprint(folder.root.path());
        let at = Folders { dir: &folder.dir, place: &folder.place, wait: Duration::ZERO };
        let found = verify_folder(at, &*folder.pins, options, &mut Unobserved).unwrap();
        // None of the objects is there, so both are failures; neither leaves a trace.
        assert_eq!(found.report.outcome, Outcome::Failed);
        assert_eq!(fingerprint(folder.root.path()), before);
    }
}

#[test]
fn an_open_ledger_is_busy() {
    let (folder, _) = folder(1);
    let _open = folder.open();
    assert!(matches!(judge_with(&folder, &folder.pins), Err(VerifyError::Folder(_))));
}

#[test]
fn nothing_and_what_is_missing_are_told_apart() {
    let (folder, _) = folder(1);
    let place = folder.root.path().join("nowhere");
    let at = Folders { dir: &place, place: &place, wait: Duration::ZERO };
    let judged = verify_folder(at, &*folder.pins, Options::default(), &mut Unobserved);
    assert!(matches!(judged, Err(VerifyError::NothingHere { .. })));
    for part in ["LEDGER", "HEAD", "sled/db", "sled", ""] {
        let (folder, _) = self::folder(1);
        let path = folder.dir.join(part);
        let removed =
            if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.unwrap();
        assert_code(&judge(&folder), &diagnostic::LEDGER_MISSING);
    }
}

#[test]
fn every_flipped_byte_of_identity_and_anchor_is_found() {
    let (folder, _) = folder(1);
    for (part, step) in [("LEDGER", 7), ("HEAD", 211)] {
        let path = folder.dir.join(part);
        let whole = fs::read(&path).unwrap();
        for at in (0..whole.len()).step_by(step) {
            let mut bent = whole.clone();
            bent[at] ^= 1;
            fs::write(&path, bent).unwrap();
            assert_code(&judge(&folder), &diagnostic::LEDGER_DAMAGED);
        }
        fs::write(&path, whole).unwrap();
    }
    assert_eq!(judge(&folder).report.faults, []);
}

#[test]
fn flipped_bytes_of_the_store_are_found_and_what_is_good_is_named() {
    let (folder, _) = folder(1);
    let path = folder.dir.join("sled/db");
    let whole = fs::read(&path).unwrap();
    let used = whole.iter().rposition(|byte| *byte != 0).unwrap();
    let frames = find_all(&whole, b"GLYPHfrm");
    let mut found_any = 0;
    for at in frames.into_iter().map(|at| at + 200).chain((0..used).step_by(used / 12)) {
        let mut bent = whole.clone();
        bent[at] ^= 0x10;
        fs::write(&path, &bent).unwrap();
        let found = judge(&folder);
        // A byte that no leaf in use holds says nothing about any event.
        if found.report.outcome == Outcome::Failed {
            found_any += 1;
            assert!(found.report.good_size() <= 74);
        } else {
            assert_eq!(found.report.size, 74, "byte {at}");
        }
    }
    assert!(found_any > 0);
}

fn find_all(bytes: &[u8], wanted: &[u8]) -> Vec<usize> {
    (0..bytes.len() - wanted.len()).filter(|at| bytes[*at..].starts_with(wanted)).collect()
}

#[test]
fn an_event_changed_everywhere_in_the_store_is_named_with_the_good_prefix() {
    let (folder, _) = folder(1);
    let path = folder.dir.join("sled/db");
    let event = folder.open().event(40).unwrap().bytes;
    let mut bytes = fs::read(&path).unwrap();
    let places = find_all(&bytes, &event);
    assert!(!places.is_empty());
    for at in places {
        bytes[at + event.len() / 2] ^= 1;
    }
    fs::write(&path, bytes).unwrap();
    let found = judge(&folder);
    assert_code(&found, &diagnostic::LEDGER_DAMAGED);
    // The batch of events 34 to 73 holds event 40.
    assert_eq!(found.report.good_size(), 34, "{:?}", found.report.faults);
    let named = found.report.faults.iter().find_map(Fault::seq);
    assert_eq!(named, Some(40), "{:?}", found.report.faults);
}

#[test]
fn emptied_and_cut_off_stores_end_before_their_anchor() {
    for length in [0, 100, 4_096] {
        let (folder, _) = folder(1);
        let db = fs::OpenOptions::new().write(true).open(folder.dir.join("sled/db")).unwrap();
        db.set_len(length).unwrap();
        drop(db);
        let found = judge(&folder);
        assert_code(&found, &diagnostic::LEDGER_REGRESSED);
        assert_eq!(found.anchored.unwrap().size, 74);
    }
}

#[test]
fn an_older_store_under_a_newer_anchor_and_an_older_folder_have_regressed() {
    let (folder, mut history) = folder(1);
    let older = folder.root.path().join("older");
    copy(&folder.dir, &older);
    let mut ledger = folder.open();
    Folder::append_to(&mut ledger, &mut history, 5);
    drop(ledger);
    assert_eq!(judge(&folder).report.faults, []);
    replace(&older.join("sled"), &folder.dir.join("sled"));
    let found = judge(&folder);
    assert_eq!(codes(&found), ["LEDGER_REGRESSED", "LEDGER_REGRESSED"]);
    assert_eq!(found.report.good_size(), 74);
    // The whole folder is older and consistent in itself: only what is remembered outside tells.
    replace(&older, &folder.dir);
    let found = judge(&folder);
    let [Fault::Regressed { known, size: 74, .. }] = &found.report.faults[..] else {
        panic!("{:?}", found.report.faults)
    };
    assert_eq!(known.by, KnownBy::Pin);
}

#[test]
fn a_rewritten_folder_diverges_and_another_ledger_is_foreign() {
    let (folder, _) = folder(1);
    let (rewritten, _) = self::folder(2);
    replace(&rewritten.dir, &folder.dir);
    assert_code(&judge(&folder), &diagnostic::LEDGER_DIVERGED);

    let (mine, _) = self::folder(1);
    let mut history = History::new(1, key(1).verifying_key().to_bytes(), Names);
    history.nonce = [9; 16];
    let other = Folder::create(&mut history, &[3, 9]);
    replace(&other.dir.join("sled"), &mine.dir.join("sled"));
    assert_code(&judge(&mine), &diagnostic::LEDGER_FOREIGN);
    replace(&other.dir, &mine.dir);
    let found = judge(&mine);
    assert_code(&found, &diagnostic::LEDGER_FOREIGN);
}

#[test]
fn a_store_beside_its_anchor_diverges() {
    let (folder, _) = folder(1);
    let (rewritten, _) = self::folder(2);
    replace(&rewritten.dir.join("sled"), &folder.dir.join("sled"));
    assert_code(&judge(&folder), &diagnostic::LEDGER_DIVERGED);
}

fn replace(from: &Path, to: &Path) {
    fs::remove_dir_all(to).unwrap();
    copy(from, to);
}
