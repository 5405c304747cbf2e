//! The verifier in Python, written from SPEC.md alone, against the one in Rust: the same verdicts on
//! good exports, on every kind of damage and on damage at random.

use std::fs;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use glyph_ledger::export::{ExportReport, export, verify_export};
use glyph_ledger::ledger::KnownBy;
use glyph_ledger::log::ReadLog as _;
use glyph_ledger::verify::{Expectations, Fault, Outcome, Unobserved};
use ledger_format::hash::hex;
use ledger_format::head::SignedHead;
use serde_json::Value;

use crate::support::{Place, VecLog, a_migrated_store, done, key, log, log_of_documents};

/// What the tools of `tools/verify` say to `arguments`.
fn python(script: &str, arguments: &[&str]) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/verify").join(script);
    let said = Command::new("python3").arg("-B").arg(script).args(arguments).output();
    said.expect("python3 is installed by tools/setup")
}

/// What they say when nothing may go wrong with them.
fn python_done(script: &str, arguments: &[&str]) -> String {
    let said = python(script, arguments);
    let errors = String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success(), "{script} {arguments:?}: {errors}");
    String::from_utf8(said.stdout).unwrap()
}

struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// The export of `log` as a file.
    fn export(&self, log: &VecLog) -> String {
        let path = self.path("export.jsonl");
        let mut out = Vec::new();
        export(log.read(0..u64::MAX), &mut out).unwrap();
        fs::write(&path, out).unwrap();
        path
    }

    /// Holds what both verifiers say to each case below `folder` against each other, and against
    /// what the case asks for. Returns the number of cases and of those refused.
    fn compare(&self, folder: &str) -> (usize, usize) {
        let folder = self.path(folder);
        let cases = fs::read_to_string(Path::new(&folder).join("cases.jsonl")).unwrap();
        let reports = python_done("damage.py", &["judge", &folder]);
        assert_eq!(cases.lines().count(), reports.lines().count());
        let mut wrong = Vec::new();
        let mut refused = 0;
        for (case, report) in cases.lines().zip(reports.lines()) {
            let case: Value = serde_json::from_str(case).unwrap();
            let report: Value = serde_json::from_str(report).unwrap();
            let theirs = Verdict::of_python(&report);
            refused += usize::from(!theirs.ok);
            let file = PathBuf::from(&folder).join(case["file"].as_str().unwrap());
            let trust = case["trust"].as_str();
            let trust = trust.map(|note| SignedHead::parse(note.as_bytes()).unwrap());
            let differs = Verdict::of_rust(&file, trust).differs(&theirs);
            let asked = case["refused"].as_bool();
            let asked = asked.filter(|asked| *asked == theirs.ok).map(|_| "not as it must be");
            if let Some(how) = differs.or(asked.map(str::to_owned)) {
                let (name, faults) = (&case["name"], &report["faults"]);
                wrong.push(format!("{folder}, {name}: {how}\n  Python says {faults}"));
            }
        }
        assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
        (reports.lines().count(), refused)
    }
}

/// A verdict, as far as both define it.
#[derive(Debug)]
struct Verdict {
    ok: bool,
    /// Number of events under the last good head.
    good: u64,
    /// Number of events up to which the history is complete.
    complete: Option<u64>,
    /// It begins in the middle of a history.
    part: bool,
    /// The events among which the first fault lies.
    first: Option<(u64, u64)>,
    /// It is about the trusted head, which the two look at before or after the rest.
    trust: bool,
    says: String,
}

impl Verdict {
    fn of_python(report: &Value) -> Self {
        let fault = &report["faults"][0];
        // Behind a part's first fault comes what is wrong within it.
        let part = report.get("part").is_some();
        let first = if part { None } else { fault["event"].as_u64() };
        Self {
            ok: report["ok"].as_bool().unwrap(),
            good: report["good"]["events"].as_u64().unwrap(),
            complete: report["complete_to"].as_u64(),
            part,
            first: first.map(|event| (event, event)),
            trust: fault["code"] == "trust",
            says: fault.to_string(),
        }
    }

    fn of_rust(file: &Path, trust: Option<SignedHead>) -> Self {
        let reader = BufReader::new(fs::File::open(file).unwrap());
        let report =
            match verify_export(reader, &Expectations::trusting(trust), false, &mut Unobserved)
                .unwrap()
            {
                ExportReport::Whole(report) => report,
                ExportReport::Selection(selection) => panic!("{selection:?}"),
                ExportReport::Fragment(fragment) => {
                    let says = format!("{fragment:?}");
                    let (first, complete) = (None, None);
                    return Self {
                        ok: false,
                        good: 0,
                        complete,
                        part: true,
                        first,
                        trust: false,
                        says,
                    };
                }
            };
        let complete = match &report.outcome {
            Outcome::Complete { known } if known.by == KnownBy::Trust => Some(known.size),
            _ => None,
        };
        let fault = report.first();
        Self {
            ok: report.outcome != Outcome::Failed,
            good: report.good_size(),
            complete,
            part: false,
            first: fault.and_then(place),
            trust: fault.is_some_and(|fault| {
                matches!(
                    fault,
                    Fault::OtherHead { .. }
                        | Fault::KnownSignature { .. }
                        | Fault::Regressed { .. }
                        | Fault::Diverged { .. }
                )
            }),
            says: format!("{fault:?}"),
        }
    }

    /// How `python`'s verdict differs from this one.
    fn differs(&self, python: &Self) -> Option<String> {
        let within = match (self.first, python.first) {
            (Some((first, last)), Some((event, _))) => (first..=last).contains(&event),
            (None, None) => true,
            // A part's faults, and those of the trusted head, are not placed by both.
            _ => self.part || self.trust,
        };
        let same = self.ok == python.ok
            && self.part == python.part
            && self.trust == python.trust
            && (self.trust || (self.good == python.good && within))
            && (!self.ok || self.complete == python.complete);
        (!same).then(|| format!("Rust says {}: {self:?}", self.says))
    }
}

/// The events among which a fault lies.
fn place(fault: &Fault) -> Option<(u64, u64)> {
    match fault {
        // Lines stand in order of seq, from event 0 on.
        Fault::Line { line, .. } => Some((line - 1, line - 1)),
        // Of an event and its successor, the link alone does not tell which was changed; Python names
        // the place where they part.
        Fault::Altered { seq, .. } => Some((*seq, seq + 1)),
        Fault::Rewritten { first, last, .. } | Fault::Misplaced { first, last, .. } => {
            Some((*first, *last))
        }
        Fault::Empty => Some((0, 0)),
        other => other.seq().map(|seq| (seq, seq)),
    }
}

const SIZES: [usize; 8] = [1, 4, 9, 1, 20, 3, 1, 7];

/// The secret behind `support::key(1)`, in hex.
fn secret() -> String {
    hex(&key(1).to_bytes())
}

#[test]
fn the_python_verifier_gives_the_known_answers_of_the_format() {
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("ledger-format/vectors");
    let said = python_done("check_vectors.py", &[vectors.to_str().unwrap()]);
    assert_eq!(said.lines().filter(|line| line.ends_with(" right")).count(), 6, "{said}");
}

#[test]
fn l10_both_verifiers_accept_histories_with_every_kind_of_event() {
    let bench = Bench::new();
    let sizes = [1, 30, 2, 150, 40, 1, 3, 90];
    let logs =
        (0..8).flat_map(|seed| [(seed, log(seed, &sizes)), (seed, log_of_documents(seed, &sizes))]);
    for (seed, log) in logs {
        let file = bench.export(&log);
        let head = bench.path("head");
        fs::write(&head, log.head().encode()).unwrap();
        let ledger = log.ledger().to_string();
        let said = python_done(
            "verify_export.py",
            &[&file, "--json", "--trust", &head, "--ledger", &ledger],
        );
        let theirs = Verdict::of_python(&serde_json::from_str(&said).unwrap());
        assert_eq!(
            (theirs.ok, theirs.good, theirs.complete),
            (true, 317, Some(317)),
            "seed {seed}"
        );
        let ours = Verdict::of_rust(Path::new(&file), Some(log.head().clone()));
        assert_eq!(ours.differs(&theirs), None, "seed {seed}");
    }
}

#[test]
fn l10_both_verifiers_refuse_every_kind_of_damage_at_the_same_place() {
    let bench = Bench::new();
    let file = bench.export(&log(5, &SIZES));
    python_done("damage.py", &["make", &file, &secret(), &bench.path("kinds")]);
    let (cases, refused) = bench.compare("kinds");
    assert!(refused >= 200 && cases > refused, "{refused} of {cases}");
}

#[test]
fn both_verifiers_agree_about_single_bytes_changed_at_random() {
    let bench = Bench::new();
    let logs = [log(1, &SIZES), log(2, &SIZES), log_of_documents(3, &SIZES)];
    for (seed, log) in (1_u64..).zip(&logs) {
        let file = bench.export(log);
        let folder = format!("bytes of seed {seed}");
        python_done("damage.py", &["bytes", &file, &seed.to_string(), "150", &bench.path(&folder)]);
        assert_eq!(bench.compare(&folder).0, 150);
    }
}

#[test]
fn both_verifiers_agree_about_events_changed_at_random_and_signed_anew() {
    let bench = Bench::new();
    let mut refused = 0;
    let logs = [log(1, &SIZES), log_of_documents(2, &SIZES), log_of_documents(3, &SIZES)];
    for (seed, log) in (1_u64..).zip(&logs) {
        let file = bench.export(log);
        let folder = format!("events of seed {seed}");
        let seed = seed.to_string();
        python_done("damage.py", &["events", &file, &secret(), &seed, "150", &bench.path(&folder)]);
        refused += bench.compare(&folder).1;
    }
    // Not all: a changed time or text may be as good as the one before.
    assert!((225..450).contains(&refused), "{refused}");
}

#[test]
fn the_export_of_a_real_store_verifies_and_what_is_wrong_is_said_in_words() {
    let place = Place::new();
    a_migrated_store(&place);
    let file = place.work().join("history.jsonl");
    done(&place, &["export", "-o", file.to_str().unwrap()]);
    let file = file.to_str().unwrap();
    // Without a head from elsewhere it is what the program calls it: not proven to be all.
    let said = python("verify_export.py", &[file]);
    assert_eq!(said.status.code(), Some(7), "{said:?}");
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(said.starts_with("consistent: "), "{said}");
    assert!(
        said.contains("\ncompleteness: not proven; name a head from elsewhere: --trust\n"),
        "{said}"
    );
    let head = place.work().join("head");
    fs::write(&head, done(&place, &["head", "show"]).stdout).unwrap();
    python_done("verify_export.py", &[file, "--trust", head.to_str().unwrap()]);

    let whole = fs::read_to_string(file).unwrap();
    let bent = place.work().join("bent.jsonl");
    fs::write(&bent, whole.replacen("\"kind\":\"store.adopted\"", "\"kind\":\"store.adoptee\"", 1))
        .unwrap();
    let said = python("verify_export.py", &[bent.to_str().unwrap()]);
    assert_eq!(said.status.code(), Some(3));
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(said.starts_with("REFUSED\n  line 5, event 4: the column kind"), "{said}");
    assert!(said.contains("\nstill good: events 0 to 0 "), "{said}");
    let said = python("verify_export.py", &[file, "--ledger", &"0".repeat(64)]);
    assert_eq!(said.status.code(), Some(3));
    for (arguments, exit) in
        [(&["--nonsense"][..], 2), (&[file, "--trust", file], 2), (&["/nowhere.jsonl"], 1)]
    {
        let said = python("verify_export.py", arguments);
        assert_eq!(said.status.code(), Some(exit), "{arguments:?}");
    }
}
