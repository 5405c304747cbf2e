//! Files, folders and programs that a tree of documents must not be migrated with, each through the binary: one clear error,
//! its exit status, no document another one than before; and once it is put right the next command works.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{PermissionsExt as _, lchown, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use ledger_format::hash::ContentHash;
use serde_json::Value;

use crate::support::{Place, Said, a_tree, beside, done, not_shown, set_contract, untouched};

const GOOD: &str = "{\"v\":1,\"titel\":\"good\"}";

/// What is wrong, how it is told, and how it is put right.
struct Bad {
    what: &'static str,
    arrange: fn(&Place),
    /// After the plan was made.
    meanwhile: fn(&Place),
    command: &'static [&'static str],
    expected: (i32, &'static str),
    told: &'static str,
    repair: fn(&Place),
    /// What then works.
    next: &'static [&'static str],
}

const PLAN: &[&str] = &["plan", "-o", "../other.json", "--allow-programs"];
const APPLY: &[&str] = &["apply", "--allow-programs"];
const APPLY_PLAN: &[&str] = &["apply", "../plan.json", "--allow-programs"];

const TABLE: &[Bad] = &[
    Bad {
        what: "no documents",
        arrange: |place| fs::remove_dir_all(place.work().join("sub")).unwrap(),
        meanwhile: |place| fs::remove_file(place.work().join("a.json")).unwrap(),
        command: &["check"],
        expected: (2, "NOTHING_HERE"),
        told: "no document at",
        repair: |place| fs::write(place.work().join("a.json"), GOOD).unwrap(),
        next: APPLY,
    },
    bad(
        "an empty file",
        |place| fs::write(bad_file(place), "").unwrap(),
        (4, "STORE_INVALID"),
        "empty",
    ),
    bad(
        "a file of a gigabyte",
        |place| File::create(bad_file(place)).unwrap().set_len(1 << 30).unwrap(),
        (4, "STORE_INVALID"),
        "has 1073741824 bytes, and a document at most 268435456; it was not read",
    ),
    bad(
        "a binary file",
        |place| fs::write(bad_file(place), b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR").unwrap(),
        (4, "STORE_INVALID"),
        "bad.json: ",
    ),
    bad(
        "a link out of the tree",
        |place| {
            fs::write(beside(place, "outside.json"), GOOD).unwrap();
            symlink("../outside.json", bad_file(place)).unwrap();
        },
        (4, "STORE_INVALID"),
        "bad.json is a link",
    ),
    program(
        "a program that is not there",
        |place| step(place, "argv: [/nowhere/x]"),
        (6, "STEP_FAILED"),
        "/nowhere/x",
    ),
    program(
        "a program that hangs",
        |place| script(place, "/bin/sleep 60", ", timeout_ms: 300"),
        (6, "STEP_FAILED"),
        "300",
    ),
    program(
        "a program that prints garbage",
        |place| script(place, "echo garbage", ""),
        (6, "STEP_FAILED"),
        "a.json: ",
    ),
    program(
        "a program that fails",
        |place| script(place, "exit 3", ""),
        (6, "STEP_FAILED"),
        "a.json: ",
    ),
    program(
        "a program that answers differently the second time",
        |place| script(place, "/bin/date +%N", ""),
        (6, "STEP_FAILED"),
        "a.json: ",
    ),
    Bad {
        what: "a program that changed since the plan was made",
        arrange: |place| script(place, "/bin/cat", ""),
        meanwhile: |place| {
            fs::write(beside(place, "contracts/x.sh"), "#!/bin/sh\n/bin/cat; exit 0\n").unwrap();
        },
        command: APPLY_PLAN,
        expected: (8, "PLAN_STALE"),
        told: "is another one now",
        repair: |_| {},
        next: APPLY,
    },
    Bad {
        what: "a program that is not the one which the contract names",
        arrange: |place| {
            fs::copy("/bin/cat", beside(place, "cat")).unwrap();
            let sum = ContentHash::of(&fs::read("/bin/cat").unwrap());
            let program = beside(place, "cat").display().to_string();
            step(place, &format!("argv: [{program}], sha256: '{sum}'"));
        },
        meanwhile: |place| {
            fs::copy("/bin/true", beside(place, "cat")).unwrap();
        },
        command: APPLY_PLAN,
        expected: (6, "STEP_FAILED"),
        told: "cat",
        repair: |place| {
            fs::copy("/bin/cat", beside(place, "cat")).unwrap();
        },
        next: APPLY_PLAN,
    },
    Bad {
        what: "a document that changes while the run is at work",
        arrange: |place| {
            at_mark(place, &format!("printf ' ' >> {}/a.json", place.work().display()));
        },
        meanwhile: |place| fs::write(beside(place, "mark"), "").unwrap(),
        command: APPLY_PLAN,
        expected: (8, "PLAN_STALE"),
        told: "changed while the run was at work: a.json",
        repair: |_| {},
        next: APPLY,
    },
];

/// A file that no command takes, and that is removed then.
const fn bad(
    what: &'static str,
    arrange: fn(&Place),
    expected: (i32, &'static str),
    told: &'static str,
) -> Bad {
    let repair = |place: &Place| fs::remove_file(bad_file(place)).unwrap();
    Bad {
        what,
        arrange: |_| {},
        meanwhile: arrange,
        command: PLAN,
        expected,
        told,
        repair,
        next: APPLY,
    }
}

/// A program that no plan can be made with, and that is mended then.
const fn program(
    what: &'static str,
    arrange: fn(&Place),
    expected: (i32, &'static str),
    told: &'static str,
) -> Bad {
    let repair = |place: &Place| set_contract(place, |text| text);
    Bad {
        what,
        arrange: |_| {},
        meanwhile: arrange,
        command: PLAN,
        expected,
        told,
        repair,
        next: APPLY,
    }
}

fn bad_file(place: &Place) -> std::path::PathBuf {
    place.work().join("bad.json")
}

/// Has documents go through a program.
fn step(place: &Place, program: &str) {
    let steps = format!("to: title}}}}\n      - {{program: {{{program}}}}}");
    set_contract(place, |text| text.replace("to: title}}", &steps));
}

fn script(place: &Place, text: &str, more: &str) {
    fs::write(beside(place, "contracts/x.sh"), format!("#!/bin/sh\n{text}\n")).unwrap();
    step(place, &format!("argv: [x.sh], files: [x.sh]{more}"));
}

/// A program that changes nothing, and does something once a file called `mark` is there.
fn at_mark(place: &Place, action: &str) {
    let mark = beside(place, "mark").display().to_string();
    script(place, &format!("/bin/cat; if [ -e {mark} ]; then /bin/rm {mark}; {action}; fi"), "");
}

/// A tree of two documents in two folders.
fn a_place() -> Place {
    let place = a_tree(&[("a.json", GOOD)]);
    fs::create_dir(place.work().join("sub")).unwrap();
    fs::write(place.work().join("sub/b.json"), GOOD).unwrap();
    place
}

/// The exit status and the one diagnostic.
fn diagnostic(said: &Said) -> (i32, Value) {
    let answer = said.json();
    let diagnostics = answer["diagnostics"].as_array().unwrap();
    assert_eq!((diagnostics.len(), said.stderr.as_str()), (1, ""), "{said:?}");
    assert_ne!(diagnostics[0]["not_done"], Value::Null, "{said:?}");
    (said.exit, diagnostics[0].clone())
}

#[test]
fn bad_input_is_one_error_and_leaves_the_tree_alone() {
    for bad in TABLE {
        let place = a_place();
        (bad.arrange)(&place);
        done(&place, &["plan", "-o", "../plan.json", "--allow-programs"]);
        (bad.meanwhile)(&place);
        let before = untouched(&place);
        let said = place.run(&[bad.command, &["--json"]].concat());
        let (exit, found) = diagnostic(&said);
        let code = found["code"].as_str().unwrap();
        assert_eq!((exit, code), bad.expected, "{}: {said:?}", bad.what);
        let message = found["message"].as_str().unwrap();
        assert!(message.contains(bad.told), "{}: {message}", bad.what);
        let mut after = untouched(&place);
        if bad.command == APPLY_PLAN && bad.what.starts_with("a document") {
            // Its owner changed it, and nobody else.
            let path = place.work().join("a.json");
            assert_eq!(fs::read_to_string(&path).unwrap(), format!("{GOOD} "));
            let key = after.keys().find(|key| key.ends_with("a.json")).unwrap().clone();
            after.insert(key.clone(), before[&key].clone());
        }
        assert!(after == before, "{}", bad.what);
        (bad.repair)(&place);
        done(&place, bad.next);
        let checked = done(&place, &["check", "--json", "--allow-programs"]).json();
        assert_ne!(checked["data"]["current"], 0, "{}", bad.what);
        assert_eq!(checked["data"]["migrated"], 0, "{}", bad.what);
    }
}

#[test]
fn undo_does_not_take_an_earlier_run_for_one_that_ended_before_it_changed_anything() {
    let place = a_place();
    at_mark(&place, "exit 1");
    done(&place, APPLY);
    let migrated = fs::read_to_string(place.work().join("a.json")).unwrap();
    done(&place, &["undo"]);
    done(&place, &["plan", "-o", "../plan.json", "--allow-programs"]);
    fs::write(beside(&place, "mark"), "").unwrap();
    assert_eq!(diagnostic(&place.run(&[APPLY_PLAN, &["--json"]].concat())).0, 6);
    let before = untouched(&place);
    let said = place.run(&["undo", "--json"]);
    let (exit, found) = diagnostic(&said);
    assert_eq!((exit, &found["code"]), (2, &"NOTHING_TO_UNDO".into()), "{said:?}");
    assert!(untouched(&place) == before);
    let told = done(&place, &["explain", "NOTHING_TO_UNDO"]).stdout;
    let true_here = told.contains("what was aborted left the store as it was");
    assert!(true_here && told.contains("migration rollback --to CURSOR"), "{told}");
    let answer = said.json();
    let next = answer["next"][0]["argv"].as_array().unwrap();
    let next: Vec<&str> = next.iter().skip(1).map(|word| word.as_str().unwrap()).collect();
    done(&place, &next);
    assert_eq!(fs::read_to_string(place.work().join("a.json")).unwrap(), migrated);
}

/// A folder that cannot be written to when its documents are to be put there, while others can.
#[test]
fn a_folder_that_turns_read_only_while_a_run_is_at_work_stops_it_before_anything_is_written() {
    let place = a_place();
    let folder = place.work().join("sub");
    let attribute = |change: &str| {
        let mut command = Command::new("chattr");
        command.arg(change).arg(&folder).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    if !(attribute("+i") && attribute("-i")) {
        not_shown("a folder that turns read-only", "no file can be made immutable here");
        return;
    }
    at_mark(&place, &format!("/usr/bin/chattr +i {}", folder.display()));
    done(&place, &["plan", "-o", "../plan.json", "--allow-programs"]);
    fs::write(beside(&place, "mark"), "").unwrap();
    let before = untouched(&place);
    let said = place.run(&[APPLY_PLAN, &["--json"]].concat());
    let now = untouched(&place);
    assert!(attribute("-i"));
    let (exit, found) = diagnostic(&said);
    assert_eq!((exit, &found["code"]), (1, &"IO".into()), "{said:?}");
    assert!(found["message"].as_str().unwrap().contains("b.json"), "{said:?}");
    assert!(now == before);
    done(&place, &["migration", "resume", "--allow-programs"]);
    assert!(untouched(&place) != before);
    done(&place, &["undo"]);
}

/// Somebody who is nobody's user or group here.
const NOBODY: u32 = 65_534;

/// Makes a folder and all that is in it nobody's.
fn given_to_nobody(path: &Path) -> io::Result<()> {
    lchown(path, Some(NOBODY), Some(NOBODY))?;
    if fs::symlink_metadata(path)?.is_dir() {
        for entry in fs::read_dir(path)? {
            given_to_nobody(&entry?.path())?;
        }
    }
    Ok(())
}

/// Root may read everything; somebody else may not.
#[test]
fn a_document_that_may_not_be_read_is_named() {
    let place = a_place();
    let top = place.work().parent().unwrap().to_owned();
    let as_nobody = |arguments: &[&str]| {
        let mut command = Command::new(place.command(&[]).get_program());
        command
            .uid(NOBODY)
            .gid(NOBODY)
            .args(arguments)
            .env("GLYPH_LEDGER_HOME", place.home())
            .current_dir(place.work())
            .stdin(Stdio::null());
        command.output()
    };
    let works = given_to_nobody(&top).is_ok()
        && as_nobody(&["check"]).is_ok_and(|output| output.status.success());
    if !works {
        not_shown("a document that may not be read", "nobody else's rights can be taken on here");
        return;
    }
    let document = place.work().join("sub/b.json");
    fs::set_permissions(&document, fs::Permissions::from_mode(0o000)).unwrap();
    for arguments in [&["check", "--json"] as &[&str], &["plan", "--json"], &["apply", "--json"]] {
        let output = as_nobody(arguments).unwrap();
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(
            (output.status.code(), &answer["diagnostics"][0]["code"]),
            (Some(1), &"IO".into())
        );
        let message = answer["diagnostics"][0]["message"].as_str().unwrap();
        assert!(message.contains("sub/b.json: Permission denied"), "{message}");
    }
    assert_eq!(fs::read_to_string(place.work().join("a.json")).unwrap(), GOOD);
    fs::set_permissions(&document, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(as_nobody(&["apply"]).unwrap().status.success());
}

/// The folder of a document is exchanged for a link, behind which somebody else's file has its name.
fn exchange_for_a_link(place: &Place, text: &str) {
    let (sub, out) = (place.work().join("sub"), beside(place, "out"));
    fs::create_dir_all(&out).unwrap();
    fs::write(out.join("one.json"), text).unwrap();
    fs::remove_dir_all(&sub).unwrap();
    symlink(&out, &sub).unwrap();
}

#[test]
fn a_folder_that_became_a_link_is_not_followed_out_of_the_tree() {
    let place = a_tree(&[("a.json", GOOD)]);
    fs::create_dir_all(place.work().join("sub")).unwrap();
    fs::write(place.work().join("sub/one.json"), GOOD).unwrap();
    let theirs = beside(&place, "out").join("one.json");
    let refused = |arguments: &[&str]| {
        let (before, said) = (fs::read(&theirs).unwrap(), place.run(arguments));
        assert!(said.exit == 4 && said.stderr.contains("is a link"), "{arguments:?}: {said:?}");
        assert_eq!(fs::read(&theirs).unwrap(), before, "{arguments:?}");
    };
    done(&place, &["plan", "-o", "../plan.json"]);
    // What the plan was made for is there, byte for byte, and outside.
    exchange_for_a_link(&place, GOOD);
    refused(&["apply", "../plan.json"]);
    fs::remove_file(place.work().join("sub")).unwrap();
    fs::create_dir(place.work().join("sub")).unwrap();
    fs::write(place.work().join("sub/one.json"), GOOD).unwrap();
    done(&place, &["apply", "../plan.json"]);
    let migrated = fs::read_to_string(place.work().join("sub/one.json")).unwrap();
    exchange_for_a_link(&place, &migrated);
    refused(&["undo"]);
    refused(&["undo", "--discard-changes"]);
}

#[test]
fn a_plan_is_read_from_a_file_and_no_further_than_one_has() {
    let place = a_tree(&[("a.json", GOOD)]);
    fs::write(place.work().join("latin.plan"), [b'{', 0xe9, b'}']).unwrap();
    let fifo = place.work().join("pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0)
        .unwrap();
    for file in ["/dev/zero", "pipe", ".", "latin.plan"] {
        let said = place.run(&["apply", file]);
        assert_eq!((said.exit, said.stderr.contains("not a plan")), (2, true), "{file}: {said:?}");
    }
}

#[test]
fn a_contract_that_was_moved_is_missed_by_name_and_where_to_say_so_is_told() {
    let place = a_tree(&[("good.json", GOOD)]);
    done(&place, &["apply"]);
    let (here, there) = (beside(&place, "contracts"), beside(&place, "moved"));
    fs::rename(&here, &there).unwrap();
    for command in [&["check"][..], &["plan"], &["apply"], &["prove", "."]] {
        let said = place.run(&[command, &["--json"]].concat());
        let told = said.json()["diagnostics"][0]["message"].clone();
        let told = told.as_str().unwrap();
        assert!(told.contains("book.yaml") && told.contains("documents.json"), "{said:?}");
        assert_eq!(said.exit, 1, "{said:?}");
    }
    let settings = place.work().join(".glyph-ledger/documents.json");
    let moved = fs::read_to_string(&settings).unwrap().replace("/contracts/", "/moved/");
    fs::write(&settings, moved).unwrap();
    done(&place, &["check"]);
    fs::rename(&there, &here).unwrap();
    assert_eq!(place.run(&["check"]).exit, 1);
    done(&place, &["undo"]);
}
