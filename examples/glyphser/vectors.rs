//! For each operator: what it is called with, and what it answers. At least one vector a code that it may refuse with.

use glyph_ledger::document::{Value, json};
use glyph_ledger::operators::{OPERATORS, call};
use serde_json::{Value as Json, json};

use super::Made;
use super::set::{checkpoint, parameters, pretty, value};

/// A file an operator.
pub(crate) fn files() -> Made<Vec<(String, String)>> {
    OPERATORS
        .iter()
        .map(|operator| {
            let mut vectors = Vec::new();
            for (name, request) in requests(operator.id)? {
                let mut vector = json!({"name": name, "request": request});
                match call(operator.id, &value(&request)?) {
                    Ok(response) => vector["response"] = plain(&response)?,
                    Err(error) => vector["error"] = plain(&error.to_value())?,
                }
                vectors.push(vector);
            }
            let file = json!({"operator_id": operator.id, "vectors": vectors});
            Ok((format!("{}.json", operator.id), pretty(&file)?))
        })
        .collect()
}

fn plain(value: &Value) -> Made<Json> {
    Ok(serde_json::from_str(&json::write(value, &json::Style::default())?)?)
}

type Requests = Vec<(&'static str, Json)>;

fn requests(operator: &str) -> Made<Requests> {
    match operator {
        "Glyphser.Migrate.Manifest" => Ok(manifest()),
        "Glyphser.Migrate.Trace" => Ok(trace()),
        "Glyphser.Migrate.Checkpoint" => of_checkpoint(),
        "Glyphser.Migrate.ValidateOutcome" => Ok(validate()),
        "Glyphser.Error.Emit" => Ok(emit()),
        _ => Err(format!("{operator} has no vectors").into()),
    }
}

fn manifest() -> Requests {
    let old =
        json!({"spec_version": "UML_OS.Config.SchemaValidator_v1", "seed": 42, "rate": 0.001});
    let new = json!({"spec_version": "Glyphser.Config.SchemaValidator", "seed": 42});
    vec![
        ("version 1 becomes version 2", json!({"source": old, "target_version": "2"})),
        ("version 2 stays", json!({"source": new, "target_version": "2"})),
        ("down is no way", json!({"source": new, "target_version": "1"})),
        ("no such target version", json!({"source": old, "target_version": "3"})),
        (
            "no such source version",
            json!({"source": {"spec_version": "Other"}, "target_version": "2"}),
        ),
        (
            "a version that is no text",
            json!({"source": {"spec_version": 2}, "target_version": "2"}),
        ),
        ("no source", json!({"target_version": "2"})),
        ("a target version that is no text", json!({"source": old, "target_version": 2})),
        ("a field that is none", json!({"source": old, "target_version": "2", "force": true})),
        ("no request", json!([])),
    ]
}

/// The three records of the known answers, with a head.
fn chained(version: &str, head: &str) -> Json {
    json!({"trace_schema_version": version, "records": [
        {"kind": "RUN_HEADER", "schema_version": "1", "run_id": "r1"},
        {"kind": "ITER", "t": 0, "rank": 0, "operator_seq": 0, "operator_id": "op.a", "loss_total": 0.1},
        {"kind": "RUN_END", "status": "OK"}
    ], "trace_final_hash": head})
}

fn trace() -> Requests {
    let t1 = "e532109370458a9894125077529dacf7ed056306fc6f5d6465a11bbdaac5f45f";
    let t3 = "f78a647484049aab14d089285c1b5232c500dcd8b467313a114deae5de7ed8e6";
    let t4 = "d8fa73fbfbdecede32c4609bed56d423947cf6b4374422517e25b15935e78604";
    let mut inside = chained("T4", t4);
    inside["records"][2]["trace_final_hash"] = t4.into();
    let mut odd = chained("T3", t3);
    odd["records"][1] = json!(7);
    vec![
        ("T1 becomes T4", json!({"source": chained("T1", t1), "target_version": "T4"})),
        ("T1 becomes T2", json!({"source": chained("T1", t1), "target_version": "T2"})),
        ("T3 becomes T4", json!({"source": chained("T3", t3), "target_version": "T4"})),
        ("T4 stays", json!({"source": chained("T4", t4), "target_version": "T4"})),
        (
            "a head of another generation",
            json!({"source": chained("T2", t1), "target_version": "T4"}),
        ),
        ("a head that fits nothing", json!({"source": chained("T4", t1), "target_version": "T4"})),
        (
            "a head that is no hash",
            json!({"source": chained("T3", "F78A"), "target_version": "T4"}),
        ),
        ("a record that is none", json!({"source": odd, "target_version": "T4"})),
        ("a head inside of a record", json!({"source": inside, "target_version": "T4"})),
        ("down is no way", json!({"source": chained("T4", t4), "target_version": "T1"})),
        ("no such source version", json!({"source": chained("T9", t4), "target_version": "T4"})),
        (
            "a version that is no text",
            json!({"source": {"trace_schema_version": 4}, "target_version": "T4"}),
        ),
        (
            "parameters that are no object",
            json!({"source": chained("T3", t3), "target_version": "T4", "parameters": []}),
        ),
    ]
}

fn of_checkpoint() -> Made<Requests> {
    let hash = "11".repeat(32);
    let good = checkpoint(&hash, &hash)?;
    let given = parameters();
    let up = json!({"source": good, "target_version": "C4", "parameters": given});
    let up = call("Glyphser.Migrate.Checkpoint", &value(&up)?)?;
    let newer = plain(&up)?["target"].clone();
    let mut renamed = good.clone();
    renamed["header"]["run_id"] = "r2".into();
    let mut odd = good.clone();
    odd["header"]["checkpoint_hash"] = "no hash".into();
    let mut unknown = good.clone();
    unknown["header"]["checkpoint_schema_version"] = "C1".into();
    let mut number = good.clone();
    number["header"]["checkpoint_schema_version"] = 2.into();
    Ok(vec![
        ("C2 becomes C7", json!({"source": good, "target_version": "C7", "parameters": given})),
        ("C2 becomes C4", json!({"source": good, "target_version": "C4", "parameters": given})),
        ("C2 stays", json!({"source": good, "target_version": "C2"})),
        ("required and not given", json!({"source": good, "target_version": "C7"})),
        (
            "changed and not hashed again",
            json!({"source": renamed, "target_version": "C7", "parameters": given}),
        ),
        (
            "a hash that is none",
            json!({"source": odd, "target_version": "C7", "parameters": given}),
        ),
        (
            "no such target version",
            json!({"source": good, "target_version": "C8", "parameters": given}),
        ),
        ("down is no way", json!({"source": newer, "target_version": "C2"})),
        ("no such source version", json!({"source": unknown, "target_version": "C7"})),
        ("a version that is no text", json!({"source": number, "target_version": "C7"})),
        ("no target version", json!({"source": good})),
    ])
}

fn validate() -> Requests {
    let invariant = |id: &str, expr: &str| json!({"id": id, "expr": expr});
    let with = |invariants: Json| json!({"source": {"n": 1}, "target": {"n": 1, "m": 2}, "invariants": invariants});
    vec![
        ("all hold", with(json!([invariant("same-n", ".source.n == .target.n")]))),
        ("none asked", with(json!([]))),
        (
            "what fails is sorted by path",
            with(json!([
                invariant("z", "false"),
                invariant("a/b", ".target.m == 3"),
                invariant("fine", "true"),
                invariant("m", "error(\"no answer\")"),
            ])),
        ),
        ("a number is no answer", with(json!([invariant("count", "1")]))),
        ("a program that is none", with(json!([invariant("broken", "][")]))),
        ("no time in programs", with(json!([invariant("clock", "now > 0")]))),
        ("invariants that are no list", with(json!({}))),
        ("an invariant without id", with(json!([{"expr": "true"}]))),
        ("no target", json!({"source": 1, "invariants": []})),
    ]
}

fn emit() -> Requests {
    let with = |code: &str, path: &str| json!({"code_id": code, "operator_id": "Glyphser.Migrate.Trace", "message": "the head does not fit", "path": path});
    vec![
        ("configuration", with("LINK_STALE", "/trace_final_hash")),
        ("evidence", with("LEDGER_DAMAGED", "")),
        ("security", with("SIGNATURE_BAD", "")),
        ("runtime, retryable", with("BUSY", "")),
        ("replay", with("REPLAY_DIVERGENCE", "/records/0")),
        ("not registered", with("NO_SUCH_CODE", "")),
        ("names have one spelling", with("busy", "")),
        ("a path that is no pointer", with("BUSY", "records")),
        ("no code", json!({"operator_id": "x", "message": "y", "path": ""})),
    ]
}
