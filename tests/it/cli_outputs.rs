//! Files that commands make with `-o`: over nothing, and nowhere inside a store or its ledger.

use std::fs;

use crate::support::{Place, beside, done, migrate};

/// Every command that writes its answer to a file, without the file.
const WRITING: [&[&str]; 8] = [
    &["audit", "report", "-o"],
    &["audit", "bundle", "-o"],
    &["export", "-o"],
    &["head", "show", "-o"],
    &["key", "export", "-o"],
    &["plan", "--to", "3", "-o"],
    &["proof", "inclusion", "2", "-o"],
    &["migration", "certificate", "export", "-o"],
];

/// Those whose earlier answers show by themselves that nobody changed them.
const GIVING_WAY: [&str; 3] = ["plan", "proof", "migration"];

fn a_store() -> Place {
    let place = Place::new();
    done(&place, &["init"]);
    migrate(&place, "2");
    place
}

#[test]
fn what_a_command_wrote_and_somebody_annotated_is_never_written_over() {
    let place = a_store();
    for command in WRITING {
        let words = [command, &["../answer"]].concat();
        done(&place, &words);
        let file = beside(&place, "answer");
        let first = fs::read(&file).unwrap();
        let again = place.run(&words);
        let gives_way = GIVING_WAY.contains(&command[0]);
        assert_eq!(again.exit, if gives_way { 0 } else { 2 }, "{words:?}: {again:?}");
        let annotated = [&first[..], b"seen by me\n"].concat();
        fs::write(&file, &annotated).unwrap();
        let refused = place.run(&words);
        assert_eq!(refused.exit, 2, "{words:?}: {refused:?}");
        assert!(refused.stderr.contains("next:") || refused.stderr.contains("more:"));
        assert_eq!(fs::read(&file).unwrap(), annotated, "{words:?}");
        fs::remove_file(&file).unwrap();
    }
}

#[test]
fn no_answer_is_written_into_a_store_or_its_ledger() {
    let place = a_store();
    fs::write(beside(&place, "a.json"), r#"{"v": 1}"#).unwrap();
    fs::write(beside(&place, "b.json"), r#"{"v": 2}"#).unwrap();
    let more: [&[&str]; 2] =
        [&["key", "new"], &["migration", "new", "../a.json", "../b.json", "-o"]];
    for inside in [".glyph/answer", ".glyph/ledger/answer", ".glyph/ledger/objects/answer"] {
        for command in WRITING.iter().chain(&more) {
            let words = [command, &[inside][..]].concat();
            let said = place.run(&words);
            assert_eq!(said.exit, 2, "{words:?}: {said:?}");
            assert!(said.stderr.contains("lies inside"), "{words:?}: {said:?}");
            assert!(!place.work().join(inside).exists(), "{words:?}");
        }
    }
}

#[test]
fn an_id_given_for_a_folder_is_told_as_what_it_is() {
    let place = a_store();
    let head = done(&place, &["head", "show", "--json"]).json();
    let id = head["data"]["ledger"].as_str().unwrap();
    for command in ["verify-chain", "log", "status"] {
        let said = place.run(&[command, "--ledger", id]);
        assert_eq!(said.exit, 2, "{said:?}");
        assert!(said.stderr.contains("this is the id of a ledger"), "{said:?}");
        assert!(!said.stderr.contains(" init"), "{said:?}");
    }
}
