//! What commands say of a tree of documents in which not all is well: none of them says that it is fine, each finds the ledger
//! that has what it is asked about, and what it says to do next can be typed and leads on.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::{Value, json};

use crate::support::{
    Place, Said, Shape, a_glyph_store, a_shelf, a_tree, beside, check_answer, done,
};

const GOOD: &str = r#"{"v":1,"titel":"good"}"#;
const CURRENT: &str = r#"{"v":3,"title":"good"}"#;
const NEWER: &str = r#"{"v":9}"#;

/// The commands that an answer says to run next, without the program's name.
fn next(answer: &Value) -> Vec<Vec<String>> {
    let words = |command: &Value| -> Vec<String> {
        let words = command["argv"].as_array().unwrap().iter().skip(1);
        words.map(|word| word.as_str().unwrap().to_owned()).collect()
    };
    answer["next"].as_array().unwrap().iter().map(words).collect()
}

fn typed(place: &Place, words: &[String]) -> Said {
    place.run(&words.iter().map(String::as_str).collect::<Vec<_>>())
}

/// The last command that an answer says to run next, which must succeed.
fn followed(place: &Place, said: &Said) -> Vec<String> {
    let words = next(&said.json()).pop().unwrap();
    let after = typed(place, &words);
    assert_eq!(after.exit, 0, "{words:?} after {said:?}: {after:?}");
    words
}

fn code(said: &Said) -> (i32, Value) {
    (said.exit, said.json()["diagnostics"][0]["code"].clone())
}

#[test]
fn status_finds_the_document_that_check_finds() {
    let place = a_tree(&[("good.json", CURRENT), ("new.json", NEWER), ("torn.json", "{")]);
    let checked = place.run(&["check", "--json"]);
    assert_eq!(code(&checked), (4, "MIGRATION_ABOVE_CURRENT".into()));
    for flags in [&["status", "--json"][..], &["status", "--json", "--detailed-exitcode"]] {
        let status = place.run(flags);
        check_answer("status", &status.json());
        assert_eq!(status.json()["diagnostics"], checked.json()["diagnostics"], "{status:?}");
        assert_eq!((status.exit, &status.json()["data"]["unsupported"]), (4, &json!(2)));
        assert_eq!(next(&status.json()), [["check"]]);
    }
    let said = place.run(&["status"]);
    assert!(said.stdout.contains("unsupported 2\n    new.json\n    torn.json\n"), "{said:?}");
    let told = "the document states version 9, which is newer than 3, and 1 more\n  at: new.json\n";
    assert!(said.stderr.contains(told), "{said:?}");

    // Where something is to be migrated beside them, that can be done without them.
    fs::write(place.work().join("old.json"), GOOD).unwrap();
    let status = place.run(&["status", "--json"]);
    let words = followed(&place, &status);
    let plan =
        ["plan", "-o", "../plan.json", "--leave-out", "new.json", "--leave-out", "torn.json"];
    assert_eq!(words, plan);
    done(&place, &["apply", "../plan.json"]);
    // What the last run left out is not forgotten.
    fs::write(place.work().join("old.json"), GOOD).unwrap();
    followed(&place, &place.run(&["status", "--json"]));
    // A handful is named; where there are more, `check` tells them all.
    for more in 0..6 {
        fs::write(place.work().join(format!("{more}.json")), NEWER).unwrap();
    }
    let status = place.run(&["status", "--json"]).json();
    assert_eq!(next(&status), [["check"]]);
}

#[test]
fn check_and_prove_find_the_ledger_of_what_they_are_asked_about() {
    let place = a_shelf(&[]);
    for folder in ["runs", "runs/sub", "other"] {
        fs::create_dir(place.work().join(folder)).unwrap();
    }
    for file in ["runs/a.json", "runs/sub/b.json", "other/c.json"] {
        fs::write(place.work().join(file), CURRENT).unwrap();
    }
    done(&place, &["init", "--documents", "runs", "--contract", "../contracts/book.yaml"]);
    for (target, documents) in [("runs", 2), ("runs/sub", 1), ("runs/a.json", 1)] {
        let said = done(&place, &["check", target, "--json"]).json();
        assert_eq!(
            (&said["data"]["recorded"], &said["data"]["current"]),
            (&json!(true), &json!(documents)),
            "{target}: {said}"
        );
        let said = done(&place, &["check", target]);
        assert!(!said.stderr.contains("not recorded"), "{said:?}");
    }
    let proved = done(&place, &["prove", "runs", "--json"]).json();
    assert_eq!((&proved["data"]["recorded"], &proved["data"]["passed"]), (&json!(true), &json!(2)));
    // From within another tree it is that of the target all the same, and what no ledger has is not recorded.
    done(&place, &["init", "--documents", "other", "--contract", "../contracts/book.yaml"]);
    let from = |folder: &str, arguments: &[&str]| {
        let folder = place.work().join(folder);
        place.said_by(place.command(arguments).current_dir(folder)).json()
    };
    assert_eq!(from("other", &["check", "../runs", "--json"])["data"]["recorded"], true);
    assert_eq!(from("runs", &["check", "../contracts", "--json"])["ok"], false);
    fs::create_dir(place.work().join("nobody")).unwrap();
    fs::write(place.work().join("nobody/d.json"), CURRENT).unwrap();
    let said = from("runs", &["check", "../nobody", "--json"]);
    assert_eq!((&said["ok"], &said["data"]["recorded"]), (&json!(true), &json!(false)), "{said}");
}

#[test]
fn prove_without_a_target_is_of_the_documents_in_care() {
    let place = a_tree(&[("a.json", GOOD)]);
    let proved = place.run(&["prove", "--json"]);
    check_answer("prove", &proved.json());
    assert_eq!((proved.exit, &proved.json()["data"]["recorded"]), (0, &json!(true)), "{proved:?}");
    assert_eq!(followed(&place, &proved), ["proof", "verify", "."]);
}

#[test]
fn where_nothing_is_that_is_said_whatever_is_to_be_left_out() {
    let place = Place::new();
    for command in ["plan", "apply"] {
        let said = place.run(&[command, "--leave-out", "x", "--json"]);
        assert_eq!(code(&said), (2, "NOTHING_HERE".into()), "{said:?}");
    }
    a_glyph_store(&place, Shape::First);
    done(&place, &["init"]);
    for command in ["plan", "apply"] {
        let said = place.run(&[command, "--leave-out", "x", "--json"]);
        assert_eq!(code(&said), (2, "USAGE".into()), "{said:?}");
    }
}

#[test]
fn what_cannot_be_a_document_is_left_out_by_its_name_in_the_tree() {
    let place = a_shelf(&[]);
    let tree = place.work().join("ln");
    fs::create_dir(&tree).unwrap();
    fs::write(tree.join("a.json"), CURRENT).unwrap();
    symlink("a.json", tree.join("p.json")).unwrap();
    let by = ["--contract", "../contracts/book.yaml"];
    let check = place.run(&[&["check", "ln"], &by[..], &["--json"]].concat());
    assert_eq!(code(&check), (4, "STORE_INVALID".into()));
    let words = followed(&place, &check);
    assert_eq!(words, [&["check", "ln"], &by[..], &["--leave-out", "p.json"]].concat());
    // One after the other, each with those before.
    symlink("a.json", tree.join("q.json")).unwrap();
    let check = typed(&place, &[words.as_slice(), &["--json".to_owned()]].concat());
    assert_eq!(followed(&place, &check)[4..], ["--leave-out", "p.json", "--leave-out", "q.json"]);
    fs::remove_file(tree.join("q.json")).unwrap();
    let init = place.run(&[&["init", "--documents", "ln"], &by[..], &["--json"]].concat());
    let words = followed(&place, &init);
    assert_eq!(words[4..], ["--leave-out", "p.json", "ln"]);
    // With a ledger, and as seen from its tree.
    symlink("a.json", tree.join("q.json")).unwrap();
    let within = |arguments: &[&str]| place.said_by(place.command(arguments).current_dir(&tree));
    for command in ["plan", "status"] {
        let said = within(&[command, "--json"]);
        let words = next(&said.json()).pop().unwrap();
        assert_eq!(words, ["plan", "--leave-out", "q.json"], "{command}: {said:?}");
        assert_eq!(within(&words.iter().map(String::as_str).collect::<Vec<_>>()).exit, 0);
    }
}

#[test]
fn a_refused_plan_is_made_without_all_that_is_refused_and_where_it_was_to_be() {
    let place = a_tree(&[("good.json", GOOD), ("new.json", NEWER), ("torn.json", "{")]);
    let ask = ["plan", "--to", "2", "-o", "../p.json", "--json"];
    let refused = place.run(&ask);
    assert_eq!(refused.exit, 4, "{refused:?}");
    let words = followed(&place, &refused);
    let left_out = ["--leave-out", "new.json", "--leave-out", "torn.json"];
    assert_eq!(words, [&["plan", "--to", "2", "-o", "../p.json"], &left_out[..]].concat());
    done(&place, &["apply", "../p.json"]);
    // What was left out already stays left out.
    fs::write(place.work().join("late.json"), "7").unwrap();
    let refused = place.run(&[&["plan", "-o", "../p.json", "--json"], &left_out[..]].concat());
    assert_eq!(followed(&place, &refused)[7..], ["--leave-out", "late.json"]);
    let refused = place.run(&[&["apply", "--json"], &left_out[..]].concat());
    let words = followed(&place, &refused);
    assert_eq!(words, [&["plan"], &left_out[..], &["--leave-out", "late.json"]].concat());
    // Too many to be named.
    for more in 0..6 {
        fs::write(place.work().join(format!("{more}.json")), NEWER).unwrap();
    }
    let refused = place.run(&["plan", "-o", "../p.json", "--json"]).json();
    let said = next(&refused);
    assert_eq!(said[1..], [vec!["check"], vec!["plan", "-o", "../p.json", "--leave-out", "GLOB"]]);
}

#[test]
fn a_plan_that_no_longer_fits_is_made_again_where_it_was() {
    let place = a_tree(&[("a.json", GOOD)]);
    done(&place, &["plan", "-o", "../mine.json"]);
    fs::write(place.work().join("a.json"), r#"{"v":1,"titel":"other"}"#).unwrap();
    let stale = place.run(&["apply", "../mine.json", "--json"]);
    assert_eq!(code(&stale), (8, "PLAN_STALE".into()));
    assert_eq!(followed(&place, &stale), ["plan", "-o", "../mine.json"]);
    done(&place, &["apply", "../mine.json"]);
    assert!(!beside(&place, "plan.json").exists());
}

#[test]
fn a_plan_is_told_to_be_kept_where_it_is_no_document() {
    let place = a_tree(&[("a.json", GOOD)]);
    for command in ["plan", "status"] {
        let said = done(&place, &[command, "--json"]);
        assert_eq!(followed(&place, &said), ["plan", "-o", "../plan.json"], "{command}");
    }
}

#[test]
fn a_contract_that_was_moved_away_is_gone_on_without_as_the_ledger_keeps_it() {
    let place = a_tree(&[("a.json", GOOD)]);
    let (contract, moved) = (beside(&place, "contracts"), beside(&place, "moved"));
    // Before the first run nothing is kept: which file says where it is, is said.
    fs::rename(&contract, &moved).unwrap();
    for command in [&["status"][..], &["plan"]] {
        let said = place.run(&[command, &["--json"]].concat());
        assert_eq!(code(&said), (1, "IO".into()));
        let message = said.json()["diagnostics"][0]["message"].to_string();
        assert!(message.contains(".glyph-ledger/documents.json"), "{message}");
    }
    fs::rename(&moved, &contract).unwrap();
    done(&place, &["apply"]);
    fs::write(place.work().join("b.json"), GOOD).unwrap();
    let before = done(&place, &["status", "--json"]).json();
    fs::rename(&contract, &moved).unwrap();
    let told = "gone by what the ledger keeps";
    let status = done(&place, &["status"]);
    assert!(status.stderr.contains(told) && status.stderr.contains("documents.json"), "{status:?}");
    let status = done(&place, &["status", "--json"]).json();
    assert_eq!(status["data"], before["data"]);
    // No plan can be made by what the ledger keeps.
    assert_eq!(next(&status), Vec::<Vec<String>>::new());
    assert_eq!(code(&place.run(&["plan", "--json"])), (1, "IO".into()));
    let undone = done(&place, &["undo"]);
    assert!(undone.stderr.contains(told), "{undone:?}");
    // Nor can anything be checked; what is said to be done next leads there and back all the same.
    let back = done(&place, &["migration", "rollback", "--to", "@-1", "--json"]).json();
    for words in next(&back) {
        assert_eq!(typed(&place, &words).exit, 0, "{words:?}");
    }
}

#[test]
fn what_is_gone_over_is_named() {
    let ids: Vec<String> = (0..23).map(|number| format!("{number:02}.json")).collect();
    let place = a_tree(&ids.iter().map(|id| (id.as_str(), GOOD)).collect::<Vec<_>>());
    done(&place, &["apply"]);
    for id in &ids[1..] {
        fs::write(place.work().join(id), r#"{"v":3,"title":"mine"}"#).unwrap();
    }
    let undone = done(&place, &["undo", "--discard-changes"]).stdout;
    let shown = format!("    {}\n", ids[1..21].join("\n    "));
    let head = "  gone over    22 changed documents; what stood there stays kept in the ledger:\n";
    let more = "    and 2 more; `log` has each (object.observed)\n";
    assert!(undone.contains(&[head, &shown, more].concat()), "{undone}");
    // The way forward brings back what stood there, over nothing that anybody wrote.
    let answer = done(&place, &["migration", "rollback", "--to", "@-1", "--json"]).json();
    assert_eq!(answer["data"]["gone_over"], Value::Null, "{answer}");
    fs::write(place.work().join("00.json"), r#"{"v":3,"title":"mine"}"#).unwrap();
    let answer = done(&place, &["undo", "--discard-changes", "--json"]).json();
    check_answer("undo", &answer);
    assert_eq!(answer["data"]["gone_over"], json!({"ids": ["00.json"], "total": 1}));
}

#[test]
fn a_step_that_cannot_be_taken_is_named_with_what_is_missing() {
    let place = a_tree(&[("a.json", GOOD)]);
    crate::support::set_contract(&place, |text| {
        text.replace(
            "- {rename: {path: /titel, to: title}}",
            "- {move: {from: /titel, to: /meta/title, optional: true}}",
        )
    });
    let said = place.run(&["check", "--json"]);
    assert_eq!(code(&said), (6, "STEP_FAILED".into()), "{said:?}");
    let told = &said.json()["diagnostics"][0];
    assert_eq!(
        told["message"],
        "/meta: nothing stands here, and \"title\" was to be put into it: a step before this one has to make the object (step 2 of 1 \u{2192} 2)"
    );
}

#[test]
fn lines_state_their_version_each() {
    let place = Place::new();
    let write = |id: &str, text: &str| fs::write(place.work().join(id), text).unwrap();
    let line =
        |v: u8, key: &str, text: &str| format!("{{\"v\":{v},\"id\":1,\"{key}\":\"{text}\"}}\n");
    let (old, new) = (line(1, "msg", "a") + &line(1, "msg", "b"), line(2, "text", "a"));
    write("old.jsonl", &old);
    write("new.jsonl", &new);
    let draft = ["migration", "new", "old.jsonl", "new.jsonl", "-o", "../lines.yaml", "--json"];
    let drafted = done(&place, &draft).json();
    assert_eq!(drafted["data"]["lossy"], json!([]), "{drafted}");
    let contract = beside(&place, "lines.yaml");
    let text = fs::read_to_string(&contract).unwrap().replace("**/new.jsonl", "*.jsonl");
    fs::write(&contract, text).unwrap();
    done(&place, &["init", "--documents", "--contract", "../lines.yaml"]);
    let planned = done(&place, &["plan", "-o", "../plan.json", "--json"]).json();
    assert_eq!(planned["data"]["values_lost"], 0);
    done(&place, &["apply", "../plan.json"]);
    let read = || fs::read_to_string(place.work().join("old.jsonl")).unwrap();
    assert_eq!(read(), line(2, "text", "a") + &line(2, "text", "b"));
    done(&place, &["undo"]);
    assert_eq!(read(), old);
    // A file of several versions is of none.
    for (mixed, told) in [
        (line(2, "text", "a") + &line(1, "msg", "b"), "line 1 states 2, line 2 states 1"),
        (line(1, "msg", "a") + &line(2, "text", "b"), "line 1 states 1, line 2 states 2"),
    ] {
        write("old.jsonl", &mixed);
        let said = place.run(&["check", "old.jsonl", "--json"]);
        assert_eq!(code(&said), (4, "MIGRATION_VERSION_AMBIGUOUS".into()), "{said:?}");
        let message = &said.json()["diagnostics"][0]["message"];
        assert_eq!(*message, format!("mixed versions: {told}"));
    }
}

#[test]
fn what_runs_of_documents_did_is_told_by_kind_and_version() {
    let place = a_tree(&[("a.json", GOOD), ("b.json", GOOD), ("c.json", r#"{"v":2,"title":"t"}"#)]);
    done(&place, &["apply"]);
    let ways = "  book 1.0.0  1 -> 3: 2 documents\n  book 1.0.0  2 -> 3: 1 document\n";
    let said = done(&place, &["diff", "@-1", "@"]).stdout;
    assert!(said.starts_with("documents  ("), "{said}");
    assert!(said.contains(&format!("\nruns in between\n{ways}")), "{said}");
    check_answer("diff", &done(&place, &["diff", "@-1", "@", "--json"]).json());
    done(&place, &["undo"]);
    let said = done(&place, &["diff", "@-1", "@"]).stdout;
    assert!(said.contains("\nruns in between\n  put back: 3 documents\n"), "{said}");
    let log = done(&place, &["log"]).stdout;
    assert!(log.contains("migrate 3 documents, plan "), "{log}");
    assert!(log.contains("roll back 3 documents, plan "), "{log}");
    for said in [said, log] {
        assert!(!said.contains("mixed"), "{said}");
    }
    // What is gone was not changed.
    done(&place, &["apply"]);
    fs::remove_file(place.work().join("b.json")).unwrap();
    let told = place.run(&["undo", "--json"]).json()["diagnostics"][0]["message"].clone();
    assert_eq!(told, "is gone: b.json");
    fs::write(place.work().join("a.json"), r#"{"v":3,"title":"mine"}"#).unwrap();
    let told = place.run(&["undo", "--json"]).json()["diagnostics"][0]["message"].clone();
    assert_eq!(told, "changed since: a.json; is gone: b.json");
}
