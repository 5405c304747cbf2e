//! A structure that somebody made by hand, or another tool's migration, taken into the ledger by a command, through the program.

use std::fs;

use serde_json::{Value, json};

use crate::cli_keys::both_verifiers_agree;
use crate::databases::{
    INIT_COMMAND, an_application, apply, database, number, page_root, sql, told,
};
use crate::support::{Place, done};

const ACCEPT: [&str; 4] = ["migration", "accept-drift", "--reason", "an index made by hand"];

/// A database in care that went through the first two of three migrations.
fn in_care() -> Place {
    let place = an_application(&[
        ("0001_init.sql", "CREATE TABLE users(id INTEGER PRIMARY KEY, name TEXT, note TEXT);"),
        ("0002_log.sql", "CREATE TABLE log(who INTEGER); INSERT INTO log SELECT id FROM users;"),
    ]);
    sql(&place, "INSERT INTO users VALUES (1, 'a', 'x'), (2, 'b', 'y'), (3, 'c', NULL);");
    done(&place, &INIT_COMMAND);
    apply(&place);
    migration(&place, "0003_mail.sql", "ALTER TABLE users ADD COLUMN mail TEXT DEFAULT 'none';");
    place
}

fn migration(place: &Place, name: &str, sql: &str) {
    fs::write(place.work().join("db/migrations").join(name), sql).unwrap();
}

fn code(answer: &Value) -> &str {
    answer["diagnostics"][0]["code"].as_str().unwrap()
}

/// Looks, and accepts what was seen.
fn accept(place: &Place, more: &[&str]) -> Value {
    let seen = told(place, "accept-drift", 5, &[&ACCEPT[..], more].concat());
    let id = seen["data"]["id"].as_str().unwrap();
    told(place, "accept-drift", 0, &[&ACCEPT[..], more, &["--yes", &id[..12]]].concat())
}

/// All that is named by hash is there, and both verifiers say that the history holds.
fn all_agree(place: &Place) {
    let judged = told(place, "verify-chain", 0, &["verify-chain", "--objects"]);
    assert_eq!(judged["data"]["objects"]["bad"], 0, "{judged}");
    both_verifiers_agree(place);
}

#[test]
fn s10_a_structure_made_by_hand_is_told_and_accepted_by_its_id() {
    let place = in_care();
    sql(&place, "CREATE INDEX by_name ON users(name); ALTER TABLE users DROP COLUMN note;");
    sql(&place, "CREATE TABLE other(a); INSERT INTO other VALUES (1), (2); DELETE FROM log;");
    let drifted = page_root(&database(&place));
    let events = done(&place, &["log", "--json"]).stdout;
    for (command, arguments) in [("status", &["status"][..]), ("plan", &["plan"])] {
        let refused = told(&place, command, 6, arguments);
        assert_eq!(code(&refused), "SCHEMA_DRIFT");
        let next = refused["next"][0]["argv"].as_array().unwrap();
        assert_eq!(next[1..3], ["migration", "accept-drift"], "{refused}");
    }

    // Told, and nothing done.
    let seen = told(&place, "accept-drift", 5, &ACCEPT);
    let again = seen["next"][0]["argv"].as_array().unwrap().clone();
    let seen = seen["data"].clone();
    let id = seen["id"].as_str().unwrap();
    assert_eq!(again.last().unwrap(), &id[..12], "{again:?}");
    let changes = &seen["changes"];
    let declared = changes["declared"].as_array().unwrap();
    let named = |one: &Value| format!("{} {}", one["change"].as_str().unwrap(), one["name"]);
    let declared: Vec<String> = declared.iter().map(named).collect();
    for one in ["added \"other\"", "added \"by_name\"", "removed \"users.note\""] {
        assert!(declared.iter().any(|told| told == one), "{one} in {declared:?}");
    }
    let tables = changes["tables"].as_array().unwrap();
    let rows = |name: &str| {
        let table = tables.iter().find(|table| table["table"] == name).unwrap();
        (table["rows_before"].as_u64(), table["rows_after"].as_u64())
    };
    assert_eq!((rows("other"), rows("log")), ((None, Some(2)), (Some(3), Some(0))), "{seen}");
    assert_eq!((&seen["from"], &seen["to"]), (&json!("0002"), &json!("0002")));
    let wrong = [&ACCEPT[..], &["--yes", "000000000000"]].concat();
    assert_eq!(code(&told(&place, "accept-drift", 8, &wrong)), "PLAN_STALE");
    for none in ["", " \t"] {
        let unsaid = ["migration", "accept-drift", "--reason", none, "--yes", &id[..12]];
        assert_eq!(code(&told(&place, "accept-drift", 2, &unsaid)), "USAGE");
    }
    let short = [&ACCEPT[..], &["--yes", &id[..11]]].concat();
    told(&place, "accept-drift", 5, &short);
    assert_eq!(done(&place, &["log", "--json"]).stdout, events);
    assert_eq!(page_root(&database(&place)), drifted);

    // What was not looked at is not accepted: no other structure, no other row, no other setting.
    let yes = [&ACCEPT[..], &["--yes", &id[..12]]].concat();
    for since in [
        "CREATE TABLE more(a);",
        "DROP TABLE more; INSERT INTO other VALUES (3);",
        "DELETE FROM other WHERE a = 1;",
        "PRAGMA user_version = 7;",
    ] {
        sql(&place, since);
        let stale = told(&place, "accept-drift", 8, &yes);
        assert_eq!(code(&stale), "PLAN_STALE", "{since}");
        assert_eq!(stale["next"][0]["argv"].as_array().unwrap()[1..], ACCEPT, "{stale}");
    }
    assert_eq!(done(&place, &["log", "--json"]).stdout, events);
    let seen = told(&place, "accept-drift", 5, &ACCEPT)["data"].clone();
    let setting = json!([{"name": "user_version", "before": "0", "after": "7"}]);
    assert_eq!(seen["changes"]["settings"], setting);
    let yes = [&ACCEPT[..], &["--yes", &seen["id"].as_str().unwrap()[..12]]].concat();
    let accepted = told(&place, "accept-drift", 0, &yes)["data"].clone();
    let taken = page_root(&database(&place));
    let log = done(&place, &["log", "--json"]).json();
    let last = &log["data"]["events"][0];
    assert_eq!((&last["kind"], &last["seq"]), (&json!("drift.accepted"), &accepted["accepted"]));
    assert!(last["summary"].as_str().unwrap().contains("an index made by hand"), "{last}");
    let status = told(&place, "status", 0, &["status", "--deep"]);
    assert_eq!(status["data"]["objects"][0]["drift"], "none", "{status}");
    assert_eq!(code(&told(&place, "accept-drift", 2, &ACCEPT)), "NOTHING_TO_DO");
    all_agree(&place);

    // It goes on from there, and back to there.
    apply(&place);
    assert_eq!(number(&place, "SELECT count(*) FROM users WHERE mail = 'none'"), 3);
    told(&place, "undo", 0, &["undo"]);
    assert_eq!(page_root(&database(&place)), taken);
    let again = told(&place, "replay", 0, &["replay", "--recompute"]);
    assert_eq!(again["ok"], true);

    all_agree(&place);
}

#[test]
fn s10_accepted_drift_is_told_apart_from_what_runs_did() {
    let place = in_care();
    let recorded = page_root(&database(&place));
    sql(&place, "CREATE TABLE other(a); INSERT INTO other VALUES (1), (2); DELETE FROM log;");
    sql(&place, "PRAGMA user_version = 7;");
    let accepted = accept(&place, &[])["data"].clone();
    let taken = page_root(&database(&place));
    let seq = &accepted["accepted"];
    let (at, before) = (seq.to_string(), (seq.as_u64().unwrap() - 1).to_string());

    // Whoever asks what the last run did is told what of it the run did not do.
    let compared = told(&place, "diff", 0, &["diff", "@-1", "@"])["data"].clone();
    let outside = compared["outside"].as_array().unwrap();
    assert_eq!(outside.len(), 1, "{outside:?}");
    assert_eq!((&outside[0]["seq"], &outside[0]["how"]), (seq, &json!("drift_accepted")));
    let alone = told(&place, "diff", 0, &["diff", &before, &at])["data"].clone();
    assert_eq!(outside[0]["changes"], alone["objects"][0]["database"]);
    let said = done(&place, &["diff", "@-1", "@"]).stdout;
    let (_, no_run) = said.split_once("of that no run made\n").unwrap();
    assert!(no_run.contains(&format!("accepted at event {at}: {}", ACCEPT[3])), "{said}");
    assert!(no_run.contains("other: none -> 2 rows"), "{said}");
    assert!(!no_run.contains("users"), "{said}");
    let run_alone = told(&place, "diff", 0, &["diff", "@-1", &before])["data"].clone();
    assert_eq!(run_alone["outside"], json!([]));

    let standing_out = told(&place, "audit", 6, &["audit", "exceptions", "--from", &at]);
    let exceptions = standing_out["data"]["exceptions"].as_array().unwrap();
    let size = json!({"declared": 1, "rows_added": 2, "rows_removed": 3, "rows_changed": 0,
        "settings": 1});
    assert_eq!(exceptions.len(), 1, "{exceptions:?}");
    assert_eq!((&exceptions[0]["seq"], &exceptions[0]["size"]), (seq, &size), "{exceptions:?}");
    assert_eq!(exceptions[0]["reason"], ACCEPT[3]);
    // Whoever takes the database into care once more is told that it is.
    for more in [&[][..], &["--baseline", "0002"]] {
        let refused = told(&place, "init", 2, &[&INIT_COMMAND[..], more].concat());
        assert_eq!(code(&refused), "ALREADY_HERE");
    }

    // Back to before it takes it away, which is said; it stays kept.
    let back = ["migration", "rollback", "--to", &before];
    let refused = told(&place, "rollback", 6, &back);
    let message = refused["diagnostics"][0]["message"].as_str().unwrap();
    assert!(message.contains("accepted at event"), "{message}");
    assert_eq!(refused["next"][0]["argv"].as_array().unwrap()[1..], ["diff", &before, &at]);
    assert_eq!(page_root(&database(&place)), taken);
    let gone = told(&place, "rollback", 0, &[&back[..], &["--discard-changes"]].concat());
    assert_eq!(page_root(&database(&place)), recorded);
    // What is in neither state any more is no part of what differs.
    let compared = told(&place, "diff", 0, &["diff", &before, "@"])["data"].clone();
    assert_eq!((&compared["objects"], &compared["outside"]), (&json!([]), &json!([])));
    let taken_out = &gone["data"]["taken_out"];
    assert_eq!(taken_out["accepted"], json!([seq]), "{gone}");
    let tables = taken_out["changes"]["tables"].as_array().unwrap();
    let other = tables.iter().find(|table| table["table"] == "other").unwrap();
    assert_eq!((&other["rows_before"], &other["rows_after"]), (&json!(2), &Value::Null));
    let forward = gone["next"][1]["argv"].as_array().unwrap().last().unwrap().clone();
    told(&place, "rollback", 0, &["migration", "rollback", "--to", forward.as_str().unwrap()]);
    assert_eq!(page_root(&database(&place)), taken);
    all_agree(&place);
}

#[test]
fn s10_a_migration_done_by_hand_is_accepted_with_the_version_it_leads_to() {
    let place = in_care();
    sql(&place, "ALTER TABLE users ADD COLUMN mail TEXT DEFAULT 'none';");
    // What it is said to have gone through must have made it, as where it came into care.
    let nothing = [&ACCEPT[..], &["--baseline", "none"]].concat();
    let differs = told(&place, "accept-drift", 2, &nothing);
    assert_eq!(code(&differs), "BASELINE_DIFFERS", "{differs}");
    let believed = [&nothing[..], &["--believe-baseline"]].concat();
    assert_eq!(told(&place, "accept-drift", 5, &believed)["data"]["to"], "none");
    let unknown = [&ACCEPT[..], &["--baseline", "9"]].concat();
    assert_eq!(code(&told(&place, "accept-drift", 4, &unknown)), "MIGRATION_VERSION_UNKNOWN");
    let accepted = accept(&place, &["--baseline", "0003"])["data"].clone();
    assert_eq!((&accepted["from"], &accepted["to"]), (&json!("0002"), &json!("0003")));
    let status = told(&place, "status", 0, &["status"])["data"].clone();
    assert_eq!((&status["version"], &status["applied"]), (&json!("0003"), &json!(3)), "{status}");
    assert_eq!((&status["pending"], &status["findings"]), (&json!([]), &json!([])));
    // What was accepted as gone through must stay what it was.
    migration(&place, "0003_mail.sql", "ALTER TABLE users ADD COLUMN mail BLOB;");
    assert_eq!(code(&told(&place, "status", 6, &["status"])), "MIGRATION_EDITED");
    migration(&place, "0003_mail.sql", "ALTER TABLE users ADD COLUMN mail TEXT DEFAULT 'none';");
    migration(&place, "0004_more.sql", "CREATE TABLE more(a);");
    apply(&place);
    all_agree(&place);
}

#[test]
fn s10_what_another_tool_migrated_is_accepted_at_the_version_of_its_table() {
    let place = Place::new();
    let folder = place.work().join("db/migrations");
    let files = [
        ("20240101000000_users.sql", "CREATE TABLE users(id INTEGER PRIMARY KEY);"),
        ("20240102000000_rows.sql", "INSERT INTO users VALUES (1), (2);"),
        ("20240103000000_more.sql", "CREATE TABLE more(a);"),
    ];
    fs::create_dir_all(&folder).unwrap();
    let up = |sql: &str| format!("-- migrate:up\n{sql}\n-- migrate:down\n");
    for (name, sql) in files {
        fs::write(folder.join(name), up(sql)).unwrap();
    }
    sql(&place, "CREATE TABLE \"schema_migrations\" (version varchar(128) primary key);");
    let by_the_tool = |(name, text): (&str, &str)| {
        sql(&place, text);
        let version = name.split('_').next().unwrap();
        sql(&place, &format!("INSERT INTO schema_migrations VALUES ('{version}');"));
    };
    by_the_tool(files[0]);
    done(&place, &[&INIT_COMMAND[..], &["--layout", "dbmate"]].concat());
    // First one that changes rows only: the structure is as it was, the version is not.
    by_the_tool(files[1]);
    let refused = told(&place, "status", 4, &["status"]);
    assert_eq!(code(&refused), "STORE_DISAGREES");
    let contradicts = [&ACCEPT[..], &["--baseline", "20240103000000"]].concat();
    assert_eq!(code(&told(&place, "accept-drift", 4, &contradicts)), "STORE_DISAGREES");
    assert_eq!(accept(&place, &[])["data"]["to"], "20240102000000");
    by_the_tool(files[2]);
    assert_eq!(accept(&place, &[])["data"]["to"], "20240103000000");
    let status = told(&place, "status", 0, &["status"])["data"].clone();
    assert_eq!((&status["applied"], &status["findings"]), (&json!(3), &json!([])), "{status}");
    all_agree(&place);

    // A version that the folder does not have stays refused by name.
    sql(&place, "INSERT INTO schema_migrations VALUES ('20250101000000');");
    assert_eq!(code(&told(&place, "accept-drift", 6, &ACCEPT)), "MIGRATION_NEWER");
}

#[test]
fn s10_a_store_that_drifted_is_accepted_with_its_manifest() {
    let place = Place::new();
    done(&place, &["init"]);
    let store = place.work().join(".glyph");
    let by_hand = rusqlite::Connection::open(store.join("store.db")).unwrap();
    by_hand.execute_batch("CREATE INDEX by_path ON content(path);").unwrap();
    drop(by_hand);
    let manifest = store.join("manifest.yaml");
    let edited = fs::read_to_string(&manifest).unwrap() + "# mine\n";
    fs::write(&manifest, &edited).unwrap();
    assert_eq!(code(&told(&place, "status", 6, &["status"])), "SCHEMA_DRIFT");
    accept(&place, &[]);
    let status = told(&place, "status", 0, &["status", "--deep"])["data"].clone();
    let drift = status["objects"].as_array().unwrap().iter().map(|object| &object["drift"]);
    assert_eq!(drift.collect::<Vec<_>>(), ["none", "none", "none"], "{status}");
    apply(&place);
    told(&place, "undo", 0, &["undo"]);
    assert_eq!(fs::read_to_string(&manifest).unwrap(), edited);
    all_agree(&place);
}

#[test]
fn s5_two_ledgers_of_one_database_are_refused_or_lose_nothing() {
    let place = in_care();
    let elsewhere = ["--ledger", "../elsewhere/.glyph-ledger"];
    fs::create_dir(place.work().join("../elsewhere")).unwrap();
    let second = [&INIT_COMMAND[..], &elsewhere].concat();
    let refused = told(&place, "init", 2, &second);
    assert_eq!(code(&refused), "ALREADY_HERE");
    let message = refused["diagnostics"][0]["message"].as_str().unwrap();
    assert!(message.contains("another ledger") && message.contains(".glyph-ledger"), "{message}");
    assert!(!place.work().join("../elsewhere/.glyph-ledger").exists());
    fs::hard_link(database(&place), place.work().join("also.db")).unwrap();
    let linked = ["init", "--database", "also.db", "--migrations", "db/migrations"];
    told(&place, "init", 2, &[&linked[..], &elsewhere].concat());
    fs::remove_file(place.work().join("also.db")).unwrap();

    // One that nobody can know of, since the first was out of the way.
    let hidden = place.work().join("../hidden");
    fs::rename(place.work().join(".glyph-ledger"), &hidden).unwrap();
    done(&place, &[&second[..], &["--baseline", "0002", "--believe-baseline"]].concat());
    fs::rename(&hidden, place.work().join(".glyph-ledger")).unwrap();
    apply(&place);
    sql(&place, "INSERT INTO users VALUES (4, 'd', NULL, 'mine');");
    let other = |arguments: &[&str]| place.run(&[arguments, &elsewhere, &["--json"]].concat());
    let drifted = other(&["status"]);
    assert_eq!((drifted.exit, code(&drifted.json())), (6, "SCHEMA_DRIFT"), "{drifted:?}");
    let accept = [&ACCEPT[..], &["--baseline", "0003"]].concat();
    let seen = other(&accept).json();
    let id = seen["data"]["id"].as_str().unwrap().to_owned();
    let accepted = other(&[&accept[..], &["--yes", &id]].concat());
    assert_eq!(accepted.exit, 0, "{accepted:?}");
    migration(&place, "0004_more.sql", "CREATE TABLE more(a);");
    assert_eq!(other(&["apply"]).exit, 0);
    assert_eq!(code(&told(&place, "status", 6, &["status"])), "SCHEMA_DRIFT");
    assert_eq!(number(&place, "SELECT count(*) FROM users"), 4);
}
