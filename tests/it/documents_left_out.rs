//! Documents that whoever plans leaves out: without that one of them refuses the tree, with it the others are migrated, and
//! plan, answer, report, ledger and status say what was left out.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;

use serde_json::{Value, json};

use crate::support::{
    Place, Said, Shape, a_glyph_store, a_shelf, a_tree, apply_plan, beside, check_answer, done,
    untouched,
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

const INIT: [&str; 4] = ["init", "--documents", "--contract", "../contracts/book.yaml"];

/// What keeps a tree from being taken into care, with what leaves it out and what that is called then.
type InTheWay = (fn(&Place), &'static str, &'static str);

const IN_THE_WAY: [InTheWay; 4] = [
    (a_pipe, "z.json", "z.json"),
    (odd_name, "z*.json", "z\u{fffd}.json"),
    (|place| symlink("good.json", place.work().join("z.json")).unwrap(), "./z.json", "z.json"),
    (far_down, "deep/", "deep/"),
];

fn a_pipe(place: &Place) {
    let pipe = place.work().join("z.json");
    rustix::fs::mknodat(rustix::fs::CWD, pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0)
        .unwrap();
}

/// A document whose path no event has room for.
fn far_down(place: &Place) {
    let folder = format!("deep/{}", vec!["d".repeat(200); 16].join("/"));
    write(place, &format!("{folder}/z.json"), GOOD);
}

fn refused(said: &Said, exit: i32, code: &str) -> Value {
    let answer = said.json();
    assert_eq!((said.exit, &answer["diagnostics"][0]["code"]), (exit, &code.into()), "{said:?}");
    answer
}

#[test]
fn what_is_left_out_when_a_tree_comes_into_care_is_left_out_by_every_command_that_says_so() {
    for (put_there, named, called) in IN_THE_WAY {
        let place = a_shelf(&[("good.json", GOOD)]);
        put_there(&place);
        let answer = refused(&place.run(&[&INIT[..], &["--json"]].concat()), 4, "STORE_INVALID");
        let next = answer["next"][0]["argv"].as_array().unwrap();
        assert_eq!(next[1..4], INIT[..3], "{answer}");
        assert_eq!(next[5], "--leave-out", "{answer}");
        assert!(!place.work().join(".glyph-ledger").exists());

        let leave_out = [&INIT[..], &["--leave-out", named, "--json"]].concat();
        let made = done(&place, &leave_out).json();
        check_answer("init", &made);
        assert_eq!(made["data"]["documents"], 1);
        assert_eq!(made["data"]["left_out"], json!([called]));
        for command in ["check", "status", "prove"] {
            let target: &[&str] = if command == "status" { &[] } else { &["."] };
            let said = done(&place, &[&[command], target, &["--json"]].concat()).json();
            check_answer(command, &said);
            let field = if command == "status" { "always_left_out" } else { "left_out" };
            assert_eq!(said["data"][field], json!([called]), "{command}");
            let said = done(&place, &[&[command], target].concat());
            assert!(said.stdout.contains(called) && said.stdout.contains("left out"), "{said:?}");
        }
        let planned = done(&place, &["plan", "-o", "../plan.json", "--json"]).json();
        assert_eq!(planned["data"]["plan"]["left_out"]["documents"], json!([called]));
        let applied = done(&place, &["apply", "../plan.json", "--json"]).json();
        assert_eq!(applied["data"]["documents_left_out"], json!([called]));
        done(&place, &["undo"]);
        done(&place, &["apply"]);
        done(&place, &["verify-chain", "--objects"]);
        let status = done(&place, &["status", "--json"]).json();
        assert_eq!(
            (&status["data"]["left_out"], &status["data"]["current"]),
            (&json!([]), &json!(1))
        );
    }
}

#[test]
fn what_every_command_leaves_out_can_be_said_anew_and_taken_back_in() {
    let place = a_shelf(&[("good.json", GOOD), ("z.json", GOOD)]);
    fs::create_dir(place.work().join("sub")).unwrap();
    write(&place, "sub/y.json", GOOD);
    done(&place, &INIT);
    let again = ["init", "--documents", "--json"];
    let leave_out = |named| place.run(&[&again[..], &["--leave-out", named]].concat());
    let take_in = |named| place.run(&[&again[..], &["--take-in", named]].concat());
    refused(&leave_out("gone.json"), 2, "USAGE");
    refused(&take_in("z.json"), 2, "USAGE");
    let all = place.run(&["check", "--leave-out", "**", "--json"]);
    let told = refused(&all, 2, "NOTHING_HERE")["diagnostics"][0]["message"].clone();
    assert!(told.as_str().unwrap().contains("left out"), "{told}");
    write(&place, "li\nne.json", GOOD);
    assert_eq!(leave_out("li\nne*").json()["data"]["left_out"], json!(["li\nne.json"]));
    assert_eq!(take_in("li\\nne*").json()["data"]["leaves_out"], Value::Null);
    fs::remove_file(place.work().join("li\nne.json")).unwrap();
    let more = leave_out("z*");
    check_answer("init", &more.json());
    assert_eq!((more.exit, &more.json()["data"]["leaves_out"]), (0, &json!(["z*"])), "{more:?}");
    let more = leave_out("sub").json();
    assert_eq!(more["data"]["leaves_out"], json!(["sub", "z*"]));
    assert_eq!(more["data"]["left_out"], json!(["sub/", "z.json"]));
    // Whoever asks for it by name is answered, and told.
    let check = done(&place, &["check", "z.json"]);
    assert!(check.stderr.contains("leaves this out"), "{check:?}");
    let check = done(&place, &["check", "sub", "--json"]).json();
    assert_eq!(check["data"]["migrated"], 1);
    done(&place, &["apply"]);
    assert_eq!(fs::read_to_string(place.work().join("z.json")).unwrap(), GOOD);

    // What is not there any more is left out all the same, and can be taken in; what is in the way cannot.
    fs::remove_file(place.work().join("z.json")).unwrap();
    done(&place, &["plan"]);
    a_pipe(&place);
    done(&place, &["plan"]);
    let answer = refused(&take_in("z*"), 4, "STORE_INVALID");
    assert!(answer["next"].to_string().contains(r#""--take-in","z*","--leave-out""#), "{answer}");
    done(&place, &["plan"]);
    fs::remove_file(place.work().join("z.json")).unwrap();
    write(&place, "z.json", GOOD);
    assert_eq!(take_in("z*").json()["data"]["leaves_out"], json!(["sub"]));
    done(&place, &["apply"]);
    assert_ne!(fs::read_to_string(place.work().join("z.json")).unwrap(), GOOD);
    refused(&place.run(&[&INIT[..], &["--json"]].concat()), 2, "ALREADY_HERE");
    refused(&place.run(&["init", "--leave-out", "z.json", "--json"]), 2, "USAGE");
    // What a tree leaves out may be the tree of another ledger.
    fs::create_dir_all(place.work().join("sub")).unwrap();
    let below = [&INIT[..3], &["../contracts/book.yaml", "sub"]].concat();
    done(&place, &below);
    refused(&take_in("sub"), 2, "ALREADY_HERE");
}
