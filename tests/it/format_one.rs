//! Event format 1 as it was frozen: ledgers of it that were written once, and what left them. Whatever this program becomes, they open, are what was
//! signed, fold to the same state and are written out as the same bytes; and ledgers of other formats are refused as that.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use glyph_ledger::verify::{Expectations, Fault, Options, Outcome, Report, Unobserved, verify};
use ledger_format::event::FORMAT;
use ledger_format::hash::ContentHash;

use crate::support::{Place, VecLog, beside, copy, done, key, log};

/// The two ledgers, and the event of each that has a proof.
const KEPT: [(&str, &str, &str); 2] =
    [("store", "store/ledger", "3"), ("documents", "documents", "1")];

fn frozen(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/format-1").join(name)
}

fn text(name: &str) -> String {
    fs::read_to_string(frozen(name)).unwrap()
}

#[test]
fn l1_ledgers_of_format_1_open_for_ever() {
    for (name, folder, _) in KEPT {
        let place = Place::new();
        // Nothing is opened where it is kept: opening may write.
        copy(&frozen(folder), &place.work().join("kept"));
        let head = text(&format!("{name}.head"));
        let named = ["--ledger", "kept", "--expect", head.trim()];
        let judged = done(&place, &[&["verify-chain", "--objects", "--json"][..], &named].concat());
        assert_eq!(judged.json()["data"]["verdict"], "complete", "{judged:?}");
        let digest = done(&place, &[&["replay", "--json"][..], &named].concat()).json();
        assert_eq!(digest["data"]["digest"], text(&format!("{name}.digest")).trim(), "{name}");
        done(&place, &[&["export", "-o", "../export.jsonl"][..], &named].concat());
        let exported = fs::read_to_string(beside(&place, "export.jsonl")).unwrap();
        assert!(exported == text(&format!("{name}.jsonl")), "{name} is exported otherwise");
        done(&place, &[&["replay", "--to", "@-1", "--out", "then"][..], &named].concat());
    }
}

#[test]
fn l10_what_left_ledgers_of_format_1_is_believed_for_ever() {
    for (name, _, seq) in KEPT {
        let place = Place::new();
        let head = text(&format!("{name}.head"));
        let note = text(&format!("{name}.published/checkpoint"));
        let ledger = note.lines().next().unwrap().strip_prefix("glyph-ledger/").unwrap();
        let file = |what: &str| frozen(&format!("{name}.{what}")).display().to_string();
        let named = ["--ledger", ledger, "--expect", head.trim()];
        let certificate = file("certificate.json");
        let proof = file(&format!("event-{seq}.tlog-proof"));
        let key = file("key");
        for verb in [
            &["bundle", "verify", &certificate][..],
            &["proof", "verify", &proof, "--signer", &key],
            &["head", "verify", &file("published")],
        ] {
            let said = place.run(&[verb, &named].concat());
            assert_eq!(said.exit, 0, "{verb:?}: {said:?}");
        }
        let verifier = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/verify/verify_export.py");
        let (lines, checkpoint) = (file("jsonl"), file("published/checkpoint"));
        let said = Command::new("python3")
            .args([verifier.as_os_str(), lines.as_ref(), "--trust".as_ref(), checkpoint.as_ref()])
            .output()
            .unwrap();
        assert!(said.status.success(), "{said:?}");
    }
}

/// Bytes that were frozen: what comes later stands beside them.
#[test]
fn nothing_that_was_frozen_has_changed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found: Vec<String> = Vec::new();
    for folder in ["fixtures/format-1", "ledger-format/vectors"] {
        list(root, &root.join(folder), &mut found);
    }
    let kept = fs::read_to_string(root.join("fixtures/format-1.sha256")).unwrap();
    for line in kept.lines() {
        assert!(found.iter().any(|found| found == line), "not as it was frozen: {line}");
    }
    assert!(kept.lines().count() > 40, "the list itself is cut off");
}

fn list(root: &Path, folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            list(root, &path, found);
        } else {
            let hash = ContentHash::of(&fs::read(&path).unwrap());
            found.push(format!("{hash}  {}", path.strip_prefix(root).unwrap().display()));
        }
    }
}

fn judge(log: &VecLog) -> Report {
    verify(log, &Expectations::default(), Options::default(), &mut Unobserved).unwrap()
}

#[test]
fn a_ledger_of_another_format_is_refused_as_that_and_not_as_damaged() {
    for other in [0, 2, 23] {
        let mut log = log(1, &[1]);
        let bytes = log.event(0);
        let at = bytes.windows(7).position(|window| window == b"\x66format").unwrap() + 7;
        assert_eq!(bytes[at], u8::try_from(FORMAT).unwrap());
        bytes[at] = other;
        // Bytes that nobody signed are damage, whatever they say.
        let bent = judge(&log);
        assert!(matches!(bent.first(), Some(Fault::Unreadable { seq: 0, .. })), "{bent:?}");
        log.resign_from(0, &key(1));
        let report = judge(&log);
        assert_eq!(report.outcome, Outcome::Failed);
        assert_eq!(report.faults, [Fault::Format { seq: 0, actual: u64::from(other) }]);
        assert_eq!(report.faults[0].code().id, "FORMAT_UNSUPPORTED");
    }
}
