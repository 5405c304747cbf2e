//! Going back over another page layout: refused while others may have the database open, done by who has it alone, and
//! finished after a kill at any point.

use std::process::{Command, Stdio};

use rusqlite::Connection;
use serde_json::Value;

use crate::databases::{
    INIT_COMMAND, an_application, apply, database, number, page_root, sql, told,
};
use crate::databases_kill::{EVERYWHERE, keep, killed_at, reset};
use crate::support::{Place, done, not_shown};

const UNDO: [&str; 2] = ["undo", "--exclusive"];

/// A migrated database that its application laid out anew since; its page root before the migration.
fn laid_out_anew(mode: &str) -> (Place, String) {
    let place = an_application(&[
        ("1_init.sql", "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT);"),
        ("2_more.sql", "CREATE INDEX by_a ON t(a); UPDATE t SET a = a || 'b' WHERE id % 3 = 0;"),
    ]);
    let rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
        INSERT INTO t SELECT i, 'a' || i FROM n;";
    sql(&place, rows);
    plainly(&place, &format!("PRAGMA journal_mode = {mode};"));
    done(&place, &INIT_COMMAND);
    let before = page_root(&database(&place));
    apply(&place);
    plainly(
        &place,
        &format!(
            "PRAGMA journal_mode = delete; PRAGMA page_size = 1024; PRAGMA auto_vacuum = full; VACUUM;
            PRAGMA journal_mode = {mode};"
        ),
    );
    (place, before)
}

/// What no transaction can do.
fn plainly(place: &Place, sql: &str) {
    Connection::open(database(place)).unwrap().execute_batch(sql).unwrap();
}

fn journal_mode(place: &Place) -> String {
    let connection = Connection::open(database(place)).unwrap();
    connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap()
}

fn code(answer: &Value) -> &str {
    answer["diagnostics"][0]["code"].as_str().unwrap()
}

#[test]
fn s4_another_page_layout_is_gone_back_over_by_who_has_the_database_alone() {
    for mode in ["wal", "delete"] {
        let (place, before) = laid_out_anew(mode);
        let since = page_root(&database(&place));
        assert_eq!(number(&place, "PRAGMA page_size"), 1024);
        let refused = told(&place, "undo", 4, &["undo"]);
        assert_eq!(code(&refused), "NEEDS_EXCLUSIVE");
        assert_eq!(refused["next"][0]["argv"].as_array().unwrap()[1..], UNDO, "{refused}");
        assert_eq!(page_root(&database(&place)), since);

        // Somebody has it open: in rollback mode that shows while they read.
        let other = Connection::open(database(&place)).unwrap();
        other.execute_batch("BEGIN; SELECT * FROM t LIMIT 1;").unwrap();
        assert_eq!(code(&told(&place, "undo", 8, &UNDO)), "BUSY");
        other.execute_batch("COMMIT").unwrap();
        drop(other);
        assert_eq!(
            (page_root(&database(&place)), journal_mode(&place)),
            (since.clone(), mode.into())
        );

        let back = told(&place, "undo", 0, &UNDO);
        assert_eq!((page_root(&database(&place)), journal_mode(&place)), (before, mode.into()));
        let layout = ["PRAGMA page_size", "PRAGMA auto_vacuum"].map(|ask| number(&place, ask));
        assert_eq!(layout, [4096, 0]);
        let run = format!("run:{}^", back["data"]["run"].as_str().unwrap());
        let forward = ["migration", "rollback", "--to", &run];
        let refused = told(&place, "rollback", 4, &forward);
        let next = refused["next"][0]["argv"].as_array().unwrap();
        assert_eq!(next[1..], [&forward[..], &["--exclusive"]].concat(), "{refused}");
        told(&place, "rollback", 0, &[&forward[..], &["--exclusive"]].concat());
        assert_eq!((page_root(&database(&place)), journal_mode(&place)), (since, mode.into()));
        let judged = told(&place, "verify-chain", 0, &["verify-chain", "--objects"]);
        assert_eq!(judged["data"]["live"]["verdict"], "matches", "{judged}");
        sql(&place, "INSERT INTO t(a) VALUES ('after');");
        assert_eq!(number(&place, "SELECT count(*) FROM t"), 2001);
    }
}

/// Calls to kill at, and how many of them to pass over from one point to the next.
const CALLS: [(&str, usize); 4] =
    [("fdatasync", 7), ("pwrite64", 149), ("unlink", 2), ("ftruncate", 1)];

#[test]
fn s4_a_database_that_is_replaced_as_a_whole_is_killed_anywhere_and_ends_as_if_undisturbed() {
    if Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_err() {
        return not_shown(
            "a database replaced and killed at every call",
            "there is no strace here",
        );
    }
    let everywhere = std::env::var_os(EVERYWHERE).is_some();
    let (mut points, mut resumed, mut told_so) = (0, 0, 0);
    for mode in ["wal", "delete"] {
        let (place, before) = laid_out_anew(mode);
        let since = page_root(&database(&place));
        keep(&place);
        let undo = UNDO.map(str::to_owned);
        for (call, stride) in CALLS {
            let mut nth = 1;
            while killed_at(&place, &undo, call, nth) {
                points += 1;
                // One of the two, and never one between.
                let found = page_root(&database(&place));
                assert!(found == before || found == since, "{mode} {call} {nth}");
                let shared = place.run(&["migration", "resume", "--json"]);
                match shared.exit {
                    0 => resumed += 1,
                    4 => {
                        // One that was not committed yet ended with that, and is begun anew.
                        let answer = shared.json();
                        let next = &answer["next"][0]["argv"].as_array().unwrap()[1..];
                        assert_eq!(next.last().unwrap(), "--exclusive", "{answer}");
                        let words = next.iter().map(|word| word.as_str().unwrap());
                        done(&place, &words.collect::<Vec<_>>());
                        told_so += usize::from(next.len() == 3);
                    }
                    _ => assert_eq!(code(&shared.json()), "NO_RUN", "{shared:?}"),
                }
                if page_root(&database(&place)) != before {
                    done(&place, &UNDO);
                }
                assert_eq!(page_root(&database(&place)), before, "{mode} {call} {nth}");
                let judged = told(&place, "verify-chain", 0, &["verify-chain", "--objects"]);
                assert_eq!(judged["data"]["live"]["verdict"], "matches", "{judged}");
                nth += if everywhere { 1 } else { stride };
                reset(&place);
            }
            reset(&place);
        }
    }
    assert!(points > 10 && resumed > 0 && told_so > 0, "{points} {resumed} {told_so}");
}
