//! Documents, contracts, plans and commands that cannot be taken: each is one error with its code and exit status, the tree
//! stays as it was, and once it is put right the next command works.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::{
    Place, Said, a_shelf, a_tree, apply_plan, beside, done, not_shown, plan_all, set_contract,
    untouched,
};

const GOOD: &str = r#"{"v":1,"titel":"good"}"#;
const DRAFT: &str = r#"{"v":1,"titel":"good","draft":"d"}"#;
const MINE: &str = r#"{"v":3,"title":"mine"}"#;

/// The exit status and the one diagnostic's code.
fn code(said: &Said) -> (i32, String) {
    let answer = said.json();
    let diagnostics = answer["diagnostics"].as_array().unwrap();
    assert_eq!((diagnostics.len(), said.stderr.as_str()), (1, ""), "{said:?}");
    assert_eq!((&answer["ok"], &answer["exit"]), (&false.into(), &said.exit.into()));
    assert_ne!(diagnostics[0]["not_done"], Value::Null, "{said:?}");
    (said.exit, diagnostics[0]["code"].as_str().unwrap().to_owned())
}

/// Runs a command that is refused; neither the tree nor the ledger is another one afterwards.
fn refused(place: &Place, expected: (i32, &str), arguments: &[&str]) -> String {
    let before = (untouched(place), place.run(&["log"]).stdout);
    let said = place.run(&[arguments, &["--json"]].concat());
    let (exit, id) = code(&said);
    assert_eq!((exit, id.as_str()), expected, "{arguments:?}: {said:?}");
    assert!((untouched(place), place.run(&["log"]).stdout) == before, "{arguments:?}: {said:?}");
    said.json()["diagnostics"][0]["message"].as_str().unwrap().to_owned()
}

#[test]
fn documents_that_cannot_be_read_are_refused_by_name_and_position() {
    let place = a_tree(&[("good.json", GOOD)]);
    let deep = format!("{{\"v\":{}{}}}", "[".repeat(5000), "]".repeat(5000));
    let versioned = |version: &str| format!("{{\"v\":{version},\"titel\":\"x\"}}").into_bytes();
    let table: [(Vec<u8>, (i32, &str), &str); 20] = [
        (versioned("4"), (4, "MIGRATION_ABOVE_CURRENT"), "newer than 3"),
        (versioned("9007199254740993"), (4, "MIGRATION_ABOVE_CURRENT"), "9007199254740993"),
        (versioned("0"), (4, "MIGRATION_BELOW_MINIMUM"), "older than 1"),
        (versioned("-1"), (4, "MIGRATION_BELOW_MINIMUM"), "-1"),
        (versioned("1.9"), (4, "MIGRATION_VERSION_TYPE"), "1.9"),
        (versioned("\"1\""), (4, "MIGRATION_VERSION_TYPE"), "\"1\""),
        (versioned("true"), (4, "MIGRATION_VERSION_TYPE"), "true"),
        (versioned("null"), (4, "MIGRATION_VERSION_TYPE"), "null"),
        (b"[1]".to_vec(), (4, "MIGRATION_VERSION_UNKNOWN"), "known are 1, 2, 3"),
        (b"".to_vec(), (4, "STORE_INVALID"), "empty"),
        (b"\0\x01\xff".to_vec(), (4, "STORE_INVALID"), "byte 0"),
        (b"\xef\xbb\xbf{}".to_vec(), (4, "STORE_INVALID"), "byte order mark"),
        (b"{\"v\":1,\"v\":2}".to_vec(), (4, "STORE_INVALID"), "line 1, column 8"),
        (b"{\"v\":1,\n\"titel\":\"\xff\"}".to_vec(), (4, "STORE_INVALID"), "line 2, column 10"),
        (br#"{"v":1,"titel":"\ud800"}"#.to_vec(), (4, "STORE_INVALID"), "line 1, column 17"),
        (b"{\"v\":1".to_vec(), (4, "STORE_INVALID"), "line 1, column 7"),
        (deep.into_bytes(), (4, "STORE_INVALID"), "nested deeper than 512"),
        (b"{\"v\":NaN}".to_vec(), (4, "STORE_INVALID"), "line 1, column 6"),
        (br#"{"v":1,"titel":7}"#.to_vec(), (6, "OUTCOME_INVALID"), "not of type \"string\""),
        (br#"{"v":1}"#.to_vec(), (6, "STEP_FAILED"), "/titel"),
    ];
    let bad = place.work().join("bad.json");
    for (bytes, expected, told) in table {
        fs::write(&bad, bytes).unwrap();
        for arguments in [
            &["check"] as &[&str],
            &["check", "bad.json"],
            &["plan", "-o", "../p.json"],
            &["apply"],
        ] {
            let message = refused(&place, expected, arguments);
            assert!(message.contains(told), "{arguments:?}: {message}");
        }
        assert!(!beside(&place, "p.json").exists());
    }
    fs::remove_file(&bad).unwrap();
    done(&place, &["apply"]);
}

#[test]
fn links_are_not_followed() {
    let place = a_tree(&[("good.json", GOOD)]);
    let outside = beside(&place, "outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("z.json"), GOOD).unwrap();
    let link = place.work().join("link.json");
    symlink("../outside/z.json", &link).unwrap();
    for arguments in [&["check"] as &[&str], &["plan"], &["apply"]] {
        let message = refused(&place, (4, "STORE_INVALID"), arguments);
        assert!(message.contains("link.json is a link"), "{message}");
    }
    fs::remove_file(&link).unwrap();
    symlink("../outside", place.work().join("folder")).unwrap();
    done(&place, &["apply"]);
    assert_eq!(fs::read_to_string(outside.join("z.json")).unwrap(), GOOD);
}

#[test]
fn a_plan_that_no_longer_fits_or_was_edited_is_refused() {
    let place = a_tree(&[("a.json", DRAFT), ("b.json", GOOD)]);
    let id = plan_all(&place);
    let confirmed = ["apply", "../plan.json", "--accept-lossy", &id];
    refused(&place, (5, "CONFIRMATION_REQUIRED"), &["apply", "../plan.json"]);
    refused(&place, (5, "CONFIRMATION_REQUIRED"), &["apply", "../plan.json", "--yes"]);
    refused(
        &place,
        (5, "CONFIRMATION_REQUIRED"),
        &["apply", "../plan.json", "--accept-lossy", &"0".repeat(12)],
    );
    fs::write(place.work().join("b.json"), r#"{"v":1,"titel":"other"}"#).unwrap();
    assert!(refused(&place, (8, "PLAN_STALE"), &confirmed).contains("b.json"));
    fs::remove_file(place.work().join("b.json")).unwrap();
    assert!(refused(&place, (8, "PLAN_STALE"), &confirmed).contains("b.json"));
    fs::write(place.work().join("b.json"), GOOD).unwrap();

    set_contract(&place, |text| text.replace("lossy: [/draft]", "lossy: [/draft, /other]"));
    assert!(refused(&place, (8, "PLAN_STALE"), &confirmed).contains("book 1.0.0"));
    set_contract(&place, |text| text.replace("lossy: [/draft]", "lossy: [/other]"));
    refused(&place, (6, "LOSS_UNDECLARED"), &["plan"]);
    set_contract(&place, |text| text);
    refused(&place, (6, "LOSS_UNDECLARED"), &["plan", "--refuse-loss"]);

    let plan = fs::read_to_string(beside(&place, "plan.json")).unwrap();
    let edited = plan.replacen("\"lost\": 1", "\"lost\": 0", 1);
    assert_ne!(edited, plan);
    for (text, expected) in
        [(edited.as_str(), (3, "PLAN_EDITED")), ("{}", (2, "USAGE")), ("", (2, "USAGE"))]
    {
        fs::write(beside(&place, "edited.json"), text).unwrap();
        refused(&place, expected, &["apply", "../edited.json", "--accept-lossy", &id]);
    }
    assert_eq!(apply_plan(&place, &id).exit, 0);
    set_contract(&place, |text| text.replace("lossy: [/draft]", "lossy: [/draft, /other]"));
    fs::write(place.work().join("late.json"), GOOD).unwrap();
    refused(&place, (6, "CONTRACT_EDITED"), &["apply"]);
    set_contract(&place, |text| text);
    done(&place, &["apply"]);
}

#[test]
fn m17_a_locked_run_needs_the_environment_of_its_plan() {
    let place = a_tree(&[("a.json", GOOD)]);
    let said = refused(&place, (6, "ENVIRONMENT_DIFFERS"), &["apply", "--locked"]);
    assert!(said.contains("there was no run yet"), "{said}");
    plan_all(&place);
    let plan = fs::read_to_string(beside(&place, "plan.json")).unwrap();
    let mut other: Value = serde_json::from_str(&plan).unwrap();
    other["environment"]["sqlite"] = "3.0.0".into();
    other["environment"]["toolchain"] = "rustc 1.0.0".into();
    fs::write(beside(&place, "other.json"), other.to_string()).unwrap();
    let locked = ["apply", "../other.json", "--locked"];
    let said = refused(&place, (6, "ENVIRONMENT_DIFFERS"), &locked);
    assert!(said.contains("that the plan recorded: sqlite was \"3.0.0\" and is "), "{said}");
    assert!(said.contains("; toolchain was \"rustc 1.0.0\" and is "), "{said}");
    let next = place.run(&[&locked[..], &["--json"]].concat()).json();
    assert_eq!(next["next"][0]["argv"][1], "plan", "{next}");
    done(&place, &["apply", "../plan.json", "--locked"]);
    // Now there is a run to be locked to.
    fs::write(place.work().join("late.json"), GOOD).unwrap();
    done(&place, &["apply", "--locked"]);
}

#[test]
fn changed_documents_go_back_only_as_one_says() {
    let original = [("a.json", GOOD), ("b.json", GOOD), ("c.json", GOOD)];
    let place = a_tree(&original);
    let read = |id: &str| fs::read_to_string(place.work().join(id)).ok();
    done(&place, &["apply"]);
    fs::write(place.work().join("a.json"), MINE).unwrap();
    fs::remove_file(place.work().join("b.json")).unwrap();
    let message = refused(&place, (6, "DOCUMENT_CHANGED"), &["undo"]);
    assert!(
        message.contains("since: a.json; is gone: b.json") && !message.contains("c.json"),
        "{message}"
    );
    refused(&place, (2, "USAGE"), &["undo", "--keep-changes", "--discard-changes"]);

    let kept = beside(&place, "kept");
    for (from, to) in [(place.work(), kept.join("work")), (place.home(), kept.join("home"))] {
        crate::support::copy(&from, &to);
    }
    done(&place, &["undo", "--keep-changes"]);
    assert_eq!(read("a.json").as_deref(), Some(MINE));
    assert_eq!((read("b.json"), read("c.json").as_deref()), (None, Some(GOOD)));
    done(&place, &["check"]);

    for (from, to) in [(kept.join("work"), place.work()), (kept.join("home"), place.home())] {
        fs::remove_dir_all(&to).unwrap();
        crate::support::copy(&from, &to);
    }
    let back = done(&place, &["undo", "--discard-changes", "--json"]).json();
    for (id, text) in original {
        assert_eq!(read(id).as_deref(), Some(text), "{id}");
    }
    // What was discarded was kept: the command that the answer names brings it back.
    let next = back["next"].as_array().unwrap().last().unwrap()["argv"].as_array().unwrap();
    let next: Vec<&str> = next.iter().skip(1).map(|word| word.as_str().unwrap()).collect();
    done(&place, &next);
    assert_eq!(read("a.json").as_deref(), Some(MINE));
}

#[test]
fn the_way_back_needs_no_contract_but_the_frozen_one() {
    let place = a_tree(&[("a.json", GOOD)]);
    let settings = place.work().join(".glyph-ledger/documents.json");
    done(&place, &["apply"]);
    let text = fs::read_to_string(&settings).unwrap().replace(".yaml", ".moved");
    fs::write(&settings, text).unwrap();
    assert_ne!(place.run(&["check"]).exit, 0);
    done(&place, &["undo"]);
    assert_eq!(fs::read_to_string(place.work().join("a.json")).unwrap(), GOOD);
}

#[test]
fn what_has_no_sense_for_a_tree_is_refused_before_a_ledger_is_made() {
    let place = a_shelf(&[("a.json", GOOD)]);
    let other = fs::read_to_string(beside(&place, "contracts/book.yaml")).unwrap();
    let other = other.replace("contract: book", "contract: other");
    fs::write(beside(&place, "contracts/other.yaml"), other).unwrap();
    let book = ["--contract", "../contracts/book.yaml"];
    let both = [&book[..], &["--contract", "../contracts/other.yaml"]].concat();
    let init = ["init", "--documents"];
    let message = refused(&place, (6, "CONTRACT_INVALID"), &[&init[..], &both].concat());
    assert!(message.contains("a.json is claimed by the contracts book and other"), "{message}");
    refused(&place, (6, "CONTRACT_INVALID"), &[&["check"][..], &both].concat());
    refused(&place, (2, "USAGE"), &init);
    refused(&place, (2, "USAGE"), &[&["check", "--set", "nope=1"][..], &book].concat());
    refused(&place, (2, "USAGE"), &[&["check", "--set", "shelf"][..], &book].concat());
    refused(&place, (2, "USAGE"), &[&init[..], &book, &["--set", "nope=1"]].concat());
    let message = refused(&place, (2, "USAGE"), &[&init[..], &["--contract", "nosuch"]].concat());
    assert!(message.contains("nosuch") && message.contains("run-state"), "{message}");
    refused(&place, (2, "NOTHING_HERE"), &[&["check", "gone.json"][..], &book].concat());
    assert!(!place.work().join(".glyph-ledger").exists());
    done(&place, &[&init[..], &book, &["--set", "shelf=3"]].concat());
    refused(&place, (2, "ALREADY_HERE"), &[&init[..], &book].concat());
    refused(&place, (2, "NO_RUN"), &["migration", "resume"]);
    refused(&place, (2, "NOTHING_TO_UNDO"), &["undo"]);
    done(&place, &["apply"]);
}

#[test]
fn a_value_that_is_given_is_refused_where_plans_could_not_be_read_again() {
    let place = a_shelf(&[("a.json", GOOD)]);
    let list = |levels: usize| format!("shelf={}{}", "[".repeat(levels), "]".repeat(levels));
    // Names that are not in the order of canonical CBOR take more levels there.
    let object = |levels: usize| {
        format!("shelf={}0{}", "{\"$b\":0,\"a\":".repeat(levels), "}".repeat(levels))
    };
    let init = ["init", "--documents", "--contract", "../contracts/book.yaml", "--set"];
    for deep in [list(101), object(101), list(600)] {
        let message = refused(&place, (2, "USAGE"), &[&init[..], &[deep.as_str()]].concat());
        assert_eq!(message, "the value of shelf is nested deeper than 100 levels");
    }
    assert!(!place.work().join(".glyph-ledger").exists());
    for deep in [list(100), object(100)] {
        let place = a_shelf(&[("a.json", GOOD)]);
        done(&place, &[&init[..], &[deep.as_str()]].concat());
        done(&place, &["plan", "-o", "../plan.json"]);
        done(&place, &["apply", "../plan.json"]);
        done(&place, &["undo"]);
        done(&place, &["check"]);
    }
}

#[test]
fn no_documents_are_nothing_to_do() {
    let place = a_tree(&[]);
    refused(&place, (2, "NOTHING_HERE"), &["check"]);
    assert!(done(&place, &["plan"]).stdout.contains("nothing to do: 0 documents"));
    fs::write(place.work().join("a.json"), GOOD).unwrap();
    done(&place, &["apply"]);
    assert!(done(&place, &["plan"]).stdout.contains("nothing to do: 1 document is as it should"));
    let log = done(&place, &["log"]).stdout;
    assert!(done(&place, &["apply"]).stdout.contains("nothing to do"));
    assert_eq!(place.run(&["plan", "--detailed-exitcode"]).exit, 0);
    fs::write(place.work().join("b.json"), GOOD).unwrap();
    assert_eq!(place.run(&["plan", "--detailed-exitcode"]).exit, 10);
    assert_eq!(done(&place, &["log"]).stdout, log);
}

#[test]
fn m15_programs_run_only_where_that_is_allowed() {
    let place = a_tree(&[("a.json", GOOD)]);
    let step = |program: &str| {
        let steps = format!("to: title}}}}\n      - {{program: {{{program}}}}}");
        set_contract(&place, |text| text.replace("to: title}}", &steps));
    };
    step(&format!("argv: [/nowhere/x], sha256: '{}'", "0".repeat(64)));
    let message = refused(&place, (6, "STEP_FAILED"), &["check"]);
    assert!(message.contains("only where programs are allowed"), "{message}");
    let message = refused(&place, (6, "STEP_FAILED"), &["plan", "--allow-programs"]);
    assert!(message.contains("there is no program /nowhere/x"), "{message}");

    fs::write(beside(&place, "contracts/same.sh"), "#!/bin/sh\ncat\n").unwrap();
    step("argv: [same.sh], files: [same.sh]");
    done(&place, &["plan", "-o", "../plan.json", "--allow-programs"]);
    refused(&place, (2, "USAGE"), &["apply", "../plan.json"]);
    done(&place, &["apply", "../plan.json", "--allow-programs"]);
}

/// The program with another toolchain in it.
fn built_otherwise(place: &Place) -> PathBuf {
    let mut bytes = fs::read(env!("CARGO_BIN_EXE_glyph-ledger")).unwrap();
    let places: Vec<usize> = bytes
        .windows(8)
        .enumerate()
        .filter(|(_, found)| found == b"rustc 1.")
        .map(|(at, _)| at)
        .collect();
    for at in places {
        bytes[at + 6] = b'9';
    }
    let program = beside(place, "other-program");
    fs::write(&program, bytes).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    program
}

#[test]
fn m17_a_run_is_gone_on_with_in_the_environment_it_began_in() {
    let place = a_tree(&[("a.json", GOOD)]);
    done(&place, &["plan", "-o", "../plan.json"]);
    let Some(open) = interrupted(&place) else { return };
    let other = built_otherwise(&place);
    let by_other = |arguments: &[&str]| {
        let mut command = Command::new(&other);
        command.args(arguments).env_clear().env("GLYPH_LEDGER_HOME", place.home());
        place.said_by(command.current_dir(place.work()).stdin(Stdio::null()))
    };
    let before = (untouched(&place), open);
    let said = by_other(&["migration", "resume", "--locked", "--json"]);
    assert_eq!(code(&said), (6, "ENVIRONMENT_DIFFERS".into()), "{said:?}");
    let told = said.json()["diagnostics"][0].clone();
    let message = told["message"].as_str().unwrap();
    assert!(
        message.contains("toolchain was \"rustc 1.") && message.contains("is \"rustc 9."),
        "{told}"
    );
    assert_eq!(told["not_done"], "the run was not gone on with");
    assert!((untouched(&place), place.run(&["status", "--json"]).json()["data"].clone()) == before);
    done(&place, &["migration", "resume", "--locked"]);
    assert_eq!(place.run(&["migration", "resume", "--locked"]).exit, 2);
}

/// Leaves the run of `../plan.json` open; how the tree stands then.
fn interrupted(place: &Place) -> Option<Value> {
    let mut command = Command::new("strace");
    let kill = ["-f", "-qq", "-e", "inject=renameat2:signal=KILL:when=1"];
    let program = [env!("CARGO_BIN_EXE_glyph-ledger"), "apply", "../plan.json"];
    command.args(kill).arg("-o").arg(beside(place, "strace")).args(program);
    command.env_clear().env("PATH", std::env::var_os("PATH")?);
    command.env("GLYPH_LEDGER_HOME", place.home()).current_dir(place.work()).stdin(Stdio::null());
    if command.output().is_err() {
        not_shown("a run that is gone on with elsewhere", "there is no strace here");
        return None;
    }
    let status = place.run(&["status", "--json"]).json()["data"].clone();
    assert!(status["pending_run"].is_object(), "{status}");
    Some(status)
}

/// Root writes into folders that are read-only; what holds it too is the attribute that makes a file or folder immutable.
#[test]
fn a_tree_that_turns_read_only_is_written_when_it_can_be_again() {
    let place = a_tree(&[("a.json", GOOD)]);
    let attribute = |change: &str| {
        let mut command = Command::new("chattr");
        command.arg(change).arg(place.work()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    if !attribute("+i") {
        not_shown("a read-only tree", "no file can be made immutable here");
        return;
    }
    let before = untouched(&place);
    let said = place.run(&["apply", "--json"]);
    assert!(attribute("-i"));
    assert_eq!(code(&said), (1, "IO".into()), "{said:?}");
    assert!(said.stdout.contains("\"migration\",\"resume\""), "{said:?}");
    assert!(untouched(&place) == before);
    refused(&place, (6, "RUN_PENDING"), &["apply"]);
    done(&place, &["migration", "resume"]);
    assert!(untouched(&place) != before);
    done(&place, &["undo"]);
}
