//! What people read of a run on documents afterwards: the answer itself, the report, the certificate, the trace.

use crate::support::{a_tree, apply_plan, check_answer, done, plan_all, set_contract};

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
fn names_as_long_as_file_systems_take_them_go_there_and_back() {
    let names: Vec<String> =
        [237, 238, 255].map(|bytes| format!("{}.json", "n".repeat(bytes - 5))).into();
    let documents: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), GOOD)).collect();
    let place = a_tree(&documents);
    let read = |name: &String| std::fs::read_to_string(place.work().join(name)).unwrap();
    done(&place, &["apply"]);
    assert!(names.iter().all(|name| read(name).contains("title")));
    done(&place, &["undo"]);
    assert!(names.iter().all(|name| read(name) == GOOD));
    let beside = std::fs::read_dir(place.work()).unwrap().count();
    assert_eq!(beside, names.len() + 1, "nothing but the ledger stands beside them");
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
fn before_the_first_run_there_is_none_to_tell_of() {
    let place = a_tree(&[("a.json", GOOD)]);
    for command in ["report", "certificate", "trace"] {
        let said = place.run(&["migration", command, "--json"]);
        let answer = said.json();
        let told = &answer["diagnostics"][0];
        assert_eq!((said.exit, &told["code"]), (2, &"NO_RUN".into()), "{answer}");
        assert_eq!(told["message"], "there was no run yet");
        assert_eq!(answer["next"][0]["argv"][1], "status");
    }
}

#[test]
fn an_answer_says_how_many_documents_went_from_which_version_to_which() {
    let place = a_tree(&[("a.json", GOOD), ("b.json", GOOD), ("c.json", r#"{"v":2,"title":"t"}"#)]);
    let applied = done(&place, &["apply", "--json"]).json();
    check_answer("apply", &applied);
    let way = |from: &str, documents: u64| {
        serde_json::json!({
            "kind": "book", "contract_version": "1.0.0", "from": from, "to": "3", "documents": documents
        })
    };
    assert_eq!(applied["data"]["ways"], serde_json::json!([way("1", 2), way("2", 1)]));
    let back = done(&place, &["undo"]);
    assert!(back.stdout.starts_with("rolled back 3 documents\n"), "{back:?}");
    let said = done(&place, &["apply"]).stdout;
    let expected = "migrated 3 documents\n  book 1.0.0  1 -> 3: 2 documents\n  book 1.0.0  2 -> 3: 1 document\n";
    assert!(said.starts_with(expected), "{said}");
}

#[test]
fn no_answer_is_written_where_it_would_be_a_document() {
    let place = a_tree(&[("a.json", GOOD), ("b.json", r#"{"v":2,"title":"good"}"#)]);
    let example = ["migration", "new", "a.json", "b.json", "-o"];
    for command in [&["export", "-o"][..], &["plan", "-o"], &example] {
        for (file, exit) in
            [("in.json", 2), ("sub/../in.json", 2), ("in.txt", 0), ("../out.json", 0)]
        {
            std::fs::create_dir_all(place.work().join("sub")).unwrap();
            let said = place.run(&[command, &[file]].concat());
            assert_eq!(said.exit, exit, "{command:?} {file}: {said:?}");
            if exit == 2 {
                assert!(said.stderr.contains("would be one of the documents"), "{said:?}");
                assert!(!place.work().join("in.json").exists());
            } else {
                std::fs::remove_file(place.work().join(file)).unwrap();
            }
        }
    }
}

#[test]
fn a_missing_value_is_told_with_the_option_that_gives_it() {
    let place = a_tree(&[("a.json", GOOD)]);
    set_contract(&place, |text| {
        text.replace(
            "- {rename:",
            "- {add: {path: /shelf, jq: 'parameter(\"shelf\")', reason: r}}\n      - {rename:",
        )
        .replace("addsDefaulted: []", "addsDefaulted: [/shelf]")
    });
    let said = place.run(&["check"]);
    assert_eq!(said.exit, 6, "{said:?}");
    assert!(said.stderr.contains("--set shelf=VALUE"), "{said:?}");
    let described = ["check", ".", "--contract", "../contracts/book.yaml", "--set", "shelf=1"];
    done(&place, &described);
}

#[test]
fn a_store_is_not_made_beside_the_ledger_of_something_else() {
    let place = a_tree(&[("a.json", GOOD)]);
    for folder in [&["init"][..], &["init", "."]] {
        let said = place.run(&[folder, &["--json"]].concat());
        assert_eq!(said.json()["diagnostics"][0]["code"], "ALREADY_HERE", "{said:?}");
        assert!(!place.work().join(".glyph").exists());
    }
    done(&place, &["init", "--store", ".glyph"]);
    assert!(place.work().join(".glyph/manifest.yaml").exists());
}

#[test]
fn every_command_to_run_next_is_said_once() {
    let place = a_tree(&[("a.json", GOOD), ("b.json", "{")]);
    for command in [&["check"][..], &["plan"], &["status"], &["apply"], &["prove", "."]] {
        let said = place.run(command);
        let next: Vec<&str> =
            said.stderr.lines().filter(|line| line.trim_start().starts_with("next: ")).collect();
        let mut once: Vec<&str> = next.iter().map(|line| line.trim_start()).collect();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), next.len(), "{command:?}: {}", said.stderr);
        let answer = place.run(&[command, &["--json"]].concat()).json();
        let next = answer["next"].as_array().unwrap().clone();
        assert!(next.iter().enumerate().all(|(at, one)| !next[..at].contains(one)), "{answer}");
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
