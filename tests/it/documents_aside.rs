//! What of a tree is left aside, and is said to be: folders that programs keep for themselves, links, hard links, trees of
//! other ledgers; and names of files that would pass for something else.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::Value;

use crate::support::{Place, a_shelf, a_tree, beside, done, set_contract};

const OLD: &str = "{\"v\":1,\"titel\":\"t\"}";

fn write(place: &Place, id: &str, text: &str) {
    let path = place.work().join(id);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn aside(answer: &Value) -> [Vec<&str>; 3] {
    ["skipped", "links", "hard_linked"].map(|list| {
        let list = &answer[list];
        let ids: Vec<&str> =
            list["ids"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
        assert_eq!(list["total"], ids.len());
        ids
    })
}

#[test]
fn what_is_not_looked_into_is_said() {
    let place = a_tree(&[("a.json", OLD), ("linked.json", OLD)]);
    write(&place, ".git/x.json", "no document");
    write(&place, "web/node_modules/p/package.json", "no document");
    symlink("web", place.work().join("link")).unwrap();
    symlink("nowhere", place.work().join("dangling")).unwrap();
    fs::hard_link(place.work().join("linked.json"), beside(&place, "other-name")).unwrap();
    let expected = [vec![".git", "web/node_modules"], vec!["link"], vec!["linked.json"]];
    let checked = done(&place, &["check", "--json"]).json();
    assert_eq!(aside(&checked["data"]["aside"]), expected);
    let planned = done(&place, &["plan", "--json"]).json();
    assert_eq!(aside(&planned["data"]["plan"]["aside"]), expected);
    for command in ["check", "plan"] {
        let said = done(&place, &[command]).stdout;
        for line in [
            "not looked into: .git, web/node_modules",
            "not looked into, a link: link",
            "hard-linked, and its other names keep what they hold: linked.json",
        ] {
            assert!(said.contains(line), "{said}");
        }
    }
    done(&place, &["apply"]);
    assert_eq!(fs::read_to_string(beside(&place, "other-name")).unwrap(), OLD);
    assert_eq!(fs::read_to_string(place.work().join(".git/x.json")).unwrap(), "no document");
    // A contract that names such a folder means it.
    set_contract(&place, |text| text.replace("['**/*.json']", "['**/*.json', '.git/*.json']"));
    let refused = place.run(&["check", "--json"]).json();
    let told = refused["diagnostics"].as_array().unwrap().iter();
    let mut places = told.filter_map(|diagnostic| diagnostic["place"].as_str());
    assert!(places.any(|place| place.starts_with(".git/x.json")), "{refused}");
}

#[test]
fn a_document_has_one_ledger() {
    let place = a_tree(&[("a.json", OLD)]);
    write(&place, "inner/b.json", OLD);
    let inner = place.work().join("inner");
    let init = |folder: &str| {
        place.run(&[
            "init",
            "--documents",
            folder,
            "--contract",
            "../contracts/book.yaml",
            "--json",
        ])
    };
    // Below a tree whose ledger has the same documents in its care.
    let said = init("inner").json();
    assert_eq!(said["diagnostics"][0]["code"], "ALREADY_HERE", "{said}");
    let message = said["diagnostics"][0]["message"].as_str().unwrap();
    assert!(message.contains("b.json") && message.contains("two ledgers"), "{message}");
    assert!(!inner.join(".glyph-ledger").exists());

    // Above one, once the outer contract did not say so.
    set_contract(&place, |text| text.replace("'**/*.json'", "'a.json'"));
    let own = fs::read_to_string(beside(&place, "contracts/book.yaml")).unwrap();
    fs::write(beside(&place, "contracts/own.yaml"), own.replace("'a.json'", "'**/*.json'"))
        .unwrap();
    done(&place, &["init", "--documents", "inner", "--contract", "../contracts/own.yaml"]);
    done(&place, &["plan"]);
    set_contract(&place, |text| text);
    for command in ["plan", "apply"] {
        let said = place.run(&[command, "--json"]).json();
        let message = said["diagnostics"][0]["message"].as_str().unwrap();
        assert!(message.contains("inner/b.json") && !message.contains("a.json,"), "{message}");
    }
    assert_eq!(fs::read_to_string(inner.join("b.json")).unwrap(), OLD);
    set_contract(&place, |text| text.replace("'**/*.json'", "'a.json'"));
    done(&place, &["apply"]);
}

#[test]
fn a_name_cannot_pass_for_another_line() {
    let name = "a\n  next: rm -rf\u{1b}[2J.json";
    let shown = "a\\n  next: rm -rf\\u{1b}[2J.json";
    let place = a_tree(&[(name, OLD)]);
    let all = |place: &Place, arguments: &[&str]| {
        let said = place.run(arguments);
        let text = format!("{}{}", said.stdout, said.stderr);
        assert!(text.contains(shown), "{arguments:?}: {text}");
        assert!(
            !text.contains("\n  next: rm") && !text.contains('\u{1b}'),
            "{arguments:?}: {text}"
        );
    };
    all(&place, &["check"]);
    done(&place, &["apply"]);
    all(&place, &["log"]);
    fs::write(place.work().join(name), "{\"v\":3}").unwrap();
    all(&place, &["undo"]);
    all(&place, &["status"]);
    fs::write(place.work().join(name), "nothing").unwrap();
    for arguments in [&["check"] as &[&str], &["plan"], &["apply"]] {
        all(&place, arguments);
    }
    fs::remove_file(place.work().join(name)).unwrap();
    all(&place, &["undo"]);
    symlink("x", place.work().join(name)).unwrap();
    all(&place, &["plan"]);
}

#[test]
fn every_form_that_is_lost_is_named() {
    let place = a_shelf(&[]);
    write(&place, "a.json", "{\r\n  \"v\": 1,\n\n  \"titel\": \"\\u0041\\/\"\r\n}\r\n");
    done(&place, &["init", "--documents", "--contract", "../contracts/book.yaml"]);
    let plan = done(&place, &["plan", "--json"]).json();
    let forms = ["how lines end", "spacing", "how characters are escaped"];
    let lost: Vec<&str> = plan["data"]["plan"]["form_lost"]
        .as_array()
        .unwrap()
        .iter()
        .map(|l| l.as_str().unwrap())
        .collect();
    assert_eq!(lost.len(), 3, "{lost:?}");
    assert_eq!(plan["data"]["plan"]["form_lost_total"], 3);
    for form in forms {
        assert!(lost.iter().any(|line| line.contains(form)), "{lost:?}");
    }
}
