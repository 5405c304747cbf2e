//! The built-in contract `nbformat`, on notebooks of our own making.
//!
//! `bench notebooks --from fixtures/notebooks` compares the same files with the converter that people know.

use std::fs;
use std::path::{Path, PathBuf};

use glyph_ledger::contract::registry::load_named;
use glyph_ledger::migrate::documents::{Evaluation, Outside, Prepared, Status};

fn prepared() -> Prepared {
    Prepared::of(load_named("nbformat").unwrap(), &Outside::default()).unwrap()
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/notebooks")
}

fn result(evaluation: &Evaluation) -> String {
    assert_eq!(evaluation.refusals, []);
    String::from_utf8(evaluation.result.clone().unwrap().bytes).unwrap()
}

fn lost(evaluation: &Evaluation) -> Vec<String> {
    evaluation.lost.iter().map(|lost| lost.path.to_string()).collect()
}

/// A notebook with one cell.
fn with(cell: &str) -> String {
    let (before, after) =
        (r#"{"metadata":{},"nbformat":3,"nbformat_minor":0,"worksheets":[{"cells":["#, "]}]}");
    format!("{before}{cell}{after}")
}

fn code(fields: &str) -> String {
    with(&format!(r#"{{"cell_type":"code","input":"","language":"python",{fields}}}"#))
}

#[test]
fn notebooks_become_what_is_expected_and_stay_so() {
    let prepared = prepared();
    for name in ["outputs.ipynb", "worksheets.ipynb"] {
        let source = fs::read(fixtures().join(name)).unwrap();
        let expected = fs::read_to_string(fixtures().join("expected").join(name)).unwrap();
        let evaluation = prepared.evaluate(&source, None);
        assert_eq!(evaluation.status, Status::Migrated);
        assert_eq!(result(&evaluation), expected, "{name}");
        let again = prepared.evaluate(expected.as_bytes(), None);
        assert_eq!((again.status, result(&again)), (Status::Current, expected), "{name}");
    }
}

#[test]
fn what_is_lost_is_what_version_4_has_no_place_for() {
    let source = fs::read(fixtures().join("outputs.ipynb")).unwrap();
    let lost = lost(&prepared().evaluate(&source, None));
    let expected = [
        "/metadata/name",
        "/metadata/signature",
        "/worksheets/0/metadata",
        "/cells/0/level",
        "/cells/0/source/0",
        "/cells/0/source/1",
        "/cells/0/cell_type",
        "/cells/1/metadata/trusted",
        "/cells/1/language",
        "/cells/1/outputs/1/data/application~1json",
    ];
    assert_eq!(lost, expected);
}

#[test]
fn lines_without_ends_get_them_once() {
    let source = |cell: &str| result(&prepared().evaluate(with(cell).as_bytes(), None));
    let lines = source(r#"{"cell_type":"raw","source":["a","b\n","c"]}"#);
    assert!(lines.contains(r#""source":["a\n","b\n\n","c"]"#), "{lines}");
    let lines = source(r#"{"cell_type":"raw","source":["a\n","b","c"]}"#);
    assert!(lines.contains(r#""source":["a\n","b","c"]"#), "{lines}");
}

#[test]
fn the_minor_versions_of_4_are_current() {
    for minor in ["0", "4", "5", "6"] {
        let text =
            format!(r#"{{"metadata":{{}},"nbformat":4,"nbformat_minor":{minor},"cells":[]}}"#);
        assert_eq!(prepared().evaluate(text.as_bytes(), None).status, Status::Current, "{minor}");
    }
}

#[test]
fn what_cannot_be_converted_is_refused_with_its_place() {
    let heading = r#"{"cell_type":"heading","level":7,"source":""}"#;
    let other = |fields| code(&format!(r#""outputs":[{{"output_type":"display_data",{fields}}}]"#));
    for (text, code, place) in [
        ("{\"nbformat\":2}".to_owned(), "MIGRATION_BELOW_MINIMUM", None),
        ("{\"nbformat\":5}".to_owned(), "MIGRATION_ABOVE_CURRENT", None),
        ("{\"nbformat\":\"3\"}".to_owned(), "MIGRATION_VERSION_TYPE", None),
        (with(heading), "STEP_FAILED", Some("/cells/0")),
        (with("{}"), "STEP_FAILED", Some("/cells/0/cell_type")),
        (code(r#""outputs":null"#), "STEP_FAILED", Some("/cells/0/outputs")),
        (code(r#""prompt_number":"7","outputs":[]"#), "OUTCOME_INVALID", Some("/cells/0/execution_count")),
        (other(r#""application/x-own":"x""#), "OUTCOME_INVALID", Some("/cells/0/outputs/0")),
        (other(r#""png":"x","image/png":"y""#), "STEP_FAILED", Some("/cells/0/outputs/0/data/image~1png")),
        (
            r#"{"metadata":{},"nbformat":3,"nbformat_minor":0,"worksheets":[{"cells":[]},{"cells":[]}],"cells":[]}"#
                .to_owned(),
            "STEP_FAILED",
            Some(""),
        ),
    ] {
        let refusals = prepared().evaluate(text.as_bytes(), None).refusals;
        let first = refusals.first().map(|refusal| {
            (refusal.code.id, refusal.path.as_ref().map(ToString::to_string))
        });
        assert_eq!(first, Some((code, place.map(str::to_owned))), "{text}: {refusals:?}");
    }
}
