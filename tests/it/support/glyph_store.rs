//! `.glyph` stores as the Glyph tool leaves them at version 1: manifest, database with rows in every table, audit file and
//! files of content. No file of it is kept; each test has one made.

use std::fs;
use std::path::{Path, PathBuf};

use ledger_format::hash::ContentHash;
use rusqlite::{Connection, params};

use super::Place;

/// The two databases that call themselves version 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// That of the first builds.
    First,
    /// That of later builds, whose publications say what they mean.
    Semantic,
}

/// Rows in the tables of a working project, and a few in the others.
const ROWS: usize = 60;

/// When everything happened.
const AT: &str = "2026-05-27T00:00:00Z";

/// The tables of both shapes. Written down here once more, so that what the program makes is compared with something.
const TABLES: &str = "
    CREATE TABLE meta (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL);
    CREATE TABLE content (id TEXT NOT NULL PRIMARY KEY, hash TEXT NOT NULL, size INTEGER NOT NULL, path TEXT NOT NULL,
        created_at TEXT NOT NULL);
    CREATE TABLE sources (path TEXT NOT NULL PRIMARY KEY, content_id TEXT NOT NULL, labels TEXT NOT NULL,
        updated_at TEXT NOT NULL);
    CREATE TABLE realms (name TEXT NOT NULL PRIMARY KEY, description TEXT NOT NULL);
    CREATE TABLE work_contexts (name TEXT NOT NULL PRIMARY KEY, base_realm TEXT NOT NULL, workspace_path TEXT NOT NULL,
        status TEXT NOT NULL, created_at TEXT NOT NULL);
    CREATE TABLE snapshots (id TEXT NOT NULL PRIMARY KEY, work_name TEXT NOT NULL, reason TEXT NOT NULL,
        hash TEXT NOT NULL, created_at TEXT NOT NULL);
    CREATE TABLE remotes (name TEXT NOT NULL PRIMARY KEY, url TEXT NOT NULL, created_at TEXT NOT NULL);
    CREATE TABLE mounts (path TEXT NOT NULL PRIMARY KEY, remote TEXT NOT NULL, created_at TEXT NOT NULL);
    CREATE TABLE work_claims (id TEXT NOT NULL PRIMARY KEY, work_name TEXT NOT NULL, actor TEXT NOT NULL);
    CREATE TABLE work_dependencies (work_name TEXT NOT NULL, depends_on_work TEXT NOT NULL, created_at TEXT NOT NULL,
        PRIMARY KEY (work_name, depends_on_work));
    CREATE TABLE work_conflicts (id TEXT NOT NULL PRIMARY KEY, work_name TEXT NOT NULL, conflicts INTEGER NOT NULL);
    CREATE TABLE hook_runs (id TEXT NOT NULL PRIMARY KEY, hook TEXT NOT NULL, exit_code INTEGER NOT NULL,
        created_at TEXT NOT NULL);
    INSERT INTO meta VALUES ('store_version', '1'), ('project', 'glyph');";

const PUBLICATIONS: &str = "CREATE TABLE publications (id TEXT NOT NULL PRIMARY KEY, work_name TEXT NOT NULL,
    dest_realm TEXT NOT NULL, status TEXT NOT NULL, actor TEXT NOT NULL, mode TEXT NOT NULL DEFAULT 'squash',
    created_at TEXT NOT NULL";

const SEMANTICS: &str =
    ", semantic_type TEXT NOT NULL DEFAULT '', semantic_scope TEXT NOT NULL DEFAULT '',
    semantic_description TEXT NOT NULL DEFAULT ''";

const MANIFEST: &str = "store:
  version: 1
  created_by: glyph/0.1.0
  created_at: 2026-05-27T00:00:00Z
  project: glyph
  object_format: glyph-object-v1
  audit_log: audit/events.jsonl
";

/// Makes such a store in the working folder of `place`; its folder.
pub(crate) fn a_glyph_store(place: &Place, shape: Shape) -> PathBuf {
    let root = place.work().join(".glyph");
    for folder in ["content", "audit", "workspaces", "exports", "hooks"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    fs::write(root.join("manifest.yaml"), MANIFEST).unwrap();
    let connection = Connection::open(root.join("store.db")).unwrap();
    connection.pragma_update(None, "journal_mode", "wal").unwrap();
    let semantics = if shape == Shape::Semantic { SEMANTICS } else { "" };
    connection.execute_batch(&format!("{TABLES}{PUBLICATIONS}{semantics})")).unwrap();
    connection.execute_batch("BEGIN").unwrap();
    fill(&connection, &root, shape);
    connection.execute_batch("COMMIT").unwrap();
    fs::write(root.join("audit/events.jsonl"), history()).unwrap();
    root
}

fn fill(connection: &Connection, root: &Path, shape: Shape) {
    let put = |sql: &str, values: &[&dyn rusqlite::ToSql]| {
        connection.execute(sql, values).unwrap();
    };
    for (name, about) in [("main", "what counts"), ("draft", "what may")] {
        put("INSERT INTO realms VALUES (?1, ?2)", params![name, about]);
    }
    for row in 0..ROWS {
        let bytes = format!("fn number_{row}() {{}}\n");
        let hash = ContentHash::of(bytes.as_bytes()).to_string();
        let (id, path) = (&hash[..16], format!("content/{hash}"));
        fs::write(root.join(&path), &bytes).unwrap();
        let size = i64::try_from(bytes.len()).unwrap();
        put("INSERT INTO content VALUES (?1, ?2, ?3, ?4, ?5)", params![id, hash, size, path, AT]);
        let labels = ["", "code", "code,rust", "spec,draft,ü"][row % 4];
        let source = format!("src/{row}.rs");
        put("INSERT INTO sources VALUES (?1, ?2, ?3, ?4)", params![source, id, labels, AT]);
        let work = format!("work-{}", row % 7);
        let (snapshot, publication) = (format!("snap-{row}"), format!("pub-{row}"));
        put(
            "INSERT INTO snapshots VALUES (?1, ?2, 'save', ?3, ?4)",
            params![snapshot, work, hash, AT],
        );
        put(
            "INSERT INTO publications (id, work_name, dest_realm, status, actor, created_at)
             VALUES (?1, ?2, 'main', 'published', 'ada', ?3)",
            params![publication, work, AT],
        );
    }
    for row in 0..7 {
        let work = format!("work-{row}");
        put(
            "INSERT INTO work_contexts VALUES (?1, 'main', ?2, 'open', ?3)",
            params![work, format!("workspaces/{work}"), AT],
        );
        put(
            "INSERT INTO work_dependencies VALUES (?1, 'work-0', ?2)",
            params![format!("work-{}", row + 1), AT],
        );
        put(
            "INSERT INTO work_claims VALUES (?1, ?2, 'ada')",
            params![format!("claim-{row}"), work],
        );
        put(
            "INSERT INTO work_conflicts VALUES (?1, ?2, ?3)",
            params![format!("c-{row}"), work, row],
        );
        put(
            "INSERT INTO hook_runs VALUES (?1, 'pre-publish', 0, ?2)",
            params![format!("h-{row}"), AT],
        );
    }
    put("INSERT INTO remotes VALUES ('origin', 'https://example.org/glyph', ?1)", params![AT]);
    put("INSERT INTO mounts VALUES ('vendor/lib', 'origin', ?1)", params![AT]);
    if shape == Shape::Semantic {
        put(
            "UPDATE publications SET semantic_type = 'feature', semantic_scope = 'store',
             semantic_description = 'number ' || id",
            &[],
        );
    }
}

/// What the tool wrote into the audit file until then.
fn history() -> String {
    let line = |kind: &str, data: &str| {
        format!(
            "{{\"type\":\"{kind}\",\"timestamp\":\"{AT}\",\"actor\":\"ada\",\"data\":{data}}}\n"
        )
    };
    [
        line("store_init", r#"{"version":1,"project":"glyph"}"#),
        line("source_import", r#"{"count":60}"#),
        line("work_publish", r#"{"id":"pub-0","work":"work-0"}"#),
    ]
    .concat()
}

/// Every row of `table` as text, in the order of all its columns; only the columns `columns`.
pub(crate) fn rows_of(root: &Path, table: &str, columns: &str) -> Vec<String> {
    let connection = Connection::open(root.join("store.db")).unwrap();
    let quoted: Vec<_> = columns.split(", ").map(|column| format!("quote({column})")).collect();
    let query = format!("SELECT {} FROM {table} ORDER BY 1", quoted.join(" || '|' || "));
    let mut rows = connection.prepare(&query).unwrap();
    rows.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

/// Changes the database as another program does.
pub(crate) fn change_store(root: &Path, sql: &str) {
    Connection::open(root.join("store.db")).unwrap().execute_batch(sql).unwrap();
}
