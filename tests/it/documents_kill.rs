//! A migration of 200 documents, killed at every batch of events and around every rename, and interrupted. What is resumed
//! must come to the same documents and the same certificate as an undisturbed run.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use rustix::process::Signal;

use crate::support::{Place, a_tree, beside, copy, done, not_shown, plan_all};

const DOCUMENTS: usize = 200;

/// Set: kill at every call; else at every batch of events, and at some of the many others.
const EVERYWHERE: &str = "GLYPH_LEDGER_KILL_EVERYWHERE";

/// A job that is killed: its command, and the calls to kill at with how many of them, counted for each thread, to pass over
/// from one point to the next. A thread is given 64 documents at least.
/// Each batch of events renames a pin with `renameat`; each document changes names with its output by `renameat2`, and what
/// came out is removed with `unlink`, as is what may lie beside a place before.
struct Job {
    command: &'static [&'static str],
    calls: &'static [(&'static str, usize)],
}

const APPLY: Job = Job {
    command: &["apply", "../plan.json", "--jobs", "1"],
    calls: &[
        ("renameat", 1),
        ("renameat2", 67),
        ("unlink", 131),
        ("fdatasync", 9),
        ("fsync", 9),
        ("pwrite64", 7),
    ],
};

const APPLY_IN_FOUR_THREADS: Job = Job {
    command: &["apply", "../plan.json", "--jobs", "4"],
    calls: &[("renameat", 3), ("renameat2", 31), ("fsync", 9)],
};

const UNDO: Job = Job {
    command: &["undo"],
    calls: &[("renameat", 2), ("renameat2", 31), ("fdatasync", 3), ("fsync", 5)],
};

#[test]
fn m9_documents_killed_anywhere_end_as_if_undisturbed() {
    let resumed = killed(&APPLY);
    assert!(resumed.is_none_or(|resumed| resumed > 6), "{resumed:?} runs were open when killed");
}

#[test]
fn m9_documents_worked_on_in_four_threads_and_killed_end_as_if_undisturbed() {
    assert!(killed(&APPLY_IN_FOUR_THREADS).is_none_or(|resumed| resumed > 2));
}

#[test]
fn m10_documents_on_their_way_back_killed_anywhere_end_as_if_undisturbed() {
    assert!(killed(&UNDO).is_none_or(|resumed| resumed > 2));
}

/// Kills a job at all its points. The number of runs that were open then; none where it cannot be shown.
fn killed(job: &Job) -> Option<usize> {
    let (place, expected) = undisturbed(job)?;
    let everywhere = std::env::var_os(EVERYWHERE).is_some();
    let mut resumed = 0;
    for (call, stride) in job.calls {
        let mut points = 0;
        let mut nth = 1;
        while stopped(&place, job, call, nth, Signal::KILL).is_none() {
            resumed += usize::from(finish(&place, job, &expected));
            assert!(outcome(&place) == expected, "{call} {nth}: {:?}", outcome(&place).1);
            points += 1;
            nth += if everywhere { 1 } else { *stride };
            reset(&place);
        }
        assert!(points > 1, "{call}: {points} points");
        reset(&place);
    }
    Some(resumed)
}

#[test]
fn m9_documents_interrupted_say_how_to_go_on() {
    let Some((place, expected)) = undisturbed(&APPLY) else { return };
    let mut interrupted = 0;
    for nth in 1..=8 {
        match stopped(&place, &APPLY, "renameat", nth, Signal::INT) {
            Some((130, said)) => {
                interrupted += 1;
                assert!(said.contains("next: glyph-ledger migration resume"), "{said}");
                done(&place, &["migration", "resume"]);
            }
            Some((0, _)) => {}
            // The program did not listen yet, as it had not begun.
            None => assert!(!finish(&place, &APPLY, &expected)),
            other => panic!("{nth}: {other:?}"),
        }
        assert!(outcome(&place) == expected, "{nth}: {:?}", outcome(&place).1);
        reset(&place);
    }
    assert!(interrupted > 0);
}

/// What a run left that was given up is newer than the run before it, which here went back itself: taking that one back would
/// send all documents forward.
#[test]
fn undo_takes_back_what_a_run_left_that_was_given_up_and_not_the_run_before_it() {
    let Some((place, _)) = undisturbed(&APPLY) else { return };
    let sources = outcome(&place).0;
    done(&place, APPLY.command);
    done(&place, &["undo"]);
    let abandon = ["migration", "resume", "--abandon", "no more", "--json"];
    for (nth, written) in [(1, false), (67, true)] {
        plan_all(&place);
        assert!(stopped(&place, &APPLY, "renameat2", nth, Signal::KILL).is_none());
        let pending = place.run(&["undo", "--json"]).json()["diagnostics"][0]["code"].clone();
        assert_eq!(pending, "RUN_PENDING");
        let given_up = done(&place, &abandon).json();
        assert_eq!(given_up["data"]["documents"]["written"] == serde_json::json!([]), !written);
        assert_eq!(given_up["next"].to_string().contains("undo"), written, "{given_up}");
        assert_eq!(outcome(&place).0 == sources, !written);
        let said = place.run(&["undo", "--json"]);
        assert_eq!(said.exit, if written { 0 } else { 2 }, "{said:?}");
        assert!(outcome(&place).0 == sources, "{nth}");
        if !written {
            assert_eq!(said.json()["diagnostics"][0]["code"], "NOTHING_TO_UNDO", "{said:?}");
        }
    }
}

/// A file system that cannot exchange names, as some do not: outputs are renamed into their places.
#[test]
fn documents_are_published_where_names_cannot_be_exchanged() {
    let Some((place, expected)) = undisturbed(&APPLY) else { return };
    for error in ["EINVAL", "ENOSYS", "EOPNOTSUPP"] {
        let output = traced(&place, &APPLY, "renameat2", &format!("error={error}"));
        assert_eq!(output.status.code(), Some(0), "{error}: {output:?}");
        let trace = fs::read_to_string(beside(&place, "strace")).unwrap();
        assert!(trace.matches("(INJECTED)").count() >= DOCUMENTS, "{error}: {trace}");
        assert!(outcome(&place) == expected, "{error}");
        reset(&place);
    }
    // Any other error stops the run, which goes on later.
    let output = traced(&place, &APPLY, "renameat2", "error=EIO:when=7");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    done(&place, &["migration", "resume"]);
    assert!(outcome(&place) == expected);
}

/// Documents by name, and the certificates of what was committed.
type Outcome = (BTreeMap<PathBuf, Vec<u8>>, Vec<String>);

/// A place where a job is at hand, kept to come back to, and what the job comes to.
fn undisturbed(job: &Job) -> Option<(Place, Outcome)> {
    if Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_err() {
        not_shown("documents killed at every call", "there is no strace here");
        return None;
    }
    let documents: Vec<(String, String)> = (0..DOCUMENTS)
        .map(|n| (format!("d{n:03}.json"), format!("{{\"v\":1,\"titel\":\"t{n}\"}}\n")))
        .collect();
    let documents: Vec<(&str, &str)> =
        documents.iter().map(|(id, text)| (id.as_str(), text.as_str())).collect();
    let place = a_tree(&documents);
    plan_all(&place);
    if job.command == UNDO.command {
        done(&place, APPLY.command);
    }
    for (from, kept) in [(place.work(), "work-kept"), (place.home(), "home-kept")] {
        copy(&from, &beside(&place, kept));
    }
    reset(&place);
    done(&place, job.command);
    let expected = outcome(&place);
    let commits = if job.command == UNDO.command { 2 } else { 1 };
    assert_eq!((expected.0.len(), expected.1.len()), (DOCUMENTS, commits));
    reset(&place);
    Some((place, expected))
}

/// Puts the place back to where all is planned.
fn reset(place: &Place) {
    for (to, kept) in [(place.work(), "work-kept"), (place.home(), "home-kept")] {
        fs::remove_dir_all(&to).unwrap();
        copy(&beside(place, kept), &to);
    }
    let key = place.home().join("config/key.pem");
    fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
}

/// Does a job with a signal before the n-th of some call. None if it died of it, else its exit status and what it said.
fn stopped(
    place: &Place,
    job: &Job,
    call: &str,
    nth: usize,
    signal: Signal,
) -> Option<(i32, String)> {
    let name = if signal == Signal::KILL { "SIGKILL" } else { "SIGINT" };
    let output = traced(place, job, call, &format!("signal={name}:when={nth}"));
    if let Some(died_of) = output.status.signal() {
        assert_eq!(died_of, signal.as_raw());
        return None;
    }
    let said = String::from_utf8(output.stderr).unwrap();
    Some((output.status.code().unwrap(), said))
}

/// Does a job and has some call do something else.
fn traced(place: &Place, job: &Job, call: &str, injected: &str) -> Output {
    let program = place.command(&[]);
    let mut command = Command::new("strace");
    command
        .args(["-f", "-o"])
        .arg(beside(place, "strace"))
        .args(["-e", &format!("trace={call}")])
        .args(["-e", &format!("inject={call}:{injected}")])
        .arg(program.get_program())
        .args(job.command)
        .env("GLYPH_LEDGER_HOME", place.home())
        .current_dir(place.work())
        .stdin(Stdio::null());
    command.output().unwrap()
}

/// Goes on with what was killed: resumes the run, or begins it if it had not begun. Whether there was a run to resume.
fn finish(place: &Place, job: &Job, expected: &Outcome) -> bool {
    let said = place.run(&["migration", "resume", "--json"]);
    if said.exit == 0 {
        return true;
    }
    assert_eq!(said.json()["diagnostics"][0]["code"], "NO_RUN", "{said:?}");
    if outcome(place) != *expected {
        done(place, job.command);
    }
    false
}

fn outcome(place: &Place) -> Outcome {
    let files = fs::read_dir(place.work()).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.is_file());
    let documents = files.map(|path| (path.clone(), fs::read(&path).unwrap())).collect();
    let log = done(place, &["log", "--json", "--limit", "1000000"]).json();
    let events = log["data"]["events"].as_array().unwrap();
    let committed = events.iter().filter(|event| event["kind"] == "run.committed");
    let certificates = committed.map(|event| event["summary"].as_str().unwrap().to_owned());
    (documents, certificates.collect())
}
