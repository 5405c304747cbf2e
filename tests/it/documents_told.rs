//! What people read of a run on documents afterwards: the answer itself, the report, the certificate, the trace.

use crate::support::{a_tree, apply_plan, check_answer, done, plan_all};

const GOOD: &str = r#"{"v":1,"titel":"good"}"#;
const DRAFT: &str = r#"{"v":1,"titel":"good","draft":"d"}"#;

/// Ids of runs, and what follows from them, differ from run to run: clock and seed are drawn.
pub(crate) fn without_ids(text: &str) -> String {
    let word = |word: &str| {
        let hex = word.len() >= 12 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        if hex { format!("<{} digits>", word.len()) } else { word.to_owned() }
    };
    let parts = text.split_inclusive(|letter: char| !letter.is_ascii_alphanumeric());
    let masked = parts.map(|part| {
        let end = part.trim_end_matches(|letter: char| !letter.is_ascii_alphanumeric());
        let rest = part.get(end.len()..).unwrap_or_default();
        format!("{}{rest}", word(end))
    });
    masked.collect()
}

#[test]
fn m11_report_certificate_and_trace_read_as_they_always_did() {
    let place = a_tree(&[("a.json", DRAFT), ("b.json", GOOD)]);
    let id = plan_all(&place);
    let applied = place.run(&["apply", "../plan.json", "--accept-lossy", &id]);
    insta::assert_snapshot!("documents_applied", without_ids(&applied.whole()));
    for command in ["report", "certificate", "trace"] {
        let said = done(&place, &["migration", command]);
        insta::assert_snapshot!(format!("documents_{command}"), without_ids(&said.whole()));
        check_answer(command, &done(&place, &["migration", command, "--json"]).json());
    }
}

#[test]
fn m11_the_answer_of_a_run_lists_what_it_lost() {
    let place = a_tree(&[("a.json", DRAFT), ("b.json", GOOD)]);
    let id = plan_all(&place);
    let answer = apply_plan(&place, &id).json();
    check_answer("apply", &answer);
    let data = &answer["data"];
    assert_eq!((&data["values_lost"], &data["objects_failed"]), (&1.into(), &0.into()));
    assert_eq!(data["lossy"][0]["object"], "a.json");
    assert_eq!(data["lossy"][0]["what"]["path"], "/draft");
    let report = done(&place, &["migration", "report", "--json"]).json()["data"].clone();
    assert_eq!(report["migration_report"]["lossy"], data["lossy"]);
}
