//! Proofs of a small migration that is right, and of ones that are wrong in one way each. Knows no contract.

use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::document::json;
use crate::effects::KernelSyncs;
use crate::effects::syncs::failing::FailNth;
use crate::schema::Schema;
use crate::transform::{Effect, Programs, Step, apply, inverse};

/// A migration from `{"n": …}` to `{"n": …, "v": 1}`, as its steps have it.
struct Sample {
    steps: Vec<Step>,
    programs: Programs,
    before: Option<Schema>,
    after: Schema,
    promises: bool,
    invertible: bool,
    /// Writes how often it was asked, which no migration may.
    counts: Option<AtomicU64>,
}

const BEFORE: &str = r#"{"type":"object","required":["n"],"properties":{"n":{"type":"integer","minimum":0,"maximum":40},"l":{"type":"array","items":{"type":"boolean"},"maxItems":3}},"additionalProperties":false}"#;
const AFTER: &str = r#"{"type":"object","required":["n","v"],"properties":{"n":{"type":"integer"},"v":{"const":1}}}"#;
const ADD: &str = r#"{"add":{"path":"/v","value":1}}"#;

fn value(text: &str) -> Value {
    json::read(text.as_bytes()).unwrap().value
}

fn sample(steps: &str) -> Sample {
    let steps: Vec<Step> = serde_json::from_str(&format!("[{steps}]")).unwrap();
    Sample {
        programs: Programs::of(&steps).unwrap(),
        steps,
        before: Some(Schema::compile("before", &value(BEFORE)).unwrap()),
        after: Schema::compile("after", &value(AFTER)).unwrap(),
        promises: true,
        invertible: true,
        counts: None,
    }
}

impl Sample {
    fn returns(&self, before: &Value, after: &Value, current: bool) -> Seen {
        let steps = inverse(&self.steps).filter(|_| self.invertible && !current);
        let Some(steps) = steps else { return Seen::NotApplicable };
        let mut value = after.clone();
        let back = apply(&steps, &Programs::of(&steps).unwrap(), &mut value);
        (back.is_ok() && value == *before).into()
    }
}

impl Migration for Sample {
    fn contract(&self) -> ContractName {
        let digest = CommitHash::from_bytes([1; 32]);
        ContractName { name: "sample".into(), version: "1.0.0".into(), digest }
    }

    fn policy(&self) -> CommitHash {
        CommitHash::from_bytes([2; 32])
    }

    fn migrate(&self, source: &[u8]) -> Migrated {
        let json = json::read(source).unwrap();
        let mut value = json.value.clone();
        let current = self.after.is_valid(&value);
        let from = if current { "1" } else { "0" };
        let done =
            if current { Ok(Vec::new()) } else { apply(&self.steps, &self.programs, &mut value) };
        if let (Some(counts), Some(map)) = (&self.counts, value.as_map_mut()) {
            map.set("count", i64::try_from(counts.fetch_add(1, Ordering::SeqCst)).unwrap().into());
        }
        let bytes = json::write(&value, &json.style).unwrap().into_bytes();
        let exempt = vec!["/v".parse().unwrap()];
        let (effects, errors) = match done {
            Ok(effects) => (effects, Vec::new()),
            Err(error) => (Vec::new(), vec![error.to_string()]),
        };
        let status = match (errors.is_empty(), effects.is_empty()) {
            (false, _) => Status::Unsupported,
            (true, true) => Status::Current,
            (true, false) => Status::Migrated,
        };
        Migrated {
            status,
            from: from.into(),
            to: "1".into(),
            chain: if current { vec!["1".into()] } else { vec!["0".into(), "1".into()] },
            edges: Vec::new(),
            steps: Vec::new(),
            valid: self.after.is_valid(&value).into(),
            round_trips: self.returns(&json.value, &value, current),
            result: errors.is_empty().then_some((value, bytes)),
            promises_append_only: self.promises,
            loss: Loss {
                values: effects.iter().flat_map(Effect::lost).count() as u64,
                hash: CommitHash::from_bytes([3; 32]),
                first: effects.iter().flat_map(Effect::lost).collect(),
            },
            refused: None,
            declared: undeclared(&effects, &exempt, &|_| false, &|_| false).is_empty().into(),
            witnesses: Vec::new(),
            source: json.value,
            exempt,
            followed: Followed::of(&effects),
            errors,
        }
    }

    fn schema(&self, version: &str) -> Option<&Schema> {
        self.before.as_ref().filter(|_| version == "0")
    }

    fn write(&self, document: &Value) -> Option<Vec<u8>> {
        json::write(document, &json::Style::default()).ok().map(String::into_bytes)
    }
}

const SOURCE: &str = r#"{"n": 7, "l": [true]}"#;

fn proved(sample: &Sample, cases: Option<u64>) -> Proof {
    prove(sample, SOURCE.as_bytes(), &Generated::of(cases), &mut || Ok(SOURCE.into())).unwrap()
}

fn failing(steps: &str) -> Vec<&'static str> {
    let proof = proved(&sample(steps), None);
    assert_eq!(proof.pass, proof.missing().is_empty());
    proof.missing().iter().map(|property| property.name()).collect()
}

#[test]
fn a_migration_that_is_right_passes_with_all_properties() {
    let proof = proved(&sample(ADD), Some(200));
    assert!(proof.pass, "{proof:?}");
    assert_eq!(proof.required, Property::ALL);
    assert!(Property::ALL.iter().all(|property| proof.observed.of(*property) == Seen::Holds));
    assert_eq!(proof.cases, Some(Cases { asked: 200, checked: 200, counterexample: None }));
    assert_eq!(proof.result, Some(ContentHash::of(br#"{"n": 7, "l": [true], "v": 1}"#)));
}

#[test]
fn each_wrong_is_seen_as_what_it_is() {
    let also = |step: &str| failing(&format!("{ADD},{step}"));
    assert_eq!(
        also(r#"{"set":{"path":"/n","value":8}}"#),
        ["appendOnly", "declaredMatchesObserved"]
    );
    assert_eq!(also(r#"{"remove":{"path":"/l"}}"#), ["appendOnly", "declaredMatchesObserved"]);
    // Moved values are there; those that are taken away or replaced afterwards are not.
    let none: [&str; 0] = [];
    let renamed = r#"{"rename":{"path":"/l","to":"m"}}"#;
    assert_eq!(also(renamed), none);
    assert_eq!(
        also(&format!(r#"{renamed},{{"remove":{{"path":"/m"}}}}"#)),
        ["appendOnly", "declaredMatchesObserved"]
    );
    assert_eq!(
        also(&format!(r#"{renamed},{{"set":{{"path":"/m/0","value":false}}}}"#)),
        ["appendOnly", "declaredMatchesObserved"]
    );
    assert_eq!(
        also(r#"{"jq":{"path":"/l","program":". + [false]"}}"#),
        ["declaredMatchesObserved"]
    );
    assert_eq!(failing(r#"{"add":{"path":"/v","value":2}}"#), ["validatesAtCurrent"]);
    assert_eq!(
        failing(r#"{"set":{"path":"/n","jq":".n + 1"}}"#),
        ["validatesAtCurrent", "appendOnly", "idempotent", "declaredMatchesObserved"]
    );
}

#[test]
fn what_differs_from_run_to_run_is_not_deterministic() {
    let sample = Sample { counts: Some(AtomicU64::new(0)), ..sample(ADD) };
    let proof = proved(&sample, None);
    assert_eq!(proof.observed.deterministic, Seen::Fails);
    assert_eq!(proof.observed.idempotent, Seen::Fails);
    assert!(!proof.pass);
}

#[test]
fn a_source_that_changes_meanwhile_is_noticed() {
    let proof =
        prove(&sample(ADD), SOURCE.as_bytes(), &Generated::of(None), &mut || Ok(b"{}".to_vec()))
            .unwrap();
    assert_eq!(proof.missing(), [Property::SourceImmutable]);
    let gone = || Err(std::io::Error::other("gone"));
    let error =
        prove(&sample(ADD), SOURCE.as_bytes(), &Generated::of(None), &mut { gone }).unwrap_err();
    assert!(matches!(error, ProveError::Reread(_)));
}

#[test]
fn what_is_not_promised_is_seen_and_not_required() {
    let sample = Sample { promises: false, invertible: false, ..sample(ADD) };
    let proof = proved(&sample, None);
    assert!(proof.pass);
    assert!(!proof.required.contains(&Property::AppendOnly));
    assert!(!proof.required.contains(&Property::RoundTrips));
    assert_eq!(proof.observed.append_only, Seen::Holds);
    assert_eq!(proof.observed.round_trips, Seen::NotApplicable);
}

#[test]
fn an_inverse_that_does_not_give_the_source_back_is_seen() {
    // The inverse removes what is equal to the default, also where it was there before.
    let source = br#"{"n":1,"w":0}"#;
    let steps = format!(r#"{ADD},{{"add":{{"path":"/w","value":0}}}}"#);
    let proof =
        prove(&sample(&steps), source, &Generated::of(None), &mut || Ok(source.to_vec())).unwrap();
    assert_eq!(proof.missing(), [Property::RoundTrips]);
}

#[test]
fn a_generated_document_that_fails_is_shown_small() {
    // Fails for n above 30, and for nothing else.
    let steps = format!(
        r#"{ADD},{{"jq":{{"path":"/n","program":"if . > 30 then error(\"too much\") else . end"}}}}"#
    );
    let proof = proved(&sample(&steps), Some(500));
    let cases = proof.cases.clone().unwrap();
    let counterexample = cases.counterexample.unwrap();
    assert_eq!(counterexample.document, value(r#"{"n":31}"#));
    assert_eq!((counterexample.fails, counterexample.errors.len()), (Vec::new(), 1));
    assert_eq!(cases.checked, counterexample.case + 1);
    // The document itself is fine.
    assert!(proof.missing().is_empty() && !proof.pass);
}

#[test]
fn cases_need_a_schema_and_one_that_is_understood() {
    let prove = |sample: &Sample| {
        prove(sample, SOURCE.as_bytes(), &Generated::of(Some(1)), &mut || Ok(SOURCE.into()))
    };
    let none = Sample { before: None, ..sample(ADD) };
    assert!(matches!(prove(&none), Err(ProveError::NoSchema { version }) if version == "0"));
    let not = Schema::compile("not", &value(r#"{"not":{}}"#)).unwrap();
    let not = Sample { before: Some(not), ..sample(ADD) };
    assert!(matches!(prove(&not), Err(ProveError::Cases(_))));
}

#[test]
fn what_cannot_be_migrated_has_no_proof() {
    let sample = sample(r#"{"rename":{"path":"/absent","to":"x"}}"#);
    let error = prove(&sample, SOURCE.as_bytes(), &Generated::of(None), &mut || Ok(SOURCE.into()))
        .unwrap_err();
    assert!(error.to_string().contains("/absent"), "{error}");
}

#[test]
fn appending_is_judged_in_lists_and_by_digits() {
    let changed = |before: &str, after: &str| -> Vec<String> {
        let exempt = ["/version".parse().unwrap()];
        let places = appends_only(&value(before), &value(after), &exempt, &Followed::default());
        places.iter().map(ToString::to_string).collect()
    };
    let none: [&str; 0] = [];
    assert_eq!(changed(r#"{"a":[1,{"b":2}]}"#, r#"{"z":0,"a":[1,{"b":2,"c":3},4]}"#), none);
    assert_eq!(changed(r#"{"version":1,"a":1}"#, r#"{"a":1}"#), none);
    assert_eq!(changed(r#"{"a":[1,{"b":2}]}"#, r#"{"a":[1,{"c":2}]}"#), ["/a/1/b"]);
    assert_eq!(changed("[1,2,3]", "[2,3]"), ["/0", "/1", "/2"]);
    assert_eq!(changed(r#"{"a":1.0}"#, r#"{"a":1}"#), ["/a"]);
    assert_eq!(changed(r#"{"a":null}"#, r#"{"b":null}"#), ["/a"]);
    assert_eq!(changed(r#"{"a":{}}"#, r#"{"a":[]}"#), ["/a"]);
    assert_eq!(changed(r#"{"toString":1}"#, "{}"), ["/toString"]);
}

#[test]
fn what_steps_moved_or_computed_anew_is_looked_for_where_it_is() {
    let changed = |before: &str, steps: &str| -> Vec<String> {
        let steps: Vec<Step> = serde_json::from_str(&format!("[{steps}]")).unwrap();
        let (before, mut after) = (value(before), value(before));
        let effects = apply(&steps, &Programs::of(&steps).unwrap(), &mut after).unwrap();
        let places = appends_only(&before, &after, &[], &Followed::of(&effects));
        places.iter().map(ToString::to_string).collect()
    };
    let none: [&str; 0] = [];
    let a = r#"{"a":{"b":[1,2]}}"#;
    let moved = r#"{"rename":{"path":"/a","to":"x"}},{"move":{"from":"/x/b","to":"/b"}}"#;
    assert_eq!(changed(a, moved), none);
    assert_eq!(changed(a, &format!(r#"{moved},{{"add":{{"path":"/a","value":0}}}}"#)), none);
    let replaced = format!(r#"{moved},{{"set":{{"path":"/b/1","value":3}}}}"#);
    assert_eq!(changed(a, &replaced), ["/a/b/1"]);
    let gone = format!(r#"{moved},{{"remove":{{"path":"/b"}}}}"#);
    assert_eq!(changed(a, &gone), ["/a/b"]);
    // A place that something else takes later has nothing to do with what left it before.
    let swapped = r#"{"rename":{"path":"/a","to":"c"}},{"rename":{"path":"/b","to":"a"}}"#;
    assert_eq!(changed(r#"{"a":1,"b":2}"#, swapped), none);
    let list = r#"{"l":[1]}"#;
    assert_eq!(
        changed(list, r#"{"map_values":{"path":"/l/0","table":[{"from":1,"to":2}]}}"#),
        ["/l/0"]
    );
}

#[test]
fn a_proof_is_kept_once_and_reads_back() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("state.json");
    let proof = proved(&sample(ADD), Some(3));
    let kept = keep(&proof, &target, &KernelSyncs).unwrap();
    assert_eq!(
        kept.path,
        folder.path().join("migration").join(format!("{}.json", proof.fingerprint()))
    );
    assert!(!kept.already);
    assert_eq!(load(&kept.path).unwrap(), proof);
    assert!(keep(&proof, &target, &KernelSyncs).unwrap().already);
    fs::write(&kept.path, "{}").unwrap();
    assert!(matches!(keep(&proof, &target, &KernelSyncs), Err(ProofFileError::Taken { .. })));
    assert_eq!(fs::read(&kept.path).unwrap(), b"{}");
}

#[test]
fn where_no_folder_of_proofs_can_be_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("migration"), "a file").unwrap();
    let proof = proved(&sample(ADD), None);
    let kept = keep(&proof, &folder.path().join("state.json"), &KernelSyncs);
    assert!(matches!(kept, Err(ProofFileError::NoFolder { .. })));
    assert_eq!(fs::read(folder.path().join("migration")).unwrap(), b"a file");
    let elsewhere = tempfile::tempdir().unwrap();
    fs::remove_file(folder.path().join("migration")).unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), folder.path().join("migration")).unwrap();
    let kept = keep(&proof, &folder.path().join("state.json"), &KernelSyncs);
    assert!(matches!(kept, Err(ProofFileError::NoFolder { .. })));
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
}

#[test]
fn a_sync_that_fails_is_told_and_leaves_no_half_proof() {
    let proof = proved(&sample(ADD), None);
    for nth in 0.. {
        let folder = tempfile::tempdir().unwrap();
        let syncing = FailNth::new(nth);
        let kept = keep(&proof, &folder.path().join("state.json"), &syncing);
        if syncing.calls() <= nth {
            assert!(nth > 2 && kept.is_ok());
            break;
        }
        assert!(matches!(kept, Err(ProofFileError::Io { .. })), "{nth}");
        for file in fs::read_dir(folder.path().join("migration")).unwrap() {
            assert_eq!(load(&file.unwrap().path()).unwrap(), proof);
        }
        assert_eq!(
            load(&keep(&proof, &folder.path().join("state.json"), &KernelSyncs).unwrap().path)
                .unwrap(),
            proof
        );
    }
}

#[test]
fn every_edit_of_a_proof_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let proof = proved(&sample(ADD), Some(2));
    let text = proof.to_json();
    let read = |text: &str| {
        let path = folder.path().join("proof.json");
        fs::write(&path, text).unwrap();
        load(&path)
    };
    assert_eq!(read(&text).unwrap(), proof);
    for cut in (0..text.len()).step_by(7) {
        assert!(read(&text[..cut]).is_err(), "{cut}");
    }
    for (from, to) in [
        ("\"pass\": true", "\"pass\": false"),
        ("\"migrated\"", "\"current\""),
        ("\"appendOnly\": true", "\"appendOnly\": \"not_applicable\""),
        ("\"checked\": 2", "\"checked\": 3"),
        ("\"errors\": []", "\"errors\": [\"x\"]"),
    ] {
        let edited = text.replacen(from, to, 1);
        assert_ne!(edited, text, "{from}");
        assert!(matches!(read(&edited), Err(ProofFileError::Edited { .. })), "{from}");
    }
    for (from, to) in [
        ("\"pass\"", "\"more\": 1, \"pass\""),
        ("\"pass\": true", "\"pass\": true, \"pass\": true"),
        ("migration-proof/0", "migration-proof/9"),
        ("  \"proof\"", " \"proof\""),
        ("\"deterministic\": true", "\"deterministic\": 1"),
    ] {
        let edited = text.replacen(from, to, 1);
        assert_ne!(edited, text, "{from}");
        assert!(matches!(read(&edited), Err(ProofFileError::Form { .. })), "{from}");
    }
    // One that was made so, fingerprint and all, says what cannot be.
    let failing = Proof { errors: vec!["no".into()], ..proof.clone() };
    assert!(matches!(
        read(&failing.to_json()),
        Err(ProofFileError::Contradicts { stated: true, .. })
    ));
    // Under another proof's name.
    let other = folder.path().join(format!("{}.json", failing.fingerprint()));
    fs::write(&other, &text).unwrap();
    assert!(matches!(load(&other), Err(ProofFileError::Edited { .. })));
}

#[test]
fn a_proof_made_anew_is_compared_field_by_field() {
    let proof = proved(&sample(ADD), None);
    assert!(differences(&proof, &proved(&sample(ADD), None)).is_empty());
    let anew = proved(&sample(&format!(r#"{ADD},{{"set":{{"path":"/n","value":8}}}}"#)), Some(1));
    assert_eq!(
        differences(&proof, &anew),
        ["result", "loss", "observed", "required", "witnesses", "cases", "pass"]
    );
}
