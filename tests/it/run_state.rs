//! The built-in contracts `run-state` and `workflow-app`, with states of our own making.
//!
//! Expected reasons and texts are those that the users of such states know; hashes are of our own results.

use std::path::Path;

use glyph_ledger::contract::{Contract, VersionError, detect_document, load_file, resolve};
use glyph_ledger::document::{Value, json};
use glyph_ledger::schema::Schema;
use glyph_ledger::transform::{Attempt, Effect, Parameters, Programs, attempt};
use ledger_format::hash::ContentHash;

/// A contract as a migration uses it.
struct Ready {
    contract: Contract,
    programs: Programs,
    schema: Schema,
}

impl Ready {
    fn built_in(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/contract/built_in");
        let contract = load_file(&folder.join(name).join("contract.yaml")).unwrap();
        let given = [("processCwd", Value::text("/work"))];
        let programs = contract.programs().unwrap().with_parameters(given.into_iter().collect());
        let schema = &contract.scripts[&contract.schemas[&contract.current]];
        let schema = Schema::compile("current", &json::read(schema).unwrap().value).unwrap();
        Self { contract, programs, schema }
    }

    fn at(self, place: &str) -> Self {
        let given = [("processCwd", "/work"), ("statePath", place)];
        let given: Parameters =
            given.into_iter().map(|(name, value)| (name, Value::text(value))).collect();
        Self { programs: self.programs.with_parameters(given), ..self }
    }

    /// What comes of a state, and what was done to it.
    fn migrate(&self, text: &str) -> Result<(Value, Attempt), VersionError> {
        let mut document = json::read(text.as_bytes()).unwrap().value;
        let version = detect_document(&self.contract, &document)?;
        let edges = resolve(&self.contract, version, &self.contract.current).unwrap();
        let edges = edges.iter().map(|edge| edge.steps.as_slice());
        let mut all =
            Attempt { effects: Vec::new(), refusals: Vec::new(), complete: true, stopped_at: None };
        for steps in edges.chain([self.contract.normalize.as_slice()]) {
            let done = attempt(steps, &self.programs, &mut document);
            all.effects.extend(done.effects);
            all.refusals.extend(done.refusals);
            all.complete &= done.complete;
            if !all.complete {
                break;
            }
        }
        Ok((document, all))
    }

    fn changes(&self, text: &str) -> Vec<String> {
        let (_, done) = self.migrate(text).unwrap();
        assert_eq!(done.refusals, [], "{text}");
        done.effects.iter().map(|effect| effect.path.tokens().join(".")).collect()
    }

    fn refusals(&self, text: &str) -> (usize, Vec<String>) {
        let (_, done) = self.migrate(text).unwrap();
        let words = done.refusals.iter().map(|refusal| refusal.trouble.to_string()).collect();
        (done.effects.len(), words)
    }

    fn phases(&self, tasks: &str) -> String {
        let (state, _) = self.migrate(&format!("{{\"tasks\":{tasks}}}")).unwrap();
        let phases = state.as_map().unwrap().get("phases").unwrap();
        let style = json::Style {
            indent: None,
            colon: "".into(),
            end: "".into(),
            ..json::Style::default()
        };
        json::write(phases, &style).unwrap()
    }
}

const PARTIAL: &str = include_str!("../../fixtures/run-state/partial-0.json");
const BROKEN: &str = include_str!("../../fixtures/run-state/broken.json");
const COMPLETE: &str = include_str!("../../fixtures/run-state/complete-1.json");

#[test]
fn what_a_state_lacks_is_put_in_and_counted() {
    let ready = Ready::built_in("run-state");
    for (text, changes) in [
        ("{}", 44),
        (r#"{"id":"x","schemaVersion":1}"#, 42),
        (r#"{"schemaVersion":0,"id":"x"}"#, 43),
        (r#"{"collaboration":{}}"#, 48),
        (r#"{"audit":{},"inputs":null}"#, 42),
        (r#"{"id":"x","loopStage":"bogus"}"#, 43),
        (COMPLETE, 0),
    ] {
        assert_eq!(ready.changes(text).len(), changes, "{text}");
    }
    let changes = ready.changes("{}");
    let begin = ["schemaVersion", "id", "createdAt", "updatedAt", "cwd", "inputs", "loopStage"];
    assert_eq!(changes[..7], begin);
    assert_eq!(changes[12..15], ["paths", "paths.runDir", "paths.state"]);
    assert_eq!(changes[43], "phases");
}

#[test]
fn a_result_is_of_the_current_version_and_has_nothing_left_to_change() {
    let ready = Ready::built_in("run-state");
    for text in ["{}", PARTIAL, COMPLETE, r#"{"collaboration":{},"loopStage":["act"]}"#] {
        let (result, _) = ready.migrate(text).unwrap();
        assert_eq!(ready.schema.validate(&result), Ok(()), "{text}");
        let again = json::write(&result, &json::Style::default()).unwrap();
        assert_eq!(ready.changes(&again), [""; 0], "{text}");
    }
}

#[test]
fn results_are_those_of_yesterday() {
    let ready = Ready::built_in("run-state").at("/repo/.cw/runs/monday/state.json");
    let result = |text: &str| {
        let style = json::read(text.as_bytes()).unwrap().style;
        json::write(&ready.migrate(text).unwrap().0, &style).unwrap()
    };
    if std::env::var_os("GLYPH_LEDGER_WRITE_FIXTURES").is_some() {
        let fixture =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/run-state/complete-1.json");
        std::fs::write(fixture, result(PARTIAL)).unwrap();
    }
    assert_eq!(result(PARTIAL), COMPLETE);
    assert_eq!(result(COMPLETE), COMPLETE);
    let of_nothing = ContentHash::of(result("{}").as_bytes()).to_string();
    assert_eq!(of_nothing, "b2e1cd035325094146933fb66195645ad84ca94cd4c24c165dd4563d1f690703");
}

#[test]
fn everything_that_refuses_a_state_is_said_at_once() {
    let ready = Ready::built_in("run-state");
    for (text, changes, errors) in [
        ("[]", 0, &["Run state must be a JSON object."][..]),
        ("null", 0, &["Run state must be a JSON object."]),
        (r#"{"tasks":null}"#, 44, &["tasks must be an array when present."]),
        (r#"{"multiAgent":{"runs":5}}"#, 50, &["multiAgent.runs must be an array when present."]),
        (r#"{"collaboration":7}"#, 45, &["collaboration must be an object when present."]),
        (
            BROKEN,
            48,
            &[
                "workflow must be an object when present.",
                "tasks must be an array when present.",
                "multiAgent.runs must be an array when present.",
                "collaboration must be an object when present.",
            ],
        ),
        (
            r#"{"workflow":"x","paths":[],"audit":1,"phases":{}}"#,
            44,
            &[
                "workflow must be an object when present.",
                "paths must be an object when present.",
                "audit must be an object when present.",
                "phases must be an array when present.",
            ],
        ),
    ] {
        let errors: Vec<String> = errors.iter().copied().map(str::to_owned).collect();
        assert_eq!(ready.refusals(text), (changes, errors), "{text}");
    }
}

#[test]
fn what_is_no_version_is_refused_before_any_step() {
    let ready = Ready::built_in("run-state");
    for stated in ["null", "\"1\"", "true", "{}", "1.5", "1.0", "1e400"] {
        let error = ready.migrate(&format!("{{\"schemaVersion\":{stated}}}")).unwrap_err();
        assert!(matches!(error, VersionError::WrongType { .. }), "{stated}: {error}");
    }
    let refused = |stated: &str| {
        ready.migrate(&format!("{{\"schemaVersion\":{stated}}}")).unwrap_err().to_string()
    };
    assert_eq!(refused("2"), "the document states version 2, which is newer than 1");
    assert_eq!(refused("-1"), "the document states version -1, which is older than 0");
}

#[test]
fn a_loop_stage_that_is_none_is_replaced_and_lost() {
    let ready = Ready::built_in("run-state");
    for (text, lost) in [
        (r#"{"loopStage":"act"}"#, &[][..]),
        (r#"{"loopStage":"bogus"}"#, &["/loopStage"]),
        (r#"{"loopStage":{"a":1}}"#, &["/loopStage/a"]),
        (r#"{"loopStage":["act"]}"#, &["/loopStage/0"]),
    ] {
        let (_, done) = ready.migrate(text).unwrap();
        let found: Vec<String> =
            done.effects.iter().flat_map(Effect::lost).map(|place| place.to_string()).collect();
        assert_eq!(found, lost, "{text}");
    }
}

#[test]
fn phases_come_of_tasks_in_the_order_of_their_first() {
    let ready = Ready::built_in("run-state");
    let phases = ready.phases(
        r#"[{"id":"a","phase":"P Q","status":"completed"},{"id":"b","phase":"\u212a-Q"},{"id":"c"},
            {"phase":"z"},"junk",{"id":" \ufeff","phase":"y"},{"id":"d","phase":"P Q","status":"completed"}]"#,
    );
    assert_eq!(
        phases,
        "[{\"id\":\"p-q\",\"name\":\"P Q\",\"status\":\"completed\",\"taskIds\":[\"a\",\"d\"]},\
          {\"id\":\"k-q\",\"name\":\"\u{212a}-Q\",\"status\":\"pending\",\"taskIds\":[\"b\"]},\
          {\"id\":\"workflow\",\"name\":\"Workflow\",\"status\":\"pending\",\"taskIds\":[\"c\"]}]"
    );
    let twice = r#"[{"id":"d","status":"pending"},{"id":"d","status":"completed"}]"#;
    let twice = ready.phases(twice);
    assert!(twice.contains(r#""status":"pending","taskIds":["d","d"]"#), "{twice}");
}

#[test]
fn names_and_paths_follow_from_what_the_state_says() {
    let ready = Ready::built_in("run-state");
    let (state, _) = ready
        .migrate(r#"{"id":"r1","cwd":"/x/./y/..","workflowId":"\u00e9t\u00e9_of-98  x"}"#)
        .unwrap();
    let at = |place: &str| {
        let value = place.parse::<glyph_ledger::document::Pointer>().unwrap();
        value.get(&state).unwrap().as_text().unwrap().to_owned()
    };
    assert_eq!(at("/workflow/title"), "\u{c9}t\u{e9} Of 98 X");
    assert_eq!(at("/paths/runDir"), "/x/.cw/runs/r1");
    assert_eq!(at("/paths/multiAgentDir"), "/x/.cw/runs/r1/multi-agent");
    assert_eq!(at("/audit/eventLogPath"), "/x/.cw/runs/r1/audit/events.jsonl");
}

#[test]
fn a_state_without_a_folder_needs_one_from_outside() {
    let ready = Ready::built_in("run-state");
    let programs = ready.programs.with_parameters(Parameters::default());
    let ready = Ready { programs, ..ready };
    let (_, refusals) = ready.refusals("{}");
    assert_eq!(refusals.len(), 1);
    assert!(refusals[0].contains("the parameter processCwd is not given"), "{refusals:?}");
    assert_eq!(ready.at("/repo/.cw/runs/a/state.json").changes("{}").len(), 44);
}

#[test]
fn an_app_is_current_or_refused() {
    let ready = Ready::built_in("workflow-app");
    assert_eq!(ready.changes(r#"{"schemaVersion":1,"anything":true}"#), [""; 0]);
    for (text, expected) in [
        ("{}", "the document states version 0, which is older than 1"),
        (r#"{"schemaVersion":0}"#, "the document states version 0, which is older than 1"),
        ("[]", "the document states version 0, which is older than 1"),
        (r#"{"schemaVersion":2}"#, "the document states version 2, which is newer than 1"),
    ] {
        assert_eq!(ready.migrate(text).unwrap_err().to_string(), expected, "{text}");
    }
}
