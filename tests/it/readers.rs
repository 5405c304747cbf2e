//! What programs that are not ours make of an export: jq, DuckDB and Polars, told by our loaders what
//! the columns hold, or finding it out by themselves.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use glyph_ledger::export::{ExportReport, Form, Reader, export, export_flat, verify_export};
use glyph_ledger::log::{Batch, ReadLog as _};
use glyph_ledger::verify::{Expectations, Fault, Outcome, Unobserved};
use ledger_format::body::{
    ApprovalsSet, AuditAppend, Body, Cause, Changes, Continues, ContractFrozen, DriftAccepted,
    FixedBytes, KeyAuthorized, KeyRevoked, KeyRotated, LedgerCreated, ObjectMigrated,
    ObjectObserved, ObjectPruned, ObjectStaged, ObjectState, Origin, PlanApproved, ProofRecorded,
    Purpose, RENAMED_MAX, ROUTE_EDGES_MAX, Renamed, Roles, RunAbandoned, RunAborted, RunCommitted,
    RunPublished, RunRoute, RunStarted, StagedContent, StateRecorded, StoreAdopted, Verdict,
};
use ledger_format::cbor::Value as Cbor;
use ledger_format::event::Event;
use ledger_format::flat::{FLAT_LINE_BYTES_MAX, types_line};
use ledger_format::hash::{CommitHash, ContentHash, EventId, KeyId, LedgerId, NodeHash};
use ledger_format::head::TreeHead;
use ledger_format::line::LineError;
use ledger_format::tree::Frontier;
use serde_json::Value;

use crate::support::{Place, VecLog, a_migrated_store, check_against, done, key, log, sign};

const READERS: [(&str, Reader); 2] = [("duckdb", Reader::Duckdb), ("polars", Reader::Polars)];
const FORMS: [Form; 2] = [Form::Lines, Form::Flat];

/// Nobody tells the program what the columns hold.
const GUESS: &str = "guess";

#[test]
fn l8_duckdb_and_polars_read_a_migrated_store_without_losing_a_field() {
    let place = Place::new();
    a_migrated_store(&place);
    for (asked, form) in [
        (&[] as &[&str], Form::Lines),
        (&["--flat"], Form::Flat),
        (&["--kind", "object.migrated", "--kind", "run.started"], Form::Proved),
    ] {
        let export = |more: &[&str]| -> String {
            let arguments = [&["export"], asked, more].concat();
            done(&place, &arguments).stdout
        };
        let file = place.work().join("../history.jsonl");
        fs::write(&file, export(&[])).unwrap();
        for (name, reader) in READERS {
            let loader = place.work().join(format!("../loader_{name}"));
            fs::write(&loader, export(&["--schema", name])).unwrap();
            assert_eq!(fs::read_to_string(&loader).unwrap(), reader.loader(form));
            let read = read_back(name, &file, loader.to_str().unwrap(), &[]).unwrap();
            assert_same(&events_of(&file, form), &read);
        }
    }
}

/// Every kind, every field, and values on which readers are known to stumble.
#[test]
fn every_kind_and_every_edge_comes_back_from_every_reader() {
    let exports = Exports::of(&log_of(every_edge()));
    let kinds: BTreeSet<String> = events_of(&exports.lines, Form::Lines)
        .iter()
        .map(|line| parse(line)["kind"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(kinds, Body::KINDS.iter().map(|kind| (*kind).to_owned()).collect());
    for form in FORMS {
        let (file, expected) = (exports.file(form), events_of(exports.file(form), form));
        for (name, reader) in READERS {
            let loader = exports.loader(reader, form);
            assert_same(&expected, &read_back(name, file, &loader, &[]).unwrap());
        }
        assert_same_values(&expected, &jq("select(.kind != \"\")", file));
    }
    for (name, _) in READERS {
        let read = read_back(name, &exports.flat, GUESS, &[]).unwrap();
        assert_same(&all_of(&exports.flat), &read);
    }
    // Where the columns of a body do not say all, they say so, and its text does.
    let incomplete = jq("select(.body_complete == false and .kind != \"\") | .body", &exports.flat);
    assert_eq!(incomplete.len(), 1);
    assert!(incomplete[0].contains("18446744073709551615"), "{incomplete:?}");
}

#[test]
fn what_is_guessed_from_the_flat_form_are_the_types_that_the_loaders_name() {
    let exports = Exports::of(&log_of(every_edge()));
    for (name, reader) in READERS {
        let loader = exports.loader(reader, Form::Flat);
        let told = read_back(name, &exports.flat, &loader, &["--types"]).unwrap();
        let guessed = read_back(name, &exports.flat, GUESS, &["--types"]).unwrap();
        assert_eq!(guessed, told, "{name}");
    }
}

/// Long after the first lines, which all have the same kind, every other kind comes for the first time.
#[test]
fn a_kind_that_comes_late_is_lost_by_guessing_and_by_nothing_else() {
    const EARLY: usize = 50_000;
    let recorded: Body = StateRecorded { size: 1, digest: hash("state") }.into();
    let late = every_edge();
    // One more creates the ledger.
    let events = 1 + EARLY + late.len();
    let exports = Exports::of(&log_of(std::iter::repeat_n(recorded, EARLY).chain(late)));
    let lines = events_of(&exports.lines, Form::Lines);
    assert_eq!(lines.len(), events);
    for (name, reader) in READERS {
        let loader = exports.loader(reader, Form::Lines);
        assert_same(&lines, &read_back(name, &exports.lines, &loader, &[]).unwrap());
        assert_same(&all_of(&exports.flat), &read_back(name, &exports.flat, GUESS, &[]).unwrap());
    }

    // The reason for loaders and for the flat form. DuckDB looks at the first 20,480 lines, finds that
    // nothing is ever in `run`, and says of every later run, without a word, that it is nothing.
    let runs = lines.iter().filter(|line| parse(line)["run"].is_string()).count();
    assert!(runs > 5);
    let guessed = read_back("duckdb", &exports.lines, GUESS, &["run"]).unwrap();
    assert_eq!(guessed.len(), events);
    assert!(guessed.iter().all(|line| line == "{\"run\":null}"));
    // Polars looks at the first 100 lines, and refuses the file when it comes to another type.
    let refused = read_back("polars", &exports.lines, GUESS, &[]).unwrap_err();
    assert!(refused.contains("non-null value for NULL-typed column"), "{refused}");
    // So it would be with a flat form that does not begin with a line of types.
    let headless = exports.folder.path().join("headless.jsonl");
    let without = fs::read_to_string(&exports.flat).unwrap();
    fs::write(&headless, without.strip_prefix(&(types_line() + "\n")).unwrap()).unwrap();
    let guessed = read_back("duckdb", &headless, GUESS, &["body_message", "body_lost"]).unwrap();
    assert!(guessed.iter().all(|line| line == "{\"body_message\":null,\"body_lost\":null}"));
    assert!(read_back("polars", &headless, GUESS, &[]).is_err());
}

/// Both ways in which a text of the plain form is taken for something else.
#[test]
fn guessing_the_types_of_the_plain_form_changes_values() {
    let exports = Exports::of(&log(1, &[1, 9, 20]));
    let times = read_back("duckdb", &exports.lines, GUESS, &["--types"]).unwrap();
    assert!(times.iter().any(|line| line.contains("\"time\":\"TIMESTAMP")), "{times:?}");
    let told = exports.loader(Reader::Duckdb, Form::Lines);
    let times = read_back("duckdb", &exports.lines, &told, &["time"]).unwrap();
    assert_eq!(times[0], "{\"time\":\"2023-11-14T22:13:20.000Z\"}");
}

#[test]
fn a_loader_refuses_the_other_form_and_another_version() {
    let exports = Exports::of(&log(1, &[1, 9]));
    let newer = exports.folder.path().join("newer.jsonl");
    let text = fs::read_to_string(&exports.lines).unwrap();
    fs::write(&newer, text.replace("glyph-ledger/event/1", "glyph-ledger/event/2")).unwrap();
    for (name, reader) in READERS {
        for (form, file) in [
            (Form::Lines, &exports.flat),
            (Form::Flat, &exports.lines),
            (Form::Lines, &newer),
            (Form::Flat, &newer),
        ] {
            let refused = read_back(name, file, &exports.loader(reader, form), &["seq"]);
            assert!(refused.unwrap_err().contains("of this version"), "{name} {form:?}");
        }
    }
}

#[test]
fn the_flat_form_proves_nothing_but_the_lines_that_prove_can_be_had_from_it() {
    let log = log(1, &[1, 9, 1, 20, 3, 7]);
    let exports = Exports::of(&log);
    let judge = |text: &str| match verify_export(
        text.as_bytes(),
        &Expectations::default(),
        false,
        &mut Unobserved,
    )
    .unwrap()
    {
        ExportReport::Whole(report) => *report,
        other => panic!("{other:?}"),
    };
    let report = judge(&fs::read_to_string(&exports.flat).unwrap());
    assert_eq!(report.faults, [Fault::Line { line: 1, error: LineError::Flat }]);
    assert!(report.faults[0].to_string().contains("verify one made without --flat"));
    let filter = "select(.kind != \"\") | .schema = \"glyph-ledger/event/1\" \
                  | with_entries(select(.key | startswith(\"body_\") | not))";
    let lines = jq(filter, &exports.flat).join("\n") + "\n";
    assert_eq!(lines, fs::read_to_string(&exports.lines).unwrap());
    assert_eq!(judge(&lines).outcome, Outcome::ConsistentOnly);
}

#[test]
fn every_line_is_valid_under_the_json_schema_and_a_bent_one_is_not() {
    let exports = Exports::of(&log_of(every_edge()));
    for form in FORMS {
        let schema = parse(&Reader::JsonSchema.loader(form));
        for line in all_of(exports.file(form)) {
            assert!(line.len() <= FLAT_LINE_BYTES_MAX);
            let line = parse(&line);
            check_against(&schema, &line).unwrap();
            for (name, _) in line.as_object().unwrap() {
                let mut bent = line.clone();
                bent[name] = Value::from(-1.5);
                check_against(&schema, &bent).unwrap_err();
                bent.as_object_mut().unwrap().shift_remove(name);
                check_against(&schema, &bent).unwrap_err();
            }
        }
    }
}

/// Both forms of the export of one log, in files.
struct Exports {
    folder: tempfile::TempDir,
    lines: PathBuf,
    flat: PathBuf,
}

impl Exports {
    fn of(log: &VecLog) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [lines, flat] = ["lines.jsonl", "flat.jsonl"].map(|name| folder.path().join(name));
        let out = |path: &Path| BufWriter::new(File::create(path).unwrap());
        export(log.read(0..u64::MAX), &mut out(&lines)).unwrap();
        export_flat(log.read(0..u64::MAX), &mut out(&flat)).unwrap();
        Self { folder, lines, flat }
    }

    fn file(&self, form: Form) -> &Path {
        match form {
            Form::Lines => &self.lines,
            Form::Flat => &self.flat,
            Form::Proved => panic!("a log without a tree beside it has no proofs"),
        }
    }

    /// The path of what `reader` is told.
    fn loader(&self, reader: Reader, form: Form) -> String {
        let path = self.folder.path().join(format!("{reader:?}{form:?}.loader"));
        fs::write(&path, reader.loader(form)).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

/// What `reader` read, a line of JSON each, or what it said when it refused.
fn read_back(
    reader: &str,
    file: &Path,
    how: &str,
    columns: &[&str],
) -> Result<Vec<String>, String> {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/readers");
    let python = tools.join(".venv/bin/python");
    assert!(python.exists(), "{} is missing: tools/setup makes it", python.display());
    let mut command = Command::new(python);
    command.env_clear().args(["-I", "-X", "utf8"]).arg(tools.join("read_back.py"));
    let output = command.arg(reader).arg(file).arg(how).args(columns).output().unwrap();
    if output.status.success() {
        let text = String::from_utf8(output.stdout).unwrap();
        Ok(text.lines().map(ToOwned::to_owned).collect())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

fn jq(filter: &str, file: &Path) -> Vec<String> {
    let output =
        Command::new("jq").args(["-c", filter]).arg(file).stderr(Stdio::inherit()).output();
    let output = output.expect("jq is one of the tools that tools/setup installs");
    assert!(output.status.success(), "{filter}");
    String::from_utf8(output.stdout).unwrap().lines().map(ToOwned::to_owned).collect()
}

fn all_of(file: &Path) -> Vec<String> {
    fs::read_to_string(file).unwrap().lines().map(ToOwned::to_owned).collect()
}

/// The lines that are events.
fn events_of(file: &Path, form: Form) -> Vec<String> {
    let mut lines = all_of(file);
    if form == Form::Flat {
        assert_eq!(lines.remove(0), types_line());
    }
    lines
}

/// Readers write no space, name the columns in their order and escape what we escape: byte by byte
/// the same is what it takes.
fn assert_same(expected: &[String], read: &[String]) {
    assert_eq!(read.len(), expected.len());
    for (read, expected) in read.iter().zip(expected) {
        if read != expected {
            assert_eq!(parse(read), parse(expected));
            panic!("the same values in another order:\n{read}\n{expected}");
        }
    }
}

/// For a reader that has escapes of its own.
fn assert_same_values(expected: &[String], read: &[String]) {
    assert_eq!(read.len(), expected.len());
    for (read, expected) in read.iter().zip(expected) {
        assert_eq!(parse(read), parse(expected));
    }
}

fn parse(line: &str) -> Value {
    serde_json::from_str(line).unwrap()
}

/// A chained and signed log of these bodies; whether it is a legal history is not asked here.
fn log_of(bodies: impl IntoIterator<Item = Body>) -> VecLog {
    const BATCH: usize = 1_000;
    let key = key(1);
    let public_key = key.verifying_key().to_bytes();
    let (actor, ledger) = (KeyId::of(&public_key), LedgerId::of(&public_key, &[7; 16]));
    let (mut frontier, mut prev, mut batches) = (Frontier::new(), EventId::GENESIS, Vec::new());
    let created = LedgerCreated::anew(public_key, [7; 16]);
    let bodies: Vec<Body> = [created.into()].into_iter().chain(bodies).collect();
    for chunk in bodies.chunks(BATCH) {
        let first_seq = frontier.size();
        let mut events = Vec::new();
        for body in chunk {
            let seq = frontier.size();
            let event =
                Event { at: 1_700_000_000_000 + seq, seq, body: body.clone(), prev, actor, ledger };
            let bytes = event.encode().unwrap();
            prev = EventId::of(&bytes);
            frontier.push(NodeHash::leaf(prev));
            events.push(bytes);
        }
        let head = TreeHead { ledger, size: frontier.size(), root: frontier.root() };
        batches.push(Batch { first_seq, events, head: sign(head, &key) });
    }
    VecLog { batches }
}

/// Largest integer of JSON that every reader keeps.
const MOST: u64 = (1 << 53) - 1;

/// Texts that look like something else, or like nothing, or are hard to write down.
const TEXTS: [&str; 16] = [
    "",
    " ",
    "null",
    "true",
    "NaN",
    "0",
    "-1.50",
    "1e999",
    "18446744073709551616",
    "2026-11-20",
    "12:34:56",
    "2026-11-20T23:00:00.000Z",
    "00000000-0000-0000-0000-000000000000",
    "{\"a\":[1]}",
    "\"\\/\u{8}\u{c}\n\r\t\u{1}\u{1f}\u{7f}\u{0}",
    "e\u{301} é \u{2028} \u{feff}\u{fffd} \u{10ffff} 漢字 🦀",
];

/// Bodies of every kind in every form they have, with texts and integers of every sort.
fn every_edge() -> Vec<Body> {
    let run = EventId::of(b"run");
    let content = ContentHash::of(b"content");
    let mut bodies = Vec::new();
    for state in states() {
        for cause in [Cause::Baseline, Cause::DataChange, Cause::Abandoned, Cause::Joined] {
            bodies.push(ObjectObserved { object: "o".into(), cause, state: state.clone() }.into());
        }
        bodies.push(migrated(run, "o", &state).into());
        bodies.push(RunPublished { run, places: 0, audit: Some(state) }.into());
    }
    for result in
        [StagedContent::Document { content }, StagedContent::Database { page_root: hash("root") }]
    {
        let object = "a/b".to_owned();
        bodies.push(ObjectStaged { run, object, step: MOST, edge: hash("edge"), result }.into());
    }
    bodies.push(RunPublished { run, places: MOST, audit: None }.into());
    bodies.push(RunCommitted { run, certificate: hash("c"), places: 1, audit: None }.into());
    bodies.push(started("1", None, None, MOST).into());
    bodies.push(started("1", Some(0), Some(hash("plan")), 0).into());
    bodies.push(started("1", Some(MOST), None, u64::MAX).into());
    bodies.extend(TEXTS.iter().flat_map(|text| with_text(run, text)));
    bodies.extend([0, 1, ROUTE_EDGES_MAX].map(|edges| route(run, MOST, "1", edges).into()));
    bodies.push(StateRecorded { size: MOST, digest: hash("state") }.into());
    bodies.extend(of_keys());
    bodies
}

fn of_keys() -> Vec<Body> {
    let (public_key, key) = (FixedBytes([3; 32]), KeyId::of(&[3; 32]));
    let continues = Continues {
        ledger: LedgerId::of(&[3; 32], &[1; 16]),
        size: MOST,
        root: NodeHash::empty_root(),
    };
    let (recovery, continues) = (Some(public_key), Some(continues));
    vec![
        LedgerCreated { recovery, continues, ..LedgerCreated::anew([4; 32], [5; 16]) }.into(),
        KeyAuthorized { public_key, roles: Roles::of_genesis(), possession: None }.into(),
        KeyAuthorized {
            public_key,
            roles: Roles::of_recovery(),
            possession: Some(FixedBytes([6; 64])),
        }
        .into(),
        KeyRotated { public_key, possession: FixedBytes([6; 64]) }.into(),
        KeyRevoked { key, reason: String::new(), suspect_since: Some(MOST) }.into(),
        KeyRevoked { key, reason: "\"".into(), suspect_since: None }.into(),
        ApprovalsSet { count: MOST }.into(),
        PlanApproved { plan: hash("plan"), reason: None }.into(),
        PlanApproved { plan: hash("plan"), reason: Some("é".into()) }.into(),
    ]
}

fn with_text(run: EventId, text: &str) -> Vec<Body> {
    let text = || text.to_owned();
    let [document, database, _] = states();
    let audit =
        AuditAppend { object: text(), bytes: 0, content: ContentHash::of(b"before"), line: text() };
    vec![
        StoreAdopted {
            contract: text(),
            version: text(),
            origin: Origin::Created,
            objects: 0,
            open: text().is_empty(),
        }
        .into(),
        proof(&text(), text().is_empty()).into(),
        route(run, 0, &text(), 1).into(),
        ObjectObserved { object: text(), cause: Cause::DataChange, state: document.clone() }.into(),
        ContractFrozen {
            contract: text(),
            contract_version: text(),
            digest: hash("contract"),
            bundle: ContentHash::of(b"bundle"),
        }
        .into(),
        DriftAccepted {
            object: text(),
            state: database,
            version: text(),
            contract: hash("contract"),
            reason: text(),
        }
        .into(),
        ObjectPruned { object: text(), keep: 0, reason: text(), images: MOST, bytes: 0 }.into(),
        started(&text(), None, None, 0).into(),
        migrated(run, &text(), &document).into(),
        RunCommitted { run, certificate: hash("c"), places: 1, audit: Some(audit) }.into(),
        RunAborted { run, code: text(), message: text() }.into(),
        RunAbandoned { run, reason: text(), places: 0, version: text() }.into(),
    ]
}

fn states() -> [ObjectState; 3] {
    let content = ContentHash::of(b"content");
    [
        ObjectState::Document { content, bytes: MOST, mode: u32::MAX },
        ObjectState::Database {
            page_root: hash("root"),
            rows: hash("rows").into(),
            schema: hash("schema").into(),
        },
        ObjectState::Log { content, bytes: 0, tail: ContentHash::of(b"tail").into() },
    ]
}

fn started(
    version: &str,
    to_size: Option<u64>,
    accepted_loss: Option<CommitHash>,
    clock_ms: u64,
) -> RunStarted {
    RunStarted {
        purpose: if to_size.is_some() { Purpose::Rollback } else { Purpose::Migrate },
        plan: hash("plan"),
        contract: to_size.is_none().then(|| hash("contract")),
        from: version.to_owned(),
        to: version.to_owned(),
        to_size,
        policy: hash("policy"),
        clock_ms,
        seed: FixedBytes([9; 32]),
        environment: ContentHash::of(b"environment"),
        objects: 1,
        accepted_loss,
        changes: to_size.map(|size| if size == 0 { Changes::Keep } else { Changes::Discard }),
    }
}

fn route(run: EventId, route: u64, version: &str, edges: usize) -> RunRoute {
    let (from, to) = (version.to_owned(), version.to_owned());
    RunRoute { run, route, contract: hash("contract"), from, to, edges: vec![hash("edge"); edges] }
}

fn proof(object: &str, pass: bool) -> ProofRecorded {
    ProofRecorded {
        object: object.to_owned(),
        contract: hash("contract"),
        fingerprint: hash("fingerprint"),
        proof: ContentHash::of(b"proof"),
        pass,
    }
}

fn migrated(run: EventId, text: &str, state: &ObjectState) -> ObjectMigrated {
    let verdicts = [("first", Verdict::True), (text, Verdict::False), ("", Verdict::NotApplicable)];
    ObjectMigrated {
        run,
        object: text.to_owned(),
        route: text.is_empty().then_some(MOST),
        operator: text.to_owned(),
        source: state.clone(),
        target: state.clone(),
        loss: hash("loss"),
        lost: MOST,
        reads_inputs: text.is_empty(),
        loss_list: text.is_empty().then(|| ContentHash::of(b"losses")),
        verdicts: verdicts.map(|(name, verdict)| (name.to_owned(), verdict)).into(),
        renamed: vec![
            Renamed {
                naming: text.to_owned(),
                old_hash: FixedBytes([0; 32]),
                new_hash: FixedBytes([255; 32]),
            };
            usize::from(text.is_empty()) * RENAMED_MAX
        ],
    }
}

fn hash(of: &str) -> CommitHash {
    CommitHash::of("test", &Cbor::from(of))
}
