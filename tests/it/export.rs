//! Exports: what goes out comes back, and nothing else does.

use glyph_ledger::diagnostic;
use glyph_ledger::export::{ExportReport, export, verify_export};
use glyph_ledger::ledger::KnownHead;
use glyph_ledger::log::ReadLog as _;
use glyph_ledger::verify::{Expectations, Fault, Outcome, Report, Unobserved};
use ledger_format::hash::{EventId, KeyId};
use ledger_format::head::SignedHead;
use ledger_format::line::Line;

use crate::support::{VecLog, key, log, sign};

const SIZES: [usize; 6] = [1, 9, 1, 20, 3, 7];

fn text(log: &VecLog) -> String {
    let mut out = Vec::new();
    let exported = export(log.read(0..u64::MAX), &mut out).unwrap();
    assert_eq!(exported.head.as_ref(), Some(log.head()));
    String::from_utf8(out).unwrap()
}

fn joined(parts: &[&[&str]]) -> String {
    parts.iter().flat_map(|lines| lines.iter()).flat_map(|line| [line, "\n"]).collect()
}

fn judge(text: &str, trust: Option<SignedHead>) -> Report {
    match verify_export(text.as_bytes(), &Expectations::trusting(trust), false, &mut Unobserved)
        .unwrap()
    {
        ExportReport::Whole(report) => *report,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_export_proves_itself_and_with_a_trusted_head_that_it_is_complete() {
    let log = log(1, &SIZES);
    let text = text(&log);
    assert_eq!(text.lines().count(), 41);
    let report = judge(&text, None);
    assert_eq!((report.faults.as_slice(), report.size, report.batches), (&[][..], 41, 6));
    assert_eq!(report.outcome, Outcome::ConsistentOnly);
    let head = log.head().clone();
    let report = judge(&text, Some(head.clone()));
    assert_eq!(report.outcome, Outcome::Complete { known: KnownHead::trusted(head) });
}

#[test]
fn l8_each_exported_line_verifies_alone() {
    let log = log(1, &SIZES);
    let stored = log.batches.iter().flat_map(|batch| &batch.events);
    for (text, bytes) in text(&log).lines().zip(stored) {
        let line = Line::parse(text).unwrap();
        assert_eq!((&line.bytes, line.id), (bytes, EventId::of(bytes)));
        let other = text.replacen("\"kind\":\"", "\"kind\":\"x", 1);
        assert!(Line::parse(&other).is_err());
    }
}

#[test]
fn flipped_bytes_are_found_wherever_they_are() {
    let whole = text(&log(1, &[1, 3, 2]));
    // Coprime to the width of every column, so that each column's every kind of place is met.
    for at in (0..whole.len()).step_by(13) {
        let mut bent = whole.clone().into_bytes();
        bent[at] ^= 1;
        let Ok(judged) =
            verify_export(bent.as_slice(), &Expectations::default(), false, &mut Unobserved)
        else {
            panic!("byte {at}");
        };
        match judged {
            ExportReport::Whole(report) => {
                assert_eq!(report.outcome, Outcome::Failed, "byte {at}");
            }
            // Where the first line says that it is of another form.
            ExportReport::Selection(selection) => assert!(!selection.faults.is_empty()),
            ExportReport::Fragment(fragment) => panic!("byte {at}: {fragment:?}"),
        }
    }
}

#[test]
fn a_removed_doubled_or_cut_line_is_found() {
    let whole = text(&log(1, &SIZES));
    let lines: Vec<&str> = whole.lines().collect();
    for at in 1..lines.len() - 1 {
        let (before, after) = lines.split_at(at);
        let without = joined(&[before, &after[1..]]);
        assert_eq!(judge(&without, None).outcome, Outcome::Failed, "line {at}");
        let doubled = joined(&[before, &after[..1], after]);
        assert_eq!(judge(&doubled, None).outcome, Outcome::Failed, "line {at}");
    }
    let unclosed = joined(&[&lines[..40]]);
    assert!(matches!(judge(&unclosed, None).faults[..], [Fault::Unclosed { first: 34, .. }]));
    let cut = &whole[..whole.len() - 1];
    let report = judge(cut, None);
    assert!(matches!(report.faults[..], [Fault::Line { line: 41, .. }]), "{:?}", report.faults);
    assert_eq!(report.faults[0].code(), &diagnostic::LEDGER_DAMAGED);
}

#[test]
fn an_export_of_the_middle_says_what_it_lacks() {
    let log = log(1, &SIZES);
    let mut out = Vec::new();
    let middle = VecLog { batches: log.batches[2..4].to_vec() };
    let exported = export(middle.read(0..u64::MAX), &mut out).unwrap();
    assert_eq!(exported.seqs, 10..31);
    let fragment =
        |bytes: &[u8]| match verify_export(bytes, &Expectations::default(), false, &mut Unobserved)
            .unwrap()
        {
            ExportReport::Fragment(fragment) => fragment,
            other => panic!("{other:?}"),
        };
    let found = fragment(&out);
    assert_eq!((found.first, found.events, found.fault), (10, 21, None));
    assert_eq!(found.ledger, log.ledger());
    let text = String::from_utf8(out).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let without = joined(&[&lines[..5], &lines[6..]]);
    assert!(matches!(fragment(without.as_bytes()).fault, Some(Fault::Unlinked { seq: 15, .. })));
}

#[test]
fn an_export_with_a_head_that_the_key_did_not_sign_and_an_empty_one_are_refused() {
    let mut other = log(1, &SIZES);
    let head = &other.batches[2].head;
    let forged = String::from_utf8(sign(*head.head(), &key(2)).encode()).unwrap();
    let impostor = KeyId::of(key(2).verifying_key().as_bytes()).to_string();
    let forged = forged.replace(&impostor, &head.signer().to_string());
    other.batches[2].head = SignedHead::parse(forged.as_bytes()).unwrap();
    let report = judge(&text(&other), None);
    assert_eq!(report.faults[0].code(), &diagnostic::SIGNATURE_BAD);
    assert_eq!(report.good_size(), 10);
    assert_eq!(judge("", None).faults, [Fault::Empty]);
}
