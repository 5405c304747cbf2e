//! Documents that whoever plans leaves out: without that one of them refuses the tree, with it the others are migrated, and
//! plan, answer, report, ledger and status say what was left out.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;

use serde_json::{Value, json};

use crate::support::{
    Place, Shape, a_glyph_store, a_tree, apply_plan, beside, check_answer, done, untouched,
};

const GOOD: &str = r#"{"v":1,"titel":"good"}"#;

/// Ways to spoil a tree by one document, each with what leaves it out, what that is called then, and the code without it.
type Spoilt = (fn(&Place), &'static str, &'static str, &'static str);

const SPOILT: [Spoilt; 7] = [
    (|place| write(place, "z.json", "{"), "z.json", "z.json", "STORE_INVALID"),
    (|place| write(place, "z.json", r#"{"v":9}"#), "z*", "z.json", "MIGRATION_ABOVE_CURRENT"),
    (|place| write(place, "sub/z[1].json", "7"), "./sub/z[1].json", "sub/z[1].json", ""),
    (|place| write(place, "sub/z.json", "7"), "sub/", "sub/", ""),
    (
        |place| symlink("good.json", place.work().join("z.json")).unwrap(),
        "*z.json",
        "z.json",
        "STORE_INVALID",
    ),
    (odd_name, "z*.json", "z\u{fffd}.json", "STORE_INVALID"),
    (|place| write(place, "a/z.json", &"9".repeat(300)), "a", "a/", ""),
];

fn write(place: &Place, id: &str, text: &str) {
    let path = place.work().join(id);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn odd_name(place: &Place) {
    fs::write(place.work().join(OsStr::from_bytes(b"z\xff.json")), GOOD).unwrap();
}

#[test]
fn one_bad_document_refuses_the_tree_until_it_is_left_out_by_name() {
    for (spoil, named, called, code) in SPOILT {
        let place = a_tree(&[("good.json", GOOD)]);
        spoil(&place);
        let before = untouched(&place);
        for command in [&["plan"][..], &["apply"]] {
            let refused = place.run(&[command, &["--json"]].concat());
            assert_ne!(refused.exit, 0, "{called}: {refused:?}");
            let answer = refused.json();
            assert!(code.is_empty() || answer["diagnostics"][0]["code"] == code, "{answer}");
            let next = answer["next"].as_array().unwrap().last().unwrap();
            assert_eq!(
                (&next["argv"][1], &next["argv"][2]),
                (&"plan".into(), &"--leave-out".into())
            );
        }
        assert!(untouched(&place) == before);

        let left_out = ["--leave-out", named];
        let plan = ["plan", "-o", "../plan.json", "--json"];
        let planned = done(&place, &[&plan[..], &left_out].concat()).json();
        check_answer("plan", &planned);
        let plan = &planned["data"]["plan"];
        assert_eq!(plan["left_out"]["documents"], json!([called]));
        assert_eq!(plan["objects"].as_array().unwrap().len(), 1);
        let said = done(&place, &[&["plan"], &left_out[..]].concat());
        assert!(said.stdout.contains(&format!("  left out: {called}\n")), "{said:?}");
        let applied = apply_plan(&place, plan["id"].as_str().unwrap());
        assert_eq!(applied.exit, 0, "{applied:?}");
        check_answer("apply", &applied.json());
        assert_eq!(applied.json()["data"]["documents_left_out"], json!([called]));
        for command in ["check", "prove"] {
            let whole = [command, ".", "--json"];
            assert_ne!(place.run(&whole).exit, 0, "{command} {called}");
            let said = done(&place, &[&whole[..], &left_out].concat()).json();
            check_answer(command, &said);
        }
        fs::remove_file(beside(&place, "plan.json")).unwrap();
    }
}

#[test]
fn what_a_run_left_out_stands_in_report_status_and_ledger() {
    let place = a_tree(&[("good.json", GOOD), ("bad.json", "{")]);
    let plan = ["plan", "--leave-out", "bad.json", "-o", "../plan.json"];
    let id = done(&place, &[&plan[..], &["--json"]].concat()).json()["data"]["plan"]["id"].clone();
    let said = done(&place, &["apply", "../plan.json"]);
    assert!(said.stdout.contains("  left out     bad.json\n"), "{said:?}");
    let report = done(&place, &["migration", "report", "--json"]).json();
    check_answer("report", &report);
    assert_eq!(report["data"]["migration_report"]["documents_left_out"], json!(["bad.json"]));
    let said = done(&place, &["migration", "report"]);
    assert!(said.stdout.contains("left out          bad.json\n"), "{said:?}");
    let status = done(&place, &["status", "--json"]).json();
    check_answer("status", &status);
    assert_eq!(
        (&status["data"]["left_out"], &status["data"]["current"]),
        (&json!(["bad.json"]), &json!(1))
    );
    let said = done(&place, &["status"]);
    assert!(said.stdout.contains("  left out    bad.json (by the last run)\n"), "{said:?}");
    // The event that begins the run binds the plan, and with it what was left out.
    done(&place, &["export", "-o", "../log"]);
    let log = fs::read_to_string(beside(&place, "log")).unwrap();
    let started = log.lines().find(|line| line.contains("\"run.started\"")).unwrap();
    assert!(started.contains(id.as_str().unwrap()), "{started}");
    done(&place, &["verify-chain", "--objects"]);
    done(&place, &["replay", "--recompute"]);
    // It holds for that run only.
    assert_ne!(place.run(&["plan"]).exit, 0);
    fs::write(place.work().join("bad.json"), GOOD).unwrap();
    done(&place, &["apply"]);
    let status = done(&place, &["status", "--json"]).json();
    assert_eq!((&status["data"]["left_out"], &status["data"]["current"]), (&json!([]), &json!(2)));
    done(&place, &["undo"]);
    assert_eq!(fs::read_to_string(place.work().join("bad.json")).unwrap(), GOOD);
}

#[test]
fn a_plan_is_bound_to_what_it_leaves_out() {
    let place = a_tree(&[("good.json", GOOD), ("bad.json", "{")]);
    done(&place, &["plan", "--leave-out", "bad.json", "-o", "../plan.json"]);
    let text = fs::read_to_string(beside(&place, "plan.json")).unwrap();
    let plan: Value = serde_json::from_str(&text).unwrap();
    let mut without = plan.clone();
    without.as_object_mut().unwrap().remove("left_out");
    let mut other = plan.clone();
    other["left_out"]["documents"] = json!(["another.json"]);
    for edited in [without, other] {
        fs::write(beside(&place, "edited.json"), edited.to_string()).unwrap();
        let said = place.run(&["apply", "../edited.json", "--json"]);
        assert_eq!(said.json()["diagnostics"][0]["code"], "PLAN_EDITED", "{said:?}");
    }
    done(&place, &["apply", "../plan.json"]);
}

#[test]
fn what_is_not_there_cannot_be_left_out() {
    let place = a_tree(&[("good.json", GOOD)]);
    write(&place, "other.txt", "no document");
    let before = untouched(&place);
    for command in
        [&["plan"][..], &["apply"], &["check", "."], &["prove", "."], &["check", "good.json"]]
    {
        for named in ["bad.json", "other.txt", "sub/**", ""] {
            let said = place.run(&[command, &["--leave-out", named, "--json"]].concat());
            let answer = said.json();
            assert_eq!(
                (said.exit, &answer["diagnostics"][0]["code"]),
                (2, &"USAGE".into()),
                "{answer}"
            );
        }
    }
    // A plan says itself what it leaves out, and of one document or of a store nothing can be.
    done(&place, &["plan", "-o", "../plan.json"]);
    for command in [&["apply", "../plan.json"][..], &["prove", "good.json"]] {
        assert_eq!(place.run(&[command, &["--leave-out", "good.json"]].concat()).exit, 2);
    }
    assert!(untouched(&place) == before);
    let place = Place::new();
    a_glyph_store(&place, Shape::First);
    done(&place, &["init"]);
    for command in ["plan", "apply"] {
        assert_eq!(place.run(&[command, "--leave-out", "x"]).exit, 2);
    }
}
