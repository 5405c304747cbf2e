//! What of a database can be put back, what changed between two cursors, and down-migrations as runs, through the program.

use std::fs;

use serde_json::{Value, json};

use crate::databases::{apply, database, page_root, sql, told};
use crate::support::{Place, done};

/// A folder as diesel has it; the third migration has no way down.
const FILES: [(&str, &str); 5] = [
    (
        "2024-01-01-000000_users/up.sql",
        "CREATE TABLE users(id INTEGER PRIMARY KEY, name TEXT, note TEXT);",
    ),
    (
        "2024-01-02-000000_token/up.sql",
        "ALTER TABLE users ADD COLUMN token BLOB; UPDATE users SET token = randomblob(8);
UPDATE users SET name = upper(name) WHERE id <= 3;
CREATE TABLE log(who INTEGER, at TEXT DEFAULT CURRENT_TIMESTAMP); INSERT INTO log(who) SELECT id FROM users;",
    ),
    (
        "2024-01-02-000000_token/down.sql",
        "DROP TABLE log; ALTER TABLE users DROP COLUMN token;
UPDATE users SET note = 'back at ' || CURRENT_TIMESTAMP || hex(randomblob(4)) WHERE id = 1;",
    ),
    ("2024-01-03-000000_note/up.sql", "ALTER TABLE users DROP COLUMN note;"),
    ("2024-01-03-000000_note/down.sql", "ALTER TABLE users ADD COLUMN note TEXT;"),
];

const FIRST: &str = "20240101000000";

/// A database of 100 users that went through the first, in diesel's books, and through the others here.
fn migrated() -> Place {
    let place = Place::new();
    for (name, sql) in FILES {
        let path = place.work().join("db/migrations").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, sql).unwrap();
    }
    fs::remove_file(place.work().join("db/migrations/2024-01-03-000000_note/down.sql")).unwrap();
    sql(&place, FILES[0].1);
    sql(
        &place,
        "CREATE TABLE __diesel_schema_migrations (
       version VARCHAR(50) PRIMARY KEY NOT NULL,
       run_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
);
INSERT INTO __diesel_schema_migrations (version) VALUES ('20240101000000');
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)
INSERT INTO users SELECT i, 'somebody ' || i, printf('%.500c', 'x') FROM n;",
    );
    done(&place, &["init", "--database", "app.db", "--migrations", "db/migrations"]);
    apply(&place);
    place
}

fn one(place: &Place, query: &str) -> i64 {
    let connection = rusqlite::Connection::open(database(place)).unwrap();
    connection.query_row(query, [], |row| row.get(0)).unwrap()
}

#[test]
fn s4_images_are_listed_with_what_they_take_and_read_page_by_page() {
    let place = migrated();
    let list = told(&place, "image", 0, &["image", "list"])["data"].clone();
    let images = list["images"].as_array().unwrap();
    let number = |value: &Value| value.as_u64().unwrap();
    assert_eq!(images.len(), 2, "{list}");
    for image in images {
        assert_eq!(number(&image["bytes"]), number(&image["pages"]) * number(&image["page_size"]));
        assert!(number(&image["only"]) > 0 && number(&image["only"]) < number(&list["kept"]));
        assert_eq!(image["cursors"].as_array().unwrap().len(), 1);
    }
    assert_eq!((&images[0]["cursors"][0]["run"], number(&list["steps"])), (&Value::Null, 1));
    assert_eq!(images[1]["cursors"][0]["version"], "20240103000000");
    let live = page_root(&database(&place));
    assert_eq!(images[1]["root"], live);

    // What is put back after going back is an image that is there.
    told(&place, "undo", 0, &["undo"]);
    let again = told(&place, "image", 0, &["image", "list"])["data"].clone();
    assert_eq!(again["images"].as_array().unwrap().len(), 2, "{again}");
    assert_eq!(again["images"][0]["cursors"].as_array().unwrap().len(), 2);

    let right = told(&place, "image", 0, &["image", "verify"]);
    assert_eq!(right["data"]["images"][1]["pages"], images[1]["pages"]);
    let then = told(&place, "image", 0, &["image", "verify", "@-1"]);
    assert_eq!(then["data"]["images"].as_array().unwrap().len(), 1);
    assert_eq!(then["data"]["images"][0]["root"], live);

    let pack = place.work().join(".glyph-ledger/objects/00000000.pack");
    let mut bytes = fs::read(&pack).unwrap();
    let rows = b"SOMEBODY 2";
    let at = bytes.windows(rows.len()).rposition(|window| window == rows).unwrap();
    bytes[at] ^= 1;
    fs::write(&pack, bytes).unwrap();
    let wrong = told(&place, "image", 3, &["image", "verify"]);
    assert_eq!(wrong["diagnostics"][0]["code"], "OBJECT_DAMAGED");
    assert_eq!(
        (&wrong["data"]["damaged"], &wrong["data"]["images"][0]["damaged"]),
        (&json!(1), &json!(0))
    );
    assert_eq!(wrong["data"]["images"][1]["first"].as_array().unwrap().len(), 1);
    told(&place, "image", 0, &["image", "verify", "@"]);
}

#[test]
fn s4_images_that_nobody_needs_are_given_up_and_what_is_gone_is_said_to_be_pruned() {
    let place = migrated();
    let first = page_root(&database(&place));
    // Two states more, the second as the first was.
    told(&place, "undo", 0, &["undo"]);
    told(&place, "rollback", 0, &["migration", "rollback", "--to", "@-1"]);
    assert_eq!(page_root(&database(&place)), first);
    sql(&place, "UPDATE users SET name = 'written' WHERE id = 7;");
    sql(&place, "DELETE FROM log WHERE who > 50;");
    fs::create_dir_all(place.work().join("db/migrations/2024-01-04-000000_last")).unwrap();
    fs::write(
        place.work().join("db/migrations/2024-01-04-000000_last/up.sql"),
        "CREATE TABLE last(a);",
    )
    .unwrap();
    apply(&place);
    let before = told(&place, "image", 0, &["image", "list"])["data"].clone();
    assert_eq!(before["pruned"], 0);
    let live = page_root(&database(&place));
    let bytes = || {
        let objects = place.work().join(".glyph-ledger/objects");
        let packs = fs::read_dir(objects).unwrap().map(|entry| entry.unwrap().path());
        let packs = packs.filter(|path| path.extension().is_some_and(|end| end == "pack"));
        packs.map(|pack| fs::metadata(pack).unwrap().len()).sum::<u64>()
    };
    let (whole, log) = (bytes(), done(&place, &["log", "--json"]).stdout);

    // Told, and nothing done: what to type to have it done is asked for, as `apply` asks for the id of a plan that loses values.
    let prune = ["image", "prune", "--keep", "@-1", "--reason", "the disk is full"];
    let asked = told(&place, "image", 5, &prune);
    assert_eq!(asked["diagnostics"][0]["code"], "CONFIRMATION_REQUIRED", "{asked}");
    let plan = asked["data"].clone();
    let typed = asked["next"][0]["argv"].as_array().unwrap().last().unwrap().as_str().unwrap();
    assert!(plan["id"].as_str().unwrap().starts_with(typed) && typed.len() == 12, "{asked}");
    assert!(plan["images"].as_u64() > Some(0) && plan["bytes"].as_u64() > Some(0), "{plan}");
    assert_eq!((&plan["done"], bytes()), (&json!(false), whole));
    let wrong = [&prune[..], &["--yes", "000000000000"]].concat();
    let refused = told(&place, "image", 5, &wrong);
    assert_eq!(refused["diagnostics"][0]["code"], "CONFIRMATION_REQUIRED");
    assert_eq!(done(&place, &["log", "--json"]).stdout, log);
    assert_eq!(bytes(), whole);

    let id = plan["id"].as_str().unwrap();
    let pruned = told(&place, "image", 0, &[&prune[..], &["--yes", &id[..12]]].concat());
    assert_eq!(pruned["data"]["done"], true);
    assert!(whole - bytes() >= plan["bytes"].as_u64().unwrap());
    let log = done(&place, &["log", "--json"]).json();
    assert_eq!(log["data"]["events"][0]["kind"], "object.pruned", "{log}");

    // What is kept is whole, and what is gone is pruned and not missing.
    let after = told(&place, "image", 0, &["image", "list"])["data"].clone();
    assert!(after["images"].as_array().unwrap().len() < before["images"].as_array().unwrap().len());
    assert_eq!(after["pruned"], plan["images"]);
    told(&place, "image", 0, &["image", "verify"]);
    let judged = told(&place, "verify-chain", 0, &["verify-chain", "--objects"])["data"].clone();
    assert_eq!(judged["objects"]["bad"], 0, "{judged}");
    assert!(judged["objects"]["pruned"].as_u64() > Some(0), "{judged}");
    // The first state is kept no more.
    let mut gone = log["data"]["events"].as_array().unwrap().iter();
    let gone = gone.rfind(|event| event["kind"] == "store.adopted").unwrap();
    let gone = gone["seq"].to_string();
    for arguments in [
        &["migration", "rollback", "--to", &gone][..],
        &["replay", "--to", &gone, "--out", "../then"],
        &["diff", &gone, "@"],
        &["image", "verify", &gone],
        &["image", "prune", "--keep", &gone, "--reason", "again"],
    ] {
        let said = place.run(&[arguments, &["--json"]].concat());
        assert_eq!(said.exit, 6, "{said:?}");
        let said = said.json()["diagnostics"][0].clone();
        assert_eq!(said["code"], "IMAGE_PRUNED", "{said}");
    }
    assert!(!place.work().join("../then").exists());
    assert_eq!(page_root(&database(&place)), live);
    // Without the images there is nothing to run again; that is said and is no divergence.
    let again = place.run(&["replay", "--recompute", "--json"]);
    assert_eq!(
        (again.exit, &again.json()["diagnostics"][0]["code"]),
        (7, &"NOT_RECOMPUTABLE".into())
    );
    let nothing = told(&place, "image", 0, &prune)["data"].clone();
    assert_eq!((&nothing["images"], &nothing["objects"]), (&json!(0), &json!(0)));
    // What is kept is gone back to; any other object that is missing is missing.
    told(&place, "undo", 0, &["undo"]);
    fs::remove_file(place.work().join(".glyph-ledger/objects/index")).unwrap();
    let pack = place.work().join(".glyph-ledger/objects/00000000.pack");
    let bytes = fs::read(&pack).unwrap();
    fs::write(&pack, &bytes[..bytes.len() / 2]).unwrap();
    let missing = told(&place, "verify-chain", 3, &["verify-chain", "--objects"]);
    assert_eq!(missing["diagnostics"][0]["code"], "OBJECT_MISSING");
}

#[test]
fn s4_two_cursors_are_compared_table_by_table() {
    let place = migrated();
    let diff = told(&place, "diff", 0, &["diff", "@-1", "@"])["data"].clone();
    assert_eq!((&diff["from"], &diff["to"]), (&FIRST.into(), &"20240103000000".into()));
    let changes = &diff["objects"][0]["database"];
    let declared: Vec<_> = changes["declared"].as_array().unwrap().iter().collect();
    let names: Vec<_> =
        declared.iter().map(|one| format!("{} {}", one["change"], one["name"])).collect();
    assert_eq!(
        names,
        [
            r#""added" "log""#,
            r#""changed" "users""#,
            r#""removed" "users.note""#,
            r#""added" "users.token""#
        ]
    );
    let row = |table, before, after, added, changed| {
        json!({"table": table, "rows_before": before,
        "rows_after": after, "added": added, "removed": 0, "changed": changed})
    };
    assert_eq!(
        changes["tables"],
        json!([
            row("__diesel_schema_migrations", json!(1), 3, 2, 0),
            row("log", Value::Null, 100, 100, 0),
            row("users", json!(100), 100, 0, 3),
        ])
    );
    let backwards = told(&place, "diff", 0, &["diff", "@", "@-1"])["data"].clone();
    assert_eq!(backwards["objects"][0]["database"]["tables"][1]["removed"], 100);
    let same = told(&place, "diff", 0, &["diff", "@", "@"])["data"].clone();
    assert_eq!((&same["objects"], &same["unchanged"]), (&json!([]), &json!(1)));
    let said = place.run(&["diff", "@-1"]);
    assert!(said.stdout.contains("+ column users.token BLOB"), "{said:?}");
    assert!(
        said.stdout.contains("users: 100 -> 100 rows, 0 added, 0 removed, 3 changed"),
        "{said:?}"
    );
    assert_eq!(told(&place, "diff", 2, &["diff", "0"])["diagnostics"][0]["code"], "CURSOR_UNKNOWN");
}

#[test]
fn s5_scripts_that_go_down_are_runs_with_loss_and_a_way_back() {
    let place = migrated();
    sql(&place, "INSERT INTO users(id, name) VALUES (999, 'late');");
    let before = fs::read(database(&place)).unwrap();
    let refused = told(&place, "plan", 4, &["plan", "--to", FIRST]);
    assert_eq!(refused["diagnostics"][0]["code"], "MIGRATION_PATH_MISSING");
    let message = refused["diagnostics"][0]["message"].as_str().unwrap();
    assert!(
        message.contains("2024-01-03-000000_note/up.sql") && !message.contains("token"),
        "{message}"
    );
    assert_eq!(fs::read(database(&place)).unwrap(), before);

    let (name, text) = FILES[4];
    fs::write(place.work().join("db/migrations").join(name), text).unwrap();
    let plan = told(&place, "plan", 0, &["plan", "--to", FIRST, "-o", "../down.json"]);
    let steps: Vec<_> = plan["data"]["plan"]["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| &step["script"])
        .collect();
    assert_eq!(steps, ["2024-01-03-000000_note/down.sql", "2024-01-02-000000_token/down.sql"]);
    assert!(plan["data"]["plan"]["loss"]["log"]["dropped"].as_bool().unwrap(), "{plan}");
    assert_eq!(place.run(&["apply", "../down.json"]).exit, 5);
    let id = plan["data"]["plan"]["id"].as_str().unwrap();
    let held = page_root(&database(&place));
    told(&place, "apply", 0, &["apply", "../down.json", "--accept-lossy", id]);

    // What was written since stays, and the tool's books say what was taken back.
    assert_eq!(one(&place, "SELECT count(*) FROM users WHERE id = 999"), 1);
    assert_eq!(one(&place, "SELECT count(*) FROM users WHERE note LIKE 'back at %'"), 1);
    assert_eq!(one(&place, "SELECT count(*) FROM __diesel_schema_migrations"), 1);
    let status = told(&place, "status", 0, &["status"]);
    assert_eq!(
        (&status["data"]["version"], &status["data"]["applied"]),
        (&FIRST.into(), &json!(1))
    );
    let replayed = told(&place, "replay", 0, &["replay", "--recompute"]);
    assert_eq!(
        replayed["data"]["recomputed"],
        json!({"steps": 4, "same": 4, "not_recomputable": 0})
    );
    told(&place, "verify-chain", 0, &["verify-chain", "--objects"]);
    told(&place, "undo", 0, &["undo"]);
    assert_eq!(page_root(&database(&place)), held);
    told(&place, "plan", 0, &["plan", "--to", FIRST]);
}

#[test]
fn m6_scripts_that_do_not_take_back_what_they_should_are_named() {
    let place = Place::new();
    for (name, sql) in [
        (
            "2024-01-01-000000_a/up.sql",
            "CREATE TABLE users(id INTEGER PRIMARY KEY, name TEXT); CREATE INDEX by_name ON users(name);
INSERT INTO users(name) VALUES ('b'), ('a'), ('c');",
        ),
        ("2024-01-01-000000_a/down.sql", "DROP TABLE users;"),
        ("2024-01-02-000000_b/up.sql", "ALTER TABLE users ADD COLUMN note; DROP INDEX by_name;"),
        ("2024-01-02-000000_b/down.sql", "ALTER TABLE users DROP COLUMN note;"),
        (
            "2024-01-03-000000_c/up.sql",
            "CREATE TABLE ranked(id INTEGER PRIMARY KEY, who TEXT);
INSERT INTO ranked(who) SELECT id FROM users;",
        ),
        ("2024-01-03-000000_c/down.sql", "DROP TABLE ranked;"),
        ("2024-01-04-000000_d/up.sql", "CREATE TABLE last(a);"),
        ("2024-01-04-000000_d/down.sql", "DROP TABLE nowhere;"),
        ("2024-01-05-000000_e/up.sql", "CREATE TABLE more(a);"),
    ] {
        let path = place.work().join("db/migrations").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, sql).unwrap();
    }
    done(&place, &["init", "--database", "app.db", "--migrations", "db/migrations"]);
    let (before, log) = (fs::read(database(&place)).unwrap(), place.run(&["log"]).stdout);
    let proved = told(&place, "prove", 3, &["prove"]);
    assert_eq!(proved["diagnostics"][0]["code"], "PROPERTY_MISSING");
    let data = &proved["data"];
    assert_eq!(
        (&data["with_way_back"], &data["restored"], &data["failing"]),
        (&json!(4), &json!(2), &json!(3))
    );
    let seen = data["migrations"].as_array().unwrap();
    let found: Vec<_> = seen.iter().map(|one| &one["back"]["found"]).collect();
    assert_eq!(found, ["restores", "differs", "restores", "fails", "none"]);
    let missing = &seen[1]["back"]["changes"]["declared"][0];
    assert_eq!((&missing["change"], &missing["name"]), (&"removed".into(), &"by_name".into()));
    let ordered: Vec<_> = seen.iter().map(|one| !one["order"].is_null()).collect();
    assert_eq!(ordered, [false, false, true, false, false]);
    assert!(seen[3]["back"]["why"].as_str().unwrap().contains("2024-01-04-000000_d/down.sql:1"));
    assert_eq!(fs::read(database(&place)).unwrap(), before);
    assert_eq!(place.run(&["log"]).stdout, log);
    let said = place.run(&["prove"]);
    assert!(said.stdout.contains("- index by_name"), "{said:?}");

    // On what the database holds, where the ledger knows that.
    apply(&place);
    fs::write(place.work().join("db/migrations/2024-01-04-000000_d/down.sql"), "DROP TABLE last;")
        .unwrap();
    let again = told(&place, "prove", 3, &["prove"]);
    assert_eq!(again["data"]["failing"], 2);
    assert_eq!(
        told(&place, "prove", 2, &["prove", "--cases", "3"])["diagnostics"][0]["code"],
        "USAGE"
    );
}
