//! What the program must not write through, write over, or begin anew.

use std::fs;
use std::os::unix::fs::symlink;

use crate::support::{Place, a_migrated_store, done};

fn codes(place: &Place, arguments: &[&str]) -> (i32, String) {
    let said = place.run(&[arguments, &["--json"]].concat());
    let code = said.json()["diagnostics"][0]["code"].as_str().unwrap_or_default().to_owned();
    (said.exit, code)
}

#[test]
fn a_link_in_a_ledgers_folder_is_refused_and_nothing_is_written_through_it() {
    for name in ["lock", "CLOSED", "objects/00000000.pack", "objects/lock"] {
        let place = Place::new();
        a_migrated_store(&place);
        let victim = place.work().join("victim");
        fs::write(&victim, "precious").unwrap();
        let link = place.work().join(".glyph/ledger").join(name);
        if link.exists() {
            fs::remove_file(&link).unwrap();
        }
        symlink(&victim, &link).unwrap();
        for command in [&["status"] as &[&str], &["plan"], &["undo"]] {
            assert_eq!(codes(&place, command), (3, "LEDGER_DAMAGED".into()), "{name} {command:?}");
        }
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious", "{name}");
    }
}

#[test]
fn publishing_a_manifest_never_writes_through_a_link_beside_it() {
    let place = Place::new();
    a_migrated_store(&place);
    let victim = place.work().join("victim");
    fs::write(&victim, "precious").unwrap();
    symlink(&victim, place.work().join(".glyph/manifest.yaml.new")).unwrap();
    done(&place, &["undo"]);
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    assert!(!place.work().join(".glyph/manifest.yaml").is_symlink());
}

#[test]
fn no_answer_is_written_over_a_part_of_the_store() {
    let place = Place::new();
    a_migrated_store(&place);
    for name in ["manifest.yaml", "store.db", "audit/events.jsonl", "ledger/HEAD", "new.json"] {
        let file = place.work().join(".glyph").join(name);
        let before = fs::read(&file).ok();
        let shown = file.display().to_string();
        for command in ["plan", "export"] {
            assert_eq!(codes(&place, &[command, "-o", &shown]), (2, "USAGE".into()), "{name}");
        }
        assert_eq!(fs::read(&file).ok(), before, "{name}");
    }
}

#[test]
fn a_plan_that_leads_nowhere_is_not_a_run() {
    let place = Place::new();
    a_migrated_store(&place);
    let log = done(&place, &["log"]).stdout;
    assert!(done(&place, &["apply"]).stdout.contains("nothing to do"));
    assert_eq!(done(&place, &["apply", "--json"]).json()["data"]["unchanged"], true);
    assert_eq!(done(&place, &["log"]).stdout, log);
}

#[test]
fn a_store_that_was_known_here_is_never_taken_for_none() {
    let place = Place::new();
    a_migrated_store(&place);
    fs::remove_dir_all(place.work().join(".glyph")).unwrap();
    for command in ["status", "plan", "undo"] {
        assert_eq!(codes(&place, &[command]), (3, "LEDGER_FOREIGN".into()), "{command}");
    }
}

#[test]
fn objects_that_are_gone_are_not_begun_anew() {
    let place = Place::new();
    a_migrated_store(&place);
    let objects = place.work().join(".glyph/ledger/objects");
    fs::remove_dir_all(&objects).unwrap();
    for command in ["status", "plan", "undo"] {
        assert_ne!(place.run(&[command]).exit, 0, "{command}");
    }
    assert!(!objects.exists());
}

#[test]
fn no_answer_takes_the_place_of_something_else() {
    let place = Place::new();
    a_migrated_store(&place);
    let work = place.work();
    let victim = work.join("precious");
    fs::write(&victim, "precious").unwrap();
    symlink(&victim, work.join("link")).unwrap();
    symlink(work.join("nowhere"), work.join("dangling")).unwrap();
    fs::create_dir(work.join("folder")).unwrap();
    for name in ["precious", "link", "dangling", "folder", "/dev/full"] {
        for command in ["plan", "export"] {
            assert_eq!(codes(&place, &[command, "-o", name]), (2, "USAGE".into()), "{name}");
        }
    }
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    assert!(work.join("link").is_symlink() && work.join("dangling").is_symlink());
    assert!(!work.join("nowhere").exists());
}
